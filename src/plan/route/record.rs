//! What the annotation on a held route says: which bridge, and what each leaf was.

use std::collections::BTreeSet;

use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::{Place, Route};
use crate::api::names;
use crate::plan::record;

/// The value of the annotation, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Record<R: Route> {
    /// The bridge that the leaves lead to.
    pub(super) bridge: String,
    /// What was behind them and did not lead to the app when the route was held.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) idle: BTreeSet<String>,
    /// What each of them was.
    backends: Vec<Entry<R>>,
    /// What the record of any kind says.
    #[serde(flatten)]
    pub(super) common: record::Record,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
struct Entry<R: Route> {
    #[serde(flatten)]
    place: R::Place,
    #[serde(flatten)]
    original: R::Original,
}

impl<R: Route> Record<R> {
    pub(super) fn new(bridge: &str, common: record::Record) -> Self {
        Self {
            bridge: bridge.to_owned(),
            idle: BTreeSet::new(),
            backends: Vec::new(),
            common,
        }
    }

    /// The record that an object bears; `None` where it bears none, or one that nobody can read.
    pub(super) fn of(metadata: &ObjectMeta) -> Option<Self> {
        let annotations = metadata.annotations.as_ref()?;
        serde_json::from_str(annotations.get(names::HOLD_ANNOTATION)?).ok()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    pub(super) fn push(&mut self, place: R::Place, original: R::Original) {
        self.backends.push(Entry { place, original });
    }

    /// How many places are like `place`.
    pub(super) fn count(&self, place: &R::Place) -> usize {
        let places = self.backends.iter().map(|entry| &entry.place);
        places.filter(|other| other.is_like(place)).count()
    }

    /// What stood at `place`, where a leaf of ours stands now; `places` are those of all leaves.
    ///
    /// Where the record knows the place, that. Else a leaf was moved or copied as it was held, and
    /// the nearest relative decides: first those whose own place is gone (a moved one), then any
    /// (a copied one). Where no relative is left, but every leaf was the same, that.
    pub(super) fn original(&self, place: &R::Place, places: &[&R::Place]) -> Option<R::Original> {
        let entry = self
            .entry_at(place)
            .or_else(|| self.nearest(place, places))
            .or_else(|| self.only_one())?;
        Some(entry.original.clone())
    }

    fn entry_at(&self, place: &R::Place) -> Option<&Entry<R>> {
        self.backends.iter().find(|entry| entry.place.is(place))
    }

    fn nearest(&self, place: &R::Place, places: &[&R::Place]) -> Option<&Entry<R>> {
        let recorded = self.backends.iter().map(|entry| &entry.place);
        let (gone, there): (Vec<&R::Place>, Vec<&R::Place>) =
            recorded.partition(|other| !places.iter().any(|place| place.is(other)));
        let nearest = [gone, there]
            .iter()
            .find_map(|relatives| place.nearest(relatives))?;
        self.entry_at(nearest)
    }

    fn only_one(&self) -> Option<&Entry<R>> {
        let first = self.backends.first()?;
        self.backends
            .iter()
            .all(|other| other.original == first.original)
            .then_some(first)
    }
}
