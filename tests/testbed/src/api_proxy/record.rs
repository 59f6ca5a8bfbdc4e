//! What went through the proxy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::fault::Side;
use super::path::{RequestInfo, Verb};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When its head had come.
    pub received: DateTime<Utc>,
    /// What it asked for.
    pub request: RequestInfo,
    /// Who asked.
    pub user_agent: String,
    /// Of what type the body was, which for a patch says of which kind the patch was.
    pub content_type: Option<String>,
    /// The body of a write; empty for anything else.
    pub body: Bytes,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Under way; or given up by who asked, before there was an answer.
    Pending,
    /// The API server answered, and the answer was passed on.
    Answered {
        /// Its status.
        status: u16,
        /// When the head of the answer had come.
        at: DateTime<Utc>,
    },
    /// The connection was closed without an answer.
    Cut {
        /// Before or after the API server got it.
        side: Side,
        /// What the API server answered, if it was asked.
        status: Option<u16>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Another answer was given than the API server's.
    Instead {
        /// The status that was given.
        given: u16,
        /// Before or after the API server got the request.
        side: Side,
        /// What the API server answered, if it was asked.
        status: Option<u16>,
        /// When.
        at: DateTime<Utc>,
    },
    /// Nothing was given, and the connection stays open.
    Silent {
        /// Before or after the API server got the request.
        side: Side,
        /// What the API server answered, if it was asked.
        status: Option<u16>,
        /// When it would have been given.
        at: DateTime<Utc>,
    },
    /// The API server could not be reached or broke off; the connection was closed, as the API
    /// server's would have been.
    Failed {
        /// Why.
        cause: String,
        /// When.
        at: DateTime<Utc>,
    },
}

impl Recorded {
    /// What the API server answered, if it did.
    pub fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Answered { status, .. } => Some(status),
            Outcome::Cut { status, .. }
            | Outcome::Instead { status, .. }
            | Outcome::Silent { status, .. } => status,
            Outcome::Pending | Outcome::Failed { .. } => None,
        }
    }

    /// Whether it changes what is stored, if the API server grants it.
    pub fn is_write(&self) -> bool {
        self.request.is_write()
    }

    /// Whether it is in `namespace`, or is a write elsewhere whose body speaks of it.
    pub fn is_about(&self, namespace: &str) -> bool {
        self.request.namespace.as_deref() == Some(namespace) || speaks_of(&self.body, namespace)
    }
}

/// Whether `name` stands in a body, and not as a part of a longer name.
pub(super) fn speaks_of(body: &[u8], name: &str) -> bool {
    let body = String::from_utf8_lossy(body);
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    body.match_indices(name).any(|(at, found)| {
        let before = body[..at].chars().next_back();
        let after = body[at + found.len()..].chars().next();
        !before.is_some_and(is_of_a_name) && !after.is_some_and(is_of_a_name)
    })
}

impl fmt::Display for Recorded {
    /// `02:00:00.004 patch services shop/web 200 [{"op":…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ",
            self.received.format("%H:%M:%S%.3f"),
            self.request
        )?;
        match &self.outcome {
            Outcome::Pending => f.write_str("pending"),
            Outcome::Answered { status, .. } => write!(f, "{status}"),
            Outcome::Cut { side, status, .. } => match status {
                Some(status) => write!(f, "cut {side} ({status})"),
                None => write!(f, "cut {side}"),
            },
            Outcome::Instead {
                given,
                side,
                status,
                ..
            } => match status {
                Some(status) => write!(f, "{given} instead of {status}, {side}"),
                None => write!(f, "{given} instead, {side}"),
            },
            Outcome::Silent { side, .. } => write!(f, "silent {side}"),
            Outcome::Failed { cause, .. } => write!(f, "failed: {cause}"),
        }?;
        if self.body.is_empty() {
            return Ok(());
        }
        write!(f, " {}", String::from_utf8_lossy(&self.body))
    }
}

/// A place in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

/// How many requests there were of each verb and resource, the latter as in
/// [`RequestInfo::resource`].
pub type Counts = BTreeMap<(Verb, String), usize>;

/// Counts requests by verb and resource.
pub fn count<'a>(requests: impl IntoIterator<Item = &'a Recorded>) -> Counts {
    let mut counts = Counts::new();
    for recorded in requests {
        let RequestInfo { verb, resource, .. } = &recorded.request;
        *counts.entry((verb.clone(), resource.clone())).or_default() += 1;
    }
    counts
}

/// All requests, in the order in which their heads came.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Vec<Recorded>>);

impl Record {
    /// Keeps a request whose outcome is not known yet.
    pub(super) fn begin(&self, recorded: Recorded) -> Mark {
        let mut requests = self.lock();
        requests.push(recorded);
        Mark(requests.len() - 1)
    }

    pub(super) fn finish(&self, mark: Mark, outcome: Outcome) {
        if let Some(recorded) = self.lock().get_mut(mark.0) {
            recorded.outcome = outcome;
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.lock().len())
    }

    pub(super) fn since(&self, mark: Mark) -> Vec<Recorded> {
        self.lock().get(mark.0..).unwrap_or_default().to_vec()
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.lock().clone()
    }

    pub(super) fn counts(&self) -> Counts {
        count(self.lock().iter())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
