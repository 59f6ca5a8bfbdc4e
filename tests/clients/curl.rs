//! curl, of the system.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use entracte::notice::{Notice, RetryAfterFormat};
use entracte_testbed::preflight::find_or_install;
use entracte_testbed::process::mortal;
use serde::Deserialize;
use serde_json::Value;
use similar_asserts::assert_eq;

use crate::stage::backend::{Backend, MESSAGE, notice};
use crate::stage::ending::Ending;
use crate::stage::site::Site;

/// What curl saw last.
#[derive(Debug)]
struct Seen {
    info: Info,
    /// By lower-case names, each with the values of its lines.
    headers: Value,
    body: String,
}

/// A part of what `--write-out '%{json}'` says.
#[derive(Debug, Deserialize)]
struct Info {
    http_code: u16,
    http_version: String,
    num_connects: u32,
    size_upload: u64,
    time_total: f64,
}

/// Runs curl on a URL of the backend. It has to succeed, as it does with any status.
async fn curl(backend: &Backend, arguments: &[&str], url: &str) -> Seen {
    let output = run(backend, arguments, url).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let (info, headers) = said.rsplit_once("\nheaders: ").unwrap();
    Seen {
        info: serde_json::from_str(info.lines().next_back().unwrap()).unwrap(),
        headers: serde_json::from_str(headers).unwrap(),
        body: String::from_utf8_lossy(&fs::read(body(backend)).unwrap_or_default()).into_owned(),
    }
}

async fn run(backend: &Backend, arguments: &[&str], url: &str) -> Output {
    let curl = find_or_install("curl", "curl").unwrap_or_else(|error| panic!("{error}"));
    let mut command = mortal(curl, "KILL");
    command
        .args(["--disable", "--silent", "--show-error", "--max-time", "20"])
        .args(["--noproxy", "*"])
        .args(["--write-out", "%{stderr}\n%{json}\nheaders: %{header_json}"])
        .args(arguments)
        .arg("--output")
        .arg(body(backend))
        .arg(url);
    command.output().await.unwrap()
}

fn body(backend: &Backend) -> PathBuf {
    backend.scratch("body")
}

impl Seen {
    /// The only line of a header.
    fn header(&self, name: &str) -> &str {
        match self.headers[name].as_array().map(Vec::as_slice) {
            Some([Value::String(value)]) => value,
            other => panic!("{name}: {other:?} in {:#}", self.headers),
        }
    }

    /// Asserts that it is problem details with the message, to be asked for again at the end.
    fn assert_it_is_the_notice(&self) {
        assert_eq!(self.info.http_code, 503);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["detail"], MESSAGE);
        assert_eq!(self.header("content-length"), self.body.len().to_string());
        // The window ends in two hours, and jitter is up to half a minute.
        let wait: u32 = self.header("retry-after").parse().unwrap();
        assert!((7190..=7230).contains(&wait), "{wait}");
    }
}

#[tokio::test]
async fn curl_that_retries_comes_back_at_the_end_by_both_forms_of_retry_after() {
    for format in [RetryAfterFormat::Seconds, RetryAfterFormat::HttpDate] {
        let app = Site::of("back").await;
        let ending = Ending::soon(format, app.address).await;
        let seen = curl(ending.backend(), &["--retry", "3"], &ending.url()).await;
        assert_eq!((seen.info.http_code, seen.body.as_str()), (200, "back"));
        ending.assert_the_client_came_back_in_time();
    }
}

#[tokio::test]
async fn curl_gets_the_notice_by_each_version_of_http_that_it_speaks() {
    let backend = Backend::start(&notice()).await;
    for (option, version) in [
        ("--http1.0", "1"),
        ("--http1.1", "1.1"),
        ("--http2-prior-knowledge", "2"),
        // Asks for an upgrade to h2c, which HTTP/2 does not have any more (RFC 9113 §3.1).
        ("--http2", "1.1"),
    ] {
        let seen = curl(&backend, &[option], &backend.url("/any?thing=1")).await;
        assert_eq!(seen.info.http_version, version, "{option}");
        seen.assert_it_is_the_notice();
    }
}

#[tokio::test]
async fn curl_asks_twice_by_one_connection() {
    let backend = Backend::start(&notice()).await;
    // By TLS, where it is HTTP/2: with prior knowledge curl 7.88 cannot use a connection twice.
    for (option, scheme) in [("--http1.1", "http:"), ("--http2", "https:")] {
        let url = |path| backend.url(path).replace("http:", scheme);
        let first = url("/first");
        let arguments = ["--insecure", option, &first, "--output", "/dev/null"];
        let seen = curl(&backend, &arguments, &url("/second")).await;
        assert_eq!(seen.info.num_connects, 0, "{option}");
        seen.assert_it_is_the_notice();
    }
}

#[tokio::test]
async fn curl_gets_the_format_that_it_accepts() {
    let backend = Backend::start(&notice()).await;
    for (accept, content_type, start) in [
        ("text/html", "text/html; charset=utf-8", "<!doctype html>"),
        ("application/json", "application/json", "{"),
        ("text/plain", "text/plain; charset=utf-8", "The shop's"),
    ] {
        let accept = format!("accept: {accept}");
        let seen = curl(&backend, &["--header", &accept], &backend.url("/")).await;
        assert_eq!(seen.info.http_code, 503);
        assert_eq!(seen.header("content-type"), content_type);
        let body = seen.body.to_ascii_lowercase();
        assert!(body.starts_with(&start.to_ascii_lowercase()), "{body}");
    }
}

