//! A process of the shipped binary, with the notices of a folder.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::notice::{Notice, WindowRef};
use entracte_testbed::process::{Process, mortal};
use entracte_testbed::request;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::free_address;

/// What the audience is told, with all that a format has to escape.
pub(crate) const MESSAGE: &str = "The shop's \"database\" is moving <house> & will be back.";

const READY_LIMIT: Duration = Duration::from_secs(10);

/// The backend. It is killed when it is dropped, and when the test's thread goes.
pub(crate) struct Backend {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    process: Process,
    folder: TempDir,
    _turn: Turn,
}

/// Tests run beside each other, but for those that measure.
#[expect(dead_code, reason = "held for what their end does")]
pub(crate) enum Turn {
    BesideOthers(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

static TURNS: RwLock<()> = RwLock::const_new(());

/// The notice of a window that began an hour ago and ends in two, with a message.
pub(crate) fn notice() -> Notice {
    let window = WindowRef {
        namespace: "shop".into(),
        name: "db-upgrade".into(),
    };
    let hours = |hours| Some(Utc::now() + TimeDelta::hours(hours));
    Notice {
        start: hours(-1),
        until: hours(2),
        message: Some(MESSAGE.into()),
        ..Notice::new(window, "1".into(), free_address().port())
    }
}

impl Turn {
    /// Waits for its turn beside other tests.
    pub(crate) async fn beside_others() -> Self {
        Self::BesideOthers(TURNS.read().await)
    }

    /// Waits until no other test has a backend, and lets none have one.
    pub(crate) async fn alone() -> Self {
        Self::Alone(TURNS.write().await)
    }
}

impl Backend {
    /// Starts the backend with a notice beside other tests, and waits until it answers.
    pub(crate) async fn start(notice: &Notice) -> Self {
        Self::start_in(Turn::beside_others().await, notice, &[]).await
    }

    /// Starts the backend with a notice and more arguments, and waits until it answers.
    pub(crate) async fn start_in(turn: Turn, notice: &Notice, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], notice.port));
        let admin = free_address();
        fs::write(folder.path().join("notice.json"), json!(notice).to_string()).unwrap();
        let mut command = mortal(env!("CARGO_BIN_EXE_entracte"), "KILL");
        command
            .args(["backend", "--bind", "127.0.0.1", "--notices"])
            .arg(folder.path())
            .args(["--admin-port", &admin.port().to_string()])
            .args(arguments);
        let mut process = Process::start("backend", command, folder.path()).unwrap();
        let answers = async || {
            let answer = request::get(admin, "admin", "/readyz").await;
            answer.is_ok_and(|answer| answer.status().is_success())
        };
        process.ready(READY_LIMIT, answers).await.unwrap();
        Self {
            address,
            process,
            folder,
            _turn: turn,
        }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A file of the name, for what a client writes.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether the process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// A figure of `/proc/PID/status` in KiB, such as `VmRSS` (proc_pid_status(5)).
    pub(crate) fn memory(&self, figure: &str) -> u64 {
        let id = self.process.id().unwrap();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure));
        let mut words = line.unwrap().split_whitespace();
        words.find_map(|word| word.parse().ok()).unwrap()
    }
}

/// The instant in whole seconds, as HTTP-date has it.
pub(crate) fn rounded_up(instant: DateTime<Utc>) -> DateTime<Utc> {
    let whole = TimeDelta::seconds(instant.timestamp());
    let floor = DateTime::UNIX_EPOCH + whole;
    if floor < instant {
        floor + TimeDelta::seconds(1)
    } else {
        floor
    }
}
