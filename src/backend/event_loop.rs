//! The event loop of a worker: its listeners and connections wait in one epoll instance, and each
//! that is ready has its turn.
//!
//! The instance is itself a file that the runtime waits for. So a connection needs neither a task nor
//! a waker: it is a few hundred bytes while it idles, and an answer costs two system calls and little
//! else.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use mio::{Events, Poll, Registry, Token};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyMutGuard};
use tokio::net::TcpStream;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::error;

use super::activity::{Activity, Ending};
use super::connection::{Connection, Next};
use super::roster::Entry;
use super::task;
use super::worker::Worker;

/// How many events are taken at a time.
const EVENTS: usize = 256;

/// The epoll instance of a worker.
#[derive(Debug)]
pub(super) struct EventLoop(AsyncFd<Poll>);

/// How many events are said to be of one instant: to ask for the time takes some of what an answer does.
const AT_ONE_INSTANT: usize = 16;

/// How often to look which connections have had their time.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// A connection's place with a worker whose event loop does not serve it any more, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) worker: Rc<Worker>,
    pub(super) activity: Rc<Activity>,
    key: usize,
}

/// What an event is for. Even tokens are connections, odd ones are listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Connection(usize),
    Listener(usize),
}

impl Source {
    pub(super) fn token(self) -> Token {
        match self {
            Self::Connection(key) => Token(key << 1),
            Self::Listener(key) => Token(key << 1 | 1),
        }
    }

    fn of(Token(token): Token) -> Self {
        let key = token >> 1;
        if token & 1 == 0 {
            Self::Connection(key)
        } else {
            Self::Listener(key)
        }
    }
}

impl EventLoop {
    /// An epoll instance, and where listeners and connections are registered with it. Must be called
    /// within a runtime.
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe, for who gives a descriptor away; `Poll` owns its own"
    )]
    pub(super) fn new() -> io::Result<(Self, Registry)> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let poll = AsyncFd::with_interest(poll, Interest::READABLE)?;
        Ok((Self(poll), registry))
    }

    /// Serves what is ready, and looks at the clock now and then. It ends only where the system refuses
    /// to tell what is ready.
    pub(super) async fn run(&mut self, worker: &Rc<Worker>) -> io::Result<Infallible> {
        let mut events = Events::with_capacity(EVENTS);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut has_more = false;
        loop {
            let taken = tokio::select! {
                biased;
                _ = looks.tick() => {
                    worker.look(Instant::now());
                    0
                }
                () = worker.room.notified() => {
                    worker.accept_waiting();
                    0
                }
                // Others that the runtime serves have their turn as well, timers among them.
                () = yield_now(), if has_more => take(self.0.get_mut(), &mut events)?,
                ready = self.0.readable_mut(), if !has_more => take_ready(ready?, &mut events)?,
            };
            let mut again = worker.again.take();
            again.sort_unstable();
            again.dedup();
            let mut now = Instant::now();
            for (place, event) in events.iter().take(taken).enumerate() {
                if place % AT_ONE_INSTANT == 0 {
                    now = Instant::now();
                }
                let source = Source::of(event.token());
                worker.serve_ready(source, event.is_read_closed(), now);
            }
            for source in again {
                // Whether its client has said the last word was noted by nobody: it is asked.
                worker.serve_ready(source, true, Instant::now());
            }
            has_more = taken == EVENTS || !worker.again.borrow().is_empty();
        }
    }
}

/// Takes the events that are there. The instance is edge-triggered, as what is in it: it tells of what
/// comes next, but not again of what is left.
fn take_ready(mut ready: AsyncFdReadyMutGuard<'_, Poll>, events: &mut Events) -> io::Result<usize> {
    let taken = take(ready.get_inner_mut(), events)?;
    if taken < EVENTS {
        ready.clear_ready();
    }
    Ok(taken)
}

