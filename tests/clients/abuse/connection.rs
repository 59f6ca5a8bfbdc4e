//! A connection of somebody who means harm.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, timeout};

/// What came of a connection.
#[derive(Debug)]
pub(super) struct Ended {
    /// What the server sent.
    pub(super) received: Vec<u8>,
    /// How many bytes the server took, or the kernel in between.
    pub(super) sent: usize,
    /// When the server closed it, by whatever means, since it was opened.
    pub(super) after: Duration,
}

impl Ended {
    /// The status line, or nothing.
    pub(super) fn status(&self) -> &str {
        let line = self.received.split(|byte| *byte == b'\r').next();
        str::from_utf8(line.unwrap_or_default()).unwrap_or("no text")
    }
}

/// Opens `count` connections at once, and sends on each what its sender says, piece by piece; once
/// that says `None`, the connection stays open without a word. The server has to close each within
/// `limit`.
pub(super) async fn each<S>(
    address: SocketAddr,
    count: u32,
    limit: Duration,
    sender: impl Fn(u32) -> S,
) -> Vec<Ended>
where
    S: AsyncFnMut() -> Option<Vec<u8>>,
{
    let connections = (0..count).map(|number| {
        let ended = timeout(limit, one(address, sender(number)));
        async move {
            let ended = ended.await;
            ended.unwrap_or_else(|_| panic!("connection {number} is open after {limit:?}"))
        }
    });
    join_all(connections).await
}

async fn one(address: SocketAddr, sender: impl AsyncFnMut() -> Option<Vec<u8>>) -> Ended {
    let begun = Instant::now();
    let (input, output) = TcpStream::connect(address).await.unwrap().into_split();
    let mut sent = 0;
    let received = tokio::select! {
        received = receive(input) => received,
        never = send(output, sender, &mut sent) => match never {},
    };
    Ended {
        received,
        sent,
        after: begun.elapsed(),
    }
}

/// Reads to the end of the connection, be it orderly or not.
async fn receive(mut input: OwnedReadHalf) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = input.read_to_end(&mut received).await;
    received
}

/// Sends for as long as somebody takes it.
async fn send(
    mut output: OwnedWriteHalf,
    mut sender: impl AsyncFnMut() -> Option<Vec<u8>>,
    sent: &mut usize,
) -> Infallible {
    while let Some(piece) = sender().await {
        if output.write_all(&piece).await.is_err() {
            break;
        }
        *sent += piece.len();
    }
    pending().await
}
