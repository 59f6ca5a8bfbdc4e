//! One connection of the event loop, from its first bytes on: read, answered, written.
//!
//! A connection that is idle holds no buffer. What is read goes to a buffer of the worker, what is
//! answered comes from another one, and what cannot be answered here goes to a task with all that
//! was read, and stays there.

mod ending;

use std::io::{self, ErrorKind};

use bytes::Bytes;
use mio::net::TcpStream;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use tokio::time::Instant;

use super::activity::{Activity, LINGERS};
use super::http2;
use super::opening::{Opening, Stage};
use super::plain::{self, Answered};
use super::worker::Worker;

/// How much is read at a time at most: room for the largest frame of HTTP/2 that we take.
const INPUT: usize = 32 * 1024;

/// How often a connection reads, answers or writes before others have their turn.
const ROUNDS: u32 = 8;

/// The buffers of a worker, which none of its connections keeps while it waits.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) input: Vec<u8>,
    output: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            input: vec![0; INPUT],
            output: Vec::new(),
        }
    }
}

/// What becomes of a connection.
#[derive(Debug)]
pub(super) enum Next {
    /// It waits for its client.
    Waits,
    /// It has more to do, after others.
    Again,
    Closed,
    /// It speaks TLS; these bytes were read.
    Tls(Bytes),
    /// It is for hyper, and so is what was read.
    Http(Bytes),
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    activity: Activity,
    stage: Stage,
    http2: Option<Box<http2::Connection>>,
    kept: Option<Box<Kept>>,
}

/// What a connection keeps while it waits: nothing, mostly.
#[derive(Debug, Default)]
struct Kept {
    /// What was read and not answered yet.
    input: Vec<u8>,
    /// The answers that the client has not taken yet begin at `taken`.
    output: Vec<u8>,
    taken: usize,
    then: Then,
}

/// What comes after the answers that were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Then {
    /// The client's next bytes.
    #[default]
    Read,
    /// More answers: there may be whole requests in what was read.
    Answer,
    /// HTTP/2, which begins with what was read.
    Http2,
    /// What was read is not for us to answer.
    HandOver,
    Tls,
    /// The end, of which the client knows: it has asked for it.
    Close,
    /// The end, of which the client does not know yet: what it still sends is read and thrown away,
    /// for it would lose the last answer otherwise (RFC 9112 §9.6).
    ShutDown,
    /// So many bytes were.
    Linger(usize),
}

