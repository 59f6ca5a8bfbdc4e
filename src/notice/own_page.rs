//! The user's own page: as it is, or a template that is filled in. Pure.
//!
//! A template is written by whoever may write a ConfigMap in the window's namespace, and rendered by
//! processes that work for every other namespace too. So it reaches nothing but its values, and what
//! it may do and take up is bounded.
//!
//! | value | what it is | unknown |
//! |---|---|---|
//! | `message` | the user's words; empty where there are none | never |
//! | `window.namespace`, `window.name` | the window | never |
//! | `start` | when the maintenance began | never, as the controller writes notices |
//! | `end` | when it ends, which is to come | for a window that always holds, while a restore waits, and once it is past |
//! | `retry_after` | the seconds of Retry-After, whatever its form | never |
//! | `now` | when the page was rendered, in whole seconds | never |
//!
//! Instants are RFC 3339 in UTC. What is unknown may be asked for (`{% if end %}`) and may not be
//! printed. Whatever is printed is escaped for HTML, but for what the template calls `safe`.

use std::{io, thread};

use chrono::{DateTime, TimeDelta, Utc};
use minijinja::{Environment, Template};
use thiserror::Error;

use super::retry::RetryAfter;
use super::{Notice, Page, Render, WindowRef};
pub(super) use template::Parsed;
use template::{MOST_TOKENS, MOST_TOKENS_OF_TAG, values};

mod template;

/// The most bytes that a page may have, as it is written and as it is rendered: two of them and the
/// rest of a notice fit into a ConfigMap (1 MiB).
pub const MOST_BYTES: usize = 256 * 1024;

/// The least stack, in bytes, of a thread that renders templates. Values may be nested as deep as fuel
/// goes, and printing one takes the stack for all of its levels.
pub const STACK: usize = 64 * 1024 * 1024;

/// The most characters of a message, for the trial of a template.
const LONGEST_MESSAGE: usize = 1024;

/// Why a page cannot be shown. The sentences go on from "the key index.html: ".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It would be a burden to whoever holds it or loads it.
    #[error(
        "it is {0} bytes long, and may be {MOST_BYTES} (256 KiB): load pictures and fonts from \
         elsewhere"
    )]
    TooLong(usize),
    /// A slip in a name.
    #[error(
        "there is no value {0}: the values are message, window.namespace, window.name, start, end, \
         retry_after and now"
    )]
    NoSuchValue(String),
    /// A value that may be unknown is used as if it never were.
    #[error(
        "line {line}: {said}, for it is not always known: write {{% if … %}} and {{% endif %}} \
         around it, or | default(\"…\") behind it"
    )]
    Unknown {
        /// The line of the template, from 1.
        line: usize,
        /// What the template engine says.
        said: String,
    },
    /// A loop that is too long, or a text that grows and grows.
    #[error("line {line}: it takes too long or becomes too large there: write less of a loop")]
    TooMuch {
        /// The line of the template, from 1.
        line: usize,
    },
    /// An expression that would take long to compile.
    #[error(
        "line {line}: more than {MOST_TOKENS_OF_TAG} words and signs are in one {{{{ }}}} or {{% %}} \
         there: spread them over several, by {{% set … %}}"
    )]
    TooLongTag {
        /// The line of the template, from 1.
        line: usize,
    },
    /// A program rather than a page.
    #[error(
        "line {line}: more than {MOST_TOKENS} words and signs are in {{{{ }}}} and {{% %}} up to there: \
         write what is always the same as it is"
    )]
    TooMuchCode {
        /// The line of the template, from 1.
        line: usize,
    },
    /// The system has no thread for the trial.
    #[error("it could not be tried: {0}")]
    NoThread(String),
    /// The rest.
    #[error(
        "line {line}: {said}: correct it, or write render: Verbatim for a page that is no template"
    )]
    Broken {
        /// The line of the template, from 1.
        line: usize,
        /// What the template engine says.
        said: String,
    },
}

