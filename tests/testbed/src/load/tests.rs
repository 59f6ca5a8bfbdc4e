//! A load against a small server that answers as it is told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::TimeDelta;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// How the server answers.
#[derive(Clone, Copy, Debug)]
enum Act {
    App,
    /// With a Retry-After that is computed towards this end.
    Maintenance(DateTime<Utc>),
    RetryAfter(u64),
    Bare503,
    Close,
    Reset,
    Silence,
    /// The app's answer, which says that it is the last one of its connection.
    LastApp,
    /// The app's answer, after which the connection is closed without saying so.
    AppThenClosed,
    /// The app's answer, and to the next request of the connection no more than this.
    AppThen(&'static str),
}

const APP_ANSWER: &str = "HTTP/1.1 200 OK\r\nx-app: web-1\r\ncontent-length: 5\r\n\r\nhello";

struct Server {
    address: SocketAddr,
    act: Mutex<Act>,
    connections: AtomicUsize,
    peers: Mutex<Vec<IpAddr>>,
    hosts: Mutex<Vec<String>>,
}

impl Server {
    async fn start(act: Act) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            act: Mutex::new(act),
            connections: AtomicUsize::new(0),
            peers: Mutex::default(),
            hosts: Mutex::default(),
        });
        let accepting = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, peer) = listener.accept().await.unwrap();
                let server = accepting.clone();
                server.connections.fetch_add(1, Ordering::Relaxed);
                server.peers.lock().unwrap().push(peer.ip());
                tokio::spawn(server.serve(stream));
            }
        });
        server
    }

    fn act(&self) -> Act {
        *self.act.lock().unwrap()
    }

    fn set(&self, act: Act) {
        *self.act.lock().unwrap() = act;
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        match self.act() {
            Act::Reset => return stream.set_zero_linger().unwrap(),
            Act::Silence => return std::future::pending().await,
            Act::AppThenClosed => return answer_in_turn(stream, &[APP_ANSWER]).await,
            Act::AppThen(next) => return answer_in_turn(stream, &[APP_ANSWER, next]).await,
            _ => {}
        }
        let service = service_fn(|request| {
            let answer = self.answer(&request);
            async move { answer.ok_or("closed without an answer") }
        });
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    fn answer(&self, request: &Request<Incoming>) -> Option<Response<Full<Bytes>>> {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        self.hosts.lock().unwrap().push(host);
        let app = || Response::builder().header("x-app", "web-1");
        let maintenance = |retry_after: u64| {
            Response::builder()
                .status(503)
                .header("entracte-window", "shop/db")
                .header("retry-after", retry_after)
        };
        let head = match self.act() {
            Act::App => app(),
            Act::Maintenance(end) => {
                let left = (end - Utc::now()).to_std().unwrap_or_default();
                maintenance(left.as_nanos().div_ceil(1_000_000_000).try_into().unwrap())
            }
            Act::RetryAfter(seconds) => maintenance(seconds),
            Act::Bare503 => Response::builder().status(503),
            Act::LastApp => app().header("connection", "close"),
            _ => return None,
        };
        Some(head.body(Full::from("hello")).unwrap())
    }
}

