//! Readiness, and how connections are spread.

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
