//! The threads that answer: each has a runtime of its own, and a listener for each port, so that a
//! connection stays on one thread and shares nothing with those of others.

use std::cell::RefCell;
use std::io;
use std::net;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, warn};

use super::LimitArgs;
use super::accept;
use super::desk::Standing;
use super::http::Http;
use super::plain::Buffers;
use super::roster::Roster;
use super::tls;
use crate::notice::own_page;

/// How often a worker looks which of its connections have had their time.
const LOOK: Duration = Duration::from_millis(100);

/// All workers. Dropping them ends their threads and cuts their connections.
#[derive(Debug)]
pub(super) struct Workers {
    handles: Vec<Handle>,
    alarm: CancellationToken,
    _end: DropGuard,
}

/// Raised by a thread that panics.
struct Alarm(CancellationToken);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
        }
    }
}

/// What there is of a worker on other threads.
#[derive(Debug)]
struct Handle {
    listeners: mpsc::UnboundedSender<Listener>,
    connections: Arc<AtomicUsize>,
    /// Resolves when the thread has ended.
    ended: oneshot::Receiver<()>,
}

#[derive(Debug)]
struct Listener {
    socket: net::TcpListener,
    standing: watch::Receiver<Standing>,
}

/// What the connections of a worker share. It never leaves its thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) limits: LimitArgs,
    pub(super) http: Http,
    pub(super) tls: tls::Config,
    pub(super) roster: Rc<Roster>,
    pub(super) buffers: RefCell<Buffers>,
}

impl Workers {
    /// Starts `count` threads. Each serves its share of the connections that `limits` allows.
    pub(super) fn start(count: usize, limits: &LimitArgs, tls: &tls::Config) -> io::Result<Self> {
        let (end, alarm) = (CancellationToken::new(), CancellationToken::new());
        let guard = end.clone().drop_guard();
        let start = |number| {
            let make = Make {
                count,
                limits: limits.clone(),
                tls: tls.clone(),
                end: end.clone(),
                alarm: Alarm(alarm.clone()),
            };
            make.start(number)
        };
        Ok(Self {
            handles: (0..count).map(start).collect::<io::Result<_>>()?,
            alarm,
            _end: guard,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.handles.len()
    }

    /// Gives each worker one of `sockets`, to accept from until nobody holds `standing`.
    pub(super) fn listen(
        &self,
        sockets: Vec<net::TcpListener>,
        standing: &watch::Sender<Standing>,
    ) {
        for (handle, socket) in self.handles.iter().zip(sockets) {
            let standing = standing.subscribe();
            // It fails where the thread is gone, of which there is an alarm.
            let _ = handle.listeners.send(Listener { socket, standing });
        }
    }

    /// Is cancelled when a thread ends by a bug of ours.
    pub(super) fn alarm(&self) -> CancellationToken {
        self.alarm.clone()
    }

    /// Waits until every port is closed and every connection has ended, but no longer than `longest`.
    pub(super) async fn finish(self, longest: Duration) {
        let (ended, counts): (Vec<_>, Vec<_>) = self
            .handles
            .into_iter()
            .map(|handle| (handle.ended, handle.connections))
            .unzip();
        let all = futures::future::join_all(ended);
        if timeout(longest, all).await.is_err() {
            let left = counts.iter().map(|count| count.load(Ordering::Relaxed));
            warn!(
                connections = left.sum::<usize>(),
                "ending while connections are still open"
            );
        }
    }
}

/// What it takes to start a worker.
struct Make {
    count: usize,
    limits: LimitArgs,
    tls: tls::Config,
    end: CancellationToken,
    alarm: Alarm,
}

impl Make {
    fn start(self, number: usize) -> io::Result<Handle> {
        let (listeners, taken) = mpsc::unbounded_channel();
        let (started, has_started) = std::sync::mpsc::channel();
        let (ending, ended) = oneshot::channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let thread = thread::Builder::new()
            .name(format!("worker-{number}"))
            .stack_size(own_page::STACK);
        thread.spawn(move || {
            let _ending: oneshot::Sender<()> = ending;
            match runtime() {
                Ok(runtime) => {
                    drop(started.send(Ok(())));
                    runtime.block_on(self.run(taken, counted));
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        // Nothing comes only from a thread that panics.
        has_started.recv().map_err(io::Error::other)??;
        Ok(Handle {
            listeners,
            connections,
            ended,
        })
    }

    async fn run(
        self,
        listeners: mpsc::UnboundedReceiver<Listener>,
        connections: Arc<AtomicUsize>,
    ) {
        let _alarm = self.alarm;
        let most = usize::try_from(self.limits.max_connections).unwrap_or(usize::MAX);
        let longest = usize::try_from(self.limits.max_head).unwrap_or(usize::MAX);
        let worker = Rc::new(Worker {
            http: Http::new(&self.limits),
            limits: self.limits,
            tls: self.tls,
            roster: Roster::new(most.div_ceil(self.count), connections),
            buffers: RefCell::new(Buffers::new(longest)),
        });
        tokio::select! {
            () = self.end.cancelled() => {}
            () = worker.work(listeners) => {}
        }
    }
}

fn runtime() -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_io().enable_time();
    builder.build_local(LocalOptions::default())
}

impl Worker {
    /// Serves every listener that it is given, until there will be no more and all connections have
    /// ended.
    async fn work(self: Rc<Self>, listeners: mpsc::UnboundedReceiver<Listener>) {
        tokio::select! {
            () = self.look() => {}
            () = self.serve(listeners) => {}
        }
    }

    async fn look(&self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.roster.look(Instant::now(), &self.limits);
        }
    }

    async fn serve(self: &Rc<Self>, mut listeners: mpsc::UnboundedReceiver<Listener>) {
        let mut ports = JoinSet::new();
        loop {
            tokio::select! {
                listener = listeners.recv() => {
                    let Some(Listener { socket, standing }) = listener else { break };
                    match TcpListener::from_std(socket) {
                        Ok(socket) => {
                            ports.spawn_local(accept::serve(socket, standing, Rc::clone(self)));
                        }
                        // The kernel spreads connections over all listeners: without this one, those
                        // of the other workers get them.
                        Err(error) => error!(%error, "a worker cannot listen"),
                    }
                }
                Some(_) = ports.join_next() => {}
            }
        }
        while ports.join_next().await.is_some() {}
        self.roster.emptied().await;
    }
}
