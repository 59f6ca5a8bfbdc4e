//! The slices behind a held Service that are not ours: who wrote them, and which are emptied.
//!
//! PURE. The hold key makes the platform's own controller empty its slices, but it writes some
//! twenty Services a second. Where it lags behind, its slices are emptied for it.
//!
//! | `managed-by` | whose | while the Service is held |
//! |---|---|---|
//! | `endpointslice-controller.k8s.io` | the platform's, from the selector | emptied: the platform fills them again, for a write that it did not make brings the Service to be looked at a second later (`pkg/controller/endpointslice/endpointslice_controller.go`, `onEndpointSliceUpdate`) |
//! | `endpointslicemirroring-controller.k8s.io` | the platform's, from Endpoints that a person wrote | left: that controller itself takes them away where there is a selector, and from what is not there any more nobody could fill them |
//! | anything else, or nothing | another controller's (of a mesh of clusters, say), or a person's | left: nobody is known who would fill them again; the target is not held while they answer, and says so |
//!
//! Endpoints, the older kind, are left to the platform's controller, which empties them at its own
//! pace: who still reads them (Skipper by default) follows a hold of many Services as late as that.

use chrono::TimeDelta;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::edit::Edit;
use super::slices::{self, Family};
use super::{Outcome, Reason};
use crate::api::names;

/// How long the platform's controller gets to empty its slices by itself, so that a single hold
/// costs no write more. It takes some 50 ms where it does not lag behind.
pub const MOMENT: TimeDelta = TimeDelta::milliseconds(250);

/// The platform's slices of a held Service are not empty yet.
pub const WAITING_FOR_ENDPOINTS: &str = "WaitingForEndpoints";
/// Somebody else's slices of a held Service are not empty.
pub const FOREIGN_ENDPOINTS: &str = "ForeignEndpoints";

/// `endpointslice.kubernetes.io/managed-by` of the slices that follow a selector.
const SLICE_CONTROLLER: &str = "endpointslice-controller.k8s.io";
/// The same of those that repeat an Endpoints object.
const MIRRORING_CONTROLLER: &str = "endpointslicemirroring-controller.k8s.io";

/// Slices that answer beside ours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Left<'a> {
    /// Those that we may empty.
    pub to_empty: Vec<&'a EndpointSlice>,
    /// Those that the platform takes away by itself.
    pub mirrored: Vec<&'a EndpointSlice>,
    /// Somebody else's.
    pub foreign: Vec<&'a EndpointSlice>,
}

impl<'a> Left<'a> {
    /// Those among `slices` (none of ours) that may answer over one of `families`.
    pub fn of(slices: impl IntoIterator<Item = &'a EndpointSlice>, families: &[Family]) -> Self {
        let mut left = Self::default();
        for slice in slices {
            let is_asked = families.iter().any(|family| family.is_of(slice));
            if !is_asked || !slice.endpoints.iter().any(may_answer) {
                continue;
            }
            match slices::managed_by(slice) {
                Some(SLICE_CONTROLLER) => left.to_empty.push(slice),
                Some(MIRRORING_CONTROLLER) => left.mirrored.push(slice),
                _ => left.foreign.push(slice),
            }
        }
        left
    }

    /// The edits that empty what may be emptied, and what is left after them.
    pub fn emptied(self) -> (Vec<Edit>, Self) {
        let edits = self.to_empty.into_iter().map(empty).collect();
        let to_empty = Vec::new();
        (edits, Self { to_empty, ..self })
    }

    /// What may be said of the Service while these answer.
    pub fn outcome(&self) -> Outcome {
        if let Some(slice) = self.foreign.first() {
            return Outcome::Holding(foreign(slice));
        }
        if self.to_empty.is_empty() && self.mirrored.is_empty() {
            return Outcome::Held;
        }
        Outcome::Holding(Reason::new(
            WAITING_FOR_ENDPOINTS,
            "the app's own endpoints are being taken away; until they are, it answers beside the \
             backend",
        ))
    }
}

/// An absent condition means ready, and serving what ready is (`discovery/v1`
/// `EndpointConditions`). Some proxies lead to what serves.
fn may_answer(endpoint: &Endpoint) -> bool {
    let conditions = endpoint.conditions.as_ref();
    let serves = conditions.and_then(|conditions| conditions.serving);
    super::backend::is_ready(endpoint) || serves == Some(true)
}

