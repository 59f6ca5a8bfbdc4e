//! Request head × notice × now → answer. Pure.

use bytes::Bytes;
use chrono::{DateTime, Timelike, Utc};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode, request};
use serde_json::{Map, Value, json};

use super::accept::{Format, negotiate};
use super::end::{Outlook, outlook, retry_after};
use super::{Notice, page};
use crate::api::names::WINDOW_HEADER;
use crate::api::time::to_text;

/// What is said where the user says nothing.
const NO_MESSAGE: &str = "Down for maintenance.";

/// A whole answer. Whoever sends it adds `Date`, and `Connection` where that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The header fields, `Content-Length` among them.
    pub headers: HeaderMap,
    /// The body; empty for HEAD, whose `Content-Length` is the one of GET (RFC 9110 §9.3.2).
    pub body: Bytes,
}

/// Answers a request at `now`.
///
/// Guarantees: the status is 503; `Retry-After` is [`retry_after`]; no cache keeps the answer;
/// nothing of the request is reflected; the user's words cannot leave their place in the body.
pub fn answer(head: &request::Parts, notice: &Notice, now: DateTime<Utc>) -> Answer {
    let format = negotiate(&head.headers);
    let body = Bytes::from(render(format, notice, now));
    let mut headers = headers(format, notice, now);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        headers,
        body: if head.method == Method::HEAD {
            Bytes::new()
        } else {
            body
        },
    }
}

fn headers(format: Format, notice: &Notice, now: DateTime<Utc>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(9);
    headers.insert(RETRY_AFTER, HeaderValue::from(retry_after(notice, now)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    headers.insert(CONTENT_TYPE, format.content_type());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if format == Format::Html {
        headers.insert(CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY);
    }
    // Kubernetes allows no name that is not a header value; another one is left out.
    if let Ok(window) = HeaderValue::try_from(notice.window.to_string()) {
        headers.insert(HeaderName::from_static(WINDOW_HEADER), window);
    }
    headers
}

fn render(format: Format, notice: &Notice, now: DateTime<Utc>) -> String {
    match format {
        Format::Problem | Format::Json => problem(notice, now),
        Format::Html => page::render(notice, now),
        Format::Text => text(notice, now),
    }
}

/// Problem details (RFC 9457); `about:blank` takes the status phrase as its title (§4.2.1).
fn problem(notice: &Notice, now: DateTime<Utc>) -> String {
    let end = notice.until.filter(|_| !notice.restoring);
    let members = [
        ("type", Some(json!("about:blank"))),
        ("title", Some(json!("Service Unavailable"))),
        (
            "status",
            Some(json!(StatusCode::SERVICE_UNAVAILABLE.as_u16())),
        ),
        (
            "detail",
            Some(json!(notice.message.as_deref().unwrap_or(NO_MESSAGE))),
        ),
        ("window", Some(json!(notice.window.to_string()))),
        ("start", notice.start.map(|start| json!(to_text(start)))),
        ("end", end.map(|end| json!(to_text(end)))),
        ("retryAfter", Some(json!(retry_after(notice, now)))),
    ];
    let members: Map<String, Value> = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::Object(members).to_string()
}

fn text(notice: &Notice, now: DateTime<Utc>) -> String {
    let message = notice.message.as_deref().unwrap_or(NO_MESSAGE);
    match outlook(notice, now) {
        Outlook::At(until) => format!("{message}\n\nBack at {}.\n", reading(until)),
        Outlook::AnyMoment => format!("{message}\n\nBack any moment. Please try again.\n"),
        Outlook::Unknown => format!("{message}\n\nPlease try again soon.\n"),
    }
}

/// An instant for people, with its seconds only where there are any.
pub(super) fn reading(instant: DateTime<Utc>) -> String {
    let clock = if instant.second() == 0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    instant
        .format(&format!("{clock} UTC on %A, %-d %B %Y"))
        .to_string()
}

#[cfg(test)]
mod tests;
