//! What can be held: the kinds, seen alike.
//!
//! PURE. Whoever holds and releases knows this trait and no kind; `service.rs`, `ingress.rs` and
//! the others each say what is particular about theirs, hold and release side by side.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::ObjectMeta;

use super::{Answering, Desired, Edit, Linger, OWNED, Outcome, Plan, Reason, marks, ownership};
use crate::api::target::TargetKind;

/// An object that can be held, as it was read.
pub trait Holdable: Debug + Send + Sync {
    /// What it is.
    fn kind(&self) -> TargetKind;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// Whether it bears anything of ours that a release has to take away.
    fn is_marked(&self) -> bool {
        marks::are_on(self.metadata())
    }

    /// Whether it answers from the backend, whatever its marks say.
    fn is_held(&self, around: &Surroundings) -> bool {
        self.leads_to_any(&around.bridges)
    }

    /// Whether it answers from the backend and from nothing else, as far as was read.
    fn answers_alone(&self, around: &Surroundings) -> bool {
        self.is_held(around)
    }

    /// The names of the Services that it leads to now, bridges among them. A Service leads to none.
    fn backends(&self) -> Vec<String>;

    /// The Services that answer for it when nothing of ours is on it. While a route is held they
    /// are known from its annotation, and from what was written since.
    fn behind(&self, around: &Surroundings) -> Behind;

    /// Whether it leads to one of `bridges`, marked or not.
    fn leads_to_any(&self, bridges: &BTreeSet<String>) -> bool {
        self.backends().iter().any(|name| bridges.contains(name))
    }

    /// Whether a field of it is ours that has to be given back.
    fn is_borrowed(&self) -> bool {
        ownership::is_borrowed(self.kind(), self.metadata())
    }

    /// Why it must not be held, whatever the backend is like; `None` where it may.
    fn unfit(&self) -> Option<Reason>;

    /// Why it must not be held by those who would answer; `None` where it may.
    fn refusal(&self, _around: &Surroundings, _answering: Answering<'_>) -> Option<Reason> {
        self.unfit()
    }

    /// The plan that makes it answer from the backend. It is asked for where nothing is refused.
    fn hold(&self, around: &Surroundings, answering: Answering<'_>, now: DateTime<Utc>) -> Plan;

    /// The plan that gives it back.
    fn release(&self, around: &Surroundings, linger: Linger, now: DateTime<Utc>) -> Plan;

    /// The plan that takes it to `desired`. What is refused is released.
    fn plan(
        &self,
        around: &Surroundings,
        desired: Desired<'_>,
        linger: Linger,
        now: DateTime<Utc>,
    ) -> Plan {
        let plan = match desired {
            Desired::Released => Plan {
                unfit: self.unfit(),
                ..self.release(around, linger, now)
            },
            Desired::Held(answering) => match self.refusal(around, answering) {
                None => self.hold(around, answering, now),
                Some(reason) => Plan {
                    outcome: Outcome::Refused(reason),
                    ..self.release(around, linger, now)
                },
            },
        };
        giving_back(self.kind(), self.metadata(), plan)
    }
}

/// The Services that answer for an object when nothing of ours is on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behind {
    /// Their names, in the namespace of the object. Behind a Service there is itself.
    pub services: BTreeSet<String>,
    /// Why these are not all that answers for it.
    pub but: Option<Reason>,
}

/// What was read beside an object: each kind looks at what it needs.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Of a Service: the slices that bear its name, whoever wrote them.
    pub slices: Vec<Arc<EndpointSlice>>,
    /// Of a route: the names of the bridges in its namespace, those that linger included.
    pub bridges: Arc<BTreeSet<String>>,
}

/// Why a target that a controller owns is not held, or `None` where nobody does.
pub(super) fn owned_by_controller(kind: TargetKind, metadata: &ObjectMeta) -> Option<Reason> {
    let owner = metadata
        .owner_references
        .iter()
        .flatten()
        .find(|reference| reference.controller == Some(true))?;
    Some(Reason::new(
        OWNED,
        format!(
            "the {kind} is managed by {} {}, which would undo the hold; name what that \
             controller lets a person edit instead",
            owner.kind, owner.name
        ),
    ))
}

/// A plan that also gives the ownership back that a crash kept from being given back.
fn giving_back(kind: TargetKind, metadata: &ObjectMeta, mut plan: Plan) -> Plan {
    let patches = |edit: &Edit| matches!(edit, Edit::Patch { .. });
    if ownership::is_borrowed(kind, metadata) && !plan.edits.iter().any(patches) {
        let name = metadata.name.clone().unwrap_or_default();
        plan.edits.push(Edit::GiveBack { kind, name });
    }
    plan
}