fn empty(slice: &EndpointSlice) -> Edit {
    let mut slice = slice.clone();
    slice.endpoints.clear();
    Edit::EmptySlice(Box::new(slice))
}

fn foreign(slice: &EndpointSlice) -> Reason {
    let name = slice.metadata.name.as_deref().unwrap_or_default();
    let writer = slices::managed_by(slice).map_or_else(
        || format!("it has no label {}", names::SLICE_MANAGED_BY_LABEL),
        |writer| format!("{writer} writes it"),
    );
    Reason::new(
        FOREIGN_ENDPOINTS,
        format!(
            "the EndpointSlice {name} leads to other endpoints beside the backend, and {writer}: \
             take it away, or hold the Ingress in front of the Service instead"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::object;

    fn slice(managed_by: Option<&str>, conditions: &str) -> EndpointSlice {
        let label = managed_by.map_or_else(String::new, |managed_by| {
            format!("labels: {{endpointslice.kubernetes.io/managed-by: {managed_by}}}, ")
        });
        object(&format!(
            "{{addressType: IPv4, metadata: {{{label}name: s, resourceVersion: '3'}}, \
             endpoints: [{{addresses: [10.244.0.2], conditions: {{{conditions}}}}}], \
             ports: [{{name: http, port: 8080}}]}}"
        ))
    }

    fn outcome(slice: &EndpointSlice) -> Outcome {
        Left::of([slice], &[Family::V4]).outcome()
    }

    fn word(slice: &EndpointSlice) -> &'static str {
        match outcome(slice) {
            Outcome::Holding(reason) => reason.word,
            outcome => panic!("{outcome:?}"),
        }
    }

    #[test]
    fn the_platforms_slice_is_emptied_and_keeps_all_else() {
        let read = slice(Some(SLICE_CONTROLLER), "ready: true");
        let (edits, left) = Left::of([&read], &[Family::V4]).emptied();
        assert_eq!(left.outcome(), Outcome::Held);
        let expected = EndpointSlice {
            endpoints: Vec::new(),
            ..read
        };
        assert_eq!(edits, [Edit::EmptySlice(Box::new(expected))]);
    }

    #[test]
    fn what_no_proxy_leads_to_keeps_nobody_waiting() {
        for conditions in ["ready: false", "ready: false, serving: false"] {
            let slice = slice(Some(SLICE_CONTROLLER), conditions);
            assert_eq!(outcome(&slice), Outcome::Held, "{conditions}");
        }
        let mut empty = slice(Some(SLICE_CONTROLLER), "");
        empty.endpoints.clear();
        assert_eq!(outcome(&empty), Outcome::Held);
    }

    #[test]
    fn what_a_proxy_may_lead_to_is_waited_for() {
        let conditions = [
            "",
            "ready: true",
            "ready: false, serving: true, terminating: true",
        ];
        for conditions in conditions {
            let slice = slice(Some(SLICE_CONTROLLER), conditions);
            assert_eq!(word(&slice), WAITING_FOR_ENDPOINTS, "{conditions}");
        }
    }

    #[test]
    fn slices_that_the_platform_would_not_fill_again_are_not_emptied() {
        let mirrored = slice(Some(MIRRORING_CONTROLLER), "ready: true");
        assert_eq!(word(&mirrored), WAITING_FOR_ENDPOINTS);
        for managed_by in [None, Some("mesh.example")] {
            let foreign = slice(managed_by, "ready: true");
            assert_eq!(word(&foreign), FOREIGN_ENDPOINTS);
            let left = Left::of([&foreign], &[Family::V4]);
            assert_eq!(left.clone().emptied(), (Vec::new(), left));
        }
        let left = Left::of([&mirrored], &[Family::V4]);
        assert_eq!(left.clone().emptied(), (Vec::new(), left));
    }

    #[test]
    fn a_family_that_the_service_has_not_is_not_looked_at() {
        let slice = slice(Some(SLICE_CONTROLLER), "ready: true");
        assert_eq!(Left::of([&slice], &[Family::V6]), Left::default());
    }
}
