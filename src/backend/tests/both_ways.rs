//! Plain requests are answered by our own loop and all others by hyper: nobody can tell which.
//!
//! Whatever comes over TLS is answered by hyper, so each request is sent both ways.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use similar_asserts::assert_eq;

use super::speaking::{secured, trusting};
use super::*;
use crate::backend::request::{Request, request};

/// Sends `bytes`, and no more: all that comes back, but for the date.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    stream.flush().await.unwrap();
    received(&mut stream).await
}

/// The same, and says that there is no more.
async fn exchange_all(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    received(&mut stream).await
}

async fn received(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let reading = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // TLS that ends without saying so ends all the same.
    drop(reading.unwrap());
    // A call of gRPC-Web ends with bytes that are no text.
    let answer = String::from_utf8_lossy(&answer);
    let lines = answer
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("date: "));
    lines.collect()
}

async fn both_ways(port: u16, bytes: &[u8]) -> [String; 2] {
    let (plain, secured) = connected(port).await;
    let (plain, secured) = tokio::join!(exchange(plain, bytes), exchange(secured, bytes));
    [plain, secured]
}

async fn connected(port: u16) -> (TcpStream, impl AsyncRead + AsyncWrite + Unpin) {
    let secured = secured(connect(port).await, trusting(&[])).await.unwrap();
    (connect(port).await, secured)
}

/// What ends a connection, so that it is known when all has come.
const LAST: &str = "GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Lines of requests, each with whether it is plain.
const REQUESTS: [(&str, bool); 42] = [
    ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
    (
        "GET /a/b?c=d&e=%20 HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n",
        true,
    ),
    (
        "GET / HTTP/1.1\r\nHOST: x\r\nACCEPT: application/json\r\naccept: text/html;q=0.5\r\n\r\n",
        true,
    ),
    (
        "HEAD / HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n",
        true,
    ),
    ("DELETE / HTTP/1.1\r\nhost: x\r\n\r\n", true),
    ("BREW / HTTP/1.1\r\nhost: x\r\n\r\n", true),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        true,
    ),
    (
        "POST /a.B/C HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\n\r\n",
        true,
    ),
    (
        "POST /a.B/C HTTP/1.1\r\norigin: https://a.example\r\ncontent-type: application/grpc-web\r\n\r\n",
        true,
    ),
    ("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", true),
    ("HEAD /healthz?a HTTP/1.1\r\nhost: x\r\n\r\n", true),
    (
        "GET / HTTP/1.1\r\nhost: x\r\norigin: https://a.example\r\n\r\n",
        true,
    ),
    (
        "GET / HTTP/1.1\r\nhost: x\r\norigin: a\r\norigin: b\r\n\r\n",
        true,
    ),
    (
        "OPTIONS / HTTP/1.1\r\norigin: https://a.example\r\naccess-control-request-method: PUT\r\n\r\n",
        true,
    ),
    ("GET / HTTP/1.1\r\n\r\n", true),
    ("\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
    ("GET / HTTP/1.1\nhost: x\n\n", true),
    (
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\n\r\n",
        true,
    ),
    (
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: te, Close\r\n\r\n",
        true,
    ),
    ("GET / HTTP/1.0\r\n\r\n", true),
    ("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", true),
    ("HEAD / HTTP/1.0\r\nconnection: keep-alive, x\r\n\r\n", true),
    ("GET / HTTP/1.0\r\nconnection: close\r\n\r\n", true),
    (
        "GET / HTTP/1.1\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nGET ",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 4\r\n\r\nGET ",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 00\r\n\r\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length : 4\r\n\r\nGET ",
        false,
    ),
    (
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        false,
    ),
    (
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        false,
    ),
    ("POST / HTTP/1.1\r\ntransfer-encoding: x\r\n\r\n", false),
    (
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        false,
    ),
    ("GET / HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n", false),
    (
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        false,
    ),
    (
        "GET / HTTP/1.1\r\nhost: x\r\nexpect: 200-maybe\r\n\r\n",
        false,
    ),
    ("GET http://x/healthz HTTP/1.1\r\nhost: x\r\n\r\n", false),
    ("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", false),
    ("CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n", false),
    ("GET /<> HTTP/1.1\r\nhost: x\r\n\r\n", false),
    ("GET / HTTP/1.2\r\nhost: x\r\n\r\n", false),
    ("garbage\r\n\r\n", false),
];

fn answering(port: u16) -> Notice {
    Notice {
        health_checks: vec!["/healthz".into()],
        ..notice(port)
    }
}

#[tokio::test]
async fn every_request_gets_the_same_bytes_and_leaves_its_connection_as_it_was() {
    let port = free_port().await;
    let _backend = Backend::with(answering(port)).await;
    for (bytes, is_plain) in REQUESTS {
        let first = request(bytes.as_bytes());
        assert_eq!(matches!(first, Request::Plain(_)), is_plain, "{bytes:?}");
        let bytes = format!("{bytes}{LAST}");
        let [plain, secured] = both_ways(port, bytes.as_bytes()).await;
        assert!(plain.starts_with("HTTP/1."), "{bytes:?}: {plain:?}");
        assert_eq!(plain, secured, "{bytes:?}");
    }
}

