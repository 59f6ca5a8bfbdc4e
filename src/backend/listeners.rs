//! The notices that are wanted → one open port for each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::DrainArgs;
use super::port::Port;
use super::source::Notices;
use super::worker::Workers;
use crate::notice::Notice;
use crate::shutdown::Shutdown;
use crate::telemetry::{Condition, Readiness};

/// The longest time between two looks at the clock, which may be set, and at ports that could not
/// be listened on.
const LOOK: Duration = Duration::from_secs(1);

/// The ports of all notices, each listened on or tried again and again.
#[derive(Debug)]
pub(super) struct Listeners {
    opener: Opener,
    /// Missing until the first list of notices has arrived.
    listed: Condition,
    entries: BTreeMap<u16, Entry>,
    draining: bool,
}

/// What it takes to open a port.
#[derive(Debug)]
struct Opener {
    ip: IpAddr,
    workers: Workers,
    readiness: Readiness,
}

#[derive(Debug)]
struct Entry {
    notice: Arc<Notice>,
    /// Where the port cannot be listened on: why.
    port: Result<Port, String>,
    condition: Condition,
}

impl Listeners {
    pub(super) fn new(ip: IpAddr, workers: Workers, readiness: Readiness) -> Self {
        Self {
            listed: readiness.missing("notices", "the first list has not arrived"),
            opener: Opener {
                ip,
                workers,
                readiness,
            },
            entries: BTreeMap::new(),
            draining: false,
        }
    }

    /// Listens as `notices` wants it until the shutdown begins; then drains and returns.
    pub(super) async fn run(
        mut self,
        mut notices: watch::Receiver<Option<Notices>>,
        shutdown: &Shutdown,
        drain: &DrainArgs,
    ) {
        self.follow(&mut notices, shutdown.begun()).await;

        let _stopping = self
            .opener
            .readiness
            .missing("shutdown", "the process is about to end");
        self.draining = true;
        self.follow(&mut notices, sleep(drain.drain_delay)).await;

        self.entries.clear();
        self.opener.workers.finish(drain.drain_timeout).await;
    }

    /// Does as `notices` wants it until `end`.
    async fn follow(
        &mut self,
        notices: &mut watch::Receiver<Option<Notices>>,
        end: impl Future<Output = ()>,
    ) {
        let mut end = pin!(end);
        loop {
            if let Some(wanted) = &*notices.borrow_and_update() {
                self.want(wanted);
            }
            let now = Utc::now();
            self.look(now);
            tokio::select! {
                () = &mut end => return,
                Ok(()) = notices.changed() => {}
                () = sleep(self.next_look(now)) => {}
            }
        }
    }

    /// Opens and closes ports, tries again where that failed, and changes what is answered.
    fn want(&mut self, wanted: &Notices) {
        self.entries.retain(|port, _| {
            let stays = wanted.contains_key(port);
            if !stays {
                info!(port, "no more notice; closing the port");
            }
            stays
        });
        for (port, notice) in wanted {
            if let Some(entry) = self.entries.get_mut(port) {
                entry.change(notice);
                entry.retry(&self.opener);
            } else {
                self.entries.insert(*port, self.opener.open(notice));
            }
        }
        self.listed.met(wanted.len().to_string());
    }

    /// Looks at the clock.
    fn look(&self, now: DateTime<Utc>) {
        for port in self
            .entries
            .values()
            .filter_map(|entry| entry.port.as_ref().ok())
        {
            port.look(self.draining, now);
        }
    }

    /// How long until the next end of a notice, but no longer than [`LOOK`].
    fn next_look(&self, now: DateTime<Utc>) -> Duration {
        let ends = self.entries.values().filter_map(|entry| entry.notice.until);
        let waits = ends.filter_map(|until| (until - now).to_std().ok());
        waits
            .filter(|wait| !wait.is_zero())
            .min()
            .unwrap_or(LOOK)
            .min(LOOK)
    }
}

impl Opener {
    fn open(&self, notice: &Arc<Notice>) -> Entry {
        let (name, window) = (format!("port {}", notice.port), notice.window.to_string());
        let port = self.listen(notice);
        let condition = match &port {
            Ok(_) => self.readiness.met(name, window),
            Err(why) => self.readiness.missing(name, why),
        };
        if let Err(why) = &port {
            complain(notice, why);
        }
        Entry {
            notice: Arc::clone(notice),
            port,
            condition,
        }
    }

    fn listen(&self, notice: &Arc<Notice>) -> Result<Port, String> {
        let port = Port::open(self.ip, Arc::clone(notice), &self.workers);
        let port = port.map_err(|error| error.to_string())?;
        info!(port = notice.port, window = %notice.window, "listening");
        Ok(port)
    }
}

impl Entry {
    fn change(&mut self, notice: &Arc<Notice>) {
        if self.notice == *notice {
            return;
        }
        self.notice = Arc::clone(notice);
        if let Ok(port) = &self.port {
            port.change(notice);
            self.condition.met(notice.window.to_string());
        }
    }

    fn retry(&mut self, opener: &Opener) {
        let Err(known) = &self.port else { return };
        let port = opener.listen(&self.notice);
        match &port {
            Ok(_) => self.condition.met(self.notice.window.to_string()),
            Err(why) if why == known => {}
            Err(why) => {
                complain(&self.notice, why);
                self.condition.missing(why);
            }
        }
        self.port = port;
    }
}

fn complain(notice: &Notice, why: &str) {
    warn!(window = %notice.window, "{why}; trying again every second");
}
