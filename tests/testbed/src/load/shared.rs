//! What the workers of a load and its owner share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::Utc;
use http::response::Parts;

use super::classify::{Class, Verdict, head_text};
use super::expected::Expected;
use super::report::{Answer, Counts, Moment, Report};
use super::{Options, Snapshot};

#[derive(Debug)]
pub(super) struct Shared {
    started: Instant,
    /// How often the clients started anew.
    pool: AtomicU64,
    expected: Mutex<Expected>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    begun: u64,
    counts: Counts,
    last: Option<Class>,
    last_maintenance: Option<String>,
    last_other: Option<String>,
    report: Report,
}

impl Shared {
    pub(super) fn new(expected: Expected) -> Self {
        Self {
            started: Instant::now(),
            pool: AtomicU64::new(0),
            expected: Mutex::new(expected),
            seen: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> Moment {
        Moment {
            elapsed: self.started.elapsed(),
            wall: Utc::now(),
        }
    }

    pub(super) fn expected(&self) -> Expected {
        *lock(&self.expected)
    }

    pub(super) fn expect(&self, change: impl FnOnce(&mut Expected)) {
        change(&mut lock(&self.expected));
    }

    /// Which pool connections belong to that are opened now.
    pub(super) fn pool(&self) -> u64 {
        self.pool.load(Ordering::Relaxed)
    }

    pub(super) fn start_anew(&self) {
        self.pool.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one of the requests that may still be made; `false` when there are none.
    pub(super) fn begin_request(&self, options: &Options) -> bool {
        let mut seen = lock(&self.seen);
        let may = seen.begun < options.max_requests && self.started.elapsed() < options.max_time;
        if may {
            seen.begun += 1;
        }
        may
    }

    pub(super) fn record(&self, answer: Answer, head: Option<&Parts>) {
        let class = answer.verdict.class();
        let mut seen = lock(&self.seen);
        seen.counts.add(class);
        seen.last = Some(class);
        match &answer.verdict {
            Verdict::Maintenance { .. } => seen.last_maintenance = head.map(head_text),
            Verdict::Other(reason) => seen.last_other = Some(reason.to_string()),
            Verdict::App => {}
        }
        seen.report.answers.push(answer);
    }

    pub(super) fn count_retry(&self) {
        lock(&self.seen).report.retried += 1;
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let seen = lock(&self.seen);
        Snapshot {
            counts: seen.counts,
            last: seen.last,
            last_maintenance: seen.last_maintenance.clone(),
            last_other: seen.last_other.clone(),
        }
    }

    pub(super) fn report(&self) -> Report {
        lock(&self.seen).report.clone()
    }
}

/// What is behind these locks is whole between any two statements, so a panic spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
