//! Streams: those that are open, and those that we have reset (RFC 9113 §5.1).
//!
//! A request that ends with its HEADERS and is answered at once is never in here. So a connection that
//! is idle has nothing of all this, and to find a stream is to look at a few.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::Limits;
use super::frame::{self, Code, LONGEST, WINDOW, flag, kind};
use super::window::{Receiving, Sending};

/// How many streams that we have reset are remembered: the client may have sent more for them before
/// it knew.
const REMEMBERED: usize = 128;

/// How many times as long as it may stand still an answer may take in all: who takes it byte by byte
/// keeps all of it in memory.
const SLOWEST: u32 = 10;

#[derive(Debug)]
pub(super) struct Streams {
    /// In the order of their identifiers.
    open: Vec<Stream>,
    /// Which we have reset while more of the request was to come. The newest is the last.
    reset: Vec<u32>,
    /// The highest of those that were too many to be remembered.
    forgotten: u32,
    /// What is left of the client's windows: that of the connection, and that of a new stream.
    connection: Sending,
    initial: u32,
    /// Whether there may be room for an answer that waits.
    is_stirred: bool,
    /// When something of an answer that waited was last sent.
    moved: Option<Instant>,
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    id: u32,
    window: Sending,
    pub(super) opened: Instant,
    /// When DATA was last sent, or else when it was opened.
    since: Instant,
    /// The request's body, until it has ended.
    pub(super) body: Option<Body>,
    /// What of the answer waits for the client's windows.
    pub(super) waiting: Option<Bytes>,
}

/// A request's body, which is counted and thrown away.
#[derive(Debug)]
pub(super) struct Body {
    /// How long the request says it is.
    pub(super) length: Option<u64>,
    pub(super) count: u64,
    pub(super) window: Receiving,
    /// Whether it was given up. The stream is reset as soon as its answer is sent (§8.1).
    pub(super) is_over: bool,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            reset: Vec::new(),
            forgotten: 0,
            connection: Sending::new(WINDOW),
            initial: WINDOW,
            is_stirred: false,
            moved: None,
        }
    }
}

impl Body {
    pub(super) fn new(length: Option<u64>) -> Self {
        Self {
            length,
            count: 0,
            window: Receiving::default(),
            is_over: false,
        }
    }

