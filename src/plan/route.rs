//! Hold and release a route: an object that leads to Services by name.
//!
//! PURE. Held, each of its leaves leads to the bridge, and the annotation says what it was. A leaf
//! is put back by its place (what it stands under, and which it is among equals), never by index,
//! and only where it is still ours: one that a person rewrote in the meantime is theirs.
//!
//! A backend that is a bridge is never what a user wanted: where nothing says what was there
//! before, it is reported and stays as it is, marks included.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};

use chrono::{DateTime, Utc};
use kube::core::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::edit::PatchBuilder;
use super::holdable::{Behind, Holdable, Surroundings, owned_by_controller};
use super::{
    Answering, BACKEND_UNAVAILABLE, Linger, ORIGINAL_UNKNOWN, Outcome, Plan, Reason, UNSUPPORTED,
    flux, marks, record as common,
};
use crate::api::names;
use crate::api::target::TargetKind;

mod record;

use record::Record;

/// The most that the annotations of an object may hold together, in bytes
/// (`k8s.io/apimachinery/pkg/api/validation`, `TotalAnnotationSizeLimitB`).
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// The longest name of a bridge: that of a Service.
const LONGEST_NAME: usize = 63;

/// What is particular about a kind of route.
pub(super) trait Route: Debug + Send + Sync + kube::Resource + Sized {
    /// What it is.
    const KIND: TargetKind;
    /// What names a leaf within its route.
    type Place: Place;
    /// What stands at a leaf, as far as we change it.
    type Stands: Debug + Clone + PartialEq;
    /// What is written down of what stood there.
    type Original: Debug + Clone + PartialEq + Serialize + DeserializeOwned;

    /// Why its leaves cannot be held, or `None` where they can.
    fn unfit_leaves(&self) -> Option<Reason>;

    /// Every leaf that leads somewhere, in the order of the manifest.
    fn leaves(&self) -> Vec<Leaf<Self>>;

    /// The names of the Services of its own namespace that a leaf leads to.
    fn services<'s>(&self, stands: &'s Self::Stands) -> Vec<&'s str>;

    /// Whether a leaf leads to anything that is no Service of its own namespace.
    fn leads_elsewhere(&self, stands: &Self::Stands) -> bool;

    /// What is to stand at a leaf while `bridge` answers.
    fn held(&self, stands: &Self::Stands, bridge: &str) -> Self::Stands;

    /// What a leaf that is the user's says that they want.
    fn original(&self, stands: &Self::Stands) -> Self::Original;

    /// What the user wants of a leaf that is ours, which was `recorded` and may have been added to.
    fn amended(
        &self,
        recorded: Self::Original,
        stands: &Self::Stands,
        is_bridge: &dyn Fn(&str) -> bool,
    ) -> Self::Original;

    /// What is to stand at a leaf where the user wants `original`.
    fn restored(&self, stands: &Self::Stands, original: &Self::Original) -> Self::Stands;

    /// Makes a leaf read as `wanted`.
    fn write(patch: &mut PatchBuilder, leaf: &Leaf<Self>, wanted: &Self::Stands);
}

impl<R: Route> Holdable for R {
    fn kind(&self) -> TargetKind {
        R::KIND
    }

    fn metadata(&self) -> &ObjectMeta {
        self.meta()
    }

    fn backends(&self) -> Vec<String> {
        backends(self)
    }

    fn behind(&self, around: &Surroundings) -> Behind {
        behind(self, around)
    }

    fn unfit(&self) -> Option<Reason> {
        owned_by_controller(R::KIND, self.meta())
            .or_else(|| self.unfit_leaves())
            .or_else(|| too_long_for_any(self))
    }

    fn refusal(&self, around: &Surroundings, answering: Answering<'_>) -> Option<Reason> {
        self.unfit()
            .or_else(|| too_long(self, around, answering.bridge))
    }

    fn hold(&self, around: &Surroundings, answering: Answering<'_>, _now: DateTime<Utc>) -> Plan {
        hold(self, around, answering)
    }

