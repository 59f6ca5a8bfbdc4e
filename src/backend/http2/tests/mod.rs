//! A connection, fed by hand.

mod chunks;
mod clients;
mod ending;
mod errors;
mod floods;
mod flow;
mod requests;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::frame::{HEAD, flag, kind};
use super::hpack::Decoder;
use super::*;
use crate::backend::LimitArgs;
use crate::backend::desk::Standing;
use crate::notice::{Notice, Page, Render};

/// The fields of `GET http://shop/` in HPACK.
const GET: &[u8] = b"\x82\x86\x84\x41\x04shop";

/// Those of `POST`.
const POST: &[u8] = b"\x83\x86\x84\x41\x04shop";

const END: u8 = flag::END_STREAM | flag::END_HEADERS;
const OPEN: u8 = flag::END_HEADERS;

/// How long the body of our answer to [`GET`] is.
const LENGTH: usize = 150;

pub(super) fn limits() -> Limits {
    Limits::from(&LimitArgs {
        max_connections: 64,
        max_head: 8192,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(10),
        max_body: 100_000,
        body_timeout: Duration::from_secs(5),
        max_streams: 10,
        max_resets: 20,
    })
}

fn notice() -> Notice {
    Notice {
        health_checks: vec!["/healthz".into()],
        ..crate::backend::tests::notice(20_001)
    }
}

/// A notice whose page has so many bytes.
fn with_page(bytes: usize) -> Notice {
    Notice {
        page: Some(Page::new(Render::Verbatim, "x".repeat(bytes))),
        ..notice()
    }
}

fn desk(notice: Notice) -> Desk {
    Desk::new(Standing {
        notice: Arc::new(notice),
        leaving: None,
    })
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::write(&mut frame, kind, flags, stream, payload);
    frame
}

fn headers(flags: u8, stream: u32, fields: &[u8]) -> Vec<u8> {
    frame(kind::HEADERS, flags, stream, fields)
}

fn data(flags: u8, stream: u32, length: usize) -> Vec<u8> {
    frame(kind::DATA, flags, stream, &vec![b'x'; length])
}

fn settings(name: u16, value: u32) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::settings(&mut frame, [(name, value)]);
    frame
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])
}

fn acknowledged() -> Vec<u8> {
    frame(kind::SETTINGS, flag::ACK, 0, &[])
}

fn preface() -> Vec<u8> {
    [PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()
}

/// A connection with its client's end.
struct Session {
    connection: Connection,
    desk: Desk,
    limits: Limits,
    now: Instant,
    /// What was sent and not consumed.
    input: Vec<u8>,
    answered: u32,
    is_over: bool,
}

impl Session {
    /// A connection of which nothing was read.
    fn fresh() -> Self {
        Self {
            connection: Connection::new(),
            desk: desk(notice()),
            limits: limits(),
            now: Instant::now(),
            input: Vec::new(),
            answered: 0,
            is_over: false,
        }
    }

    /// A connection whose prefaces are exchanged.
    fn new() -> Self {
        let mut session = Self::fresh();
        assert_eq!(
            session.say(&preface()),
            ["SETTINGS 3=10 6=8192", "SETTINGS ACK"]
        );
        session
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    /// What the server sends when it is sent `bytes`.
    fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(bytes);
        let mut sent = Vec::new();
        loop {
            let mut output = Vec::new();
            let received = self.connection.receive(
                &self.input,
                &mut output,
                &self.desk,
                &self.limits,
                self.now,
            );
            self.input.drain(..received.consumed);
            self.answered += received.answered;
            sent.extend(output);
            match received.then {
                Then::Answer => {}
                Then::Read => {
                    assert!(self.input.len() < LONGEST + HEAD);
                    return sent;
                }
                Then::ShutDown => {
                    assert_eq!(self.input.len(), 0);
                    self.is_over = true;
                    return sent;
                }
            }
        }
    }

    /// The same, in words.
    fn say(&mut self, bytes: &[u8]) -> Vec<String> {
        words(&self.send(bytes))
    }

    /// What is said when time passes and the clock is looked at.
    fn wait(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        let mut output = Vec::new();
        self.connection.look(&mut output, &self.limits, self.now);
        words(&output)
    }

    /// What is said when something else happens to the connection.
    fn hear(&mut self, happens: impl FnOnce(&mut Connection, &mut Vec<u8>)) -> Vec<String> {
        let mut output = Vec::new();
        happens(&mut self.connection, &mut output);
        self.is_over = self.connection.is_over();
        words(&output)
    }
}

/// Frames in words: type, stream, what is in them, and flags.
fn words(mut bytes: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(head) = Head::read(bytes) {
        let (payload, rest) = bytes[HEAD..].split_at(head.length);
        bytes = rest;
        let stream = head.stream;
        let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let mut words = match head.kind {
            kind::DATA => format!("DATA {stream} {}", payload.len()),
            kind::HEADERS => format!("HEADERS {stream} {}", fields(payload)[0]),
            kind::RST_STREAM => format!("RST_STREAM {stream} {:#x}", code(0)),
            kind::SETTINGS => {
                let settings = payload.chunks(6);
                settings.fold("SETTINGS".to_owned(), |mut words, setting| {
                    let value = u32::from_be_bytes(setting[2..].try_into().unwrap());
                    write!(words, " {}={value}", setting[1]).unwrap();
                    words
                })
            }
            kind::PING => format!("PING {}", String::from_utf8_lossy(payload)),
            kind::GOAWAY => format!("GOAWAY {} {:#x}", code(0), code(4)),
            kind::WINDOW_UPDATE => format!("WINDOW_UPDATE {stream} {}", code(0)),
            other => format!("{other} {stream}"),
        };
        let is_answer = matches!(head.kind, kind::DATA | kind::HEADERS);
        words += match (is_answer, head.has(flag::END_STREAM)) {
            (true, true) => " END",
            (false, true) => " ACK",
            _ => "",
        };
        said.push(words);
    }
    assert_eq!(bytes, [0; 0], "a frame is not whole");
    said
}

/// The values of a block.
fn fields(block: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    let look = |_, value: &[u8], _| {
        values.push(String::from_utf8_lossy(value).into_owned());
        true
    };
    Decoder::default()
        .read(block, &mut Vec::new(), look)
        .unwrap();
    values
}

/// The last words after `bytes`, and whether the connection is over by them.
fn last(session: &mut Session, bytes: &[u8]) -> (String, bool) {
    let said = session.say(bytes);
    (said.last().cloned().unwrap_or_default(), session.is_over())
}

fn broken(last: u32, code: u32) -> (String, bool) {
    (format!("GOAWAY {last} {code:#x}"), true)
}

fn refused(stream: u32, code: u32) -> (String, bool) {
    (format!("RST_STREAM {stream} {code:#x}"), false)
}

fn silence() -> (String, bool) {
    (String::new(), false)
}

/// What the answer to a GET on a stream is, where its windows are open.
fn answer(stream: u32) -> [String; 2] {
    [
        format!("HEADERS {stream} 503"),
        format!("DATA {stream} {LENGTH} END"),
    ]
}

#[test]
fn a_connection_that_is_idle_is_small() {
    let size = size_of::<Connection>();
    assert!(size <= 200, "{size} bytes");
}
