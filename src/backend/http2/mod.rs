//! HTTP/2 (RFC 9113) for a server whose answers are ready: bytes in, bytes out.
//!
//! Every request is answered as soon as its head is whole, whatever follows it. So there is nothing to
//! wait for but the client: a request that ends with its HEADERS, and whose answer fits into the
//! client's windows, leaves nothing behind. Streams are kept for the others alone: as long as the
//! request's body comes, which is counted and thrown away, and as long as the answer waits for room.
//!
//! There is no I/O here: who calls reads and writes, and says what time it is.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | a connection: frames, one after the other, and how it ends |
//! | `limits` | what a client may take |
//! | `budget` | what it may ask of us that is no request |
//! | `frame` | frames are read and written |
//! | `control` | what frames mean that are neither a request's head nor its body |
//! | `headers` | a request's head, in one frame or several, its answer; and trailers |
//! | `data` | a request's body |
//! | `hpack` | the compression of fields |
//! | `field` | what a field is to us |
//! | `request` | the fields of a request: whether they are one, and its head |
//! | `answer` | the fields and the body of an answer |
//! | `streams` | streams that are open, and those that we have reset |
//! | `window` | flow control |
//!
//! An error of a stream resets it; the connection lives on, for a proxy may serve many users over it.
//! An error of the connection says GOAWAY and ends it (§5.4).

mod answer;
mod budget;
mod control;
mod data;
mod field;
mod frame;
mod headers;
mod hpack;
mod limits;
mod request;
mod streams;
#[cfg(test)]
mod tests;
mod window;

use tokio::time::Instant;

use super::desk::Desk;
use budget::Budget;
use frame::{Code, Head, LONGEST, MOST, PREFACE, flag, kind, setting};
use headers::Block;
use hpack::Decoder;
use streams::Streams;
use window::Receiving;

pub(super) use answer::block;
pub(super) use limits::Limits;

/// From how much on what is to be written is written before more is read.
const OUTPUT: usize = 16 * 1024;

/// What our PING says that asks whether the client has seen that we leave.
const LEAVE: &[u8; 8] = b"entracte";

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    stage: Stage,
    leaving: Leaving,
    decoder: Decoder,
    streams: Streams,
    received: Receiving,
    budget: Budget,
    /// Whether the client has heard what our SETTINGS are.
    is_acknowledged: bool,
    /// The newest stream of the client, and the newest that it has passed over.
    last: u32,
    passed_over: u32,
    /// How much of the payload of DATA is still to come, and to be thrown away.
    skipped: usize,
    /// A head that goes on in CONTINUATION frames.
    unfinished: Option<Box<Block>>,
}

/// What is expected of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The preface, and our SETTINGS after it.
    #[default]
    Preface,
    /// Its SETTINGS, which come first (§3.4).
    Settings,
    Frames,
    /// Nothing: an error has ended the connection.
    Broken,
}

/// How far we have come with leaving (§6.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leaving {
    #[default]
    No,
    /// The client is told that we shall, and asked whether it has heard. What it sends meanwhile is
    /// answered.
    Announced,
    /// It is told which requests are the last.
    Said,
}

/// Whether some bytes begin as a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preface {
    Absent,
    /// Too little to tell.
    Unfinished,
    Whole,
}

/// Whether `bytes` begin with the client's preface (§3.4).
pub(super) fn preface(bytes: &[u8]) -> Preface {
    if bytes.starts_with(PREFACE) {
        Preface::Whole
    } else if PREFACE.starts_with(bytes) {
        Preface::Unfinished
    } else {
        Preface::Absent
    }
}

/// What a call of [`Connection::receive`] has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// How much of the input is done with.
    pub(super) consumed: usize,
    /// How many requests were answered.
    pub(super) answered: u32,
    pub(super) then: Then,
}

/// What comes after the output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The client's next bytes, after those that are left.
    Read,
    /// More output: what is left of the input, if only nothing, is to be received again.
    Answer,
    /// The end, of which the client may not know yet: what it still sends is thrown away.
    ShutDown,
}

/// What a call of [`Connection::receive`] works with.
struct Turn<'a> {
    output: &'a mut Vec<u8>,
    desk: &'a Desk,
    limits: &'a Limits,
    now: Instant,
    answered: u32,
}

impl Connection {
    /// A connection of which nothing was read yet, not even the preface.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes whole frames from the beginning of `input`, and of DATA as much as has come, and appends
    /// to `output` what is to be written: no more than 16 KiB, one answer and a few frames. What is
    /// left of `input`, less than 16 KiB + 9 bytes unless there is more to be written, is to be given
    /// again, with what is read next.
    pub(super) fn receive(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        desk: &Desk,
        limits: &Limits,
        now: Instant,
    ) -> Received {
        let full = output.len() + OUTPUT;
        let mut turn = Turn {
            output,
            desk,
            limits,
            now,
            answered: 0,
        };
        let mut rest = input;
        let then = loop {
            self.streams.send(turn.output, full, now);
            if self.is_over() {
                rest = &[];
                break Then::ShutDown;
            }
            if turn.output.len() >= full {
                break Then::Answer;
            }
            match self.step(rest, &mut turn) {
                Ok(Some(after)) => rest = after,
                Ok(None) => break Then::Read,
                Err(code) => self.fail(turn.output, code),
            }
        };
        Received {
            consumed: input.len() - rest.len(),
            answered: turn.answered,
            then,
        }
    }