/// What reading came to.
enum Heard {
    /// Nothing was there.
    Nothing,
    /// All that was there.
    All,
    /// There may be more.
    Some,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, activity: Activity) -> Self {
        Self {
            stream,
            activity,
            stage: Stage::default(),
            http2: None,
            kept: None,
        }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(super) fn into_parts(self) -> (TcpStream, Activity) {
        (self.stream, self.activity)
    }

    /// Reads, answers and writes what can be. `is_half_closed`: the client has said that it sends no
    /// more, of which the kernel tells once.
    pub(super) fn advance(&mut self, is_half_closed: bool, now: Instant, worker: &Worker) -> Next {
        self.try_advance(is_half_closed, now, worker)
            .unwrap_or(Next::Closed)
    }

    fn try_advance(
        &mut self,
        is_half_closed: bool,
        now: Instant,
        worker: &Worker,
    ) -> io::Result<Next> {
        let mut all_read = false;
        for _ in 0..ROUNDS {
            if !self.write()? {
                return Ok(Next::Waits);
            }
            match self.then() {
                Then::Linger(thrown_away) if thrown_away > LINGERS => return Ok(Next::Closed),
                Then::Read | Then::Linger(_) if all_read => return Ok(Next::Waits),
                Then::Read | Then::Linger(_) => match self.read(now, worker)? {
                    Heard::Nothing => return Ok(Next::Waits),
                    // The end of what it sends has no event of its own, if it came with the rest.
                    Heard::All => all_read = !is_half_closed,
                    Heard::Some => {}
                },
                Then::Answer | Then::Http2 => self.answer_kept(now, worker)?,
                Then::ShutDown => self.shut_down(now)?,
                Then::Close => return Ok(Next::Closed),
                Then::HandOver => return Ok(Next::Http(self.take_input())),
                Then::Tls => return Ok(Next::Tls(self.take_input())),
            }
        }
        Ok(Next::Again)
    }

    fn then(&self) -> Then {
        self.kept.as_ref().map_or(Then::Read, |kept| kept.then)
    }

    /// Writes what the client has not taken yet; says whether that was all.
    fn write(&mut self) -> io::Result<bool> {
        let Some(kept) = &mut self.kept else {
            return Ok(true);
        };
        while kept.owes() {
            match write(&self.stream, &kept.output[kept.taken..]) {
                Ok(written) => {
                    kept.taken += written;
                    self.activity.write(false);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.activity.write(true);
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (kept.output, kept.taken) = (Vec::new(), 0);
        if kept.is_empty() {
            self.kept = None;
        }
        Ok(true)
    }

    /// Reads, and answers.
    fn read(&mut self, now: Instant, worker: &Worker) -> io::Result<Heard> {
        let buffers = &mut *worker.buffers.borrow_mut();
        let before = match &self.kept {
            Some(kept) => {
                buffers.input[..kept.input.len()].copy_from_slice(&kept.input);
                kept.input.len()
            }
            None => 0,
        };
        let room = &mut buffers.input[before..];
        let read = loop {
            match read(&self.stream, room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => break read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(error) => return Err(error),
            }
        };
        let is_all = read < room.len();
        self.activity.hear(now);
        if let Some(Kept {
            then: Then::Linger(thrown_away),
            ..
        }) = self.kept.as_deref_mut()
        {
            *thrown_away += read;
        } else {
            let input = &buffers.input[..before + read];
            self.answer(input, before, &mut buffers.output, now, worker)?;
        }
        Ok(if is_all { Heard::All } else { Heard::Some })
    }

    /// Answers more of what was read before.
    fn answer_kept(&mut self, now: Instant, worker: &Worker) -> io::Result<()> {
        let kept = self.kept.take().unwrap_or_default();
        if kept.then == Then::Http2 {
            self.http2 = Some(Box::new(http2::Connection::new()));
        }
        let output = &mut worker.buffers.borrow_mut().output;
        self.answer(&kept.input, 0, output, now, worker)
    }

    /// Answers what of `input` is whole, in one write, and keeps what is left. Of `input` the first
    /// `known` bytes are known not to be whole.
    fn answer(
        &mut self,
        input: &[u8],
        known: usize,
        output: &mut Vec<u8>,
        now: Instant,
        worker: &Worker,
    ) -> io::Result<()> {
        output.clear();
        let Answered { rest, then } = self.answers(input, known, output, now, worker);
        let mut taken = 0;
        if !output.is_empty() {
            match write(&self.stream, output) {
                Ok(written) => taken = written,
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let stalls = taken < output.len();
        self.activity.write(stalls);
        let is_done = taken == output.len() && rest.is_empty() && then == Then::Read;
        self.kept = (!is_done).then(|| {
            Box::new(Kept {
                input: rest.to_vec(),
                output: output[taken..].to_vec(),
                taken: 0,
                then,
            })
        });
        Ok(())
    }

    fn answers<'a>(
        &mut self,
        input: &'a [u8],
        known: usize,
        output: &mut Vec<u8>,
        now: Instant,
        worker: &Worker,
    ) -> Answered<'a> {
        if let Some(http2) = &mut self.http2 {
            let desk = self.activity.desk();
            let received = http2.receive(input, output, desk, &worker.http2, now);
            if received.answered > 0 {
                self.activity.answer(now);
            }
            return Answered {
                rest: &input[received.consumed..],
                then: match received.then {
                    http2::Then::Read => Then::Read,
                    http2::Then::Answer => Then::Answer,
                    http2::Then::ShutDown => Then::ShutDown,
                },
            };
        }
        // What comes before a request is read anew, and not what is known of it.
        let known = if self.stage == Stage::Open { known } else { 0 };
        match self.stage.open(input) {
            Opening::Unfinished => Answered {
                rest: input,
                then: Then::Read,
            },
            Opening::Malformed => Answered {
                rest: &[],
                then: Then::Close,
            },
            Opening::Tls(rest) => Answered {
                rest,
                then: Then::Tls,
            },
            Opening::Http(rest) => plain::answers(rest, known, output, &self.activity, now, worker),
        }
    }

    /// Tells the client that there will be no more, and gives it a while to go.
    fn shut_down(&mut self, now: Instant) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)?;
        self.activity.linger(now);
        let kept = self.kept.get_or_insert_default();
        (kept.input, kept.then) = (Vec::new(), Then::Linger(0));
        Ok(())
    }

    fn take_input(&mut self) -> Bytes {
        let kept = self.kept.take().unwrap_or_default();
        kept.input.into()
    }
}

impl Kept {
    fn owes(&self) -> bool {
        self.taken < self.output.len()
    }

    fn is_empty(&self) -> bool {
        self.input.is_empty() && self.output.is_empty() && self.then == Then::Read
    }
}

/// Reads, not by the C library, which makes each call a point of cancellation where there are threads:
/// that takes a fiftieth of what an answer does.
fn read(stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let (read, _) = recv(stream, into, RecvFlags::empty())?;
    Ok(read)
}

/// Writes; see [`read`].
fn write(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(stream, bytes, SendFlags::NOSIGNAL)?)
}

/// The same may be done again.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
