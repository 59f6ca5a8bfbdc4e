//! Readiness and limits.

use similar_asserts::assert_eq;

use super::*;

#[tokio::test]
async fn it_is_ready_once_every_notice_is_listened_for_and_names_what_is_missing() {
    let backend = Backend::start(&limits());
    assert_eq!(
        backend.readiness.report().to_string(),
        "not ready\nnotices: the first list has not arrived\n"
    );
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let (good, bad) = (notice(free_port().await), notice(port));
    backend.wants(&[good.clone(), bad]);
    let report = backend.says(|report| !report.contains("notices: ")).await;
    assert!(
        report.starts_with(&format!(
            "not ready\nport {port}: cannot listen on 127.0.0.1:{port}: "
        )),
        "{report}"
    );
    // The other one is served meanwhile.
    let mut stream = connect(good.port).await;
    send(&mut stream, GET).await;
    receive(&mut stream).await;

    drop(taken);
    let report = backend.says(|report| report.starts_with("ready\n")).await;
    assert!(report.starts_with("ready\nnotices: 2\n"), "{report}");
    assert!(
        report.contains(&format!("\nport {port}: shop/db-upgrade\n")),
        "{report}"
    );
}

#[tokio::test]
async fn a_connection_that_never_asks_is_closed() {
    let port = free_port().await;
    let backend = Backend::start(&LimitArgs {
        head_timeout: Duration::from_millis(300),
        ..limits()
    });
    backend.wants(&[notice(port)]);
    backend.says(|report| report.starts_with("ready\n")).await;
    let mut silent = connect(port).await;
    let mut slow = connect(port).await;
    send(&mut slow, "GET / HT").await;
    assert_eq!(rest(&mut silent).await, "");
    // Cut off in the middle of its head.
    let mut answer = Vec::new();
    let ended = timeout(Duration::from_secs(12), slow.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!((ended.unwrap(), answer), (0, vec![]));
}

#[tokio::test]
async fn a_connection_that_is_one_too_many_waits_for_its_turn() {
    let port = free_port().await;
    let backend = Backend::start(&LimitArgs {
        max_connections: 1,
        ..limits()
    });
    backend.wants(&[notice(port)]);
    backend.says(|report| report.starts_with("ready\n")).await;
    let mut first = connect(port).await;
    send(&mut first, GET).await;
    receive(&mut first).await;
    let mut second = connect(port).await;
    send(&mut second, GET).await;
    assert!(
        timeout(Duration::from_millis(200), second.read_u8())
            .await
            .is_err()
    );
    drop(first);
    receive(&mut second).await;
}
