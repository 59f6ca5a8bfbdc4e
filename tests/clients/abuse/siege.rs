//! A backend under attack, somebody else who goes on asking, and what it costs.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Ended, each};
use crate::stage::backend::{Backend, Turn, notice};

/// How often the other one asks, each time by a new connection.
const PAUSE: Duration = Duration::from_millis(10);
/// When the other one has had no answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long 99 of a hundred answers to the other one may take.
const BOUND: Duration = Duration::from_secs(1);

/// How long an attack goes on at least.
const LEAST: Duration = Duration::from_secs(2);

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\naccept: */*\r\nconnection: close\r\n\r\n";

/// A backend under attack. No other test runs.
pub(super) struct Siege {
    backend: Backend,
    begun: Instant,
    memory_before: u64,
    stop: watch::Sender<()>,
    bystander: JoinHandle<Vec<Option<Duration>>>,
}

/// What it was like. Printed as a row of a table.
struct Figures {
    name: &'static str,
    took: Duration,
    asked: usize,
    answered: usize,
    p99: Duration,
    longest: Duration,
    memory_before: u64,
    /// The most that was resident, in KiB.
    memory: u64,
}

impl Siege {
    /// Starts a backend with arguments, and one who asks it all the while.
    pub(super) async fn begin(arguments: &[&str]) -> Self {
        let backend = Backend::start_in(Turn::alone().await, &notice(), arguments).await;
        // So that what it needs once is there before it is counted.
        ask(backend.address).await.unwrap();
        let memory_before = backend.memory("VmRSS:");
        let (stop, stopped) = watch::channel(());
        let address = backend.address;
        // A thread of its own: what it measures is not our own work at the attack.
        let bystander = tokio::task::spawn_blocking(move || stand_by(address, &stopped));
        Self {
            backend,
            begun: Instant::now(),
            memory_before,
            stop,
            bystander,
        }
    }

    /// Opens `count` connections at once, as [`each`] has it, again and again for two seconds, so
    /// that the other one has asked often.
    pub(super) async fn attack<S>(
        &self,
        count: u32,
        limit: Duration,
        sender: impl Fn(u32) -> S,
    ) -> Vec<Ended>
    where
        S: AsyncFnMut() -> Option<Vec<u8>>,
    {
        let mut ended = Vec::new();
        while self.goes_on() {
            ended.extend(each(self.address(), count, limit, &sender).await);
        }
        ended
    }

    /// Whether to attack once more.
    pub(super) fn goes_on(&self) -> bool {
        self.begun.elapsed() < LEAST
    }

    /// Whom to attack.
    pub(super) fn address(&self) -> SocketAddr {
        self.backend.address
    }

    /// Ends it, and asserts that the backend runs, that everybody else was answered in time, and
    /// that its memory never grew by more than so many KiB.
    pub(super) async fn end(mut self, name: &'static str, most: u64) {
        self.stop.send_replace(());
        let took = self.begun.elapsed();
        let answers = self.bystander.await.unwrap();
        let asked = answers.len();
        let mut times: Vec<_> = answers.into_iter().flatten().collect();
        times.sort();
        let figures = Figures {
            name,
            took,
            asked,
            answered: times.len(),
            p99: times[times.len() * 99 / 100],
            longest: *times.last().unwrap(),
            memory_before: self.memory_before,
            memory: self.backend.memory("VmHWM:"),
        };
        println!("{figures}");
        assert!(self.backend.is_running(), "the backend has ended");
        assert_eq!(figures.answered, asked, "not everybody was answered");
        assert!(figures.p99 < BOUND, "{figures}");
        let grown = figures.memory.saturating_sub(self.memory_before);
        assert!(grown <= most, "{grown} KiB are more than {most}: {figures}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes =
            |kibibytes: u64| format!("{}.{}", kibibytes / 1024, kibibytes % 1024 * 10 / 1024);
        write!(
            f,
            "| {} | {:.1} s | {} of {} | {:.1} ms | {:.1} ms | {} → {} MiB |",
            self.name,
            self.took.as_secs_f64(),
            self.answered,
            self.asked,
            self.p99.as_secs_f64() * 1000.0,
            self.longest.as_secs_f64() * 1000.0,
            mebibytes(self.memory_before),
            mebibytes(self.memory),
        )
    }
}

fn stand_by(address: SocketAddr, stopped: &watch::Receiver<()>) -> Vec<Option<Duration>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let mut answers = Vec::new();
        while !stopped.has_changed().unwrap_or(true) {
            answers.push(ask(address).await);
            sleep(PAUSE).await;
        }
        answers
    })
}

/// Asks once by a new connection: how long it took, if it was the notice.
async fn ask(address: SocketAddr) -> Option<Duration> {
    let begun = Instant::now();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(GET).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(PATIENCE, exchange).await.ok()?.ok()?;
    let whole = answer.starts_with(b"HTTP/1.1 503 ") && answer.ends_with(b"}");
    whole.then(|| begun.elapsed())
}
