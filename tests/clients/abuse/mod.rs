//! Those who mean harm. Beside each, another client asks every 10 ms by a new connection: it is
//! answered each time, and 99 of a hundred times within a second. What a connection costs in
//! memory is bounded, and so is how long it lasts.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | attacks over HTTP/1, and by what is no HTTP |
//! | `http2` | attacks over HTTP/2 |
//! | `idle` | 10,000 idle connections |
//! | `siege` | the backend under attack, the other client, and the figures |
//! | `connection` | one connection of an attacker |
//! | `frames` | frames of HTTP/2 |
//!
//! The figures are printed: `cargo test --test clients abuse -- --nocapture`.

mod connection;
mod frames;
mod http2;
mod idle;
mod siege;

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use siege::Siege;

const MIB: u64 = 1024;

/// What the server has for the head of a request in these tests; its default is longer.
const HEAD_TIMEOUT: [&str; 2] = ["--head-timeout", "2s"];

#[tokio::test]
async fn heads_that_come_byte_by_byte_are_waited_for_no_longer_than_the_limit() {
    let siege = Siege::begin(&HEAD_TIMEOUT).await;
    let head = b"GET / HTTP/1.1\r\nhost: shop\r\nx-slow: "
        .iter()
        .chain([&b'x'; 1000]);
    let ended = siege.attack(500, Duration::from_secs(6), |_| {
        let mut bytes = head.clone();
        async move || {
            sleep(Duration::from_millis(200)).await;
            bytes.next().map(|byte| vec![*byte])
        }
    });
    for ended in ended.await {
        assert!(
            ended.after >= Duration::from_millis(1900),
            "{:?}",
            ended.after
        );
    }
    siege
        .end("heads, a byte each 200 ms, 500 at a time", 20 * MIB)
        .await;
}

#[tokio::test]
async fn heads_without_an_end_are_refused_at_the_limit() {
    let siege = Siege::begin(&[]).await;
    let ended = siege.attack(100, Duration::from_secs(10), |_| {
        let mut start = Some(b"GET / HTTP/1.1\r\nhost: shop\r\n".to_vec());
        let line = [b"x-more: ", &[b'x'; 1000][..], b"\r\n"].concat();
        async move || start.take().or_else(|| Some(line.clone()))
    });
    for ended in ended.await {
        let status = ended.status();
        assert!(
            ["", "HTTP/1.1 431 Request Header Fields Too Large"].contains(&status),
            "{status}"
        );
        // 64 KiB, and what the kernel's buffers took meanwhile.
        assert!(ended.sent < 8_000_000, "{} bytes were taken", ended.sent);
    }
    siege
        .end("heads without an end, 100 at a time", 40 * MIB)
        .await;
}

#[tokio::test]
async fn who_asks_and_never_reads_is_cut_off_and_takes_little_memory() {
    let siege = Siege::begin(&["--write-timeout", "2s"]).await;
    let deaf = (0..100).map(|_| ask_without_reading(siege.address()));
    for cut_after in join_all(deaf).await {
        assert!(cut_after >= Duration::from_millis(1900), "{cut_after:?}");
        // Two seconds, and as long as it took until the kernel's buffers were full.
        assert!(cut_after < Duration::from_secs(15), "{cut_after:?}");
    }
    siege
        .end(
            "requests whose answers nobody reads, 100 at a time",
            40 * MIB,
        )
        .await;
}

/// Asks for as long as somebody takes it; returns how long that was.
async fn ask_without_reading(address: SocketAddr) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let requests = b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n".repeat(1000);
    while stream.write_all(&requests).await.is_ok() {}
    begun.elapsed()
}

