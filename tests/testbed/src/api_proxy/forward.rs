//! One request through the proxy: record it, strike it or pass it on, pass its answer on.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    RETRY_AFTER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::request::Parts;
use http::uri::{Authority, InvalidUriParts, Scheme};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use super::fault::{Faults, Harm, Side};
use super::lists::{Memory, answer_of};
use super::path::{RequestInfo, Verb};
use super::record::{Outcome, Record, Recorded};
use super::watches::Watches;

/// A stream, or the whole of a write, which is recorded first.
type Body = Either<Incoming, Full<Bytes>>;

/// What the client gets.
pub(super) type Answer = UnsyncBoxBody<Bytes, Broken>;

/// An answer that ends in its middle.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the API server broke off")]
    Upstream(#[from] hyper::Error),
    #[error("the API server is away, as a test asked")]
    Away,
}

pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, Body>;

pub(super) struct Forwarder {
    pub(super) client: Client,
    pub(super) upstream: Authority,
    pub(super) record: Arc<Record>,
    pub(super) faults: Arc<Faults>,
    pub(super) watches: Arc<Watches>,
    pub(super) memory: Arc<Memory>,
}

/// What the client gets.
enum Given {
    Answer(Response<Answer>),
    Nothing(NoAnswer),
    /// Not even an end of the connection.
    Silence,
}

/// The client gets no answer: hyper closes the connection of a service that fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the client broke off")]
    Client(#[from] hyper::Error),
    #[error("the connection is cut, as a test asked")]
    Cut,
    #[error("the API server broke off")]
    Upstream,
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("no request can be made of this URI")]
    Uri(#[from] InvalidUriParts),
    #[error("the API server cannot be reached or broke off")]
    Client(#[from] legacy::Error),
}

impl Forwarder {
    pub(super) async fn forward(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Answer>, NoAnswer> {
        let received = Utc::now();
        let info = RequestInfo::parse(request.method(), request.uri());
        let (head, body) = request.into_parts();
        let (body, recorded) = if info.is_write() {
            let whole = body.collect().await?.to_bytes();
            (Either::Right(Full::new(whole.clone())), whole)
        } else {
            (Either::Left(body), Bytes::new())
        };
        let fault = if self.watches.is_away() {
            Some((Harm::Cut, Side::Before))
        } else {
            self.faults.strike(&info, &recorded)
        };
        let mark = self.record.begin(Recorded {
            received,
            request: info.clone(),
            user_agent: text(&head.headers, USER_AGENT).unwrap_or_default(),
            content_type: text(&head.headers, CONTENT_TYPE),
            body: recorded,
            outcome: Outcome::Pending,
        });
        let (outcome, given) = match fault {
            None => self.pass(&info, head, body).await,
            Some((harm, Side::Before)) => struck(harm, Side::Before, None),
            Some((harm, Side::After)) => match self.ask(head, body).await {
                Ok(answer) => struck(harm, Side::After, Some(answer.status())),
                Err(error) => (failed(&error), Given::Nothing(NoAnswer::Upstream)),
            },
        };
        self.record.finish(mark, outcome);
        match given {
            Given::Answer(answer) => Ok(answer),
            Given::Nothing(why) => Err(why),
            Given::Silence => pending().await,
        }
    }

    /// Passes the request on, and its answer, unless an older one is to be given again.
    async fn pass(&self, info: &RequestInfo, head: Parts, body: Body) -> (Outcome, Given) {
        let uri = head.uri.clone();
        if let Some(old) = self.memory.replayed(&uri) {
            let outcome = instead(old.status(), Side::Before, None);
            return (outcome, Given::Answer(old.map(answer_of)));
        }
        let answer = match self.ask(head, body).await {
            Ok(answer) => answer,
            Err(error) => return (failed(&error), Given::Nothing(NoAnswer::Upstream)),
        };
        let outcome = answered(&answer);
        let answer = match info.verb {
            Verb::Watch => self.watches.pass(&info.resource, answer),
            Verb::List => match self.memory.remembered(&uri, answer).await {
                Ok(answer) => answer,
                Err(_) => return (outcome, Given::Nothing(NoAnswer::Upstream)),
            },
            _ => answer.map(|body| body.map_err(Broken::from).boxed_unsync()),
        };
        (outcome, Given::Answer(answer))
    }

    /// Asks the API server. The answer is there as soon as its head is; its body streams.
    async fn ask(&self, head: Parts, body: Body) -> Result<Response<Incoming>, AskError> {
        let mut request = Request::from_parts(head, body);
        *request.uri_mut() = self.at_upstream(request.uri())?;
        *request.version_mut() = Version::HTTP_11;
        remove_hop_by_hop(request.headers_mut());
        // Left out, it becomes the API server's own.
        request.headers_mut().remove(HOST);
        let mut answer = self.client.request(request).await?;
        remove_hop_by_hop(answer.headers_mut());
        Ok(answer)
    }

    fn at_upstream(&self, uri: &Uri) -> Result<Uri, InvalidUriParts> {
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.upstream.clone());
        Uri::from_parts(parts)
    }
}

fn answered(answer: &Response<Incoming>) -> Outcome {
    Outcome::Answered {
        status: answer.status().as_u16(),
        at: Utc::now(),
    }
}

/// What a fault leaves of a request, which the API server has answered with `status` where it was
/// asked.
fn struck(harm: Harm, side: Side, status: Option<StatusCode>) -> (Outcome, Given) {
    let upstream = status.map(|status| status.as_u16());
    let at = Utc::now();
    match harm {
        Harm::Cut => {
            let outcome = Outcome::Cut {
                side,
                status: upstream,
                at,
            };
            (outcome, Given::Nothing(NoAnswer::Cut))
        }
        Harm::Silence => {
            let outcome = Outcome::Silent {
                side,
                status: upstream,
                at,
            };
            (outcome, Given::Silence)
        }
        Harm::Answer {
            status,
            retry_after,
        } => {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            let answer = refusal(status, retry_after);
            let outcome = instead(status, side, upstream);
            (outcome, Given::Answer(answer))
        }
    }
}

fn instead(given: StatusCode, side: Side, status: Option<u16>) -> Outcome {
    Outcome::Instead {
        given: given.as_u16(),
        side,
        status,
        at: Utc::now(),
    }
}

/// As the API server writes it: a Status, but for 429, which its filter for priority and fairness
/// answers in plain text (`tooManyRequests` of `k8s.io/apiserver/pkg/server/filters`).
fn refusal(status: StatusCode, retry_after: Option<u32>) -> Response<Answer> {
    let body = if status == StatusCode::TOO_MANY_REQUESTS {
        "Too many requests, please try again later.\n".to_owned()
    } else {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": format!("{status}, as a test asked"),
            "reason": if status == StatusCode::CONFLICT { "Conflict" } else { "InternalError" },
            "code": status.as_u16(),
        })
        .to_string()
    };
    let mut answer = Response::new(answer_of(body.into()));
    *answer.status_mut() = status;
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

fn failed(error: &AskError) -> Outcome {
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        cause = format!("{cause}: {error}");
        source = error.source();
    }
    Outcome::Failed {
        cause,
        at: Utc::now(),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Removes what is meant for the next hop alone, as RFC 9110 section 7.6.1 has it.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        CONNECTION,
        HeaderName::from_static("keep-alive"),
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}
