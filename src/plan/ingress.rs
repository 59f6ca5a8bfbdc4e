//! Hold and release an Ingress.
//!
//! PURE. Held, each of its backends (rules and default) leads to the bridge, and the annotation
//! says what it was. A backend is put back by what it stands under (host, path, path type and
//! occurrence among equals), never by index, and only where it is still ours: a rule that a
//! person rewrote in the meantime is theirs.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{
    Ingress, IngressBackend, IngressServiceBackend, ServiceBackendPort,
};
use serde_json::json;

use super::edit::{Edit, PatchBuilder};
use super::{
    Answering, BACKEND_UNAVAILABLE, Desired, ORIGINAL_UNKNOWN, Outcome, Plan, Reason, UNSUPPORTED,
    bridge, giving_up, leaf, owned_by_controller, ownership,
};
use crate::api::names;
use crate::api::target::TargetKind;

mod leaves;
mod record;

use leaves::{Leaf, leaves};
use record::Record;

/// An Ingress, and the names of the bridges in its namespace, as they were read.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// The Ingress.
    pub ingress: &'a Ingress,
    /// The names of all bridges, those that linger included.
    pub bridges: &'a BTreeSet<String>,
}

/// The plan that takes `observed` to `desired`.
///
/// A backend that is a bridge is never what a user wanted: where nothing says what was there
/// before, it is reported and stays as it is, marks included.
pub fn plan(observed: Observed<'_>, desired: Desired<'_>) -> Plan {
    let plan = match desired {
        Desired::Released => Plan {
            unfit: refusal(observed.ingress),
            ..release(observed)
        },
        Desired::Held(answering) => match refusal(observed.ingress) {
            None => hold(observed, answering),
            Some(reason) => Plan {
                outcome: Outcome::Refused(reason),
                ..release(observed)
            },
        },
    };
    giving_up(TargetKind::Ingress, &observed.ingress.metadata, plan)
}

/// Whether `ingress` bears anything of ours that a release has to take away.
pub fn is_marked(ingress: &Ingress) -> bool {
    let labels = ingress.metadata.labels.as_ref();
    labels.is_some_and(|labels| labels.contains_key(names::HELD_LABEL))
        || record_of(ingress).is_some()
}

/// The names of the Services that `ingress` leads to.
pub fn backends(ingress: &Ingress) -> impl Iterator<Item = &str> {
    leaves(ingress)
        .into_iter()
        .filter_map(|leaf| leaf.service())
}

/// Whether `ingress` leads to one of `bridges`, marked or not.
pub fn leads_to_any(ingress: &Ingress, bridges: &BTreeSet<String>) -> bool {
    backends(ingress).any(|name| bridges.contains(name))
}

fn hold(observed: Observed<'_>, answering: Answering<'_>) -> Plan {
    let ingress = observed.ingress;
    if answering.port.is_none() || answering.endpoints.is_empty() || !answering.bridge_ready {
        let reason = no_answer(is_marked(ingress));
        return Plan::nothing(Outcome::Waiting(reason));
    }
    let originals = Originals::of(observed);
    let mut patch = PatchBuilder::guarded(&ingress.metadata);
    let mut record = Record::new(answering.bridge);
    let mut unknown = Vec::new();
    for leaf in &originals.leaves {
        match originals.at(leaf) {
            Some(backend) => record.push(leaf.place.clone(), backend),
            None => unknown.push(leaf.place.to_string()),
        }
        if leaf.service() != Some(answering.bridge) {
            lead(&mut patch, leaf, &to_bridge(answering.bridge));
        }
    }
    let outcome = if unknown.is_empty() {
        Outcome::Held
    } else {
        unknown_originals(&unknown)
    };
    mark(&mut patch, ingress, Some(&record.to_json()));
    Plan::new(edits(ingress, patch), outcome)
}

fn no_answer(is_held: bool) -> Reason {
    let message = if is_held {
        "no backend pod answers on the window's port: clients get no answer until one does"
    } else {
        "no backend pod has answered on the window's port yet, or the bridge to it has only just \
         been made; the target is held as soon as it leads somewhere"
    };
    Reason::new(BACKEND_UNAVAILABLE, message)
}

fn release(observed: Observed<'_>) -> Plan {
    let ingress = observed.ingress;
    let originals = Originals::of(observed);
    let mut patch = PatchBuilder::guarded(&ingress.metadata);
    let mut unknown = Vec::new();
    for leaf in &originals.leaves {
        match originals.at(leaf) {
            Some(backend) if backend == *leaf.backend => {}
            Some(backend) => lead(&mut patch, leaf, &backend),
            None => unknown.push(leaf.place.to_string()),
        }
    }
    if unknown.is_empty() {
        mark(&mut patch, ingress, None);
        Plan::new(edits(ingress, patch), Outcome::Serving)
    } else {
        Plan::new(edits(ingress, patch), unknown_originals(&unknown))
    }
}

