//! What frames mean that are neither a request's head nor its body (RFC 9113 §6).
//!
//! Each costs the client a part of its budget, but for RST_STREAM, which is counted by itself.

use super::frame::{self, Code, Head, LONGEST, MOST, flag, kind, setting};
use super::{Connection, LEAVE, Leaving, Turn};

impl Connection {
    pub(super) fn control(
        &mut self,
        head: &Head,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        if head.kind == kind::RST_STREAM {
            return self.reset(head, payload, turn);
        }
        self.budget.spend()?;
        match head.kind {
            kind::SETTINGS => self.settings(head, payload, turn),
            kind::PING => self.ping(head, payload, turn),
            kind::WINDOW_UPDATE => self.window_update(head, payload, turn),
            kind::PRIORITY => self.priority(head, payload, turn),
            kind::GOAWAY => goaway(head, payload),
            kind::PUSH_PROMISE => Err(Code::ProtocolError),
            // Of an unknown type (§5.5).
            _ => Ok(()),
        }
    }

    /// Whether a stream was never used by the client: only HEADERS can open it (§5.1).
    pub(super) fn is_idle(&self, stream: u32) -> bool {
        stream.is_multiple_of(2) || stream > self.last
    }

    /// Whether a stream is the client's, and is none of those that it was told are the last (§6.8).
    pub(super) fn is_too_late(&self, stream: u32) -> bool {
        self.leaving == Leaving::Said && !stream.is_multiple_of(2) && stream > self.last
    }

    /// §6.5.
    fn settings(&mut self, head: &Head, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Code> {
        if head.stream != 0 {
            return Err(Code::ProtocolError);
        }
        if head.has(flag::ACK) {
            if !payload.is_empty() {
                return Err(Code::FrameSizeError);
            }
            self.is_acknowledged = true;
            return Ok(());
        }
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Code::FrameSizeError);
        }
        let mut initial = None;
        for [n0, n1, value @ ..] in settings {
            let value = u32::from_be_bytes(*value);
            match u16::from_be_bytes([*n0, *n1]) {
                setting::ENABLE_PUSH if value > 1 => return Err(Code::ProtocolError),
                setting::INITIAL_WINDOW_SIZE if value > MOST => {
                    return Err(Code::FlowControlError);
                }
                setting::INITIAL_WINDOW_SIZE => initial = Some(value),
                // We never send more than what everybody takes.
                setting::MAX_FRAME_SIZE if !is_frame_size(value) => {
                    return Err(Code::ProtocolError);
                }
                // The size of a table is nothing to who writes without one.
                _ => {}
            }
        }
        // Once, however often it is in there: each time goes through all streams.
        if let Some(initial) = initial {
            self.streams.set_initial(initial)?;
        }
        frame::write(turn.output, kind::SETTINGS, flag::ACK, 0, &[]);
        Ok(())
    }

    /// §6.7.
    fn ping(&mut self, head: &Head, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Code> {
        if head.stream != 0 {
            return Err(Code::ProtocolError);
        }
        if payload.len() != LEAVE.len() {
            return Err(Code::FrameSizeError);
        }
        if !head.has(flag::ACK) {
            frame::write(turn.output, kind::PING, flag::ACK, 0, payload);
        } else if self.leaving == Leaving::Announced && payload == LEAVE {
            self.close(turn.output);
        }
        Ok(())
    }

    /// §6.9.
    fn window_update(
        &mut self,
        head: &Head,
        payload: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<(), Code> {
        let more = frame::number(payload)? & MOST;
        let stream = head.stream;
        if stream == 0 {
            if more == 0 {
                return Err(Code::ProtocolError);
            }
            return self.streams.open_connection(more);
        }
        if self.is_too_late(stream) {
            return Ok(());
        }
        if self.is_idle(stream) {
            return Err(Code::ProtocolError);
        }
        // It may have been on its way when the stream ended.
        if self.streams.get(stream).is_none() {
            return Ok(());
        }
        let opened = match more {
            0 => Err(Code::ProtocolError),
            _ => self.streams.open_stream(stream, more),
        };
        if let Err(code) = opened {
            self.streams.reset(turn.output, stream, code);
        }
        Ok(())
    }

    /// §6.4.
    fn reset(&mut self, head: &Head, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Code> {
        frame::number(payload)?;
        if self.is_too_late(head.stream) {
            return self.budget.spend();
        }
        if self.is_idle(head.stream) {
            return Err(Code::ProtocolError);
        }
        if self.streams.remembers(head.stream) {
            self.streams.forget(head.stream);
            return Ok(());
        }
        match self.streams.remove(head.stream) {
            // Who has his answer need not send the rest of the body.
            Some(stream) if stream.waiting.is_none() => Ok(()),
            // It is taken back before anything else was asked for, which costs us a whole answer.
            _ if head.stream == self.last => self.budget.reset(turn.limits),
            // Behind a proxy that serves many users over one connection it is one of them who went.
            _ => self.budget.spend(),
        }
    }

    /// What it says is nothing to us (§5.3.2), but it has to be well-formed (§6.3, and RFC 7540
    /// §5.3.1).
    fn priority(&mut self, head: &Head, payload: &[u8], turn: &mut Turn<'_>) -> Result<(), Code> {
        if head.stream == 0 {
            return Err(Code::ProtocolError);
        }
        let code = match payload.split_last_chunk::<1>() {
            Some((parent, _)) if parent.len() == 4 => {
                if frame::number(parent)? & MOST != head.stream {
                    return Ok(());
                }
                Code::ProtocolError
            }
            _ => Code::FrameSizeError,
        };
        // A stream that is idle cannot be reset (§5.1).
        if self.is_idle(head.stream) {
            return Err(code);
        }
        self.streams.reset(turn.output, head.stream, code);
        Ok(())
    }
}

/// The client opens no more streams, or so it says; it closes the connection when it has its answers
/// (§6.8).
fn goaway(head: &Head, payload: &[u8]) -> Result<(), Code> {
    match (head.stream, payload.len()) {
        (0, 8..) => Ok(()),
        (0, _) => Err(Code::FrameSizeError),
        _ => Err(Code::ProtocolError),
    }
}

fn is_frame_size(value: u32) -> bool {
    usize::try_from(value).is_ok_and(|value| (LONGEST..1 << 24).contains(&value))
}
