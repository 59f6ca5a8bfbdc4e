//! The HTML page: one document that asks for nothing else. Pure.

use chrono::{DateTime, Utc};
use http::header::HeaderValue;

use super::Notice;
use super::end::{Outlook, outlook};
use super::words::reading;
use crate::api::time::to_text;

/// Nothing is loaded, run, framed or sent; our own style is in the document. The user's words
/// are escaped, so no style of theirs can get in.
pub(super) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
);

const TITLE: &str = "Down for maintenance";

const STYLE: &str = include_str!("page.css");

pub(super) fn render(notice: &Notice, now: DateTime<Utc>) -> String {
    format!(
        include_str!("page.html"),
        title = TITLE,
        style = STYLE,
        message = notice.message.as_deref().map(message).unwrap_or_default(),
        outlook = say(outlook(notice, now)),
    )
}

/// The user's words, in a language and a direction that we do not know.
fn message(text: &str) -> String {
    format!(
        "<p class=\"message\" lang=\"\" dir=\"auto\">{}</p>\n",
        escape(text)
    )
}

fn say(outlook: Outlook) -> String {
    match outlook {
        Outlook::At(until) => format!(
            "We expect to be back at <time datetime=\"{}\">{}</time>.",
            to_text(until),
            reading(until)
        ),
        Outlook::AnyMoment => "We will be back any moment. Please try again.".to_owned(),
        Outlook::Unknown => "Please try again soon.".to_owned(),
    }
}

/// Makes text safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
