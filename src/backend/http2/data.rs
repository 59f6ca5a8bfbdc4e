//! A request's body: it is counted, and thrown away (RFC 9113 §6.1).

use super::frame::{self, Code, Head, flag};
use super::streams::has_passed;
use super::{Connection, Turn};

impl Connection {
    /// Takes DATA by its head; `payload` is what has come of the rest.
    pub(super) fn data(
        &mut self,
        head: &Head,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        // A stream that nobody opened, or no stream at all.
        if self.is_idle(head.stream) && !self.is_too_late(head.stream) {
            return Err(Code::ProtocolError);
        }
        let length = frame::unpadded(head, payload)?.len();
        let is_end = head.has(flag::END_STREAM);
        if length == 0 && !is_end {
            self.budget.spend()?;
        }
        // All of it counts, whatever becomes of its stream (§6.9.1).
        self.received.take(head.length)?;
        self.received.open(turn.output, 0);

        let stream = head.stream;
        let open = self.streams.get(stream);
        let open = open.and_then(|stream| stream.body.as_mut().zip(Some(stream.opened)));
        let Some((body, opened)) = open else {
            return self.stray(stream, is_end, turn);
        };
        if let Err(code) = body.window.take(head.length) {
            return self.refuse_open(stream, code, turn);
        }
        if !body.take(length, is_end) {
            return self.refuse_open(stream, Code::ProtocolError, turn);
        }
        if is_end {
            self.streams.end(stream);
        } else if body.count > turn.limits.max_body
            || has_passed(turn.limits.body_timeout, opened, turn.now)
        {
            self.streams.give_up(turn.output, stream);
        } else if !body.is_over {
            body.window.open(turn.output, stream);
        }
        Ok(())
    }

    /// Takes DATA of a stream that has no body any more.
    fn stray(&mut self, stream: u32, is_end: bool, turn: &mut Turn<'_>) -> Result<(), Code> {
        if self.is_too_late(stream) {
            return Ok(());
        }
        // It was on its way when we reset the stream.
        if self.streams.remembers(stream) {
            if is_end {
                self.streams.forget(stream);
            }
            return Ok(());
        }
        self.budget.spend()?;
        if self.streams.may_have_forgotten(stream) {
            return Ok(());
        }
        // The client has ended or reset it itself (§5.1).
        self.streams.reset(turn.output, stream, Code::StreamClosed);
        Ok(())
    }

    /// Refuses a request that is open, for it is malformed after all.
    pub(super) fn refuse_open(
        &mut self,
        stream: u32,
        code: Code,
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        self.streams.reset(turn.output, stream, code);
        self.budget.reset(turn.limits)
    }
}
