//! One request through the proxy: record it, strike it or pass it on, pass its answer on.

use std::sync::Arc;

use bytes::Bytes;
use chrono::Utc;
use http::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::request::Parts;
use http::uri::{Authority, InvalidUriParts, Scheme};
use http::{Request, Response, Uri, Version};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;

use super::fault::{Fault, Faults, Side};
use super::path::RequestInfo;
use super::record::{Outcome, Record, Recorded};

/// A stream, or the whole of a write, which is recorded first.
type Body = Either<Incoming, Full<Bytes>>;

pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector>, Body>;

pub(super) struct Forwarder {
    pub(super) client: Client,
    pub(super) upstream: Authority,
    pub(super) record: Arc<Record>,
    pub(super) faults: Arc<Faults>,
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
    ) -> Result<Response<Incoming>, NoAnswer> {
        let received = Utc::now();
        let info = RequestInfo::parse(request.method(), request.uri());
        let (head, body) = request.into_parts();
        let (body, recorded) = if info.is_write() {
            let whole = body.collect().await?.to_bytes();
            (Either::Right(Full::new(whole.clone())), whole)
        } else {
            (Either::Left(body), Bytes::new())
        };
        let fault = self.faults.strike(&info, &recorded);
        let mark = self.record.begin(Recorded {
            received,
            request: info,
            user_agent: text(&head.headers, USER_AGENT).unwrap_or_default(),
            content_type: text(&head.headers, CONTENT_TYPE),
            body: recorded,
            outcome: Outcome::Pending,
        });
        let (outcome, result) = match fault {
            None => match self.ask(head, body).await {
                Ok(answer) => (answered(&answer), Ok(answer)),
                Err(error) => (failed(&error), Err(NoAnswer::Upstream)),
            },
            Some(Fault::Cut(Side::Before)) => (cut(Side::Before, None), Err(NoAnswer::Cut)),
            Some(Fault::Cut(Side::After)) => match self.ask(head, body).await {
                Ok(answer) => (cut(Side::After, Some(&answer)), Err(NoAnswer::Cut)),
                Err(error) => (failed(&error), Err(NoAnswer::Upstream)),
            },
        };
        self.record.finish(mark, outcome);
        result
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

fn cut(side: Side, answer: Option<&Response<Incoming>>) -> Outcome {
    Outcome::Cut {
        side,
        status: answer.map(|answer| answer.status().as_u16()),
        at: Utc::now(),
    }
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
