//! One connection: answer, and know when to close.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response, Version, request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::debug;

use super::LimitArgs;
use super::activity::{Activity, Heard};
use super::port::Standing;
use crate::notice::{Head, answer, connection_closes};

/// How much of a request's body is read and thrown away, and for how long. Closing a connection
/// on bytes that are still unread resets it, and the client may lose the answer (RFC 9112 §9.6).
const BODY_LIMIT: usize = 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take to finish once it was asked to; more than [`BODY_TIMEOUT`].
const FAREWELL: Duration = Duration::from_secs(10);

/// How all connections are served: HTTP/1.0, HTTP/1.1 and, with prior knowledge, h2c.
#[derive(Clone, Debug)]
pub(super) struct Protocol {
    builder: auto::Builder<TokioExecutor>,
    limits: LimitArgs,
    turns: Arc<AtomicU32>,
}

/// What a connection answers from.
#[derive(Debug)]
struct Desk {
    standing: watch::Receiver<Standing>,
    activity: Arc<Activity>,
    /// The turn of the next answer.
    turns: Arc<AtomicU32>,
    /// An answer was given that is to be the last on its connection.
    last_answer: Notify,
}

impl Protocol {
    pub(super) fn new(limits: &LimitArgs) -> Self {
        let head = usize::try_from(limits.max_head).unwrap_or(usize::MAX);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle_timeout)
            .max_buf_size(head);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(limits.max_head);
        Self {
            builder,
            limits: limits.clone(),
            turns: Arc::default(),
        }
    }

    /// Answers on `stream` until one of the sides closes it.
    ///
    /// It is closed when nothing was heard of it for too long; when an answer said that it would
    /// be; and, where connections are asked to go (see [`Standing::leaving`]), once it is idle for
    /// a second. A request that was read is always answered first.
    pub(super) async fn serve(&self, stream: TcpStream, mut standing: watch::Receiver<Standing>) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "a connection broke before it was served");
            return;
        }
        let activity = Activity::new();
        let desk = Desk {
            standing: standing.clone(),
            activity: Arc::clone(&activity),
            turns: Arc::clone(&self.turns),
            last_answer: Notify::new(),
        };
        let service = service_fn(|request: Request<Incoming>| {
            future::ready(Ok::<_, Infallible>(desk.respond(request)))
        });
        let stream = TokioIo::new(Heard::new(stream, Arc::clone(&activity)));
        let mut connection = pin!(self.builder.serve_connection(stream, service));

        let mut open = true;
        loop {
            let leaving = standing.borrow_and_update().leaving;
            let deadline = activity.deadline(leaving, &self.limits);
            tokio::select! {
                // The connection first: what has arrived by the deadline is read and answered.
                biased;
                ended = connection.as_mut() => return log(ended),
                () = desk.last_answer.notified() => break,
                changed = standing.changed(), if open => open = changed.is_ok(),
                () = sleep_until(deadline) => {
                    if activity.deadline(leaving, &self.limits) <= Instant::now() {
                        break;
                    }
                }
            }
        }
        // hyper would wait for the end of a first head, as for an answer that is due.
        if !activity.was_asked() {
            return;
        }
        connection.as_mut().graceful_shutdown();
        if let Ok(ended) = timeout(FAREWELL, connection).await {
            log(ended);
        }
    }
}

impl Desk {
    fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.activity.ask();
        let now = Utc::now();
        let Standing { notice, leaving } = self.standing.borrow().clone();
        let (head, body) = request.into_parts();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let answer = answer(&Head::of(&head), &notice, now, turn);

        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        if leaving.is_some() || connection_closes(&notice, now) {
            close_after(&head, &mut response);
            self.last_answer.notify_one();
        }
        throw_away(&head, body);
        response
    }
}

/// Makes `response` the last one of its connection. HTTP/2 knows no such field (RFC 9113
/// §8.2.2): there the connection says GOAWAY.
fn close_after(head: &request::Parts, response: &mut Response<Full<Bytes>>) {
    if head.version == Version::HTTP_2 {
        return;
    }
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    // To a 1.0 client that asked for keep-alive, hyper would grant it all the same.
    *response.version_mut() = head.version;
}

/// Reads the body aside, while the answer is already on its way.
fn throw_away(head: &request::Parts, body: Incoming) {
    // Who waits for `100 Continue` sends no body after our answer, and reading would ask for it.
    if body.is_end_stream() || head.headers.contains_key(EXPECT) {
        return;
    }
    tokio::spawn(timeout(BODY_TIMEOUT, async {
        let mut body = Limited::new(body, BODY_LIMIT);
        while let Some(Ok(_)) = body.frame().await {}
    }));
}

fn log(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        debug!(%error, "a connection broke");
    }
}