#[tokio::test]
async fn curl_asks_for_the_head_alone_and_learns_how_long_the_body_would_be() {
    let backend = Backend::start(&notice()).await;
    for version in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
        let whole = curl(&backend, &[version], &backend.url("/")).await;
        let head = curl(&backend, &[version, "--head"], &backend.url("/")).await;
        assert_eq!(head.info.http_code, 503);
        for header in ["content-length", "content-type", "cache-control", "vary"] {
            assert_eq!(head.header(header), whole.header(header), "{version}");
        }
        // `--head` shows the head in place of a body.
        assert!(head.body.ends_with("\r\n\r\n"), "{}", head.body);
    }
}

#[tokio::test]
async fn curl_uploads_a_body_by_any_method_and_gets_the_notice() {
    let backend = Backend::start(&notice()).await;
    let upload = backend.scratch("upload");
    fs::write(&upload, vec![b'x'; 300_000]).unwrap();
    let upload = format!("@{}", upload.display());
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"] {
            let arguments = [version, "--data-binary", &upload, "--request", method];
            let arguments = [&arguments[..], &["--header", "expect:"]].concat();
            let seen = curl(&backend, &arguments, &backend.url("/")).await;
            seen.assert_it_is_the_notice();
        }
    }
}

#[tokio::test]
async fn curl_that_expects_100_continue_is_answered_at_once_and_sends_no_body() {
    let backend = Backend::start(&notice()).await;
    let upload = backend.scratch("upload");
    fs::write(&upload, vec![b'x'; 3_000_000]).unwrap();
    let upload = format!("@{}", upload.display());
    let arguments = ["--data-binary", &upload, "--header", "expect: 100-continue"];
    let arguments = [&arguments[..], &["--expect100-timeout", "10"]].concat();
    let seen = curl(&backend, &arguments, &backend.url("/")).await;
    seen.assert_it_is_the_notice();
    assert_eq!(seen.info.size_upload, 0);
    assert!(seen.info.time_total < 5.0, "{} s", seen.info.time_total);
}

#[tokio::test]
async fn curl_that_asks_for_a_web_socket_gets_the_notice() {
    let backend = Backend::start(&notice()).await;
    let upgrade = [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let arguments: Vec<_> = upgrade.iter().flat_map(|line| ["--header", line]).collect();
    let seen = curl(&backend, &arguments, &backend.url("/socket")).await;
    seen.assert_it_is_the_notice();
}

#[tokio::test]
async fn curl_that_calls_by_grpc_web_gets_the_status_in_a_frame_of_trailers() {
    let backend = Backend::start(&notice()).await;
    let content_type = "content-type: application/grpc-web+proto";
    let arguments = ["--data-binary", "x", "--header", content_type];
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let arguments = [&arguments[..], &[version]].concat();
        let seen = curl(&backend, &arguments, &backend.url("/shop.Cart/Get")).await;
        assert_eq!(seen.info.http_code, 200);
        assert_eq!(seen.header("content-type"), "application/grpc-web+proto");
        let (start, trailers) = seen.body.split_at(seen.body.find("grpc-").unwrap());
        // The flag of trailers is no text, and the length has four bytes.
        assert_eq!(start.chars().count(), 5, "{start:?}");
        assert!(trailers.contains("grpc-status:14\r\n"), "{trailers}");
    }
}

#[tokio::test]
async fn curl_that_checks_the_health_of_the_app_is_told_that_it_is_well() {
    let backend = Backend::start(&Notice {
        health_checks: vec!["/healthz".into()],
        ..notice()
    })
    .await;
    let seen = curl(&backend, &[], &backend.url("/healthz?from=balancer")).await;
    assert_eq!(seen.info.http_code, 200);
    let seen = curl(&backend, &[], &backend.url("/healthz/else")).await;
    seen.assert_it_is_the_notice();
}

#[tokio::test]
async fn curl_speaks_tls_to_the_same_port_and_does_not_know_who_signed_for_it() {
    let backend = Backend::start(&notice()).await;
    let url = backend.url("/").replace("http:", "https:");
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let seen = curl(&backend, &["--insecure", option], &url).await;
        assert_eq!(seen.info.http_version, version, "{option}");
        seen.assert_it_is_the_notice();
    }
    // CURLE_PEER_FAILED_VERIFICATION
    assert_eq!(run(&backend, &[], &url).await.status.code(), Some(60));
}

#[tokio::test]
async fn curl_that_sends_a_proxy_protocol_header_first_gets_the_notice() {
    let backend = Backend::start(&notice()).await;
    for option in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
        let arguments = ["--haproxy-protocol", option];
        let seen = curl(&backend, &arguments, &backend.url("/")).await;
        seen.assert_it_is_the_notice();
    }
    let url = backend.url("/").replace("http:", "https:");
    let arguments = ["--haproxy-protocol", "--insecure"];
    curl(&backend, &arguments, &url)
        .await
        .assert_it_is_the_notice();
}
