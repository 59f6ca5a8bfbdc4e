//! Answers of a port that are ready to be sent.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::header::{CONTENT_LENGTH, DATE};
use tokio::time::Instant;

use super::http2;
use crate::notice::{
    Answer, Notice, TURNS, Variant, connection_closes, good_until, imf_fixdate, render,
};

/// For how long an answer is ready at most where, while it is, connections begin to be closed.
const SHORT: Duration = Duration::from_millis(100);

/// For how long a variant is kept that nobody asks for.
const KEPT: Duration = Duration::from_secs(10);

/// The answers of one port that were rendered at most a second ago, on one worker. What nobody has asked
/// for lately goes when another one is rendered.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    variants: Vec<Rows>,
    turn: u32,
    /// When the turn was given.
    turned: Option<Instant>,
}

/// One variant: an answer for each turn.
#[derive(Debug)]
struct Rows {
    variant: Variant,
    turns: Vec<Option<Rc<Ready>>>,
    rendered: Instant,
}

/// An answer that is ready to be sent.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) answer: Answer,
    /// The status line of HTTP/1.1, and all fields but the origin's, `Connection` and what `end` has.
    pub(super) head: Vec<u8>,
    /// The length where it is 0, `Date`, and the empty line: it is where hyper has them.
    pub(super) end: Vec<u8>,
    /// Whether it is to be the last of its connection.
    pub(super) closes: bool,
    /// The fields of HTTP/2, where somebody has asked for them.
    block: OnceCell<Vec<u8>>,
    at: DateTime<Utc>,
    until: Instant,
}

impl Shelf {
    /// The answer of `variant`, and of the next turn where it is for another instant than the last one.
    /// It is rendered where it is not ready.
    pub(super) fn take(&mut self, variant: Variant, notice: &Notice, now: Instant) -> Rc<Ready> {
        if self.turned.replace(now) != Some(now) {
            self.turn = (self.turn + 1) % TURNS;
        }
        let turn = self.turn - self.turn % variant.turns_that_share();
        let of_variant = |rows: &Rows| rows.variant == variant;
        let known = self.variants.iter().find(|rows| of_variant(rows));
        if let Some(ready) = known.and_then(|rows| rows.ready(turn, now)) {
            return ready;
        }
        self.variants
            .retain(|rows| of_variant(rows) || rows.rendered + KEPT > now);
        let place = self
            .variants
            .iter()
            .position(of_variant)
            .unwrap_or_else(|| {
                self.variants.push(Rows::new(variant, now));
                self.variants.len() - 1
            });
        self.variants[place].render(turn, notice, now)
    }
}

impl Rows {
    fn new(variant: Variant, now: Instant) -> Self {
        Self {
            variant,
            turns: Vec::new(),
            rendered: now,
        }
    }

    fn ready(&self, turn: u32, now: Instant) -> Option<Rc<Ready>> {
        let ready = self.turns.get(turn as usize)?.as_ref()?;
        (now < ready.until).then(|| Rc::clone(ready))
    }

    fn render(&mut self, turn: u32, notice: &Notice, now: Instant) -> Rc<Ready> {
        let place = turn as usize;
        let at = Utc::now();
        let mut answer = render(self.variant, notice, at, turn);
        // A page is large, and often the same for every turn.
        let others = self.turns.iter().flatten();
        if let Some(same) = others
            .map(|other| &other.answer.body)
            .find(|body| **body == answer.body)
        {
            answer.body = same.clone();
        }
        let ready = Rc::new(Ready::new(answer, notice, at, now));
        self.rendered = now;
        if self.turns.len() <= place {
            self.turns.resize(place + 1, None);
        }
        self.turns[place] = Some(Rc::clone(&ready));
        ready
    }
}

impl Ready {
    /// `now` is `at` by the clock that nobody sets.
    fn new(answer: Answer, notice: &Notice, at: DateTime<Utc>, now: Instant) -> Self {
        let until = good_until(notice, at);
        let closes = connection_closes(notice, at);
        let last = until - TimeDelta::nanoseconds(1);
        let most = if connection_closes(notice, last) == closes {
            Duration::MAX
        } else {
            SHORT
        };
        let good = (until - at).to_std().unwrap_or_default().min(most);
        Self {
            head: head(&answer),
            end: end(&answer, at),
            answer,
            closes,
            block: OnceCell::new(),
            at,
            until: now + good,
        }
    }

    /// All fields but the origin's, with `Date`, as HTTP/2 has them.
    pub(super) fn block(&self) -> &[u8] {
        let Answer {
            status, headers, ..
        } = &self.answer;
        self.block
            .get_or_init(|| http2::block(*status, headers, &imf_fixdate(self.at)))
    }
}

fn head(answer: &Answer) -> Vec<u8> {
    let status = answer.status;
    let reason = status.canonical_reason().unwrap_or("<none>");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    let is_empty = answer.body.is_empty();
    let fields = answer.headers.iter();
    for (name, value) in fields.filter(|(name, _)| !is_empty || *name != CONTENT_LENGTH) {
        line(&mut head, name.as_str(), value.as_bytes());
    }
    head
}

fn end(answer: &Answer, at: DateTime<Utc>) -> Vec<u8> {
    let mut end = Vec::new();
    let length = answer.headers.get(CONTENT_LENGTH);
    if let Some(length) = length.filter(|_| answer.body.is_empty()) {
        line(&mut end, CONTENT_LENGTH.as_str(), length.as_bytes());
    }
    line(&mut end, DATE.as_str(), imf_fixdate(at).as_bytes());
    end.extend_from_slice(b"\r\n");
    end
}

/// Writes a field line.
pub(super) fn line(to: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        to.extend_from_slice(part);
    }
}