    fn release(&self, around: &Surroundings, _linger: Linger, _now: DateTime<Utc>) -> Plan {
        release(self, around)
    }
}

/// What names a leaf within its route, whatever is inserted before it.
pub(super) trait Place: Debug + Display + Clone + Serialize + DeserializeOwned {
    /// Whether the two are equal, but for which they are among equals.
    fn is_like(&self, other: &Self) -> bool;

    /// Which it is among equals, counted from 0: duplicates are allowed.
    fn occurrence(&self) -> usize;

    /// The same as another one among equals.
    fn nth(self, occurrence: usize) -> Self;

    /// Whether the two are one place.
    fn is(&self, other: &Self) -> bool {
        self.is_like(other) && self.occurrence() == other.occurrence()
    }

    /// Of `relatives` the one whose leaf was most likely moved or copied to here.
    fn nearest<'p>(&self, relatives: &[&'p Self]) -> Option<&'p Self>;
}

/// One leaf of a route: what we change, as a whole.
#[derive(Debug, Clone)]
pub(super) struct Leaf<R: Route> {
    pub(super) place: R::Place,
    /// Where it is in the object, for the patch.
    pub(super) path: Vec<String>,
    pub(super) stands: R::Stands,
}

/// Counts how many equal places stand before each.
pub(super) fn told_apart<R: Route>(leaves: impl IntoIterator<Item = Leaf<R>>) -> Vec<Leaf<R>> {
    let mut told: Vec<Leaf<R>> = Vec::new();
    for leaf in leaves {
        let before = told.iter().filter(|other| other.place.is_like(&leaf.place));
        let place = leaf.place.clone().nth(before.count());
        told.push(Leaf { place, ..leaf });
    }
    told
}

/// The names of the Services that `route` leads to, once for each leaf that does.
pub(super) fn backends<R: Route>(route: &R) -> Vec<String> {
    let leaves = route.leaves();
    let names = leaves.iter().flat_map(|leaf| route.services(&leaf.stands));
    names.map(str::to_owned).collect()
}

/// The Services that the user wants `route` to lead to.
fn behind<R: Route>(route: &R, around: &Surroundings) -> Behind {
    let originals = Originals::of(route, &around.bridges);
    let mut behind = Behind::default();
    let mut unknown = Vec::new();
    for leaf in &originals.leaves {
        let Some(original) = originals.at(leaf) else {
            unknown.push(leaf.place.to_string());
            continue;
        };
        let wanted = route.restored(&leaf.stands, &original);
        let services = route.services(&wanted).into_iter();
        behind.services.extend(services.map(str::to_owned));
        if route.leads_elsewhere(&wanted) {
            behind.but = Some(elsewhere(route.kind(), &leaf.place));
        }
    }
    if originals.leaves.is_empty() {
        behind.but = Some(nowhere(route.kind()));
    }
    if !unknown.is_empty() {
        behind.but = Some(unknown_originals(&unknown));
    }
    behind
}

/// What the user wants at each leaf of `route`, where anything says so.
pub(super) fn originals<R: Route>(route: &R, bridges: &BTreeSet<String>) -> Vec<R::Original> {
    let originals = Originals::of(route, bridges);
    let leaves = originals.leaves.iter();
    leaves.filter_map(|leaf| originals.at(leaf)).collect()
}

/// Whether every leaf of `route` leads to `bridge` and nowhere else.
pub(super) fn leads_only_to<R: Route>(route: &R, bridge: &str) -> bool {
    let mut leaves = route.leaves().into_iter();
    leaves.all(|leaf| route.held(&leaf.stands, bridge) == leaf.stands)
}

/// Why a route without any leaf is not held.
pub(super) fn nowhere(kind: TargetKind) -> Reason {
    let message = format!("the {kind} has no backend: there is nothing to hold");
    Reason::new(UNSUPPORTED, message)
}

/// Why a route with such a leaf is not held, or not by what is behind it.
pub(super) fn elsewhere(kind: TargetKind, place: &impl Display) -> Reason {
    Reason::new(
        UNSUPPORTED,
        format!(
            "{place} of the {kind} leads to something else than a Service of its own namespace, \
             which cannot be held; move it to an {kind} of its own"
        ),
    )
}

