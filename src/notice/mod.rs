//! The notice: what the audience is told while a window holds its targets.
//!
//! Pure: no cluster, no runtime, no clock, no environment.
//!
//! The controller compiles a window into a [`Notice`] and writes it as a ConfigMap; the backend
//! reads it back and gives an [`answer`] for each request.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | the notice, and its way through a ConfigMap |
//! | `head` | the head of a request, as far as an answer goes by it |
//! | `choice` | which of a notice's answers a request gets |
//! | `accept` | which format it asks for |
//! | `language` | which language it asks for |
//! | `weight` | how much of either it wants what |
//! | `answer` | variant × notice × now → status, headers, body |
//! | `retry` | when a client is asked to come back, and until when an answer may be sent |
//! | `end` | what there is to say about the end, and when connections close |
//! | `reconnect` | until when clients are asked to connect anew |
//! | `page` | the HTML page |
//! | [`own_page`] | the user's own page, and what is wrong with it |
//! | `words` | problem details and plain text |
//! | `grpc` | the failure of a call |
//! | `cors` | what a page of another origin may see |
//! | `sample` | the notice that the tests go by |

mod accept;
mod answer;
mod choice;
mod cors;
mod end;
mod grpc;
mod head;
mod language;
pub mod own_page;
mod page;
mod reconnect;
mod retry;
#[cfg(test)]
mod sample;
mod weight;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::mem;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use answer::{Answer, answer, render};
pub use choice::{Choice, Variant, choose};
pub use end::{connection_closes, idle_connections_close};
pub use head::Head;
pub use language::Language;
pub use reconnect::reconnect_until;
pub use retry::{TURNS, good_until, imf_fixdate};

use crate::api::names::{NOTICE_KEY, PAGE_KEY};

/// What the backend has to know about one window in order to answer for it.
///
/// A notice that a newer controller wrote is understood as well: unknown members are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The window that the notice was compiled from.
    pub window: WindowRef,
    /// The uid of that window: a window that was deleted and made again is another one.
    pub uid: String,
    /// The port of the backend that answers with this notice; never 0.
    pub port: u16,
    /// When the stretch of the window began or will begin; unknown for a window that always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// When the stretch ends; unknown for a window that always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The user's words, as given: not escaped, and possibly of several lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How Retry-After is computed.
    #[serde(default)]
    pub retry_after: RetryAfterRule,
    /// The user's own page; without one, ours is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
    /// The paths that are answered 200: each is equal to the request's, which is read without its
    /// query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<String>,
    /// The end is past, and the apps are not ready yet: nobody knows when they will be.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restoring: bool,
    /// Until this instant clients are asked to connect anew, because the port does not answer any more
    /// for all who are connected to it; see [`reconnect_until()`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_until: Option<DateTime<Utc>>,
    /// Nothing is held by the window any more, and the port only lingers for proxies that have
    /// not heard of it: they are sent away, and come back to the app.
    #[serde(default)]
    pub released: bool,
}

/// How Retry-After is computed. All of it is in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetryAfterRule {
    /// Which of the two forms it has.
    pub format: RetryAfterFormat,
    /// Up to this much is added past the end, so that clients do not come back all at once.
    pub jitter: u32,
    /// Never less than this.
    pub minimum: u32,
    /// What is said while nobody knows the end: of a window that always holds, or of a restore
    /// that waits.
    pub end_unknown: u32,
}

/// The two forms of Retry-After (RFC 9110 §10.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetryAfterFormat {
    /// `delay-seconds`.
    #[default]
    Seconds,
    /// `HTTP-date`.
    HttpDate,
}

/// The user's own page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// What is done to it before it is sent.
    pub render: Render,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    html: String,
    #[serde(skip)]
    template: own_page::Parsed,
}

/// What is done to the user's own page before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Render {
    /// Nothing.
    Verbatim,
    /// Message, end and name of the window are filled in.
    Template,
}

impl Page {
    /// The page, or its template: at most [`own_page::MOST_BYTES`].
    pub fn new(render: Render, html: String) -> Self {
        Self {
            render,
            html,
            template: own_page::Parsed::default(),
        }
    }

    /// Its text.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Whether nobody has asked yet: who finds that a page cannot be shown says so once.
    pub fn is_first_to_complain(&self) -> bool {
        self.template.is_first_to_complain()
    }
}

impl Default for RetryAfterRule {
    fn default() -> Self {
        Self {
            format: RetryAfterFormat::Seconds,
            jitter: 30,
            minimum: 5,
            end_unknown: 30,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// A window, by name. Displayed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowRef {
    /// The namespace of the window, which is the one of its targets.
    pub namespace: String,
    /// The name of the window.
    pub name: String,
}

/// Why a ConfigMap is not a notice.
#[derive(Debug, Error)]
pub enum Error {
    /// The key is absent.
    #[error(
        "the ConfigMap has no key `{NOTICE_KEY}`: delete it, and the controller writes it anew"
    )]
    Missing,
    /// The text is not the JSON of a notice.
    #[error("the notice is no JSON of one: {0}: delete it, and the controller writes it anew")]
    Malformed(#[from] serde_json::Error),
    /// Port 0 would be any port.
    #[error(
        "the notice gives port 0, which no slice can lead to: delete it, and the controller writes \
         it anew"
    )]
    PortZero,
}

impl Notice {
    /// A notice without an end or a word, by the rules of who writes none.
    pub fn new(window: WindowRef, uid: String, port: u16) -> Self {
        Self {
            window,
            uid,
            port,
            start: None,
            until: None,
            message: None,
            retry_after: RetryAfterRule::default(),
            page: None,
            health_checks: Vec::new(),
            restoring: false,
            reconnect_until: None,
            released: false,
        }
    }

    /// The name of the ConfigMap that holds the notice of `port`. There can be one of a name
    /// only, so creating it is what reserves the port.
    pub fn object_name(port: u16) -> String {
        format!("entracte-notice-{port}")
    }

    /// The `data` of the notice's ConfigMap. [`Notice::from_data`] reads it back unchanged.
    ///
    /// The text of a page has a key of its own: it may be far longer than all the rest, and whoever
    /// does not ask for it need not read it.
    pub fn to_data(&self) -> BTreeMap<String, String> {
        let mut rest = self.clone();
        let html = rest.page.as_mut().map(|page| mem::take(&mut page.html));
        let json = serde_json::json!(rest).to_string();
        let html = html.map(|html| (PAGE_KEY.to_owned(), html));
        let keys = [(NOTICE_KEY.to_owned(), json)];
        keys.into_iter().chain(html).collect()
    }

    /// Reads a notice from the `data` of its ConfigMap.
    pub fn from_data(data: &BTreeMap<String, String>) -> Result<Self, Error> {
        let notice = Self::but_for_its_page(data)?;
        let html = data.get(PAGE_KEY);
        let page = notice.page.as_ref().zip(html);
        let page = page.map(|(page, html)| Page::new(page.render, html.clone()));
        Ok(Self { page, ..notice })
    }

    /// The same without the text of the page, for who asks often.
    pub fn but_for_its_page(data: &BTreeMap<String, String>) -> Result<Self, Error> {
        Self::from_json(data.get(NOTICE_KEY).ok_or(Error::Missing)?)
    }

    /// Reads a notice from its JSON.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let notice: Self = serde_json::from_str(json)?;
        if notice.port == 0 {
            return Err(Error::PortZero);
        }
        Ok(notice)
    }
}

impl fmt::Display for WindowRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests;
