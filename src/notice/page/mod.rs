//! The HTML page: one document that asks for nothing else. Pure.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | notice × language × now → document, and its policy |
//! | `words` | what it says, in each language |
//! | `page.html`, `page.css` | how it looks: light or dark as the visitor's system is, on any width |
//! | `page.js` | what it does |
//!
//! Style and script are the same in every document, byte for byte: the policy names their hashes,
//! and what differs is in attributes. Without the script the page says the end in UTC. With it:
//!
//! - The end is in the visitor's time zone, written as in the region that the browser prefers of the
//!   page's language (`en-GB` for `en`). What day it is goes by us: the visitor's clock may be wrong.
//! - The countdown goes by the time that has passed since the page was opened, which is the greater
//!   of what two clocks say: one stands still while the machine sleeps, the other is put right now
//!   and then. A screen reader is not interrupted by it (`timer` is not live); that the end has
//!   come is said once.
//! - The page reloads at a random instant of the notice's jitter, which begins at the end, or when
//!   the notice's minimum is over. In a tab that nobody looks at it waits until somebody does, and
//!   without a network until there is one. Should nothing come of it, it tries again in a minute.
//! - A reload never repeats a POST. A browser keeps what was sent with the history's entry;
//!   `replaceState` makes that the entry of a GET, and unlike going to the same address it also
//!   works, and keeps the fragment, where there is one. (Without the script a browser stays where it
//!   is if the address has a fragment.)
//!
//! The document changes only where a second of the clock or of what is left until the end begins.

use chrono::{DateTime, SubsecRound, Utc};
use http::header::HeaderValue;

use super::end::{Outlook, outlook};
use super::retry::seconds_rounded_up;
use super::{Language, Notice};
use words::{Words, words};

mod words;

/// Nothing is loaded, sent or run but what is ours: the script and the style with these hashes.
/// `data:` lets the empty icon be, without which browsers ask for one.
///
/// The page may be framed: there is nothing to click on, and a frame of an app that is down should
/// say so.
pub(super) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; \
     style-src 'sha256-c7sGBCwapqWVS+XwUzG9A8XydRU1riFgpSrp4WmBnFY='; \
     script-src 'sha256-/Jzd4gtrPgnxJMKS7wCpxUb4iVzmKtSC1mMDXFXC1bI='; \
     img-src data:; base-uri 'none'; form-action 'none'",
);

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");

/// The page in `language` at `now`.
///
/// `retry_after` is the wait in seconds that the header names: a browser without scripts comes
/// back after it. In the others each page draws an instant of its own, never before the end.
pub(super) fn render(
    notice: &Notice,
    language: Language,
    now: DateTime<Utc>,
    retry_after: u64,
) -> String {
    let words = words(language);
    let outlook = outlook(notice, now);
    format!(
        include_str!("page.html"),
        language = language.tag(),
        title = words.title,
        retry_after = retry_after,
        style = STYLE,
        data = data(notice, &words, outlook, now),
        message = notice.message.as_deref().map(message).unwrap_or_default(),
        end = end(notice, &words, outlook, now),
        status = status(notice, &words, outlook, now),
        reload = words.reload,
        script = SCRIPT,
    )
}

/// What the script goes by. Times are in seconds, from `now` on: until the earliest reload, and over
/// how long reloads are spread after it; until the end, if it is known and to come.
///
/// Past the end nothing is spread: the visitors are as far apart as they came.
fn data(notice: &Notice, words: &Words, outlook: Outlook, now: DateTime<Utc>) -> String {
    let rule = notice.retry_after;
    let minimum = u64::from(rule.minimum.max(1));
    match outlook {
        Outlook::At(until) => {
            let left = seconds_rounded_up(until - now);
            format!(
                " data-wait=\"{wait}\" data-spread=\"{spread}\" data-left=\"{left}\" \
                 data-soon=\"{soon}\"",
                wait = left.max(minimum),
                spread = rule.jitter,
                soon = words.soon,
            )
        }
        Outlook::AnyMoment => format!(" data-wait=\"{minimum}\" data-spread=\"0\""),
        Outlook::Unknown => format!(
            " data-wait=\"{wait}\" data-spread=\"{spread}\"",
            wait = minimum.max(rule.end_unknown.into()),
            spread = rule.jitter,
        ),
    }
}

/// The user's words, in a language and a direction that we do not know.
fn message(text: &str) -> String {
    format!(
        "<p class=\"message\" lang=\"\" dir=\"auto\">{}</p>\n",
        escape(text)
    )
}

/// When the app is back. The time that is left is for the script to fill in.
fn end(notice: &Notice, words: &Words, outlook: Outlook, now: DateTime<Utc>) -> String {
    let Outlook::At(until) = outlook else {
        return String::new();
    };
    format!(
        "<div class=\"end\">\n\
         {progress}\
         <dl>\n\
         <div><dt>{back}</dt><dd><time datetime=\"{instant}\">{reading}</time></dd></div>\n\
         <div hidden><dt>{left}</dt><dd><span role=\"timer\"></span></dd></div>\n\
         </dl>\n\
         </div>\n",
        progress = progress(notice.start, until, now).unwrap_or_default(),
        back = words.back,
        instant = until.format("%Y-%m-%dT%H:%M:%SZ"),
        reading = reading(until),
        left = words.left,
    )
}

/// How much of the window is over, in seconds, as a line. It is hidden from screen readers, which
/// have it in words.
fn progress(
    start: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<String> {
    let start = start.filter(|start| *start < until)?;
    let whole = seconds_rounded_up(until - start);
    let over = whole.saturating_sub(seconds_rounded_up(until - now));
    Some(format!(
        "<progress max=\"{whole}\" value=\"{over}\" aria-hidden=\"true\"></progress>\n"
    ))
}

/// An instant that reads the same in every language.
fn reading(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn status(notice: &Notice, words: &Words, outlook: Outlook, now: DateTime<Utc>) -> String {
    match outlook {
        Outlook::At(_) => String::new(),
        Outlook::AnyMoment => words.soon.to_owned(),
        Outlook::Unknown if is_past(notice.until, now) => {
            format!("{}<br>{}", words.longer, words.unknown)
        }
        Outlook::Unknown => words.unknown.to_owned(),
    }
}

/// Whether the end is past, at the last whole second of the clock.
fn is_past(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    until.is_some_and(|until| until <= now.trunc_subsecs(0))
}

/// Makes text safe between tags and in quoted attributes. A control character, which HTML does
/// not allow, becomes a space; a line break stays one.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
