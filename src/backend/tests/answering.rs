//! What is answered, over the wire.

use http::StatusCode;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt;
use similar_asserts::assert_eq;

use super::*;

#[tokio::test]
async fn an_answer_over_http_1_1_bears_every_field_and_keeps_the_connection() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    for _ in 0..3 {
        send(&mut stream, GET).await;
        let (head, body) = receive(&mut stream).await;
        let (date, lines): (Vec<_>, Vec<_>) = head
            .trim_end()
            .lines()
            .partition(|line| line.starts_with("date: "));
        assert_eq!(date.len(), 1);
        assert_eq!(
            lines,
            [
                "HTTP/1.1 503 Service Unavailable",
                "retry-after: 30",
                "content-type: text/plain; charset=utf-8",
                "vary: Accept, Accept-Language, Origin",
                "x-content-type-options: nosniff",
                "x-robots-tag: noindex",
                "cache-control: no-store",
                "entracte-window: shop/db-upgrade",
                "content-length: 55",
            ]
        );
        assert_eq!(
            body,
            "We are upgrading our database.\n\nPlease try again soon.\n"
        );
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_one_after_the_other() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, &GET.repeat(20)).await;
    for _ in 0..20 {
        assert!(receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "));
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, "GET / HTTP/1.0\r\n\r\n").await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.0 503 Service Unavailable\r\nretry-after: 30\r\n"));
    assert!(answer.ends_with('}'), "{answer}");
}

#[tokio::test]
async fn head_has_the_length_of_get_and_no_body() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    let head =
        GET.replacen("GET", "HEAD", 1)
            .replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
    send(&mut stream, &head).await;
    let answer = rest(&mut stream).await;
    assert_eq!(field(&answer, "content-length"), Some("55"));
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_is_not_waited_for_and_does_not_cost_the_connection() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(
        &mut stream,
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 300000\r\n\r\nhalf",
    )
    .await;
    assert!(receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "));
    send(&mut stream, &"x".repeat(300_000 - 4)).await;
    send(&mut stream, GET).await;
    assert!(receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn who_waits_to_be_asked_for_a_body_gets_the_answer_at_once() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    let head = "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    send(&mut stream, head).await;
    assert!(receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn a_web_socket_is_refused_with_the_same_answer() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    let upgrade = "\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    send(&mut stream, &GET.replacen("\r\n\r\n", upgrade, 1)).await;
    assert!(receive(&mut stream).await.0.starts_with("HTTP/1.1 503 "));
    send(&mut stream, GET).await;
    receive(&mut stream).await;
}

#[tokio::test]
async fn an_edit_is_answered_with_on_connections_that_are_open() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, GET).await;
    receive(&mut stream).await;
    let other = WindowRef {
        namespace: "shop".into(),
        name: "other".into(),
    };
    backend.wants(&[Notice {
        window: other,
        uid: "2".into(),
        ..notice(port)
    }]);
    backend
        .says(|report| report.ends_with(&format!("port {port}: shop/other\n")))
        .await;
    send(&mut stream, GET).await;
    assert_eq!(
        field(&receive(&mut stream).await.0, "entracte-window"),
        Some("shop/other")
    );
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: x\r\ncookie: {}\r\n\r\n",
        "x".repeat(9000)
    );
    send(&mut stream, &request).await;
    let mut status = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut status))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&status, b"HTTP/1.1 431");
}

#[tokio::test]
async fn h2c_with_prior_knowledge_gets_the_same_answer() {
    let port = free_port().await;
    let _backend = Backend::with(notice(port)).await;
    let (mut client, _connection) = h2c(port).await;
    for _ in 0..3 {
        let response = client.send_request(get()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "30");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            "We are upgrading our database.\n\nPlease try again soon.\n"
        );
    }
}
