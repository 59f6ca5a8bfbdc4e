//! The connections of a worker: how many there may be, and which of them makes room for a new one.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mio::net::TcpStream;
use slab::Slab;
use tokio::time::Instant;

use super::activity::Activity;
use super::connection::Connection;

/// How many connections are looked at to find one that makes room: of so many one is nearly as old
/// as the oldest, and while there are some the search costs the same however many there are.
const SAMPLE: usize = 64;

/// A connection, by where it is served.
#[derive(Debug)]
pub(super) enum Entry {
    /// By the event loop.
    Here(Connection),
    /// By a task of its own.
    Elsewhere(Rc<Activity>),
}

#[derive(Debug)]
pub(super) struct Roster {
    entries: Slab<Entry>,
    limit: usize,
    /// One more than the highest key that was ever given.
    keys: usize,
    /// Where the last search for one that makes room ended.
    hand: usize,
    /// How many there are, for other threads.
    count: Arc<AtomicUsize>,
}

impl Entry {
    fn activity(&self) -> &Activity {
        match self {
            Self::Here(connection) => connection.activity(),
            Self::Elsewhere(activity) => activity,
        }
    }
}

impl Roster {
    /// A roster with room for `limit`, which tells other threads how many there are in `count`.
    pub(super) fn new(limit: usize, count: Arc<AtomicUsize>) -> Self {
        Self {
            entries: Slab::new(),
            limit,
            keys: 0,
            hand: 0,
            count,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The key of the next one that is entered.
    pub(super) fn next_key(&self) -> usize {
        self.entries.vacant_key()
    }

    pub(super) fn enter(&mut self, connection: Connection) {
        let key = self.entries.insert(Entry::Here(connection));
        self.keys = self.keys.max(key + 1);
        self.tell();
    }

    pub(super) fn remove(&mut self, key: usize) {
        drop(self.entries.try_remove(key));
        self.tell();
    }

    /// Takes a connection from the event loop. Its place stays, by the key that is returned.
    pub(super) fn hand_over(&mut self, key: usize) -> Option<(usize, TcpStream, Rc<Activity>)> {
        let Entry::Here(connection) = self.entries.try_remove(key)? else {
            return None;
        };
        let (stream, activity) = connection.into_parts();
        let activity = Rc::new(activity);
        let key = self.entries.insert(Entry::Elsewhere(Rc::clone(&activity)));
        Some((key, stream, activity))
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter()
    }

    /// Of the next few connections that may have to make room, the one that was idle for longest.
    pub(super) fn longest_idle(&mut self, now: Instant) -> Option<usize> {
        let samples = self.keys.div_ceil(SAMPLE);
        (0..samples).find_map(|_| self.longest_idle_of_sample(now))
    }

    fn longest_idle_of_sample(&mut self, now: Instant) -> Option<usize> {
        let from = self.hand;
        self.hand = (from + SAMPLE) % self.keys;
        let sample = (from..from + SAMPLE.min(self.keys)).map(|key| key % self.keys);
        let idle = sample.filter_map(|key| {
            let entry = self.entries.get(key)?;
            Some((entry.activity().idleness(now)?, key))
        });
        let (_, longest) = idle.max_by_key(|(idleness, _)| *idleness)?;
        Some(longest)
    }

    fn tell(&self) {
        self.count.store(self.entries.len(), Ordering::Relaxed);
    }
}
