//! What a connection was last seen doing, and when it is to end.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;

use super::LimitArgs;
use super::desk::Desk;

/// How long a connection has to be silent before it is closed where connections are asked to go: a
/// request that is on its way, or whose head arrives in pieces, is not cut off. Counted at the
/// earliest from when they are first asked, however long a connection was silent before: a proxy that
/// has not followed yet sends requests over what it has in its pool, and some answer with a bare 503
/// when it is closed under them. Those that it uses within the second are closed by their answer.
const IDLE: Duration = Duration::from_secs(1);

/// How long a client has to see that we have shut the connection down.
const LINGER: Duration = Duration::from_secs(1);

/// How many bytes it may send in that time.
pub(super) const LINGERS: usize = 1024 * 1024;

/// How long a connection has to be idle before it may have to make room for a new one: who has
/// just connected is not sent away before he could ask.
const MAKES_ROOM: Duration = Duration::from_secs(1);

/// A connection of the event loop has it for itself; one with a task shares it with its stream and the
/// roster of its worker, which are all on one thread.
#[derive(Debug)]
pub(super) struct Activity {
    desk: Rc<Desk>,
    accepted: Instant,
    /// When bytes were last read.
    heard: Cell<Instant>,
    /// When the last request was answered.
    answered: Cell<Option<Instant>>,
    /// Until when what the client still sends is thrown away.
    lingers: Cell<Option<Instant>>,
    /// Since when the client takes nothing of what is to be written.
    stalled: Cell<Option<Instant>>,
    ending: Cell<Option<Ending>>,
    waiting: RefCell<Option<Waker>>,
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// What was begun is finished first.
    InOrder,
    /// Now.
    AtOnce,
}

impl Activity {
    pub(super) fn new(desk: Rc<Desk>, now: Instant) -> Self {
        Self {
            desk,
            accepted: now,
            heard: Cell::new(now),
            answered: Cell::new(None),
            lingers: Cell::new(None),
            stalled: Cell::new(None),
            ending: Cell::new(None),
            waiting: RefCell::default(),
        }
    }

    pub(super) fn desk(&self) -> &Rc<Desk> {
        &self.desk
    }

    /// Notes that bytes were read at `now`.
    pub(super) fn hear(&self, now: Instant) {
        self.heard.set(now);
    }

    /// Notes that a request, read to the end of its head, was answered at `now`.
    pub(super) fn answer(&self, now: Instant) {
        self.answered.set(Some(now));
    }

    /// Whether there was a request yet.
    pub(super) fn was_asked(&self) -> bool {
        self.answered.get().is_some()
    }

    /// Notes that the client was told at `now` that the connection ends: it has a while to go.
    pub(super) fn linger(&self, now: Instant) {
        self.lingers.set(Some(now + LINGER));
    }

    /// Notes whether the client takes what is written.
    pub(super) fn write(&self, stalls: bool) {
        match (stalls, self.stalled.get()) {
            (true, None) => self.stalled.set(Some(Instant::now())),
            (false, Some(_)) => self.stalled.set(None),
            _ => {}
        }
    }

    /// Asks the connection to end. A connection that has been asked can only be asked to hurry.
    pub(super) fn end(&self, ending: Ending) {
        if self.ending.get().is_none() || ending == Ending::AtOnce {
            self.ending.set(Some(ending));
            if let Some(waker) = self.waiting.take() {
                waker.wake();
            }
        }
    }

    /// Waits until the connection is asked to end. At most one task waits at a time.
    pub(super) async fn ended(&self) -> Ending {
        poll_fn(|cx| self.poll_ended(cx).map_or(Poll::Pending, Poll::Ready)).await
    }

    /// Waits until the connection is asked to end at once. It is the task that waits for [`ended`], if
    /// any, that may.
    ///
    /// [`ended`]: Self::ended
    pub(super) async fn ended_at_once(&self) {
        poll_fn(|cx| match self.poll_ended(cx) {
            Some(Ending::AtOnce) => Poll::Ready(()),
            _ => Poll::Pending,
        })
        .await;
    }

    /// Whether the connection is asked to end; the task is woken when that changes. At most one task
    /// asks at a time.
    fn poll_ended(&self, cx: &Context<'_>) -> Option<Ending> {
        let waiting = &mut *self.waiting.borrow_mut();
        if !waiting
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *waiting = Some(cx.waker().clone());
        }
        self.ending.get()
    }

    /// Looks at the clock, and asks the connection to end where its time is over.
    pub(super) fn look(&self, now: Instant, limits: &LimitArgs) {
        if let Some(ending) = self.due(now, limits) {
            self.end(ending);
        }
    }

    /// How the connection is to end, where its time is over.
    pub(super) fn due(&self, now: Instant, limits: &LimitArgs) -> Option<Ending> {
        let stalled = self.stalled.get();
        if stalled.is_some_and(|since| since + limits.write_timeout <= now) {
            return Some(Ending::AtOnce);
        }
        if let Some(end) = self.lingers.get() {
            return (end <= now).then_some(Ending::AtOnce);
        }
        (self.deadline(limits) <= now).then_some(Ending::InOrder)
    }

    /// When the connection is to be closed if nothing more comes of it.
    fn deadline(&self, limits: &LimitArgs) -> Instant {
        let head = match self.answered.get() {
            Some(answered) => answered + limits.idle_timeout,
            None => self.accepted + limits.head_timeout,
        };
        let leaving = self.desk.leaving();
        let silence = leaving.map(|since| self.heard.get().max(since) + IDLE);
        silence.map_or(head, |end| end.min(head))
    }

    /// For how long no request of the connection was answered, where it may have to make room. What it
    /// sends besides says nothing: anybody can send a byte now and then.
    pub(super) fn idleness(&self, now: Instant) -> Option<Duration> {
        let since = self.answered.get().unwrap_or(self.accepted);
        let idleness = now.saturating_duration_since(since);
        (self.ending.get().is_none() && idleness >= MAKES_ROOM).then_some(idleness)
    }
}
