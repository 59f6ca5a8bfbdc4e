//! The connections of a worker: room for a new one, and the end of those whose time is over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::LimitArgs;
use super::activity::{Activity, Ending};

/// How many connections are looked at to find one that makes room: of so many one is nearly as old
/// as the oldest, and the search costs the same however many there are.
const SAMPLE: usize = 64;

/// How long to wait before looking again, where none could make room.
const AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Roster {
    connections: RefCell<Slab<Rc<Activity>>>,
    limit: usize,
    /// One more than the highest key that was ever given.
    keys: Cell<usize>,
    /// Where the last search for one that makes room ended.
    hand: Cell<usize>,
    /// Somebody has left.
    left: Notify,
    /// How many there are, for other threads.
    count: Arc<AtomicUsize>,
}

/// A connection's place in the roster, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    roster: Rc<Roster>,
    key: usize,
}

impl Roster {
    /// A roster with room for `limit`, which tells other threads how many there are in `count`.
    pub(super) fn new(limit: usize, count: Arc<AtomicUsize>) -> Rc<Self> {
        Rc::new(Self {
            connections: RefCell::default(),
            limit,
            keys: Cell::new(0),
            hand: Cell::new(0),
            left: Notify::new(),
            count,
        })
    }

    /// Waits until there is room for one more.
    ///
    /// Where there is none, one that was silent for long ends: so whoever connects and says nothing
    /// takes nobody's place. While none was, who comes waits, and those behind him in the kernel.
    pub(super) async fn room(&self) {
        while self.connections.borrow().len() >= self.limit {
            if let Some(longest) = self.longest_silent(Instant::now()) {
                longest.end(Ending::AtOnce);
            }
            tokio::select! {
                () = self.left.notified() => {}
                () = sleep(AGAIN) => {}
            }
        }
    }

    pub(super) fn enter(self: &Rc<Self>, activity: &Rc<Activity>) -> Place {
        let mut connections = self.connections.borrow_mut();
        let key = connections.insert(Rc::clone(activity));
        self.keys.set(self.keys.get().max(key + 1));
        self.count.store(connections.len(), Ordering::Relaxed);
        Place {
            roster: Rc::clone(self),
            key,
        }
    }

    /// Looks at the clock, and asks those to end whose time is over.
    pub(super) fn look(&self, now: Instant, limits: &LimitArgs) {
        for (_, activity) in &*self.connections.borrow() {
            activity.look(now, limits);
        }
    }

    /// Waits until nobody is left.
    pub(super) async fn emptied(&self) {
        while !self.connections.borrow().is_empty() {
            self.left.notified().await;
        }
    }

    /// Of the next few connections that may have to make room, the one that was silent for longest.
    fn longest_silent(&self, now: Instant) -> Option<Rc<Activity>> {
        let samples = self.keys.get().div_ceil(SAMPLE);
        (0..samples).find_map(|_| self.longest_silent_of_sample(now))
    }

    fn longest_silent_of_sample(&self, now: Instant) -> Option<Rc<Activity>> {
        let connections = self.connections.borrow();
        let (keys, from) = (self.keys.get(), self.hand.get());
        self.hand.set((from + SAMPLE) % keys);
        let sample = (from..from + SAMPLE.min(keys)).filter_map(|key| connections.get(key % keys));
        let silent = sample.filter_map(|activity| Some((activity.silence(now)?, activity)));
        let (_, longest) = silent.max_by_key(|(silence, _)| *silence)?;
        Some(Rc::clone(longest))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.roster.connections.borrow_mut();
        connections.remove(self.key);
        self.roster
            .count
            .store(connections.len(), Ordering::Relaxed);
        self.roster.left.notify_one();
    }
}