/// The plan that leads every leaf to the bridge.
fn hold<R: Route>(route: &R, around: &Surroundings, answering: Answering<'_>) -> Plan {
    let originals = Originals::of(route, &around.bridges);
    let answers = answering.port.is_some() && !answering.endpoints.is_empty();
    if !answers || !answering.bridge_ready {
        // Another window answers for it until proxies know the bridge of this one.
        let outcome = if answers && originals.all_are_ours() {
            Outcome::Held
        } else {
            Outcome::Waiting(no_answer(route.is_marked()))
        };
        return Plan::nothing(outcome);
    }
    let mut patch = PatchBuilder::guarded(route.metadata());
    for leaf in &originals.leaves {
        let wanted = route.held(&leaf.stands, answering.bridge);
        if wanted != leaf.stands {
            R::write(&mut patch, leaf, &wanted);
        }
    }
    let metadata = route.metadata();
    let (common, told) = if patch.is_empty() {
        (common::Record::of(metadata), Vec::new())
    } else {
        let told = flux::to_tell(metadata);
        let taking = common::Record::taking(route.kind(), metadata);
        (taking.telling(&told), told)
    };
    let (mut record, unknown) = originals.record(answering.bridge, common);
    record.idle = match &originals.recorded {
        Some(recorded) => recorded.idle.clone(),
        None => answering.idle.clone(),
    };
    let outcome = if unknown.is_empty() {
        Outcome::Held
    } else {
        Outcome::Waiting(unknown_originals(&unknown))
    };
    marks::hold(&mut patch, metadata, &record.to_json(), &told);
    let edits = patch.edit_of(route.kind(), metadata);
    Plan::new(edits.into_iter().collect(), outcome)
}

/// The plan that puts back what every leaf was.
fn release<R: Route>(route: &R, around: &Surroundings) -> Plan {
    let originals = Originals::of(route, &around.bridges);
    let mut patch = PatchBuilder::guarded(route.metadata());
    let mut unknown = Vec::new();
    for leaf in originals
        .leaves
        .iter()
        .filter(|leaf| originals.is_ours(leaf))
    {
        match originals.at(leaf) {
            Some(original) => {
                R::write(&mut patch, leaf, &route.restored(&leaf.stands, &original));
            }
            None => unknown.push(leaf.place.to_string()),
        }
    }
    let metadata = route.metadata();
    let outcome = if unknown.is_empty() {
        let record = || originals.record_of_release();
        marks::release(&mut patch, route.kind(), metadata, record);
        Outcome::Serving
    } else {
        if !patch.is_empty() {
            marks::record(&mut patch, metadata, &originals.record_of_release());
        }
        Outcome::Waiting(unknown_originals(&unknown))
    };
    let edits = patch.edit_of(route.kind(), route.metadata());
    Plan::new(edits.into_iter().collect(), outcome)
}

/// Why what stands in `route` cannot be written down, or `None` where it can.
fn too_long<R: Route>(route: &R, around: &Surroundings, bridge: &str) -> Option<Reason> {
    let common = common::Record::taking(route.kind(), route.metadata());
    let (record, _) = Originals::of(route, &around.bridges).record(bridge, common);
    let annotations = route.metadata().annotations.iter().flatten();
    let others: usize = annotations
        .filter(|(key, _)| *key != names::HOLD_ANNOTATION)
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let ours = names::HOLD_ANNOTATION.len() + record.to_json().len();
    (others + ours > ANNOTATIONS_LIMIT).then(|| {
        let kind = route.kind();
        Reason::new(
            UNSUPPORTED,
            format!(
                "the {kind} is so long that its annotations have no room for what to put back \
                 (256 KiB for all of them together); split it into several, or hold the Services \
                 behind it"
            ),
        )
    })
}

/// The same for whichever bridge.
fn too_long_for_any<R: Route>(route: &R) -> Option<Reason> {
    too_long(route, &Surroundings::default(), &"x".repeat(LONGEST_NAME))
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

/// What the user wants at each place.
struct Originals<'a, R: Route> {
    route: &'a R,
    leaves: Vec<Leaf<R>>,
    recorded: Option<Record<R>>,
    bridges: &'a BTreeSet<String>,
}

