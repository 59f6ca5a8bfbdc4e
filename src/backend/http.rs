//! HTTP/1 by hyper: everything that HTTP/1.0 and HTTP/1.1 allow.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response, request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::LimitArgs;
use super::activity::{Activity, Ending};
use super::desk::Given;
use crate::notice::Head;

/// How connections are served.
#[derive(Clone, Debug)]
pub(super) struct Http {
    builder: http1::Builder,
    max_body: usize,
    body_timeout: Duration,
}

impl Http {
    pub(super) fn new(limits: &LimitArgs) -> Self {
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        let mut builder = http1::Builder::new();
        // All timeouts are those of the event loop.
        builder
            .header_read_timeout(None)
            // Who says that he sends no more still waits for his answers.
            .half_close(true)
            .max_buf_size(size(limits.max_head));
        Self {
            builder,
            max_body: size(limits.max_body),
            body_timeout: limits.body_timeout,
        }
    }

    /// Answers on `stream` until one of the sides closes it.
    ///
    /// It is closed in order when an answer said that it would be, and when it is asked to end: a
    /// request that was read is answered first.
    pub(super) async fn serve<S>(&self, stream: S, activity: &Rc<Activity>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let service = service_fn(|request: Request<Incoming>| {
            future::ready(Ok::<_, Infallible>(self.respond(request, activity)))
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            // The connection first: what has arrived by now is read and answered.
            biased;
            ended = connection.as_mut() => ended,
            ending = activity.ended() => {
                // hyper would wait for the end of a first head, as for an answer that is due.
                if ending == Ending::AtOnce || !activity.was_asked() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = activity.ended_at_once() => return,
                }
            }
        };
        if let Err(error) = ended {
            debug!(%error, "a connection broke");
        }
    }

    fn respond(
        &self,
        request: Request<Incoming>,
        activity: &Rc<Activity>,
    ) -> Response<Full<Bytes>> {
        let now = Instant::now();
        activity.answer(now);
        let (parts, body) = request.into_parts();
        let head = Head::of(&parts);
        let Given {
            choice,
            ready,
            is_last,
        } = activity.desk().give(&head, now);

        let mut response = Response::new(Full::default());
        *response.status_mut() = ready.answer.status;
        *response.headers_mut() = ready.answer.headers.clone();
        response.headers_mut().extend(choice.origin_fields());
        if !choice.without_body {
            *response.body_mut() = Full::new(ready.answer.body.clone());
        }
        if is_last {
            close_after(&parts, &mut response);
            activity.end(Ending::InOrder);
        }
        self.throw_away(&parts, body);
        response
    }

    /// Reads the body aside, while the answer is already on its way. Closing a connection on bytes
    /// that are still unread resets it, and the client may lose the answer (RFC 9112 §9.6).
    fn throw_away(&self, head: &request::Parts, body: Incoming) {
        // Who waits for `100 Continue` sends no body after our answer, and reading would ask for it.
        if body.is_end_stream() || head.headers.contains_key(EXPECT) {
            return;
        }
        let mut body = Limited::new(body, self.max_body);
        spawn_local(timeout(self.body_timeout, async move {
            while let Some(Ok(_)) = body.frame().await {}
        }));
    }
}

/// Makes `response` the last one of its connection.
fn close_after(head: &request::Parts, response: &mut Response<Full<Bytes>>) {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    // To a 1.0 client that asked for keep-alive, hyper would grant it all the same.
    *response.version_mut() = head.version;
}