#[tokio::test]
async fn bodies_without_an_end_are_answered_at_once_and_read_no_further_than_the_limit() {
    let siege = Siege::begin(&[]).await;
    let ended = siege.attack(100, Duration::from_secs(10), |number| {
        let framing = match number % 2 {
            0 => "transfer-encoding: chunked",
            _ => "content-length: 1000000000000",
        };
        let head = format!("POST / HTTP/1.1\r\nhost: shop\r\n{framing}\r\n\r\n");
        let mut head = Some(head.into_bytes());
        let chunk = [b"4000\r\n", &[b'x'; 0x4000][..], b"\r\n"].concat();
        async move || head.take().or_else(|| Some(chunk.clone()))
    });
    for ended in ended.await {
        assert_eq!(ended.status(), "HTTP/1.1 503 Service Unavailable");
        // A MiB, and what the kernel's buffers took meanwhile.
        assert!(ended.sent < 16_000_000, "{} bytes were taken", ended.sent);
    }
    siege
        .end("bodies without an end, 100 at a time", 40 * MIB)
        .await;
}

#[tokio::test]
async fn bodies_that_trickle_are_waited_for_no_longer_than_the_limit() {
    let siege = Siege::begin(&[]).await;
    let ended = siege.attack(500, Duration::from_secs(9), |_| {
        let head = "POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 1000\r\n\r\n";
        let mut head = Some(head.as_bytes().to_vec());
        async move || match head.take() {
            None => {
                sleep(Duration::from_millis(200)).await;
                Some(vec![b'x'])
            }
            head => head,
        }
    });
    for ended in ended.await {
        assert_eq!(ended.status(), "HTTP/1.1 503 Service Unavailable");
    }
    siege
        .end("bodies, a byte each 200 ms, 500 at a time", 20 * MIB)
        .await;
}

#[tokio::test]
async fn a_thousand_requests_in_one_write_are_all_answered_in_order() {
    const REQUESTS: usize = 1000;
    let siege = Siege::begin(&[]).await;
    let request = |number: usize| {
        let accept = ["text/plain", "application/json"][number % 2];
        let close = ["", "connection: close\r\n"][usize::from(number == REQUESTS - 1)];
        format!("GET /{number} HTTP/1.1\r\nhost: shop\r\naccept: {accept}\r\n{close}\r\n")
    };
    let requests: String = (0..REQUESTS).map(request).collect();
    while siege.goes_on() {
        let answers = pipelined(siege.address(), requests.clone()).await;
        let types: Vec<_> = answers
            .lines()
            .filter_map(|line| line.strip_prefix("content-type: "))
            .collect();
        let expected = ["text/plain; charset=utf-8", "application/json"].repeat(REQUESTS / 2);
        assert_eq!(types, expected);
    }
    siege.end("1,000 requests in one write", 10 * MIB).await;
}

/// Writes all requests at once, and reads to the end.
async fn pipelined(address: SocketAddr, requests: String) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut input, mut output) = stream.into_split();
    let write = async move { output.write_all(requests.as_bytes()).await.map(|()| output) };
    let writing = tokio::spawn(write);
    let mut answers = String::new();
    input.read_to_string(&mut answers).await.unwrap();
    writing.await.unwrap().unwrap();
    answers
}

#[tokio::test]
async fn what_is_no_http_is_refused_or_cut_at_the_limit() {
    let siege = Siege::begin(&HEAD_TIMEOUT).await;
    siege
        .attack(600, Duration::from_secs(6), |number| {
            let start: &[u8] = match number % 6 {
                0 => b"",
                // A handshake record of TLS 1.2 (RFC 5246 §6.2.1) of 512 bytes: a ClientHello?
                1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                2 => b"PROXY TCP4 256.0.0.1 ",
                // Version 2 of the PROXY protocol, and 65,535 bytes to follow.
                3 => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
                4 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                _ => b"GET / HTTP/1.1\r\nhost",
            };
            let mut start = Some(start.to_vec());
            let mut noise = Noise(number.into());
            let mut pieces = 0;
            async move || {
                pieces += 1;
                let noise = || (pieces < 20).then(|| noise.take(1000).collect());
                start.take().or_else(noise)
            }
        })
        .await;
    siege
        .end("noise, also as TLS, PROXY and h2, 600 at a time", 40 * MIB)
        .await;
}

/// Noise that is the same in each run (Knuth's MMIX, its highest bits).
struct Noise(u64);

impl Noise {
    fn take(&mut self, count: usize) -> impl Iterator<Item = u8> {
        let next = || {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.0.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(count)
    }
}
