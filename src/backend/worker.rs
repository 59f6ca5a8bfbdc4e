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

use mio::Registry;
use slab::Slab;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, warn};

use super::LimitArgs;
use super::accept;
use super::connection::Buffers;
use super::desk::Standing;
use super::event_loop::{EventLoop, Source};
use super::http::Http;
use super::http2;
use super::roster::Roster;
use super::tls;
use crate::notice::own_page;

/// All workers. Dropping them ends their threads and cuts their connections.
#[derive(Debug)]
pub(super) struct Workers {
    handles: Vec<Handle>,
    alarm: CancellationToken,
    _end: DropGuard,
}

/// Raised by a thread that cannot go on, or panics.
struct Alarm(CancellationToken);

impl Alarm {
    fn raise(&self, error: &io::Error) {
        error!(%error, "a worker cannot go on");
        self.0.cancel();
    }
}

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
    pub(super) http2: http2::Limits,
    pub(super) tls: tls::Config,
    /// Where sockets are registered with its event loop.
    pub(super) registry: Registry,
    pub(super) listeners: RefCell<Slab<accept::Listener>>,
    pub(super) roster: RefCell<Roster>,
    /// Those that have more to do than fits into one turn.
    pub(super) again: RefCell<Vec<Source>>,
    /// A connection has left.
    pub(super) left: Notify,
    /// One has left where there was no room.
    pub(super) room: Notify,
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
        let most = usize::try_from(self.limits.max_connections).unwrap_or(usize::MAX);
        let (event_loop, registry) = match EventLoop::new() {
            Ok(made) => made,
            Err(error) => return self.alarm.raise(&error),
        };
        let worker = Rc::new(Worker {
            http: Http::new(&self.limits),
            http2: http2::Limits::from(&self.limits),
            limits: self.limits,
            tls: self.tls,
            registry,
            listeners: RefCell::default(),
            roster: RefCell::new(Roster::new(most.div_ceil(self.count), connections)),
            again: RefCell::default(),
            left: Notify::new(),
            room: Notify::new(),
            buffers: RefCell::default(),
        });
        tokio::select! {
            () = self.end.cancelled() => {}
            ended = worker.work(event_loop, listeners) => {
                if let Err(error) = ended {
                    self.alarm.raise(&error);
                }
            }
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
    async fn work(
        self: Rc<Self>,
        mut event_loop: EventLoop,
        listeners: mpsc::UnboundedReceiver<Listener>,
    ) -> io::Result<()> {
        tokio::select! {
            never = event_loop.run(&self) => match never? {},
            served = self.serve(listeners) => served,
        }
    }

    async fn serve(
        self: &Rc<Self>,
        mut listeners: mpsc::UnboundedReceiver<Listener>,
    ) -> io::Result<()> {
        let mut ports = JoinSet::new();
        loop {
            tokio::select! {
                listener = listeners.recv() => {
                    let Some(Listener { socket, standing }) = listener else { break };
                    ports.spawn_local(accept::serve(socket, standing, Rc::clone(self)));
                }
                Some(served) = ports.join_next() => served.map_err(io::Error::from)??,
            }
        }
        while let Some(served) = ports.join_next().await {
            served.map_err(io::Error::from)??;
        }
        while !self.roster.borrow().is_empty() {
            self.left.notified().await;
        }
        Ok(())
    }

    /// Lends the buffer for what is read.
    pub(super) fn with_input<T>(&self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        read(&mut self.buffers.borrow_mut().input)
    }

    pub(super) fn max_head(&self) -> usize {
        usize::try_from(self.limits.max_head).unwrap_or(usize::MAX)
    }
}