/// Answers each request with the next of these bytes, whatever they are, and closes after the last.
async fn answer_in_turn(mut stream: TcpStream, answers: &[&str]) {
    for answer in answers {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn all_from_the_app(app: u64) -> Counts {
    Counts {
        app,
        ..Counts::default()
    }
}

/// One worker that keeps its connection.
fn keeping(server: &Server, requests: u64) -> Options {
    Options {
        keep_alive: true,
        workers: 1,
        ..quick(server, requests)
    }
}

fn quick(server: &Server, requests: u64) -> Options {
    Options {
        max_requests: requests,
        ..Options::new(server.address, "web.test")
    }
}

async fn only_reason(act: Act, change: impl FnOnce(&mut Options)) -> Reason {
    let server = Server::start(act).await;
    let mut options = quick(&server, 1);
    change(&mut options);
    let report = Load::start(options).finish().await;
    let reasons: Vec<_> = report.others().map(|(_, reason)| reason.clone()).collect();
    let [reason] = reasons.as_slice() else {
        panic!("{report:?}");
    };
    reason.clone()
}

#[tokio::test]
async fn a_bounded_load_asks_that_often_with_its_host() {
    let server = Server::start(Act::App).await;
    let report = Load::start(quick(&server, 30)).finish().await;
    assert_eq!(report.counts(), all_from_the_app(30));
    assert_eq!(server.connections.load(Ordering::Relaxed), 30);
    assert_eq!(*server.hosts.lock().unwrap(), vec!["web.test"; 30]);
}

#[tokio::test]
async fn kept_alive_connections_are_one_for_each_worker() {
    let server = Server::start(Act::App).await;
    let options = Options {
        keep_alive: true,
        workers: 3,
        ..quick(&server, 30)
    };
    let report = Load::start(options).finish().await;
    assert_eq!(report.counts().app, 30);
    assert_eq!(report.retried, 0);
    assert_eq!(server.connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_kept_connection_that_closes_under_a_request_is_replaced_and_counted() {
    let server = Server::start(Act::AppThen("")).await;
    let report = Load::start(keeping(&server, 5)).finish().await;
    assert_eq!(report.counts(), all_from_the_app(5));
    assert_eq!(report.retried, 4);
    assert_eq!(server.connections.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closes_in_order_is_replaced_without_a_retry() {
    for act in [Act::LastApp, Act::AppThenClosed] {
        let server = Server::start(act).await;
        let options = Options {
            per_second: 50,
            ..keeping(&server, 5)
        };
        let report = Load::start(options).finish().await;
        assert_eq!(report.counts(), all_from_the_app(5), "{act:?}");
        assert_eq!(report.retried, 0, "{act:?}");
        assert_eq!(server.connections.load(Ordering::Relaxed), 5, "{act:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_that_breaks_within_an_answer_is_told() {
    for part in ["HTTP", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"] {
        let server = Server::start(Act::AppThen(part)).await;
        let report = Load::start(keeping(&server, 2)).finish().await;
        let reasons: Vec<_> = report.others().map(|(_, reason)| reason).collect();
        assert!(matches!(reasons[..], [Reason::Broken(_)]), "{report:?}");
        assert_eq!(report.retried, 0);
    }
}

#[tokio::test]
async fn a_request_is_not_sent_a_third_time() {
    let server = Server::start(Act::AppThen("")).await;
    let load = Load::start(keeping(&server, u64::MAX));
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.set(Act::Close);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let report = load.stop().await;
    let first = report.others().next();
    assert!(matches!(first, Some((_, Reason::Broken(_)))), "{first:?}");
    // Each request had one of its own in the end.
    assert_eq!(
        server.connections.load(Ordering::Relaxed),
        report.answers.len()
    );
}

#[tokio::test]
async fn a_client_that_is_started_anew_opens_new_connections() {
    let server = Server::start(Act::App).await;
    let options = Options {
        workers: 3,
        ..keeping(&server, u64::MAX)
    };
    let load = Load::start(options);
    for connections in [3, 6] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let opened = server.connections.load(Ordering::Relaxed);
        assert_eq!(opened, connections);
        load.start_anew();
    }
    assert_eq!(load.stop().await.retried, 0);
}

#[tokio::test]
async fn source_addresses_are_taken_in_turn() {
    let server = Server::start(Act::App).await;
    let sources: Vec<IpAddr> = (2..5).map(|n| Ipv4Addr::new(127, 0, 0, n).into()).collect();
    let options = Options {
        sources: sources.clone(),
        workers: 1,
        ..quick(&server, 6)
    };
    Load::start(options).finish().await;
    let peers = server.peers.lock().unwrap().clone();
    assert_eq!(peers, [sources.clone(), sources].concat());
}

#[tokio::test]
async fn the_rate_is_kept() {
    let server = Server::start(Act::App).await;
    let options = Options {
        per_second: 100,
        max_time: Duration::from_millis(500),
        ..quick(&server, u64::MAX)
    };
    let report = Load::start(options).finish().await;
    let total = report.counts().total();
    assert!(
        (1..=54).contains(&total),
        "{total} in half a second at 100 a second"
    );
}

#[tokio::test]
async fn a_flip_and_its_retry_after_are_seen_live_and_in_the_report() {
    let server = Server::start(Act::App).await;
    let load = Load::start(quick(&server, u64::MAX));
    tokio::time::sleep(Duration::from_millis(100)).await;

    let end = Utc::now() + TimeDelta::milliseconds(64_300);
    let start = Utc::now();
    load.expectation().set_end(Some(end));
    server.set(Act::Maintenance(end));
    tokio::time::sleep(Duration::from_millis(600)).await;
    let snapshot = load.snapshot();
    assert_eq!(snapshot.last, Some(Class::Maintenance));
    let head = snapshot.last_maintenance.unwrap();
    assert!(
        head.starts_with(
            "HTTP/1.1 503 Service Unavailable\nentracte-window: shop/db\nretry-after: "
        ),
        "{head}"
    );

    let back = Utc::now();
    server.set(Act::App);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let report = load.stop().await;
    assert_eq!(report.others().next(), None);
    assert_eq!(report.count(Class::Maintenance, ..start), 0);
    let schedule = [(start, Class::Maintenance), (back, Class::App)];
    assert!(report.flips(&schedule).iter().all(Option::is_some));
}

#[tokio::test]
async fn a_load_that_was_dropped_asks_no_more() {
    let server = Server::start(Act::App).await;
    let load = Load::start(quick(&server, u64::MAX));
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(load);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let connections = server.connections.load(Ordering::Relaxed);
    assert!(connections > 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.connections.load(Ordering::Relaxed), connections);
}

#[tokio::test]
async fn a_bare_503_is_told() {
    let reason = only_reason(Act::Bare503, |_| {}).await;
    assert!(
        matches!(
            reason,
            Reason::Answer {
                wrong: Wrong::BareUnavailable,
                ..
            }
        ),
        "{reason}"
    );
    assert!(reason.to_string().ends_with("| hello"), "{reason}");
}

#[tokio::test]
async fn an_untrue_retry_after_is_told() {
    let end = Utc::now() + TimeDelta::seconds(100);
    let reason = only_reason(Act::RetryAfter(140), |options| {
        options.expected.end = Some(end);
    })
    .await;
    let Reason::Answer { wrong, .. } = reason else {
        panic!("{reason}");
    };
    assert!(
        matches!(wrong, Wrong::RetryAfterUntrue { seconds: 140, .. }),
        "{wrong}"
    );
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_told() {
    let reason = only_reason(Act::Close, |_| {}).await;
    assert!(matches!(reason, Reason::Broken(_)), "{reason}");
}

#[tokio::test]
async fn a_reset_is_told() {
    let reason = only_reason(Act::Reset, |_| {}).await;
    assert!(
        matches!(&reason, Reason::Broken(cause) if cause.contains("reset")),
        "{reason}"
    );
}

#[tokio::test]
async fn a_time_out_is_told() {
    let limit = Duration::from_millis(50);
    let reason = only_reason(Act::Silence, |options| options.timeout = limit).await;
    assert_eq!(reason, Reason::TimedOut(limit));
}

#[tokio::test]
async fn a_refused_connection_is_told() {
    let reason = only_reason(Act::App, |options| {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        options.address = free.local_addr().unwrap();
    })
    .await;
    assert!(
        matches!(&reason, Reason::Connect(cause) if cause.contains("refused")),
        "{reason}"
    );
}

#[tokio::test]
async fn a_source_address_that_is_not_here_is_told() {
    let reason = only_reason(Act::App, |options| {
        // TEST-NET-1 of RFC 5737.
        options.sources = vec![Ipv4Addr::new(192, 0, 2, 1).into()];
    })
    .await;
    assert!(matches!(reason, Reason::Socket(_)), "{reason}");
}
