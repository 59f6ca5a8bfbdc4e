//! How connections end: near a window's end, after its release, with its notice, with the process.

use http::header::{CONNECTION, RETRY_AFTER};
use similar_asserts::assert_eq;

use super::*;

#[tokio::test]
async fn http_1_0_that_asks_to_be_kept_is_kept_until_the_end_is_near() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    let request = "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
    send(&mut stream, request).await;
    assert_eq!(
        field(&receive(&mut stream).await.0, "connection"),
        Some("keep-alive")
    );
    backend.wants(&[ends_in(2, port)]);
    // The new notice is answered with as soon as it has been handed on.
    loop {
        send(&mut stream, request).await;
        let (head, _) = receive(&mut stream).await;
        if field(&head, "retry-after") == Some("30") {
            continue;
        }
        assert_eq!(field(&head, "connection"), Some("close"));
        assert_eq!(head.matches("connection: ").count(), 1);
        break;
    }
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn near_the_end_an_answer_closes_its_connection() {
    let port = free_port().await;
    let _backend = Backend::with(ends_in(3, port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, GET).await;
    let (head, _) = receive(&mut stream).await;
    assert_eq!(field(&head, "connection"), Some("close"));
    assert!(["1", "2", "3"].contains(&field(&head, "retry-after").unwrap()));
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_a_second_after_the_end() {
    let port = free_port().await;
    let until = Utc::now() + TimeDelta::milliseconds(4500);
    let _backend = Backend::with(Notice {
        until: Some(until),
        ..notice(port)
    })
    .await;
    let mut stream = connect(port).await;
    send(&mut stream, GET).await;
    assert_eq!(field(&receive(&mut stream).await.0, "connection"), None);
    assert_eq!(rest(&mut stream).await, "");
    let after = Utc::now() - until;
    assert!(
        after >= TimeDelta::milliseconds(990),
        "closed {after} after the end"
    );
    assert!(
        after < TimeDelta::seconds(2),
        "closed {after} after the end"
    );
}

#[tokio::test]
async fn a_connection_that_is_idle_at_the_release_is_there_until_proxies_have_followed() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, GET).await;
    receive(&mut stream).await;
    sleep(Duration::from_millis(1500)).await;
    backend.wants(&[Notice {
        released: true,
        ..notice(port)
    }]);
    sleep(Duration::from_millis(500)).await;
    send(&mut stream, GET).await;
    let (head, _) = receive(&mut stream).await;
    assert_eq!(field(&head, "connection"), Some("close"));
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_release_and_not_before_it_is_idle() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, GET).await;
    receive(&mut stream).await;
    let idle = Instant::now();
    backend.wants(&[Notice {
        released: true,
        ..notice(port)
    }]);
    assert_eq!(rest(&mut stream).await, "");
    let idle = idle.elapsed();
    assert!(idle >= Duration::from_millis(990), "closed after {idle:?}");
    assert!(idle < Duration::from_secs(2), "closed after {idle:?}");
}

#[tokio::test]
async fn a_request_on_its_way_at_the_release_is_answered() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    let (first, last) = GET.split_at(10);
    send(&mut stream, first).await;
    backend.wants(&[Notice {
        released: true,
        ..notice(port)
    }]);
    sleep(Duration::from_millis(500)).await;
    send(&mut stream, last).await;
    let (head, _) = receive(&mut stream).await;
    assert_eq!(field(&head, "retry-after"), Some("1"));
    assert_eq!(field(&head, "connection"), Some("close"));
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_released_notice_still_answers_late_proxies() {
    let port = free_port().await;
    let _backend = Backend::with(Notice {
        released: true,
        ..notice(port)
    })
    .await;
    for _ in 0..2 {
        let mut stream = connect(port).await;
        send(&mut stream, GET).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert_eq!(field(&answer, "retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_port_whose_notice_is_deleted_is_closed_and_its_connections_end() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut stream = connect(port).await;
    send(&mut stream, GET).await;
    receive(&mut stream).await;
    backend.wants(&[]);
    backend.says(|report| report == "ready\nnotices: 0\n").await;
    send(&mut stream, GET).await;
    let (head, _) = receive(&mut stream).await;
    assert_eq!(field(&head, "connection"), Some("close"));
    let refused = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_ok()
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
}

#[tokio::test]
async fn a_shutdown_answers_until_the_delay_is_over_and_then_ends() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let mut idle = connect(port).await;
    send(&mut idle, GET).await;
    receive(&mut idle).await;

    let begun = Instant::now();
    backend.shutdown.begin();
    let report = backend
        .says(|report| report.starts_with("not ready\n"))
        .await;
    assert_eq!(report, "not ready\nshutdown: the process is about to end\n");
    let mut late = connect(port).await;
    send(&mut late, GET).await;
    assert_eq!(field(&rest(&mut late).await, "connection"), Some("close"));
    assert_eq!(rest(&mut idle).await, "");

    timeout(PATIENCE, backend.running).await.unwrap().unwrap();
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(2) && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn h2c_is_asked_to_go_when_the_end_is_near() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let (mut client, connection) = h2c(port).await;
    client.send_request(get()).await.unwrap();

    backend.wants(&[ends_in(2, port)]);
    loop {
        let response = client.send_request(get()).await.unwrap();
        assert_eq!(response.headers().get(CONNECTION), None);
        if response.headers()[RETRY_AFTER] != "30" {
            break;
        }
    }
    // GOAWAY: the client's connection ends in order.
    timeout(PATIENCE, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_idle_h2c_connection_ends_after_the_release() {
    let port = free_port().await;
    let backend = Backend::with(notice(port)).await;
    let (mut client, connection) = h2c(port).await;
    client.send_request(get()).await.unwrap();
    backend.wants(&[Notice {
        released: true,
        ..notice(port)
    }]);
    timeout(PATIENCE, connection)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
