//! One port: listeners for the workers, and the notice for their connections.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

use super::desk::Standing;
use super::worker::Workers;
use crate::listen::{Error, listen_together};
use crate::notice::{Notice, idle_connections_close};

/// A port that every worker listens on. Dropping it closes all listeners, and asks the connections
/// to go.
#[derive(Debug)]
pub(super) struct Port {
    standing: watch::Sender<Standing>,
}

impl Port {
    /// Listens for every worker; when it returns, all of them take connections.
    pub(super) fn open(ip: IpAddr, notice: Arc<Notice>, workers: &Workers) -> Result<Self, Error> {
        let listeners = listen_together(ip, notice.port, workers.count())?;
        let standing = watch::Sender::new(Standing {
            notice,
            leaving: None,
        });
        workers.listen(listeners, &standing);
        Ok(Self { standing })
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
