//! HTTP/1 for requests that can be answered by themselves: ready bytes.

use tokio::time::Instant;

use super::activity::Activity;
use super::connection::Then;
use super::desk::{Desk, Given};
use super::http2;
use super::request::{Plain, Request, has_empty_line, request};
use super::shelf::line;
use super::worker::Worker;

/// The longest head that is read here. Of a longer one hyper takes care.
const LONGEST: usize = 16 * 1024;

/// From how much on answers are written before others are added.
const OUTPUT: usize = 16 * 1024;

/// What answering came to.
#[derive(Debug)]
pub(super) struct Answered<'a> {
    /// What is left of what was read.
    pub(super) rest: &'a [u8],
    pub(super) then: Then,
}

/// Answers the requests that `input` begins with. Its first `known` bytes are known not to hold a whole
/// head.
pub(super) fn answers<'a>(
    input: &'a [u8],
    known: usize,
    output: &mut Vec<u8>,
    activity: &Activity,
    now: Instant,
    worker: &Worker,
) -> Answered<'a> {
    let longest = LONGEST.min(worker.max_head());
    let mut rest = input;
    let and = |rest, then| Answered { rest, then };
    // A head that comes in pieces is parsed when its end is there, and not at each of them.
    if known > 0 && rest.len() < longest && !has_empty_line(rest, known) {
        return and(rest, Then::Read);
    }
    while !rest.is_empty() {
        if !activity.was_asked() {
            match http2::preface(rest) {
                http2::Preface::Whole => return and(rest, Then::Http2),
                http2::Preface::Unfinished => break,
                http2::Preface::Absent => {}
            }
        }
        let plain = match request(rest) {
            Request::Plain(plain) if plain.length <= longest => plain,
            Request::Unfinished if rest.len() < longest => break,
            _ => return and(rest, Then::HandOver),
        };
        let is_last = respond(&plain, output, activity.desk(), now);
        activity.answer(now);
        rest = &rest[plain.length..];
        if is_last || !plain.persists {
            let is_asked_for = !plain.persists && rest.is_empty();
            let then = if is_asked_for {
                Then::Close
            } else {
                Then::ShutDown
            };
            return and(&[], then);
        }
        if output.len() >= OUTPUT && !rest.is_empty() {
            return and(rest, Then::Answer);
        }
    }
    and(rest, Then::Read)
}

/// Writes an answer as hyper does, byte for byte; true where the connection is to end with it for a
/// reason of ours.
fn respond(request: &Plain<'_>, output: &mut Vec<u8>, desk: &Desk, now: Instant) -> bool {
    let Given {
        choice,
        ready,
        is_last,
    } = desk.give(&request.head, now);
    let start = output.len();
    output.extend_from_slice(&ready.head);
    if !request.is_1_1 {
        output[start + "HTTP/1.".len()] = b'0';
    }
    for (name, value) in choice.origin_fields() {
        line(output, name.as_str(), value.as_bytes());
    }
    match (request.is_1_1, request.persists && !is_last) {
        (true, false) => output.extend_from_slice(b"connection: close\r\n"),
        (false, true) => output.extend_from_slice(b"connection: keep-alive\r\n"),
        (false, false) if is_last => output.extend_from_slice(b"connection: close\r\n"),
        _ => {}
    }
    output.extend_from_slice(&ready.end);
    if !choice.without_body {
        output.extend_from_slice(&ready.answer.body);
    }
    is_last
}
