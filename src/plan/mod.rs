//! Observed × desired → the edits that take an object from one to the other.
//!
//! PURE. A plan is a value that tests compare. It is made from what was read, and never from
//! what an earlier plan meant to do, so a crash between two edits needs no recovery: the next
//! plan starts from what is there. A plan that was applied is empty when it is made again.
//!
//! # Guarantees
//!
//! - Every write to a user's object is one JSON Patch that carries its leaves, the label and the
//!   annotation together, and that fails with 409 where the object is not the one that was read.
//! - A release undoes our own edits only: what anybody else wrote while the target was held stays.
//! - The ownership of a field that such a patch takes over is given back by the next write; whose
//!   it is, the annotation says until then.
//! - A target that is refused is not touched; one that becomes unfit while it is held is released.

pub mod backend;
pub mod bridge;
pub mod controllers;
pub mod edit;
pub mod flux;
pub mod holdable;
mod httproute;
mod ingress;
pub mod leaf;
mod marks;
pub mod origin;
pub mod ownership;
pub mod platform;
pub mod readiness;
pub mod record;
pub mod rehearsal;
mod route;
pub mod served;
mod service;
pub mod slices;
#[cfg(test)]
mod testing;
pub mod warnings;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use self::backend::Endpoint;
pub use self::edit::Edit;
pub use self::holdable::Holdable;

/// What a target should do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Desired<'a> {
    /// Answer from the maintenance backend.
    Held(Answering<'a>),
    /// Whatever the user wrote.
    Released,
}

/// Who answers for a held target: what the leading window has prepared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answering<'a> {
    /// The name of the window's bridge.
    pub bridge: &'a str,
    /// Whether proxies have had the time to learn of the bridge.
    pub bridge_ready: bool,
    /// The port of the window on the backend; `None` while no port is reserved for it.
    pub port: Option<u16>,
    /// The backend pods that answered on that port.
    pub endpoints: &'a [Endpoint],
    /// All backend pods that are ready, whether or not they answered yet.
    pub backend: &'a [Endpoint],
    /// Whether the policy of `deploy/policy/` keeps the hold of a Service, so that nobody has to be
    /// told to look away from it.
    pub is_kept: bool,
    /// Of a route that is not held yet: what is behind it and has no ready endpoint of the app's, as
    /// [`readiness::Way::key`] writes it, or the name of a Service that is missing.
    pub idle: &'a BTreeSet<String>,
}

/// How long our slices stay behind a Service that was released, while the platform's have no ready
/// endpoint. They go as soon as those have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    /// Where nobody would come: the app is not ready, or was at zero when it was held.
    pub unready: TimeDelta,
    /// Where somebody may: the app was there, and the platform shows nothing of it yet, because it
    /// writes the slices of some twenty Services a second.
    pub longest: TimeDelta,
}

/// Edits, in the order in which they have to be made, and what is true once they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Each is made only after the API server has answered the one before.
    pub edits: Vec<Edit>,
    /// What may be said of the target once the API server has answered the last edit.
    pub outcome: Outcome,
    /// When to plan again, though nothing may have changed.
    pub again: Option<DateTime<Utc>>,
    /// Why the target could not be held, where it is not to be held now.
    pub unfit: Option<Reason>,
}

impl Plan {
    fn new(edits: Vec<Edit>, outcome: Outcome) -> Self {
        Self {
            edits,
            outcome,
            again: None,
            unfit: None,
        }
    }

    /// What has to be read from the API server before the plan is made for good, because it writes
    /// one kind for what was read of another.
    ///
    /// Each kind is watched by itself, and a guard on one says nothing of the other: our slices must
    /// not go behind a Service that is held after all, nor lose a port that the platform's only seem
    /// to serve, nor get the owner of a Service that was made anew since, nor a Service be held whose
    /// slices have gone, nor be released whose slices would not say so. Nor may the platform's be
    /// emptied behind a Service that was given back: but they are guarded by the version that was
    /// read, so it is enough to read the Service after them.
    pub fn leaning(&self) -> Leaning {
        let empties = |edit: &Edit| matches!(edit, Edit::EmptySlice(_));
        let deletes = |edit: &Edit| matches!(edit, Edit::DeleteSlice(_));
        let rewrites = |edit: &Edit| matches!(edit, Edit::ReplaceSlice(_));
        let gives_back = |edit: &Edit| matches!(edit, Edit::GiveBack { .. });
        let patches_a_service = |edit: &Edit| match edit {
            Edit::Patch { kind, .. } => !kind.is_route(),
            _ => false,
        };
        let mut edits = self.edits.iter();
        let patches = self.edits.iter().any(patches_a_service);
        if self.edits.iter().any(empties) {
            return if edits.all(|edit| empties(edit) || gives_back(edit)) {
                Leaning::Target
            } else {
                Leaning::Both
            };
        }
        let leans = self.edits.iter().any(deletes)
            || !patches && self.edits.iter().any(rewrites)
            || matches!(&self.edits[..], [edit] if patches_a_service(edit));
        if leans {
            Leaning::Both
        } else {
            Leaning::Nothing
        }
    }

    fn again(self, at: DateTime<Utc>) -> Self {
        Self {
            again: Some(at),
            ..self
        }
    }

    /// A plan that changes nothing.
    pub fn nothing(outcome: Outcome) -> Self {
        Self::new(Vec::new(), outcome)
    }
}

/// What has to be read from the API server before a plan is made for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leaning {
    /// Nothing: each write is guarded by what it rests on.
    Nothing,
    /// The target.
    Target,
    /// What is around the target, and after it the target.
    Both,
}

/// What is true of a target, by a name that a program can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing of ours is on the target.
    Serving,
    /// The target answers from the backend, and nobody else answers for it.
    Held,
    /// The target answers from the backend, and others still answer beside it.
    Holding(Reason),
    /// The target is the user's again; our slices stay until the app's own are ready.
    Releasing {
        /// When our slices go at the latest.
        until: DateTime<Utc>,
    },
    /// There is no such object.
    Missing,
    /// There is no such kind of objects in the cluster.
    NotInstalled,
    /// The target cannot be held yet.
    Waiting(Reason),
    /// The target must not be held. Where nothing of ours was on it, nothing was touched.
    Refused(Reason),
}

/// Why: a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One word in CamelCase.
    pub word: &'static str,
    /// A sentence that says what is so, and what to do about it.
    pub message: String,
}

impl Reason {
    /// A reason; `message` is a sentence for people.
    pub fn new(word: &'static str, message: impl Into<String>) -> Self {
        Self {
            word,
            message: message.into(),
        }
    }
}

/// No backend pod has answered on the window's port.
pub const BACKEND_UNAVAILABLE: &str = "BackendUnavailable";
/// A kind, type or port of the target that cannot be held.
pub const UNSUPPORTED: &str = "Unsupported";
/// Another controller owns the target.
pub const OWNED: &str = "OwnedByController";
/// What to put back is not known any more.
pub const ORIGINAL_UNKNOWN: &str = "OriginalUnknown";
