//! Answers: a block of fields that is ready, and the body.

use bytes::Bytes;
use chrono::Utc;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, DATE, HeaderMap};

use super::frame::{self, HEAD, Head, flag, kind};
use super::hpack;
use crate::backend::desk::Given;
use crate::notice::imf_fixdate;

/// No body.
pub(super) static NOTHING: Bytes = Bytes::new();

/// The fields of an answer, but for the origin's: they are the same for every connection.
///
/// A block of ours has about 300 bytes, and at most some 4 KiB: it fits into one frame of any client
/// (RFC 9113 §4.2).
pub(in crate::backend) fn block(status: StatusCode, headers: &HeaderMap, date: &str) -> Vec<u8> {
    let mut block = Vec::with_capacity(384);
    hpack::write(&mut block, ":status", status.as_str().as_bytes());
    for (name, value) in headers {
        hpack::write(&mut block, name.as_str(), value.as_bytes());
    }
    hpack::write(&mut block, DATE.as_str(), date.as_bytes());
    block
}

/// Appends the HEADERS of an answer; returns what is to be sent after them, which may be nothing.
pub(super) fn headers<'a>(output: &mut Vec<u8>, stream: u32, given: &'a Given<'_>) -> &'a Bytes {
    let content = if given.choice.without_body {
        &NOTHING
    } else {
        &given.ready.answer.body
    };
    let start = output.len();
    let block = given.ready.block();
    output.reserve(2 * HEAD + block.len() + content.len());
    write(output, stream, block, content.is_empty());
    if given.choice.origin.is_some() {
        for (name, value) in given.choice.origin_fields() {
            hpack::write(output, name.as_str(), value.as_bytes());
        }
        lengthen(output, start);
    }
    content
}

/// Appends the whole answer to a request whose head is too large. It is no more than that: what the
/// request was for is not known.
pub(super) fn too_large(output: &mut Vec<u8>, stream: u32) {
    let headers = HeaderMap::from_iter([(CONTENT_LENGTH, 0.into())]);
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let block = block(status, &headers, &imf_fixdate(Utc::now()));
    write(output, stream, &block, true);
}

fn write(output: &mut Vec<u8>, stream: u32, block: &[u8], is_end: bool) {
    let end = if is_end { flag::END_STREAM } else { 0 };
    let flags = flag::END_HEADERS | end;
    frame::write(output, kind::HEADERS, flags, stream, block);
}

/// Writes the length of the last frame anew, which begins at `start`.
fn lengthen(output: &mut [u8], start: usize) {
    let Some(frame) = output.get_mut(start..) else {
        return;
    };
    let length = frame.len().saturating_sub(HEAD);
    if let (Some(head), Some(place)) = (Head::read(frame), frame.first_chunk_mut::<HEAD>()) {
        *place = Head { length, ..head }.bytes();
    }
}
