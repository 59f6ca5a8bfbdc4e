//! What is said in words where it is not a page: problem details, plain text, one line. Pure.

use chrono::{DateTime, Timelike, Utc};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Notice;
use super::end::{Outlook, outlook};
use super::retry::RetryAfter;
use crate::api::time::to_text;

/// What is said where the user says nothing.
const NO_MESSAGE: &str = "Down for maintenance.";

/// Problem details (RFC 9457); `about:blank` takes the status phrase as its title (§4.2.1).
///
/// `retryAfter` is in seconds, whatever form the field has.
pub(super) fn problem(notice: &Notice, retry: RetryAfter) -> String {
    let end = notice.until.filter(|_| !notice.restoring);
    let members = [
        ("type", Some(json!("about:blank"))),
        ("title", Some(json!("Service Unavailable"))),
        (
            "status",
            Some(json!(StatusCode::SERVICE_UNAVAILABLE.as_u16())),
        ),
        ("detail", Some(json!(message(notice)))),
        ("window", Some(json!(notice.window.to_string()))),
        ("start", notice.start.map(|start| json!(to_text(start)))),
        ("end", end.map(|end| json!(to_text(end)))),
        ("retryAfter", Some(json!(retry.seconds))),
    ];
    let members: Map<String, Value> = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::Object(members).to_string()
}

/// A control character of the message, which a terminal would obey, becomes a space.
pub(super) fn text(notice: &Notice, now: DateTime<Utc>) -> String {
    let harmless = |c: char| {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            ' '
        } else {
            c
        }
    };
    let message: String = message(notice).chars().map(harmless).collect();
    format!("{message}\n\n{}\n", prospect(notice, now))
}

pub(super) fn line(notice: &Notice, now: DateTime<Utc>) -> String {
    format!("{} {}", message(notice), prospect(notice, now))
}

fn message(notice: &Notice) -> &str {
    notice.message.as_deref().unwrap_or(NO_MESSAGE)
}

fn prospect(notice: &Notice, now: DateTime<Utc>) -> String {
    match outlook(notice, now) {
        Outlook::At(until) => format!("Back at {}.", reading(until)),
        Outlook::AnyMoment => "Back any moment. Please try again.".to_owned(),
        Outlook::Unknown => "Please try again soon.".to_owned(),
    }
}

/// An instant for people, with its seconds only where there are any.
fn reading(instant: DateTime<Utc>) -> String {
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
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn seconds_are_read_out_only_where_there_are_any() {
        for (instant, read) in [
            (
                "2026-12-06T03:00:00Z",
                "03:00 UTC on Sunday, 6 December 2026",
            ),
            (
                "2026-12-16T23:59:07Z",
                "23:59:07 UTC on Wednesday, 16 December 2026",
            ),
        ] {
            assert_eq!(reading(instant.parse().unwrap()), read);
        }
    }
}