impl<'a, R: Route> Originals<'a, R> {
    fn of(route: &'a R, bridges: &'a BTreeSet<String>) -> Self {
        Self {
            route,
            leaves: route.leaves(),
            recorded: Record::of(route.metadata()),
            bridges,
        }
    }

    /// Whether a leaf leads to a bridge.
    fn is_ours(&self, leaf: &Leaf<R>) -> bool {
        let services = self.route.services(&leaf.stands);
        services.into_iter().any(|name| self.is_bridge(name))
    }

    /// Whether every leaf leads to bridges and nowhere else.
    fn all_are_ours(&self) -> bool {
        let is_ours = |leaf: &Leaf<R>| {
            let mut services = self.route.services(&leaf.stands).into_iter();
            services.all(|name| self.is_bridge(name)) && !self.route.leads_elsewhere(&leaf.stands)
        };
        self.leaves.iter().all(is_ours)
    }

    /// A bridge that was deleted stands in the record still.
    fn is_bridge(&self, name: &str) -> bool {
        let recorded = self.recorded.as_ref();
        self.bridges.contains(name) || recorded.is_some_and(|record| record.bridge == name)
    }

    /// What stands at `leaf`, or, where that is a bridge of ours, what stood there. `None` where
    /// it is a bridge and nothing says what was there before.
    fn at(&self, leaf: &Leaf<R>) -> Option<R::Original> {
        let Leaf { stands, .. } = leaf;
        if !self.is_ours(leaf) {
            return Some(self.route.original(stands));
        }
        let recorded = self.recorded.as_ref()?;
        let place = self.place_in(recorded, leaf);
        let places: Vec<&R::Place> = self.leaves.iter().map(|leaf| &leaf.place).collect();
        let original = recorded.original(&place, &places)?;
        let is_bridge = |name: &str| self.is_bridge(name);
        Some(self.route.amended(original, stands, &is_bridge))
    }

    /// The place of a leaf of ours, as the record counts. Where as many of its equals are ours as
    /// were recorded, whatever is equal and not ours was inserted; else it took the place of one.
    fn place_in(&self, recorded: &Record<R>, leaf: &Leaf<R>) -> R::Place {
        let place = &leaf.place;
        let equals = self
            .leaves
            .iter()
            .filter(|other| other.place.is_like(place));
        let ours: Vec<usize> = equals
            .filter(|other| self.is_ours(other))
            .map(|other| other.place.occurrence())
            .collect();
        let nth = ours.iter().position(|nth| *nth == place.occurrence());
        match nth {
            Some(nth) if ours.len() == recorded.count(place) => place.clone().nth(nth),
            _ => place.clone(),
        }
    }

    /// What is to be written down by a patch that puts leaves back: what was recorded, and who owns
    /// them now.
    fn record_of_release(&self) -> String {
        let metadata = self.route.metadata();
        let common = common::Record::taking(self.route.kind(), metadata);
        match Record::<R>::of(metadata) {
            Some(mut recorded) => {
                recorded.common = common;
                recorded.to_json()
            }
            None => common.to_json(),
        }
    }

    /// What is to be written down, and the places of which nobody knows what stood there.
    fn record(&self, bridge: &str, common: common::Record) -> (Record<R>, Vec<String>) {
        let mut record = Record::new(bridge, common);
        let mut unknown = Vec::new();
        for leaf in &self.leaves {
            match self.at(leaf) {
                Some(original) => record.push(leaf.place.clone(), original),
                None => unknown.push(leaf.place.to_string()),
            }
        }
        (record, unknown)
    }
}

fn unknown_originals(places: &[String]) -> Reason {
    Reason::new(
        ORIGINAL_UNKNOWN,
        format!(
            "{} leads to the maintenance backend, but the annotation {} does not say what was \
             there before; write the backend again",
            places.join(", "),
            names::HOLD_ANNOTATION
        ),
    )
}
