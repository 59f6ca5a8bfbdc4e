//! HTTP/2 within TLS, by a task.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::activity::Ending;
use super::event_loop::Place;
use super::http2::{self, Received, Then};

/// How often to look for answers and bodies that have had their time.
const LOOK: Duration = Duration::from_millis(100);

/// How much is read at a time: room for the largest frame that we take.
const INPUT: usize = 32 * 1024;

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
    async fn serve(&mut self) -> io::Result<()> {
        let mut leaves = false;
        loop {
            let then = self.receive();
            self.write().await?;
            self.place.activity.write(false);
            match then {
                Then::ShutDown => return self.stream.shutdown().await,
                Then::Close => return Ok(()),
                Then::Answer => {}
                Then::Read => tokio::select! {
                    biased;
                    read = read(&mut self.stream, &mut self.input) => read?,
                    ending = self.place.activity.ended(), if !leaves => {
                        leaves = true;
                        self.leave(ending);
                    }
                    () = sleep(LOOK), if self.http2.has_deadlines() => {
                        let limits = &self.place.worker.http2;
                        self.http2.look(&mut self.output, limits, Instant::now());
                    }
                },
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
        let Received {
            consumed,
            answered,
            then,
        } = http2.receive(input, output, desk, limits, now);
        input.drain(..consumed);
        if answered > 0 {
            place.activity.answer(now);
        }
        then
    }

    fn leave(&mut self, ending: Ending) {
        if ending == Ending::InOrder {
            self.http2.leave(&mut self.output);
            self.place.activity.linger(Instant::now());
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.stream.flush().await?;
        self.output.clear();
        Ok(())
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), input: &mut Vec<u8>) -> io::Result<()> {
    input.reserve(INPUT);
    match stream.read_buf(input).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}
