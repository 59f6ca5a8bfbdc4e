//! Variant × notice × now → status, headers, body. Pure.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};

use super::accept::Format;
use super::choice::{Choice, Kind, Variant, choose};
use super::grpc::Call;
use super::head::Head;
use super::retry::RetryAfter;
use super::{Language, Notice, cors, own_page, page, words};
use crate::api::names::WINDOW_HEADER;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// What of a request decides on an answer. `Origin` does everywhere.
const BY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const BY_FORMAT: HeaderValue = HeaderValue::from_static("Accept, Origin");
const BY_ALL: HeaderValue = HeaderValue::from_static("Accept, Accept-Language, Origin");

/// A search engine takes nothing from a 503. This is for those that do not mind the status: our page
/// is not to stand in their index for the page that it stands in for.
const NO_INDEX: HeaderValue = HeaderValue::from_static("noindex");
const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// A whole answer. Whoever sends it adds `Date`, and `Connection` where that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The header fields, `Content-Length` among them but for a 204, which has none (RFC 9110
    /// §8.6).
    pub headers: HeaderMap,
    /// The body; empty for HEAD, whose `Content-Length` is the one of GET (RFC 9110 §9.3.2).
    pub body: Bytes,
    /// Why the user's own page could not be shown. This is ours then, but not in the language that was
    /// asked for: that is [`Choice::instead`].
    pub page_failed: Option<own_page::Error>,
}

/// Answers a request at `now`: [`choose`], then [`render`], then what is the request's own.
///
/// Guarantees: no cache keeps the answer; nothing of the request is said back but its origin; the
/// user's words cannot leave their place in the body or in a field.
pub fn answer(head: &Head<'_>, notice: &Notice, now: DateTime<Utc>, turn: u32) -> Answer {
    let choice = choose(head, notice);
    let mut answer = render(choice.variant, notice, now, turn);
    if answer.page_failed.is_some() {
        answer = render(choice.instead, notice, now, turn);
    }
    answer.headers.extend(choice.origin_fields());
    if choice.without_body {
        answer.body = Bytes::new();
    }
    answer
}

/// The answer of a variant to everybody, at `now`. `turn` spreads the jitter: of [`TURNS`]
/// following ones, each has its own wait.
///
/// It may be sent again until [`good_until`].
///
/// [`TURNS`]: super::TURNS
/// [`good_until`]: super::good_until()
pub fn render(variant: Variant, notice: &Notice, now: DateTime<Utc>, turn: u32) -> Answer {
    let retry = RetryAfter::at(notice, now, turn);
    let mut answer = match variant.0 {
        Kind::Unavailable(Format::Html, language) => in_html(language, notice, now, retry),
        Kind::OwnPage => own_page(notice, now, retry),
        Kind::Unavailable(format @ Format::Text, _) => {
            unavailable(format, words::text(notice, now), retry)
        }
        Kind::Unavailable(format @ (Format::Problem | Format::Json), _) => {
            unavailable(format, words::problem(notice, retry), retry)
        }
        Kind::Call(call) => failure(call, notice, now, retry),
        Kind::HealthCheck => healthy(),
        Kind::Preflight => preflight(),
    };
    answer.headers.insert(CACHE_CONTROL, NO_STORE);
    // Kubernetes allows no name that is not a header value; another one is left out.
    if let Ok(window) = HeaderValue::try_from(notice.window.to_string()) {
        let name = HeaderName::from_static(WINDOW_HEADER);
        answer.headers.insert(name, window);
    }
    if answer.status != StatusCode::NO_CONTENT {
        let length = HeaderValue::from(answer.body.len());
        answer.headers.insert(CONTENT_LENGTH, length);
    }
    answer
}

impl Choice<'_> {
    /// The fields that the request's origin adds to the rendered answer.
    pub fn origin_fields(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        self.origin.map(cors::fields).into_iter().flatten()
    }
}

/// 503 (RFC 9110 §15.6.4).
fn unavailable(format: Format, body: String, retry: RetryAfter) -> Answer {
    let headers = headers([
        (RETRY_AFTER, retry.field()),
        (CONTENT_TYPE, format.content_type()),
        (VARY, BY_ALL),
    ]);
    Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        headers,
        body: body.into(),
        page_failed: None,
    }
}

fn in_html(language: Language, notice: &Notice, now: DateTime<Utc>, retry: RetryAfter) -> Answer {
    let document = page::render(notice, language, now, retry.seconds);
    let mut answer = unavailable(Format::Html, document, retry);
    answer.headers.extend([
        (CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (CONTENT_LANGUAGE, HeaderValue::from_static(language.tag())),
    ]);
    answer
}

/// The user's own page. No language was chosen for it, and no policy of ours is in its way.
fn own_page(notice: &Notice, now: DateTime<Utc>, retry: RetryAfter) -> Answer {
    let page = notice.page.as_ref();
    match page.map(|page| own_page::render(page, notice, now, retry.seconds)) {
        Some(Ok(document)) => {
            let mut answer = unavailable(Format::Html, document, retry);
            answer.headers.insert(VARY, BY_FORMAT);
            answer
        }
        failed => Answer {
            page_failed: failed.and_then(Result::err),
            ..in_html(Language::English, notice, now, retry)
        },
    }
}

fn failure(call: Call, notice: &Notice, now: DateTime<Utc>, retry: RetryAfter) -> Answer {
    let message = words::line(notice, now);
    let mut headers = headers([(CONTENT_TYPE, call.content_type()), (VARY, BY_ORIGIN)]);
    headers.extend(call.fields(&message, retry));
    Answer {
        status: StatusCode::OK,
        headers,
        body: call.body(&message, retry).into(),
        page_failed: None,
    }
}

fn healthy() -> Answer {
    Answer {
        status: StatusCode::OK,
        headers: headers([
            (CONTENT_TYPE, Format::Text.content_type()),
            (VARY, BY_ORIGIN),
        ]),
        body: Bytes::from_static(b"ok\n"),
        page_failed: None,
    }
}

fn preflight() -> Answer {
    let mut headers = headers(cors::PREFLIGHT);
    headers.insert(VARY, BY_ORIGIN);
    Answer {
        status: StatusCode::NO_CONTENT,
        headers,
        body: Bytes::new(),
        page_failed: None,
    }
}

/// With what no answer is without: scanners do not ask whether it has a body that could be mistaken.
fn headers<const N: usize>(fields: [(HeaderName, HeaderValue); N]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(12);
    headers.extend(fields);
    headers.extend([(X_CONTENT_TYPE_OPTIONS, NO_SNIFF), (X_ROBOTS_TAG, NO_INDEX)]);
    headers
}

#[cfg(test)]
mod tests;
