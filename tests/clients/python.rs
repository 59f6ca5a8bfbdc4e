//! Python: urllib3, and requests on top of it.

use entracte::notice::RetryAfterFormat;
use serde_json::{Value, json};
use similar_asserts::assert_eq;

use crate::stage::ending::Ending;
use crate::stage::programs;
use crate::stage::site::Site;

/// Has a client ask until the app answers, which it does at the end.
async fn asks_until_the_end(client: &str, format: RetryAfterFormat) {
    let mut command = programs::python("ask.py").await;
    let app = Site::of("back").await;
    let ending = Ending::soon(format, app.address).await;
    let output = command
        .args([client, &ending.url()])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        seen,
        json!({"status": 200, "body": "back", "before": [503]})
    );
    ending.assert_the_client_came_back_in_time();
}

#[tokio::test]
async fn urllib3_waits_the_seconds_of_retry_after() {
    asks_until_the_end("urllib3", RetryAfterFormat::Seconds).await;
}

#[tokio::test]
async fn urllib3_waits_for_the_date_of_retry_after() {
    asks_until_the_end("urllib3", RetryAfterFormat::HttpDate).await;
}

#[tokio::test]
async fn requests_with_a_mounted_retry_waits_the_seconds_of_retry_after() {
    asks_until_the_end("requests", RetryAfterFormat::Seconds).await;
}

#[tokio::test]
async fn requests_with_a_mounted_retry_waits_for_the_date_of_retry_after() {
    asks_until_the_end("requests", RetryAfterFormat::HttpDate).await;
}