    /// Tells the client that we shall leave: it is to open no more streams, but those that are on
    /// their way are answered. After it has heard, or [`close`](Self::close), it is told which are
    /// the last.
    pub(super) fn leave(&mut self, output: &mut Vec<u8>) {
        if self.leaving != Leaving::No || !self.has_begun() {
            return;
        }
        self.leaving = Leaving::Announced;
        frame::goaway(output, MOST, Code::NoError);
        frame::write(output, kind::PING, 0, 0, LEAVE);
    }

    /// Tells the client which requests are the last.
    pub(super) fn close(&mut self, output: &mut Vec<u8>) {
        if self.leaving == Leaving::Said {
            return;
        }
        self.leaving = Leaving::Said;
        if self.has_begun() {
            frame::goaway(output, self.last, Code::NoError);
        }
    }

    /// Looks at the clock: answers that wait for too long are taken back, and bodies that take too
    /// long are given up.
    pub(super) fn look(&mut self, output: &mut Vec<u8>, limits: &Limits, now: Instant) {
        self.streams.look(output, now, limits);
    }

    /// Whether there is anything that [`look`](Self::look) may find: then it is to be called each
    /// 100 ms at least, however busy the client keeps us.
    pub(super) fn has_deadlines(&self) -> bool {
        self.bodies() > 0 || self.is_stalled()
    }

    /// Whether the connection is to be shut down as soon as its output is written: the client was
    /// told which requests are the last, and they are answered, or there was an error.
    pub(super) fn is_over(&self) -> bool {
        let is_done = self.leaving == Leaving::Said && self.streams.len() == 0;
        is_done || self.stage == Stage::Broken
    }

    /// Whether answers wait for the client's windows.
    pub(super) fn is_stalled(&self) -> bool {
        self.streams.is_stalled()
    }

    /// How many requests' bodies are being read.
    fn bodies(&self) -> usize {
        self.streams.bodies()
    }

    /// Whether we may say anything: what comes first are our SETTINGS.
    fn has_begun(&self) -> bool {
        matches!(self.stage, Stage::Settings | Stage::Frames)
    }

    fn fail(&mut self, output: &mut Vec<u8>, code: Code) {
        frame::goaway(output, self.last, code);
        self.stage = Stage::Broken;
        self.streams = Streams::default();
    }

    /// Takes what `input` begins with, and returns what is left; `None` where it is not whole.
    fn step<'a>(&mut self, input: &'a [u8], turn: &mut Turn<'_>) -> Result<Option<&'a [u8]>, Code> {
        if self.stage == Stage::Preface {
            return self.preface(input, turn);
        }
        if self.skipped > 0 {
            let (skipped, rest) = input.split_at(self.skipped.min(input.len()));
            self.skipped -= skipped.len();
            return Ok(Some(rest).filter(|_| !skipped.is_empty()));
        }
        let Some((head, rest)) = Head::read(input).zip(input.get(frame::HEAD..)) else {
            return Ok(None);
        };
        self.check(&head)?;
        if head.kind == kind::DATA {
            // Its payload is nothing to us but for its first byte, and need not be kept until it is
            // whole.
            if head.has(flag::PADDED) && head.length > 0 && rest.is_empty() {
                return Ok(None);
            }
            self.data(&head, rest, turn)?;
            self.skipped = head.length;
            return Ok(Some(rest));
        }
        let Some((payload, rest)) = rest.split_at_checked(head.length) else {
            return Ok(None);
        };
        self.frame(&head, payload, turn)?;
        Ok(Some(rest))
    }

    fn preface<'a>(
        &mut self,
        input: &'a [u8],
        turn: &mut Turn<'_>,
    ) -> Result<Option<&'a [u8]>, Code> {
        let length = input.len().min(PREFACE.len());
        let (start, rest) = input.split_at(length);
        if !PREFACE.starts_with(start) {
            return Err(Code::ProtocolError);
        }
        if length < PREFACE.len() {
            return Ok(None);
        }
        self.stage = Stage::Settings;
        frame::settings(
            turn.output,
            [
                (setting::MAX_CONCURRENT_STREAMS, turn.limits.max_streams),
                (setting::MAX_HEADER_LIST_SIZE, turn.limits.max_head),
            ],
        );
        Ok(Some(rest))
    }

    /// Whether a frame may come now, by its head.
    fn check(&mut self, head: &Head) -> Result<(), Code> {
        if head.length > LONGEST {
            return Err(Code::FrameSizeError);
        }
        if self.stage == Stage::Settings {
            if head.kind != kind::SETTINGS || head.has(flag::ACK) {
                return Err(Code::ProtocolError);
            }
            self.stage = Stage::Frames;
        }
        // Nothing comes between the frames of one head (§6.10).
        let expected = self.unfinished.as_ref().map(|block| block.stream());
        let stream = (head.kind == kind::CONTINUATION).then_some(head.stream);
        if expected == stream {
            Ok(())
        } else {
            Err(Code::ProtocolError)
        }
    }

    fn frame(&mut self, head: &Head, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Code> {
        match head.kind {
            kind::HEADERS => self.headers(head, payload, turn),
            kind::CONTINUATION => self.continuation(head, payload, turn),
            _ => self.control(head, payload, turn),
        }
    }
}
