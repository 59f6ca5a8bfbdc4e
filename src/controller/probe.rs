//! Step 0, continued: which backend pods answer on which port.
//!
//! Touches the network: one small request per pod and notice. A pod stands in a slice of ours
//! only once it has answered there as the window that the slice is for, so that a target is never
//! pointed at a listener that is not up yet.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{StreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::Caches;
use crate::api::names;
use crate::notice::Notice;

/// How soon a line that has not answered is tried again; each miss adds as much.
const TICK: Duration = Duration::from_millis(100);
/// After how many misses the pause grows no more.
const MOST_MISSES: u32 = 10;
/// How often a line that has answered is asked whether it still does.
const RECHECK: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many probes may be under way at once.
const AT_ONCE: usize = 32;

/// One backend pod as one window's answerer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Line {
    window: String,
    uid: String,
    address: SocketAddr,
}

impl Line {
    pub(super) fn new(notice: &Notice, address: IpAddr) -> Self {
        Self {
            window: notice.window.to_string(),
            uid: notice.uid.clone(),
            address: SocketAddr::new(address, notice.port),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Found {
    answered: bool,
    /// How often it has not answered since it last did.
    misses: u32,
    at: Instant,
}

impl Found {
    fn is_due(self) -> bool {
        let pause = if self.answered {
            RECHECK
        } else {
            TICK * self.misses.min(MOST_MISSES)
        };
        self.at.elapsed() >= pause
    }
}

/// What the last probes found. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Probes(Arc<RwLock<HashMap<Line, Found>>>);

impl Probes {
    /// Whether `line` answered the last probe; `None` where there was none yet.
    pub(super) fn answered(&self, line: &Line) -> Option<bool> {
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner);
        found.get(line).map(|found| found.answered)
    }

    /// Probes every notice on every backend pod for ever, and says for which namespace the
    /// answer has changed.
    pub(super) async fn follow(self, caches: Caches, changed: impl Fn(&str)) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let wanted = wanted(&caches);
            self.forget_all_but(&wanted);
            let due: Vec<(Line, String)> = wanted
                .into_iter()
                .filter(|(line, _)| self.is_due(line))
                .collect();
            let mut answers = stream::iter(due)
                .map(|(line, namespace)| async move { (answers(&line).await, line, namespace) })
                .buffer_unordered(AT_ONCE);
            while let Some((answered, line, namespace)) = answers.next().await {
                if self.record(line, answered) {
                    changed(&namespace);
                }
            }
        }
    }

    fn is_due(&self, line: &Line) -> bool {
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner);
        found.get(line).is_none_or(|found| found.is_due())
    }

    fn forget_all_but(&self, wanted: &HashMap<Line, String>) {
        let stale =
            |found: &HashMap<Line, Found>| found.keys().any(|line| !wanted.contains_key(line));
        if stale(&self.0.read().unwrap_or_else(PoisonError::into_inner)) {
            let mut found = self.0.write().unwrap_or_else(PoisonError::into_inner);
            found.retain(|line, _| wanted.contains_key(line));
        }
    }

    /// Whether that is news.
    fn record(&self, line: Line, answered: bool) -> bool {
        let mut found = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = found.get(&line).copied();
        let misses = if answered {
            0
        } else {
            before.map_or(0, |before| before.misses) + 1
        };
        found.insert(
            line,
            Found {
                answered,
                misses,
                at: Instant::now(),
            },
        );
        before.is_none_or(|before| before.answered != answered)
    }
}

/// Every notice on every backend pod, with the namespace of its window.
fn wanted(caches: &Caches) -> HashMap<Line, String> {
    let addresses: HashSet<IpAddr> = caches
        .backend()
        .into_iter()
        .map(|endpoint| endpoint.address)
        .collect();
    let notices = caches.notices.all();
    notices
        .iter()
        .filter_map(|object| Notice::but_for_its_page(object.data.as_ref()?).ok())
        .flat_map(|notice| {
            addresses
                .iter()
                .map(|address| {
                    (
                        Line::new(&notice, *address),
                        notice.window.namespace.clone(),
                    )
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

async fn answers(line: &Line) -> bool {
    matches!(timeout(PATIENCE, ask(line)).await, Ok(Ok(true)))
}

/// Any failure means the same: not yet.
type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn ask(line: &Line) -> Result<bool, Failure> {
    let stream = TcpStream::connect(line.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // No path, which may be one of the window's health checks.
    let request = Request::options("*")
        .header(http::header::HOST, line.address.to_string())
        .header(http::header::USER_AGENT, "entracte-probe")
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    // The sender goes with the answer, and the connection with the sender. It may end in the very
    // poll that hands the answer over, so both are waited for.
    let exchange = async move {
        let response = sender.send_request(request).await?;
        let window = response.headers().get(names::WINDOW_HEADER);
        Ok::<_, Failure>(
            response.status() == StatusCode::SERVICE_UNAVAILABLE
                && window.is_some_and(|window| window.as_bytes() == line.window.as_bytes()),
        )
    };
    let (answered, _) = tokio::join!(exchange, connection);
    answered
}