/// What the user wants at each place.
struct Originals<'a> {
    leaves: Vec<Leaf<'a>>,
    recorded: Option<Record>,
    bridges: &'a BTreeSet<String>,
}

impl<'a> Originals<'a> {
    fn of(observed: Observed<'a>) -> Self {
        Self {
            leaves: leaves(observed.ingress),
            recorded: Record::of(observed.ingress),
            bridges: observed.bridges,
        }
    }

    /// What stands at `leaf`, or, where that is a bridge of ours, what stood there. `None` where
    /// it is a bridge and nothing says what was there before.
    fn at(&self, leaf: &Leaf<'_>) -> Option<IngressBackend> {
        if leaf.service().is_some_and(|name| self.is_bridge(name)) {
            let recorded = self.recorded.as_ref()?;
            recorded.original(&leaf.place, &self.leaves)
        } else {
            Some(leaf.backend.clone())
        }
    }

    /// A bridge that was deleted stands in the record still.
    fn is_bridge(&self, name: &str) -> bool {
        let recorded = self.recorded.as_ref();
        self.bridges.contains(name) || recorded.is_some_and(|record| record.bridge == name)
    }
}

fn to_bridge(name: &str) -> IngressBackend {
    IngressBackend {
        resource: None,
        service: Some(IngressServiceBackend {
            name: name.to_owned(),
            port: Some(ServiceBackendPort {
                name: None,
                number: Some(bridge::PORT),
            }),
        }),
    }
}

fn lead(patch: &mut PatchBuilder, leaf: &Leaf<'_>, backend: &IngressBackend) {
    match leaf.index {
        None => patch.replace(["spec", "defaultBackend"], json!(backend)),
        Some((rule, at)) => patch.replace(
            [
                "spec",
                "rules",
                &rule.to_string(),
                "http",
                "paths",
                &at.to_string(),
                "backend",
            ],
            json!(backend),
        ),
    }
}

fn mark(patch: &mut PatchBuilder, ingress: &Ingress, record: Option<&str>) {
    let metadata = &ingress.metadata;
    let held = record.map(|_| names::HELD);
    let labels = metadata.labels.as_ref();
    leaf::set(
        patch,
        ["metadata", "labels"],
        labels,
        names::HELD_LABEL,
        held,
    );
    let annotations = metadata.annotations.as_ref();
    leaf::set(
        patch,
        ["metadata", "annotations"],
        annotations,
        names::HOLD_ANNOTATION,
        record,
    );
}

fn edits(ingress: &Ingress, patch: PatchBuilder) -> Vec<Edit> {
    if patch.is_empty() {
        return Vec::new();
    }
    let name = ingress.metadata.name.clone().unwrap_or_default();
    vec![Edit::PatchIngress {
        name,
        patch: patch.build(),
        owners: ownership::others(TargetKind::Ingress, &ingress.metadata),
    }]
}

fn record_of(ingress: &Ingress) -> Option<&str> {
    let annotations = ingress.metadata.annotations.as_ref()?;
    annotations.get(names::HOLD_ANNOTATION).map(String::as_str)
}

fn unknown_originals(places: &[String]) -> Outcome {
    Outcome::Waiting(Reason::new(
        ORIGINAL_UNKNOWN,
        format!(
            "{} leads to the maintenance backend, but the annotation {} does not say what was \
             there before; write the backend again",
            places.join(", "),
            names::HOLD_ANNOTATION
        ),
    ))
}

/// Why `ingress` must not be held, or `None` where it may.
fn refusal(ingress: &Ingress) -> Option<Reason> {
    let leaves = leaves(ingress);
    if let Some(reason) = owned_by_controller("Ingress", &ingress.metadata) {
        return Some(reason);
    }
    if leaves.is_empty() {
        return Some(Reason::new(
            UNSUPPORTED,
            "the Ingress has no backend: there is nothing to hold",
        ));
    }
    let resource = leaves.iter().find(|leaf| leaf.backend.resource.is_some())?;
    Some(Reason::new(
        UNSUPPORTED,
        format!(
            "{} of the Ingress leads to a resource and not to a Service, which cannot be held; \
             move it to an Ingress of its own",
            resource.place
        ),
    ))
}

#[cfg(test)]
#[path = "ingress_tests.rs"]
mod tests;
