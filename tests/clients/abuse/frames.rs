//! Frames of HTTP/2 (RFC 9113 §6), written by hand: no library would send these.

/// The connection preface (§3.4), with empty SETTINGS.
pub(super) fn preface() -> Vec<u8> {
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend(frame(SETTINGS, 0, 0, &[]));
    preface
}

pub(super) const HEADERS: u8 = 0x1;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PING: u8 = 0x6;
pub(super) const CONTINUATION: u8 = 0x9;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;

/// A setting that is a window of nothing for every stream (§6.5.2).
pub(super) const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// The code of RST_STREAM for who has changed its mind (§7).
pub(super) const CANCEL: [u8; 4] = 8_u32.to_be_bytes();

/// The fields of `GET http://shop/` in HPACK (RFC 7541 §6): three of the static table, and a name
/// of it with a literal value.
pub(super) const GET: &[u8] = b"\x82\x86\x84\x41\x04shop";

/// A frame (§4.1). The payload is shorter than 2^14 bytes.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The number of the n-th stream of a client, from 0 (§5.1.1).
pub(super) fn stream(n: u32) -> u32 {
    2 * n + 1
}

#[test]
fn a_frame_is_as_the_rfc_draws_it() {
    let reset = frame(RST_STREAM, 0, stream(1), &CANCEL);
    assert_eq!(reset, [0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 8]);
}