    /// Takes so many bytes of it; false where that is not what the request said (§8.1.1).
    pub(super) fn take(&mut self, bytes: usize, is_end: bool) -> bool {
        self.count += u64::try_from(bytes).unwrap_or(u64::MAX);
        self.length
            .is_none_or(|length| self.count == length || self.count < length && !is_end)
    }
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.open.iter().any(|stream| stream.waiting.is_some())
    }

    pub(super) fn bodies(&self) -> usize {
        let bodies = self.open.iter().filter_map(|stream| stream.body.as_ref());
        bodies.filter(|body| !body.is_over).count()
    }

    pub(super) fn get(&mut self, id: u32) -> Option<&mut Stream> {
        let place = self.place(id)?;
        self.open.get_mut(place)
    }

    /// Takes an open stream away.
    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        self.place(id).map(|place| self.open.remove(place))
    }

    fn place(&self, id: u32) -> Option<usize> {
        if self.open.is_empty() {
            return None;
        }
        self.open.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    /// Notes that the body of a stream that is open has ended.
    pub(super) fn end(&mut self, id: u32) {
        let Some(stream) = self.get(id) else { return };
        stream.body = None;
        if stream.waiting.is_none() {
            self.remove(id);
        }
    }

    /// Begins to send `content` on the new stream `id`, whose HEADERS are sent. The stream is kept
    /// where it has more to come.
    pub(super) fn open(
        &mut self,
        output: &mut Vec<u8>,
        id: u32,
        content: &Bytes,
        body: Option<Body>,
        now: Instant,
    ) {
        let mut stream = Stream {
            id,
            window: Sending::new(self.initial),
            opened: now,
            since: now,
            body,
            waiting: None,
        };
        let sent = stream.send(content, output, &mut self.connection, usize::MAX);
        if sent < content.len() {
            stream.waiting = Some(content.slice(sent..));
        }
        if stream.body.is_some() || stream.waiting.is_some() {
            self.open.push(stream);
        }
    }

    /// Sends what there is room for of the answers that wait, but stops as soon as `output` has
    /// `full` bytes.
    pub(super) fn send(&mut self, output: &mut Vec<u8>, full: usize, now: Instant) {
        let mut place = 0;
        while self.is_stirred {
            let Some(stream) = self.open.get_mut(place) else {
                self.is_stirred = false;
                return;
            };
            if let Some(rest) = &stream.waiting {
                if output.len() >= full {
                    return;
                }
                let rest = rest.clone();
                let sent = stream.send(&rest, output, &mut self.connection, full);
                if sent > 0 {
                    stream.since = now;
                    self.moved = Some(now);
                }
                stream.waiting = (sent < rest.len()).then(|| rest.slice(sent..));
            }
            let id = stream.id;
            match &stream.body {
                // There was no room for it, or there is none in `output`, which is seen above.
                _ if stream.waiting.is_some() && output.len() < full => place += 1,
                _ if stream.waiting.is_some() => return,
                Some(body) if body.is_over => self.reset(output, id, Code::NoError),
                Some(_) => place += 1,
                None => drop(self.open.remove(place)),
            }
        }
    }

    /// Opens the client's window of the connection.
    pub(super) fn open_connection(&mut self, more: u32) -> Result<(), Code> {
        self.is_stirred = true;
        self.connection.change(more.into())
    }

    /// Opens the client's window of a stream that is open.
    pub(super) fn open_stream(&mut self, id: u32, more: u32) -> Result<(), Code> {
        self.is_stirred = true;
        self.get(id)
            .map_or(Ok(()), |stream| stream.window.change(more.into()))
    }

    /// Sets what the client's window of a new stream is; those that are open change by as much
    /// (§6.9.2).
    pub(super) fn set_initial(&mut self, size: u32) -> Result<(), Code> {
        let more = i64::from(size) - i64::from(self.initial);
        self.initial = size;
        self.is_stirred = true;
        let mut open = self.open.iter_mut();
        open.try_for_each(|stream| stream.window.change(more))
    }

    /// Resets a stream that is open.
    pub(super) fn reset(&mut self, output: &mut Vec<u8>, id: u32, code: Code) {
        let stream = self.remove(id);
        frame::reset(output, id, code);
        if stream.is_some_and(|stream| stream.body.is_some()) {
            self.remember(id);
        }
    }

    /// Gives up the body of a stream that is open: where it is answered to the end it is reset, so
    /// that the client sends no more of it (§8.1).
    pub(super) fn give_up(&mut self, output: &mut Vec<u8>, id: u32) {
        let Some(stream) = self.get(id) else { return };
        if stream.waiting.is_none() {
            return self.reset(output, id, Code::NoError);
        }
        if let Some(body) = &mut stream.body {
            body.is_over = true;
        }
    }

    /// Takes back the answers and gives up the bodies whose time is over.
    pub(super) fn look(&mut self, output: &mut Vec<u8>, now: Instant, limits: &Limits) {
        let waits = |stream: &&Stream| stream.waits_too_long(self.moved, now, limits);
        let late = self.open.iter().filter(waits);
        for id in late.map(|stream| stream.id).collect::<Vec<_>>() {
            self.reset(output, id, Code::Cancel);
        }
        let is_read = |body: &Body| !body.is_over;
        let late = self.open.iter().filter(|stream| {
            let is_read = stream.body.as_ref().is_some_and(is_read);
            is_read && has_passed(limits.body_timeout, stream.opened, now)
        });
        for id in late.map(|stream| stream.id).collect::<Vec<_>>() {
            self.give_up(output, id);
        }
    }

    /// Remembers a stream that we have reset while more of the request was to come.
    pub(super) fn remember(&mut self, id: u32) {
        if self.reset.len() >= REMEMBERED {
            self.forgotten = self.forgotten.max(self.reset.remove(0));
        }
        self.reset.push(id);
    }

    /// Whether we have reset the stream `id`, as far as is remembered.
    pub(super) fn remembers(&self, id: u32) -> bool {
        self.reset.contains(&id)
    }

    /// Whether we may have reset the stream `id` so long ago that it is not remembered.
    pub(super) fn may_have_forgotten(&self, id: u32) -> bool {
        id <= self.forgotten
    }

    /// Forgets a stream that we have reset: the client has ended it.
    pub(super) fn forget(&mut self, id: u32) {
        self.reset.retain(|other| *other != id);
    }
}

/// Whether it is that long since then.
pub(super) fn has_passed(span: Duration, since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= span
}

impl Stream {
    /// Whether the answer has waited for longer than it may. As long as the stream's own window is open
    /// it only waits for its turn, which comes nearer with all that is sent on the connection.
    fn waits_too_long(&self, moved: Option<Instant>, now: Instant, limits: &Limits) -> bool {
        let is_open = self.window.room(self.window, 1) > 0;
        let moved = moved.filter(|_| is_open);
        let since = moved.map_or(self.since, |moved| moved.max(self.since));
        let timeout = limits.write_timeout;
        self.waiting.is_some()
            && (has_passed(timeout, since, now)
                || has_passed(timeout.saturating_mul(SLOWEST), self.opened, now))
    }

    /// Sends what there is room for of `content`, until `output` has `full` bytes; returns how much.
    fn send(
        &mut self,
        content: &[u8],
        output: &mut Vec<u8>,
        connection: &mut Sending,
        full: usize,
    ) -> usize {
        let mut rest = content;
        while output.len() < full {
            let room = self.window.room(*connection, rest.len().min(LONGEST));
            let (part, after) = rest.split_at(room);
            if part.is_empty() {
                break;
            }
            let flags = if after.is_empty() {
                flag::END_STREAM
            } else {
                0
            };
            frame::write(output, kind::DATA, flags, self.id, part);
            self.window.take(room);
            connection.take(room);
            rest = after;
        }
        content.len() - rest.len()
    }
}