/// The page as it is sent at `now`, with `retry_after` (seconds) as the answer's head says it.
///
/// Guarantees: at most [`MOST_BYTES`] long; nothing but the page and the notice gets into it; a
/// template ends within some milliseconds, whatever it says; it stays as it is, byte for byte, until
/// [`good_until`](super::good_until()). A template that was not [checked](check) needs a thread with
/// a [`STACK`].
pub fn render(
    page: &Page,
    notice: &Notice,
    now: DateTime<Utc>,
    retry_after: u64,
) -> Result<String, Error> {
    let rendered = match page.render {
        Render::Verbatim => page.html.clone(),
        Render::Template => {
            let values = values(notice, now, retry_after);
            page.template.render(&page.html, values)?
        }
    };
    within_bounds(rendered)
}

/// Tries a page for notices of each kind, so that what is wrong with it is known before anybody is to
/// see it: with and without a message and an end.
pub fn check(page: &Page) -> Result<(), Error> {
    if page.html.len() > MOST_BYTES {
        return Err(Error::TooLong(page.html.len()));
    }
    match page.render {
        Render::Verbatim => Ok(()),
        Render::Template => with_stack(|| try_out(page)),
    }
}

/// Tries a page that is well in itself with what a notice says, with its end and without.
pub fn check_for(page: &Page, notice: &Notice) -> Result<(), Error> {
    match page.render {
        Render::Verbatim => Ok(()),
        Render::Template => with_stack(|| try_out_for(page, notice)),
    }
}

/// Does `work` where the deepest value of a template can be printed.
fn with_stack(work: impl FnOnce() -> Result<(), Error> + Send) -> Result<(), Error> {
    let no_thread = |error: io::Error| Error::NoThread(error.to_string());
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let working = builder.spawn_scoped(scope, work).map_err(no_thread)?;
        let panicked = |_| Error::NoThread("the template engine has a bug".to_owned());
        working.join().map_err(panicked)?
    })
}

fn try_out(page: &Page) -> Result<(), Error> {
    // It is not kept with the page: whoever tries one may never render it.
    let tried = page.clone();
    tried.template.with(&tried.html, names_what_there_is)?;
    for notice in trials() {
        render(&tried, &notice, DateTime::UNIX_EPOCH, 1)?;
    }
    Ok(())
}

fn try_out_for(page: &Page, notice: &Notice) -> Result<(), Error> {
    let tried = page.clone();
    let endless = Notice {
        until: None,
        ..notice.clone()
    };
    let over = Notice {
        released: true,
        ..notice.clone()
    };
    let now = notice.start.unwrap_or_default();
    for notice in [notice, &endless, &over] {
        let wait = RetryAfter::at(notice, now, 0).seconds;
        render(&tried, notice, now, wait)?;
    }
    Ok(())
}

fn within_bounds(page: String) -> Result<String, Error> {
    if page.len() > MOST_BYTES {
        return Err(Error::TooLong(page.len()));
    }
    Ok(page)
}

/// What may be asked for is not what there may be a slip in.
fn names_what_there_is(given: &Environment<'_>, template: &Template<'_, '_>) -> Result<(), Error> {
    let [notice, ..] = trials();
    let values = values(&notice, DateTime::UNIX_EPOCH, 1);
    let is_there = |name: &String| {
        let mut steps = name.split('.');
        let first = steps.next().unwrap_or_default();
        let is_given = || given.globals().any(|(known, _)| known == first);
        let value = std::iter::once(first)
            .chain(steps)
            .try_fold(values.clone(), |value, step| value.get_attr(step).ok());
        is_given() || value.is_some_and(|value| !value.is_undefined())
    };
    let mut unknown: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    unknown.retain(|name| !is_there(name));
    unknown.sort();
    unknown
        .into_iter()
        .next()
        .map_or(Ok(()), |name| Err(Error::NoSuchValue(name)))
}

/// A notice of each kind; the first knows everything. The words are as long as they may be, and grow
/// when they are escaped.
fn trials() -> [Notice; 4] {
    let start = DateTime::UNIX_EPOCH;
    let end = start + TimeDelta::hours(1);
    let words = || Some("&".repeat(LONGEST_MESSAGE));
    [
        (words(), Some(end)),
        (words(), None),
        (None, Some(end)),
        (None, None),
    ]
    .map(|(message, until)| {
        let window = WindowRef {
            namespace: "namespace".to_owned(),
            name: "name".to_owned(),
        };
        Notice {
            message,
            start: Some(start),
            until,
            ..Notice::new(window, String::new(), 1)
        }
    })
}

#[cfg(test)]
mod tests;
