//! HTTP/2 within TLS, by a task.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Poll, ready};

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, interval};
use tracing::debug;

use super::event_loop::{LOOK, Place};
use super::http2::{self, Then};

/// How far we have come with leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    None,
    /// The client was told, and some of its answers may wait for it.
    Begun,
    /// It has a while to go.
    Said,
}

struct Connection<'a, S> {
    stream: S,
    http2: http2::Connection,
    input: Vec<u8>,
    output: Vec<u8>,
    place: &'a Place,
}

/// Answers on `stream`, of which `input` was read, until one of the sides closes it.
pub(super) async fn serve<S>(input: Vec<u8>, stream: S, place: &Place)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection {
        stream,
        http2: http2::Connection::new(),
        input,
        output: Vec::new(),
        place,
    };
    let ended = tokio::select! {
        biased;
        ended = connection.serve() => ended,
        () = place.activity.ended_at_once() => {
            connection.http2.close(&mut connection.output);
            // What the client does not take at once it does not get.
            connection.write().now_or_never().unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection broke");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    /// Answers until there is no more to be said.
    async fn serve(&mut self) -> io::Result<()> {
        let mut looks = interval(LOOK);
        let mut farewell = Farewell::None;
        loop {
            let then = self.receive();
            self.write().await?;
            match then {
                Then::Answer => continue,
                Then::ShutDown => return self.stream.shutdown().await,
                Then::Read => {}
            }
            if farewell == Farewell::Begun && !self.http2.is_stalled() {
                farewell = Farewell::Said;
                self.place.activity.linger(Instant::now());
            }
            tokio::select! {
                biased;
                _ = looks.tick(), if self.http2.has_deadlines() => {
                    let limits = &self.place.worker.http2;
                    self.http2.look(&mut self.output, limits, Instant::now());
                }
                read = read(&mut self.stream, &mut self.input, self.place) => read?,
                // The other ending is seen by who calls.
                _ = self.place.activity.ended(), if farewell == Farewell::None => {
                    farewell = Farewell::Begun;
                    self.http2.leave(&mut self.output);
                }
            }
        }
    }

    fn receive(&mut self) -> Then {
        let Self {
            http2,
            input,
            output,
            place,
            ..
        } = self;
        let (desk, limits) = (place.activity.desk(), &place.worker.http2);
        let now = Instant::now();
        let received = http2.receive(input, output, desk, limits, now);
        input.drain(..received.consumed);
        if input.is_empty() {
            *input = Vec::new();
        }
        if received.answered > 0 {
            place.activity.answer(now);
        }
        received.then
    }

    /// Writes what there is. Where it is not awaited to its end, what was not written is left.
    async fn write(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output).await? {
                0 => return Err(ErrorKind::WriteZero.into()),
                written => drop(self.output.drain(..written)),
            }
        }
        self.output = Vec::new();
        self.stream.flush().await
    }
}

/// Reads what there is, by the buffer of the worker: who waits keeps none.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut Vec<u8>,
    place: &Place,
) -> io::Result<()> {
    poll_fn(|cx| {
        place.worker.with_input(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
            input.extend_from_slice(read.filled());
            Poll::Ready(Ok(()))
        })
    })
    .await
}
