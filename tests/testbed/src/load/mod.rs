//! Clients that keep asking, and say who answered.
//!
//! A [`Load`] sends GETs from a few tasks at a modest rate, judges each answer ([`Class`]) and
//! records it with its times, so that a test can say: only the app or the maintenance page was
//! ever seen, every Retry-After was true, and the answers changed at this instant.
//!
//! ```no_run
//! # async fn example() {
//! use entracte_testbed::load::{Class, Load, Options};
//!
//! let start = chrono::Utc::now() + chrono::TimeDelta::seconds(5);
//! let load = Load::start(Options::new(([10, 0, 0, 1], 8000).into(), "web.test"));
//! // … apply a window that starts at `start`, and wait …
//! let report = load.stop().await;
//! assert_eq!(report.others().next(), None);
//! assert_eq!(report.count(Class::Maintenance, ..start), 0);
//! let flip = report.flip_at(start, None, Class::Maintenance).expect("held");
//! assert!(flip.settled() < chrono::TimeDelta::seconds(2));
//! # }
//! ```
//!
//! A source address runs out of ports after some 28,000 connections in a minute, which then shows
//! as failed requests: give several of [`Options::sources`] to a load that opens a new connection
//! for each request and lasts.

mod classify;
mod client;
mod connection;
mod expected;
mod report;
mod shared;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::classify::{APP_HEADER, Class, Reason, Verdict, WINDOW_HEADER, Wrong, classify};
use self::client::Worker;
pub use self::expected::Expected;
pub use self::report::{Answer, Counts, Flip, Moment, Report, flip_at};
use self::shared::Shared;

/// What a load asks, how often, and until when.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to connect to. There is no DNS in the testbed.
    pub address: SocketAddr,
    /// The Host header.
    pub host: String,
    /// The path, with a query if there is one.
    pub path: String,
    /// The addresses to connect from, in turn; the system's choice if empty.
    pub sources: Vec<IpAddr>,
    /// How many connections at once.
    pub workers: usize,
    /// Requests per second of all workers together, at most.
    pub per_second: u32,
    /// Whether a worker keeps its connection for as long as the server does; else each request has
    /// a new one.
    pub keep_alive: bool,
    /// How long an exchange may take, from connecting to the end of the body.
    pub timeout: Duration,
    /// The load ends by itself after this many requests.
    pub max_requests: u64,
    /// No request is sent after this time.
    pub max_time: Duration,
    /// What Retry-After is held against from the start; see [`Load::expectation`].
    pub expected: Expected,
}

impl Options {
    /// A modest load: 4 connections, each new for its request, 500 requests a second, 5 s for
    /// each, for 10 minutes at most.
    pub fn new(address: SocketAddr, host: &str) -> Self {
        Self {
            address,
            host: host.to_owned(),
            path: "/".to_owned(),
            sources: Vec::new(),
            workers: 4,
            per_second: 500,
            keep_alive: false,
            timeout: Duration::from_secs(5),
            max_requests: u64::MAX,
            max_time: Duration::from_secs(600),
            expected: Expected::default(),
        }
    }

    /// How long a worker waits from one request to the next.
    fn period(&self) -> Duration {
        let workers = u32::try_from(self.workers).unwrap_or(u32::MAX);
        Duration::from_secs(1) * workers / self.per_second.max(1)
    }
}

/// A load that is running. Dropping it ends it at once.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

/// What a load has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Requests by answer.
    pub counts: Counts,
    /// Who answered last.
    pub last: Option<Class>,
    /// The status line and headers of the last maintenance answer, one a line.
    pub last_maintenance: Option<String>,
    /// Why the last answer that is neither was neither.
    pub last_other: Option<String>,
}

impl Load {
    /// Starts the workers on the current tokio runtime, outside of which it panics.
    pub fn start(options: Options) -> Self {
        let shared = Arc::new(Shared::new(options.expected));
        let options = Arc::new(options);
        let (stop, stopped) = watch::channel(false);
        let workers = (0..options.workers)
            .map(|number| Worker::new(options.clone(), shared.clone(), number).run(stopped.clone()))
            .collect();
        Self {
            shared,
            stop,
            workers,
        }
    }

    /// What is expected of Retry-After, to be changed while the load runs.
    pub fn expectation(&self) -> Expectation {
        Expectation(self.shared.clone())
    }

    /// Has each worker open a new connection for its next request, as the pool of a client that
    /// was started anew does. Without it a worker that keeps its connection stays with whom it once
    /// reached, wherever a new one leads.
    pub fn start_anew(&self) {
        self.shared.start_anew();
    }

    /// Counts and last answers, for showing.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// All answers so far.
    pub fn report(&self) -> Report {
        self.shared.report()
    }

    /// Sends no more requests, waits for the answers to those under way, and reports.
    pub async fn stop(self) -> Report {
        self.stop.send_replace(true);
        self.finish().await
    }

    /// Waits until one of the load's own bounds ends it, and reports.
    pub async fn finish(self) -> Report {
        self.workers.join_all().await;
        self.shared.report()
    }
}

/// Changes what a running load expects.
///
/// A request that is under way at a change may be answered either way. Where the backend learns
/// of a new end some time after a test has made the change, expect either of the two.
#[derive(Clone, Debug)]
pub struct Expectation(Arc<Shared>);

impl Expectation {
    /// From now on Retry-After is held against this end.
    pub fn set_end(&self, end: Option<DateTime<Utc>>) {
        self.0.expect(|expected| expected.end = end);
    }

    /// From now on Retry-After is held against what this makes of it.
    pub fn change(&self, change: impl FnOnce(&mut Expected)) {
        self.0.expect(change);
    }

    /// From now on Retry-After is held against this.
    pub fn set(&self, expected: Expected) {
        self.0.expect(|old| *old = expected);
    }
}
