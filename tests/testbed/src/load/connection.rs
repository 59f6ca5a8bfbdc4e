//! One connection of a worker, which may be kept for more than one request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HOST;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Options;
use super::classify::Reason;

pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// Bytes read from it.
    read: Arc<AtomicU64>,
    /// The pool that it belongs to; see [`super::Load::start_anew`].
    pub(super) pool: u64,
    /// Reads and writes the socket; ends with the connection, and closes it when dropped.
    _driver: JoinSet<()>,
}

/// A request that got no head of an answer.
pub(super) struct Unanswered {
    pub(super) reason: Reason,
    /// Not a byte of an answer came before the connection was closed. A client may then send a
    /// request that is safe once more, if the connection had been used before.
    pub(super) in_silence: bool,
}

impl Connection {
    pub(super) async fn open(stream: TcpStream, pool: u64) -> Result<Self, Reason> {
        let read = Arc::new(AtomicU64::new(0));
        let stream = Counted {
            stream,
            read: Arc::clone(&read),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| broken(&e))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What breaks it is told to whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            read,
            pool,
            _driver: driver,
        })
    }

    /// Whether another request may be sent: the last answer did not say that it was the last, and
    /// the server has not been seen to close it since.
    pub(super) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    pub(super) async fn send(
        &mut self,
        options: &Options,
    ) -> Result<Response<Incoming>, Unanswered> {
        let request = Request::get(options.path.as_str())
            .header(HOST, options.host.as_str())
            .body(Empty::new())
            .map_err(|e| Unanswered {
                reason: Reason::Broken(format!("no request can be made of the options: {e}")),
                in_silence: false,
            })?;
        let before = self.read.load(Ordering::Relaxed);
        let sent = self.sender.send_request(request).await;
        sent.map_err(|error| Unanswered {
            reason: broken(&error),
            in_silence: self.read.load(Ordering::Relaxed) == before,
        })
    }
}

/// Hyper's message with its causes: "connection error" alone does not say "reset by peer".
pub(super) fn broken(error: &hyper::Error) -> Reason {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Reason::Broken(text)
}

/// A stream that counts what is read from it.
struct Counted {
    stream: TcpStream,
    read: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = u64::try_from(buf.filled().len() - before).unwrap_or(u64::MAX);
        self.read.fetch_add(read, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
