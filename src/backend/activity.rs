//! When a connection was last heard of.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::LimitArgs;

/// How long a connection has to be silent before it is closed where connections are asked to go: a
/// request that is on its way, or whose head arrives in pieces, is not cut off. Counted at the
/// earliest from when they are first asked, however long a connection was silent before: a proxy that
/// has not followed yet sends requests over what it has in its pool, and some answer with a bare 503
/// when it is closed under them. Those that it uses within the second are closed by their answer.
const IDLE: Duration = Duration::from_secs(1);

/// When a connection was last heard of. Shared between the stream, the service and the timer.
#[derive(Debug)]
pub(super) struct Activity {
    accepted: Instant,
    /// Milliseconds after `accepted` at which bytes were last read.
    heard: AtomicU64,
    asked: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            accepted: Instant::now(),
            heard: AtomicU64::new(0),
            asked: AtomicBool::new(false),
        })
    }

    /// Notes that a request was read to the end of its head.
    pub(super) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether there was a request yet.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// When the connection is to be closed if nothing more is heard of it.
    pub(super) fn deadline(&self, leaving: Option<Instant>, limits: &LimitArgs) -> Instant {
        let heard = self.accepted + Duration::from_millis(self.heard.load(Ordering::Relaxed));
        if let Some(since) = leaving {
            heard.max(since) + IDLE
        } else if self.was_asked() {
            heard + limits.idle_timeout
        } else {
            self.accepted + limits.head_timeout
        }
    }

    fn heard(&self) {
        let millis = u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(millis, Ordering::Relaxed);
    }
}

/// A stream that notes when bytes are read from it.
#[derive(Debug)]
pub(super) struct Heard<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Heard<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