/// Takes the events that are there; says how many.
fn take(poll: &mut Poll, events: &mut Events) -> io::Result<usize> {
    loop {
        match poll.poll(events, Some(Duration::ZERO)) {
            Ok(()) => return Ok(events.iter().count()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Worker {
    fn serve_ready(self: &Rc<Self>, source: Source, is_half_closed: bool, now: Instant) {
        match source {
            Source::Connection(key) => self.turn(key, |connection, worker| {
                connection.advance(is_half_closed, now, worker)
            }),
            Source::Listener(key) => self.accept(key),
        }
    }

    /// Looks at the clock for all connections, and for listeners that wait for room.
    fn look(self: &Rc<Self>, now: Instant) {
        let mut due = Vec::new();
        for (key, entry) in self.roster.borrow().iter() {
            match entry {
                Entry::Here(connection) if connection.is_due(now, self) => due.push(key),
                Entry::Here(_) => {}
                Entry::Elsewhere(activity) => activity.look(now, &self.limits),
            }
        }
        for key in due {
            self.turn(key, |connection, worker| connection.look(now, worker));
        }
        self.accept_waiting();
    }

    /// Ends the connection that was idle for longest, where one was for long enough; says whether there
    /// is room now.
    pub(super) fn make_room(self: &Rc<Self>, now: Instant) -> bool {
        let longest = self.roster.borrow_mut().longest_idle(now);
        let Some(key) = longest else {
            return false;
        };
        if let Some(Entry::Elsewhere(activity)) = self.roster.borrow_mut().get_mut(key) {
            // It ends in a moment, and its place is free then.
            activity.end(Ending::AtOnce);
            return false;
        }
        self.turn(key, |connection, worker| connection.make_room(now, worker));
        !self.roster.borrow().is_full()
    }

    /// Gives a connection its turn. A bug of ours costs that connection alone.
    fn turn(self: &Rc<Self>, key: usize, turn: impl FnOnce(&mut Connection, &Self) -> Next) {
        let mut roster = self.roster.borrow_mut();
        let Some(Entry::Here(connection)) = roster.get_mut(key) else {
            return;
        };
        let turn = catch_unwind(AssertUnwindSafe(|| turn(connection, self)));
        drop(roster);
        let next = turn.unwrap_or_else(|_| {
            error!("a connection has ended by a bug of ours: its message is above");
            Next::Closed
        });
        self.go_on(key, next);
    }

    fn go_on(self: &Rc<Self>, key: usize, next: Next) {
        match next {
            Next::Waits => {}
            Next::Again => self.again.borrow_mut().push(Source::Connection(key)),
            Next::Closed => self.leave(key),
            Next::Tls(before) => {
                self.hand_over(key, |stream, place| task::tls(before, stream, place));
            }
            Next::Http(before) => {
                self.hand_over(key, |stream, place| task::http(before, stream, place));
            }
        }
    }

    /// Frees the place of a connection that has ended.
    pub(super) fn leave(&self, key: usize) {
        let was_full = self.roster.borrow().is_full();
        self.roster.borrow_mut().remove(key);
        self.left.notify_one();
        if was_full {
            self.room.notify_one();
        }
    }

    /// Gives a connection a task of its own.
    fn hand_over<F>(self: &Rc<Self>, key: usize, serve: impl FnOnce(TcpStream, Place) -> F)
    where
        F: Future<Output = ()> + 'static,
    {
        let Some((key, stream, activity)) = self.roster.borrow_mut().hand_over(key) else {
            return;
        };
        let place = Place {
            worker: Rc::clone(self),
            activity,
            key,
        };
        // Where it fails the system has no memory for it, and the client sees it closed.
        if let Ok(stream) = self.for_a_task(stream) {
            spawn_local(serve(stream, place));
        }
    }

    fn for_a_task(&self, mut stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        self.registry.deregister(&mut stream)?;
        TcpStream::from_std(stream.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.leave(self.key);
    }
}
