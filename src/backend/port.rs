//! One port: accept, and hand the notice to its connections.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::connection::Protocol;
use crate::notice::{Notice, idle_connections_close};

/// What the connections of a port go by.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The notice that is answered with.
    pub(super) notice: Arc<Notice>,
    /// Since when connections are asked to go: the notice is over or deleted, it asks its clients to
    /// connect anew, or the process ends.
    pub(super) leaving: Option<Instant>,
}

/// What all ports share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) protocol: Protocol,
    /// One permit for each connection that may be served.
    pub(super) permits: Arc<Semaphore>,
    pub(super) connections: TaskTracker,
}

/// A port that is listened on. Dropping it closes the listener and asks its connections to go.
#[derive(Debug)]
pub(super) struct Port {
    standing: watch::Sender<Standing>,
    /// Held for what its end does.
    _accepting: AbortOnDropHandle<()>,
}

impl Port {
    pub(super) fn open(listener: TcpListener, notice: Arc<Notice>, shared: Arc<Shared>) -> Self {
        let (standing, watched) = watch::channel(Standing {
            notice,
            leaving: None,
        });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, watched, shared)));
        Self {
            standing,
            _accepting: accepting,
        }
    }

    /// Answers with `notice` from the next request on.
    pub(super) fn change(&self, notice: &Arc<Notice>) {
        self.standing.send_if_modified(|standing| {
            let changes = standing.notice != *notice;
            standing.notice = Arc::clone(notice);
            changes
        });
    }

    /// Looks at the clock, and lets the connections know when they should go or may stay.
    pub(super) fn look(&self, draining: bool, now: DateTime<Utc>) {
        self.standing.send_if_modified(|standing| {
            let leaves = draining || idle_connections_close(&standing.notice, now);
            let changes = standing.leaving.is_some() != leaves;
            if changes {
                standing.leaving = leaves.then(Instant::now);
            }
            changes
        });
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.standing
            .send_modify(|standing| standing.leaving = standing.leaving.or(Some(Instant::now())));
    }
}

/// Accepts for ever. A connection that is one too many waits for its turn, and so do those
/// behind it, in the kernel.
async fn accept(listener: TcpListener, standing: watch::Receiver<Standing>, shared: Arc<Shared>) {
    loop {
        let stream = crate::listen::accept(&listener).await;
        let Ok(permit) = Arc::clone(&shared.permits).acquire_owned().await else {
            return;
        };
        let standing = standing.clone();
        let server = Arc::clone(&shared);
        shared.connections.spawn(async move {
            server.protocol.serve(stream, standing).await;
            drop(permit);
        });
    }
}
