//! Frames: their heads are read, and whole ones are written (RFC 9113 §4 and §6).

/// What a client begins with (§3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long the head of a frame is.
pub(super) const HEAD: usize = 9;

/// The longest payload of a frame, either way: more has to be agreed on, and nobody here needs it
/// (§4.2).
pub(super) const LONGEST: usize = 16_384;

/// The window of a stream and of a connection where nothing else was said (§6.9.2).
pub(super) const WINDOW: u32 = 65_535;

/// The largest window, stream identifier and increment (§6.9.1).
pub(super) const MOST: u32 = 0x7fff_ffff;

/// Types (§6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0x0;
    pub(in super::super) const HEADERS: u8 = 0x1;
    pub(in super::super) const PRIORITY: u8 = 0x2;
    pub(in super::super) const RST_STREAM: u8 = 0x3;
    pub(in super::super) const SETTINGS: u8 = 0x4;
    pub(in super::super) const PUSH_PROMISE: u8 = 0x5;
    pub(in super::super) const PING: u8 = 0x6;
    pub(in super::super) const GOAWAY: u8 = 0x7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 0x8;
    pub(in super::super) const CONTINUATION: u8 = 0x9;
}

/// Flags (§6); the same bit is `ACK` of SETTINGS and PING, and `END_STREAM` of DATA and HEADERS.
pub(super) mod flag {
    pub(in super::super) const ACK: u8 = 0x1;
    pub(in super::super) const END_STREAM: u8 = 0x1;
    pub(in super::super) const END_HEADERS: u8 = 0x4;
    pub(in super::super) const PADDED: u8 = 0x8;
    pub(in super::super) const PRIORITY: u8 = 0x20;
}

/// Settings (§6.5.2).
pub(super) mod setting {
    pub(in super::super) const ENABLE_PUSH: u16 = 0x2;
    pub(in super::super) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
    pub(in super::super) const INITIAL_WINDOW_SIZE: u16 = 0x4;
    pub(in super::super) const MAX_FRAME_SIZE: u16 = 0x5;
    pub(in super::super) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
}

/// An error code (§7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Code {
    NoError = 0x0,
    ProtocolError = 0x1,
    FlowControlError = 0x3,
    StreamClosed = 0x5,
    FrameSizeError = 0x6,
    RefusedStream = 0x7,
    Cancel = 0x8,
    CompressionError = 0x9,
    EnhanceYourCalm = 0xb,
}

/// The head of a frame (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    /// The head that `bytes` begin with, where it is whole. The reserved bit is passed over.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *bytes.first_chunk::<HEAD>()?;
        Some(Self {
            length: usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2),
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & MOST,
        })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The head as it is sent. No payload of ours comes near 2^24 bytes.
    pub(super) fn bytes(&self) -> [u8; HEAD] {
        let [.., l0, l1, l2] = self.length.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        [l0, l1, l2, self.kind, self.flags, s0, s1, s2, s3]
    }
}

/// Appends a frame. `payload` is at most [`LONGEST`].
pub(super) fn write(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let head = Head {
        length: payload.len(),
        kind,
        flags,
        stream,
    };
    output.extend_from_slice(&head.bytes());
    output.extend_from_slice(payload);
}

/// Appends our SETTINGS, which are the server's preface (§3.4).
pub(super) fn settings<const N: usize>(output: &mut Vec<u8>, settings: [(u16, u32); N]) {
    let mut payload = Vec::with_capacity(6 * N);
    for (name, value) in settings {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    write(output, kind::SETTINGS, 0, 0, &payload);
}

pub(super) fn goaway(output: &mut Vec<u8>, last: u32, code: Code) {
    let [last, code] = [last, code as u32].map(u32::to_be_bytes);
    write(output, kind::GOAWAY, 0, 0, [last, code].as_flattened());
}

pub(super) fn reset(output: &mut Vec<u8>, stream: u32, code: Code) {
    let code = (code as u32).to_be_bytes();
    write(output, kind::RST_STREAM, 0, stream, &code);
}

pub(super) fn window_update(output: &mut Vec<u8>, stream: u32, increment: u32) {
    let increment = increment.to_be_bytes();
    write(output, kind::WINDOW_UPDATE, 0, stream, &increment);
}

/// The four bytes that a payload of exactly so many consists of.
pub(super) fn number(payload: &[u8]) -> Result<u32, Code> {
    let number = payload.try_into().map_err(|_| Code::FrameSizeError)?;
    Ok(u32::from_be_bytes(number))
}

/// Where a payload is without its padding (§6.1), of which `payload` is what has come, and maybe more.
pub(super) fn unpadded(head: &Head, payload: &[u8]) -> Result<core::ops::Range<usize>, Code> {
    if !head.has(flag::PADDED) {
        return Ok(0..head.length);
    }
    let first = payload.first().filter(|_| head.length > 0);
    let padding = *first.ok_or(Code::FrameSizeError)?;
    let end = head.length.checked_sub(usize::from(padding));
    let end = end.filter(|end| *end >= 1).ok_or(Code::ProtocolError)?;
    Ok(1..end)
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn a_head_that_is_written_is_read_again() {
        let head = Head {
            length: 0x01_02_03,
            kind: kind::HEADERS,
            flags: flag::END_STREAM | flag::END_HEADERS,
            stream: MOST,
        };
        let bytes = head.bytes();
        assert_eq!(bytes, [1, 2, 3, 1, 5, 0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(Head::read(&bytes), Some(head));
        let reserved = [1, 2, 3, 1, 5, 0xff, 0xff, 0xff, 0xff, 7];
        assert_eq!(Head::read(&reserved), Some(head));
        assert_eq!(Head::read(&bytes[..8]), None);
    }

    #[test]
    fn padding_is_shorter_than_its_payload() {
        let head = |length, flags| Head {
            length,
            kind: kind::DATA,
            flags,
            stream: 1,
        };
        for (length, padding, expected) in [
            (1, &[0][..], Ok(1..1)),
            (5, &[3], Ok(1..2)),
            (5, &[4], Ok(1..1)),
            (5, &[5], Err(Code::ProtocolError)),
            (1, &[255], Err(Code::ProtocolError)),
            (0, &[], Err(Code::FrameSizeError)),
            // This is what the next frame begins with.
            (0, &[0], Err(Code::FrameSizeError)),
        ] {
            let range = unpadded(&head(length, flag::PADDED), padding);
            assert_eq!(range, expected, "{length} {padding:?}");
        }
        assert_eq!(unpadded(&head(5, 0), &[9]), Ok(0..5));
    }
}
