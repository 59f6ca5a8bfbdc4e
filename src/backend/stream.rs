//! A stream that begins with what was read before, and tells of what passes through it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::activity::{Activity, LINGERS};

/// A stream that begins with what was read before, and tells of what passes through it.
#[derive(Debug)]
pub(super) struct Stream<S> {
    before: Bytes,
    inner: S,
    activity: Rc<Activity>,
    /// How much was thrown away since we have shut it down.
    thrown_away: Option<usize>,
}

impl<S> Stream<S> {
    pub(super) fn new(before: Bytes, inner: S, activity: Rc<Activity>) -> Self {
        Self {
            before,
            inner,
            activity,
            thrown_away: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let part = self.before.len().min(buf.remaining());
            buf.put_slice(&self.before[..part]);
            self.before.advance(part);
            if self.before.is_empty() {
                self.before = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.activity.hear(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.activity.write(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.activity.write(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Says that there is no more to come, and throws away what the client still sends, for a while: it
    /// would lose the last answer otherwise (RFC 9112 §9.6). Its activity says when that while is over.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.thrown_away.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            self.activity.linger(Instant::now());
        }
        let mut buffer = [0; 4096];
        loop {
            let thrown_away = *self.thrown_away.get_or_insert_default();
            let mut read = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() || thrown_away > LINGERS {
                return Poll::Ready(Ok(()));
            }
            self.thrown_away = Some(thrown_away + read.filled().len());
        }
    }
}
