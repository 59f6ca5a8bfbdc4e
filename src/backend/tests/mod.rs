//! The server over real sockets, fed with notices by the test.

mod answering;
mod both_ways;
mod ending;
mod limits;
mod serving;
mod speaking;
mod trust;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use http::Request;
use http::header::ACCEPT;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::listeners::Listeners;
use super::source::Notices;
use super::tls::Tls;
use super::worker::Workers;
use super::{DrainArgs, LimitArgs, TlsArgs};
use crate::notice::{Notice, RetryAfterRule, WindowRef};
use crate::shutdown::Shutdown;
use crate::telemetry::Readiness;

/// Longer than anything that is waited for here; whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than one, so that the kernel spreads connections.
const WORKERS: usize = 2;

struct Backend {
    wanted: watch::Sender<Option<Notices>>,
    readiness: Readiness,
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

fn limits() -> LimitArgs {
    LimitArgs {
        max_connections: 64,
        max_head: 8192,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(10),
        max_body: 1024 * 1024,
        body_timeout: Duration::from_secs(5),
        max_streams: 100,
        max_resets: 20,
    }
}

impl Backend {
    fn start(limits: &LimitArgs) -> Self {
        Self::start_with(limits, WORKERS, Tls::new(&TlsArgs::default()).unwrap())
    }

    fn start_with(limits: &LimitArgs, workers: usize, tls: Tls) -> Self {
        let (wanted, notices) = watch::channel(None);
        let (readiness, shutdown) = (Readiness::default(), Shutdown::default());
        let workers = Workers::start(workers, limits, &tls.config()).unwrap();
        tokio::spawn(tls.follow());
        let listeners = Listeners::new(Ipv4Addr::LOCALHOST.into(), workers, readiness.clone());
        let drain = DrainArgs {
            drain_delay: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(5),
        };
        let end = shutdown.clone();
        let running = tokio::spawn(async move { listeners.run(notices, &end, &drain).await });
        Self {
            wanted,
            readiness,
            shutdown,
            running,
        }
    }

    /// A backend that answers with `notice`.
    async fn with(notice: Notice) -> Self {
        Self::start(&limits()).answering(notice).await
    }

    async fn answering(self, notice: Notice) -> Self {
        self.wants(&[notice]);
        self.says(|report| report.starts_with("ready\n")).await;
        self
    }

    fn wants(&self, notices: &[Notice]) {
        let notices = notices
            .iter()
            .map(|notice| (notice.port, Arc::new(notice.clone())));
        self.wanted.send_replace(Some(notices.collect()));
    }

    async fn says(&self, expected: impl Fn(&str) -> bool) -> String {
        let waiting = Instant::now();
        loop {
            let report = self.readiness.report().to_string();
            if expected(&report) {
                return report;
            }
            assert!(waiting.elapsed() < PATIENCE, "it still says {report}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A port that nobody uses.
async fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

pub(super) fn notice(port: u16) -> Notice {
    let window = WindowRef {
        namespace: "shop".into(),
        name: "db-upgrade".into(),
    };
    // So that what an answer says is known beforehand.
    let exact = RetryAfterRule {
        jitter: 0,
        minimum: 1,
        ..RetryAfterRule::default()
    };
    Notice {
        message: Some("We are upgrading our database.".into()),
        retry_after: exact,
        ..Notice::new(window, "1".into(), port)
    }
}

fn ends_in(seconds: i64, port: u16) -> Notice {
    Notice {
        until: Some(Utc::now() + TimeDelta::seconds(seconds)),
        ..notice(port)
    }
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await
        .unwrap()
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), request: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads one answer that bears a Content-Length: its head, its body.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let length = field(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut body))
        .await
        .unwrap()
        .unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Reads until the server closes, and fails where it does not.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut rest = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut rest))
        .await
        .unwrap()
        .unwrap();
    rest
}

const GET: &str = "GET /cart HTTP/1.1\r\nhost: shop.example\r\naccept: text/plain\r\n\r\n";

type H2 = http2::SendRequest<Empty<Bytes>>;

/// A client that knows beforehand that the server speaks HTTP/2, and its connection.
async fn h2c(port: u16) -> (H2, JoinHandle<hyper::Result<()>>) {
    h2(connect(port).await).await
}

async fn h2<S>(stream: S) -> (H2, JoinHandle<hyper::Result<()>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let (client, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    (client, tokio::spawn(connection))
}

fn get() -> Request<Empty<Bytes>> {
    let request = Request::get("http://shop.example/").header(ACCEPT, "text/plain");
    request.body(Empty::new()).unwrap()
}
