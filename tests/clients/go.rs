//! Go: hashicorp/go-retryablehttp, and grpc-go.

use std::net::SocketAddr;
use std::process::Stdio;

use entracte::notice::RetryAfterFormat;
use serde::Deserialize;
use serde_json::{Value, json};
use similar_asserts::assert_eq;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::stage::backend::{Backend, MESSAGE, notice};
use crate::stage::ending::Ending;
use crate::stage::programs;
use crate::stage::site::Site;

/// What `grpc check` saw.
#[derive(Debug, Deserialize)]
struct Seen {
    code: String,
    message: String,
    health: String,
    attempts: Vec<Attempt>,
}

/// One try of a call, in milliseconds since 1970.
#[derive(Debug, Deserialize)]
struct Attempt {
    begun: i64,
    ended: i64,
    pushback: Option<Vec<String>>,
}

impl Attempt {
    /// The only grpc-retry-pushback-ms.
    fn pushback(&self) -> i64 {
        match self.pushback.as_deref() {
            Some([milliseconds]) => milliseconds.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// An app that speaks gRPC.
struct App {
    address: SocketAddr,
    _process: Child,
}

impl App {
    async fn start() -> Self {
        let mut command = programs::go("grpc").await;
        command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let mut address = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut address).await.unwrap();
        Self {
            address: address.trim().parse().unwrap(),
            _process: process,
        }
    }
}

async fn check(address: SocketAddr, policy: &[&str]) -> Seen {
    let mut command = programs::go("grpc").await;
    command.args(["check", &address.to_string()]).args(policy);
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn go_retryablehttp_comes_back_at_the_end_by_both_forms_of_retry_after() {
    for format in [RetryAfterFormat::Seconds, RetryAfterFormat::HttpDate] {
        let mut command = programs::go("retryable").await;
        let app = Site::of("back").await;
        let ending = Ending::soon(format, app.address).await;
        let output = command.arg(ending.url()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            seen,
            json!({"status": 200, "body": "back", "before": [503]})
        );
        ending.assert_the_client_came_back_in_time();
    }
}

#[tokio::test]
async fn grpc_go_sees_unavailable_with_the_message_and_when_to_come_back() {
    let backend = Backend::start(&notice()).await;
    let seen = check(backend.address, &[]).await;
    assert_eq!(seen.code, "Unavailable");
    assert!(seen.message.starts_with(MESSAGE), "{}", seen.message);
    assert_eq!(seen.attempts.len(), 1);
    let pushback = seen.attempts[0].pushback();
    // The window ends in two hours, and jitter is up to half a minute.
    assert!((7_190_000..=7_230_000).contains(&pushback), "{pushback}");
}

#[tokio::test]
async fn grpc_go_with_a_retry_policy_comes_back_at_the_end_as_it_was_told() {
    let app = App::start().await;
    let ending = Ending::soon(RetryAfterFormat::Seconds, app.address).await;
    let seen = check(ending.address(), &["retry"]).await;
    assert_eq!(
        (seen.code.as_str(), seen.health.as_str()),
        ("OK", "SERVING")
    );
    let [first, second] = &seen.attempts[..] else {
        panic!("{:?}", seen.attempts)
    };
    let (waited, told) = (second.begun - first.ended, first.pushback());
    // Each of the two may have been written down up to a millisecond off.
    assert!(
        (told - 2..=told + 1000).contains(&waited),
        "{waited} for {told}"
    );
    ending.assert_the_client_came_back_in_time();
}