#[tokio::test]
async fn requests_of_both_kinds_that_come_at_once_are_answered_in_turn() {
    let port = free_port().await;
    let _backend = Backend::with(answering(port)).await;
    let get = "GET / HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n";
    let with_body = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nGET /";
    let bytes = [
        &get.repeat(500),
        with_body,
        get,
        with_body,
        &get.repeat(500),
        LAST,
    ]
    .concat();
    let [plain, secured] = both_ways(port, bytes.as_bytes()).await;
    assert_eq!(plain.matches("HTTP/1.1 503 ").count(), 1004);
    assert!(plain == secured, "not the same bytes");
}

#[tokio::test]
async fn near_the_end_both_close_with_the_same_answer() {
    let port = free_port().await;
    let _backend = Backend::with(Notice {
        released: true,
        ..answering(port)
    })
    .await;
    for (bytes, _) in &REQUESTS[..23] {
        let [plain, secured] = both_ways(port, bytes.as_bytes()).await;
        assert!(
            plain.contains("\r\nconnection: close\r\n"),
            "{bytes:?}: {plain:?}"
        );
        assert_eq!(plain, secured, "{bytes:?}");
    }
}

#[tokio::test]
async fn requests_may_arrive_in_any_pieces() {
    let port = free_port().await;
    let _backend = Backend::with(answering(port)).await;
    for size in [1, 7, 64, 1000, 16_383, 16_384, 40_000] {
        let count = (size * 40).clamp(20, 60_000) / GET.len() + 1;
        let bytes = [&GET.repeat(count), LAST].concat();
        let (mut reads, mut writes) = connect(port).await.into_split();
        writes.as_ref().set_nodelay(true).unwrap();
        let writing = async {
            for piece in bytes.as_bytes().chunks(size) {
                writes.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (answers, ()) = tokio::join!(rest(&mut reads), writing);
        let answered = answers.matches("HTTP/1.1 503 ").count();
        assert_eq!(answered, count + 1, "in pieces of {size}");
    }
}

#[tokio::test]
async fn who_reads_late_gets_every_answer() {
    let port = free_port().await;
    let _backend = Backend::with(answering(port)).await;
    let get = GET.replace("text/plain", "text/html");
    let (mut reads, mut writes) = connect(port).await.into_split();
    let count = 100_000;
    let bytes = [&get.repeat(count), LAST].concat();
    let writing =
        tokio::spawn(async move { writes.write_all(bytes.as_bytes()).await.map(|()| writes) });
    sleep(Duration::from_secs(1)).await;
    assert!(!writing.is_finished(), "all was taken in");
    let answers = rest(&mut reads).await;
    assert_eq!(answers.matches("HTTP/1.1 503 ").count(), count + 1);
    drop(writing.await.unwrap().unwrap());
}

#[tokio::test]
async fn the_last_answer_is_not_lost_to_who_goes_on_sending() {
    let port = free_port().await;
    let _backend = Backend::with(Notice {
        released: true,
        ..answering(port)
    })
    .await;
    for _ in 0..20 {
        let mut stream = connect(port).await;
        send(&mut stream, GET).await;
        for _ in 0..5 {
            send(&mut stream, &GET.repeat(50)).await;
            sleep(Duration::from_millis(2)).await;
        }
        let answer = rest(&mut stream).await;
        assert_eq!(answer.matches("HTTP/1.1 503 ").count(), 1);
        assert!(
            answer.ends_with("Please try again soon.\n") || answer.ends_with("Please try again.\n"),
            "{answer}"
        );
    }
}

/// Pieces of heads, in which a line may begin or end wherever it is dangerous.
fn pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop::sample::select(vec![
        "GET",
        "POST",
        "HEAD",
        "PRI",
        " ",
        "  ",
        "\t",
        "/",
        "/a?b",
        "*",
        "http://x/",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/2.0",
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        ":",
        ": ",
        ",",
        ";",
        "\0",
        "\u{7f}",
        "\u{e9}",
        "host",
        "host: x",
        "connection",
        "connection: ",
        "close",
        "keep-alive",
        "upgrade",
        "content-length",
        "content-length: ",
        "transfer-encoding: ",
        "chunked",
        "0",
        "4",
        "expect: 100-continue",
        "x: y",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST / HTTP/1.1\r\n",
    ]);
    prop::collection::vec(piece, 1..14)
}

#[test]
fn whatever_is_sent_both_ways_have_the_same_answer() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (port, _backend) = runtime.block_on(async {
        let port = free_port().await;
        (port, Backend::with(answering(port)).await)
    });
    let mut runner = TestRunner::new(Config {
        cases: 150,
        ..Config::default()
    });
    let ran = runner.run(&pieces(), |pieces| {
        let bytes = [&pieces.concat(), "\r\n\r\n", LAST].concat();
        // PROXY headers and TLS begin otherwise, and are looked for before TLS only.
        let (plain, secured) = runtime.block_on(async {
            let (plain, secured) = connected(port).await;
            let bytes = bytes.as_bytes();
            tokio::join!(exchange_all(plain, bytes), exchange_all(secured, bytes))
        });
        prop_assert_eq!(plain, secured);
        Ok(())
    });
    ran.unwrap();
}
