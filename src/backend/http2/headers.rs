//! A request's head, in one frame or several, and its answer; and trailers (RFC 9113 §6.2, §6.10 and
//! §8.1).

use super::frame::{self, Code, Head, MOST, flag};
use super::request::{Fields, Scratch, Verdict};
use super::streams::Body;
use super::{Connection, Leaving, Turn, answer};

/// A head that is not whole yet.
#[derive(Debug)]
pub(super) struct Block {
    whose: Whose,
    bytes: Vec<u8>,
}

/// What is known of a head before its fields.
#[derive(Clone, Copy, Debug)]
struct Whose {
    stream: u32,
    is_end: bool,
    /// Which makes it malformed (RFC 7540 §5.3.1).
    depends_on_itself: bool,
}

impl Block {
    pub(super) fn stream(&self) -> u32 {
        self.whose.stream
    }
}

impl Connection {
    pub(super) fn headers(
        &mut self,
        head: &Head,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        // Even ones are the server's (§5.1.1).
        if head.stream.is_multiple_of(2) {
            return Err(Code::ProtocolError);
        }
        let payload = payload.get(frame::unpadded(head, payload)?);
        let mut fragment = payload.ok_or(Code::ProtocolError)?;
        let mut parent = 0;
        if head.has(flag::PRIORITY) {
            let (dependency, rest) = fragment.split_at_checked(4).ok_or(Code::FrameSizeError)?;
            parent = frame::number(dependency)? & MOST;
            (_, fragment) = rest.split_first().ok_or(Code::FrameSizeError)?;
        }
        let whose = Whose {
            stream: head.stream,
            is_end: head.has(flag::END_STREAM),
            depends_on_itself: parent == head.stream,
        };
        if head.has(flag::END_HEADERS) {
            return self.block(whose, fragment, turn);
        }
        let bytes = fragment.to_vec();
        self.unfinished = Some(Box::new(Block { whose, bytes }));
        Ok(())
    }

    pub(super) fn continuation(
        &mut self,
        head: &Head,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        self.budget.spend()?;
        let mut block = self.unfinished.take().ok_or(Code::ProtocolError)?;
        if block.bytes.len() + payload.len() > turn.limits.max_block() {
            return Err(Code::EnhanceYourCalm);
        }
        block.bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.block(block.whose, &block.bytes, turn);
        }
        self.unfinished = Some(block);
        Ok(())
    }

    /// Takes a whole head.
    fn block(&mut self, whose: Whose, bytes: &[u8], turn: &mut Turn<'_>) -> Result<(), Code> {
        let mut scratch = turn.limits.scratch.take();
        let taken = self.fields(whose, bytes, &mut scratch, turn);
        turn.limits.scratch.replace(scratch);
        taken
    }

    /// Fields are read in any case: the table of the next ones goes by them (§4.3).
    fn fields(
        &mut self,
        whose: Whose,
        bytes: &[u8],
        scratch: &mut Scratch,
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        let mut fields = Fields::new(&mut scratch.kept, turn.limits.max_list());
        let read = self
            .decoder
            .read(bytes, &mut scratch.strings, |kind, value, size| {
                fields.add(kind, value, size)
            });
        read.map_err(|_| Code::CompressionError)?;
        if whose.stream > self.last {
            self.request(whose, fields, turn)
        } else {
            self.trailers(whose, fields.are_trailers(), turn)
        }
    }

    fn request(
        &mut self,
        whose: Whose,
        fields: Fields<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        // The client was told that it will not be answered (§6.8).
        if self.leaving == Leaving::Said {
            return Ok(());
        }
        let Whose { stream, is_end, .. } = whose;
        if stream > self.last + 2 {
            self.passed_over = stream - 2;
        }
        self.last = stream;
        if self.streams.len() >= turn.limits.max_streams() {
            return self.refuse(whose, Code::RefusedStream, turn);
        }
        let body = |length| (!is_end).then(|| Body::new(length));
        match fields.verdict() {
            _ if whose.depends_on_itself => self.refuse(whose, Code::ProtocolError, turn),
            Verdict::Malformed => self.refuse(whose, Code::ProtocolError, turn),
            // The body that it speaks of is not there.
            Verdict::Request {
                length: Some(1..), ..
            } if is_end => self.refuse(whose, Code::ProtocolError, turn),
            Verdict::TooLarge => {
                let body = body(None);
                answer::too_large(turn.output, stream);
                self.streams
                    .open(turn.output, stream, &answer::NOTHING, body, turn.now);
                self.budget.earn(0);
                turn.answered += 1;
                Ok(())
            }
            Verdict::Request { head, length } => {
                let body = body(length);
                let given = turn.desk.give(&head, turn.now);
                let content = answer::headers(turn.output, stream, &given);
                self.streams
                    .open(turn.output, stream, content, body, turn.now);
                self.budget.earn(content.len());
                turn.answered += 1;
                if given.is_last {
                    self.leave(turn.output);
                }
                Ok(())
            }
        }
    }

    /// Resets a stream that was not opened.
    fn refuse(&mut self, whose: Whose, code: Code, turn: &mut Turn<'_>) -> Result<(), Code> {
        frame::reset(turn.output, whose.stream, code);
        if !whose.is_end {
            self.streams.remember(whose.stream);
        }
        // Who has not heard yet how many streams there may be is not to blame.
        if code == Code::RefusedStream && !self.is_acknowledged {
            return self.budget.spend();
        }
        self.budget.reset(turn.limits)
    }

    /// Takes a head of a stream that has had one.
    fn trailers(
        &mut self,
        whose: Whose,
        are_trailers: bool,
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        let Whose { stream, is_end, .. } = whose;
        let Some(open) = self.streams.get(stream) else {
            // They were on their way when we reset the stream.
            if self.streams.remembers(stream) {
                if is_end {
                    self.streams.forget(stream);
                }
                return Ok(());
            }
            if self.streams.may_have_forgotten(stream) {
                return self.budget.spend();
            }
            return Err(if stream > self.passed_over {
                Code::StreamClosed
            } else {
                Code::ProtocolError
            });
        };
        let Some(body) = &mut open.body else {
            return self.refuse_open(stream, Code::StreamClosed, turn);
        };
        if !is_end || !are_trailers || whose.depends_on_itself || !body.take(0, true) {
            return self.refuse_open(stream, Code::ProtocolError, turn);
        }
        self.streams.end(stream);
        Ok(())
    }
}
