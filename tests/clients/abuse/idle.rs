//! Connections that nobody uses.

use std::sync::Arc;

use entracte_testbed::process::raise_open_files;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::siege::Siege;

const CONNECTIONS: u64 = 10_000;

/// What a connection may take that has asked once: it keeps no buffer while it is idle.
const KIB_FOR_EACH: u64 = 4;

/// So many are opened at a time.
const AT_A_TIME: usize = 64;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\naccept: text/plain\r\n\r\n";

#[tokio::test]
async fn ten_thousand_idle_connections_take_little_memory_and_are_all_still_there() {
    raise_open_files(CONNECTIONS + 2000)
        .expect("12,000 files have to be open at once: raise the limit (ulimit -Hn), or be root");
    let siege = Siege::begin(&[]).await;
    let (address, permits) = (siege.address(), Arc::new(Semaphore::new(AT_A_TIME)));
    let mut opening = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let permits = Arc::clone(&permits);
        opening.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            let mut stream = TcpStream::connect(address).await.unwrap();
            ask(&mut stream).await;
            stream
        });
    }
    let mut connections = opening.join_all().await;
    for stream in connections.iter_mut().step_by(100) {
        ask(stream).await;
    }
    let name = "10,000 idle connections, after a request each";
    siege.end(name, CONNECTIONS * KIB_FOR_EACH).await;
    drop(connections);
}

/// Asks, and reads the whole answer.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(GET).await.unwrap();
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert_ne!(read, 0, "it was closed after {:?}", str::from_utf8(&answer));
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = str::from_utf8(answer).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    length.unwrap().parse() == Ok(body.len())
}
