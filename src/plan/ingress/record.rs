//! What the annotation on a held Ingress says: which bridge, and what each backend was.

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend};
use serde::{Deserialize, Serialize};

use super::leaves::{Leaf, Place};

/// The value of the annotation, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The bridge that the backends lead to.
    pub(super) bridge: String,
    /// What each of them was.
    backends: Vec<Original>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Original {
    #[serde(flatten)]
    place: Place,
    backend: IngressBackend,
}

impl Record {
    pub(super) fn new(bridge: &str) -> Self {
        Self {
            bridge: bridge.to_owned(),
            backends: Vec::new(),
        }
    }

    /// The record that `ingress` bears; `None` where it bears none, or one that nobody can read.
    pub(super) fn of(ingress: &Ingress) -> Option<Self> {
        serde_json::from_str(super::record_of(ingress)?).ok()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    pub(super) fn push(&mut self, place: Place, backend: IngressBackend) {
        self.backends.push(Original { place, backend });
    }

    /// What stood at `place`, where a backend of ours stands now.
    ///
    /// Where the record knows the place, that. Else a rule was moved or copied with our backend
    /// in it, and the nearest relative decides: first those whose own place is gone (a moved
    /// rule), then any (a copied one); by host and path, by path, by host. Where no relative is
    /// left, but every backend was the same one, that one.
    pub(super) fn original(&self, place: &Place, leaves: &[Leaf<'_>]) -> Option<IngressBackend> {
        if let Some(exact) = self
            .backends
            .iter()
            .find(|original| original.place == *place)
        {
            return Some(exact.backend.clone());
        }
        let (gone, there): (Vec<&Original>, Vec<&Original>) = self
            .backends
            .iter()
            .partition(|original| !leaves.iter().any(|leaf| leaf.place == original.place));
        let relative = [gone, there]
            .iter()
            .find_map(|relatives| nearest(place, relatives));
        relative
            .or_else(|| self.only_one())
            .map(|original| original.backend.clone())
    }

    fn only_one(&self) -> Option<&Original> {
        let first = self.backends.first()?;
        self.backends
            .iter()
            .all(|other| other.backend == first.backend)
            .then_some(first)
    }
}

fn nearest<'a>(place: &Place, relatives: &[&'a Original]) -> Option<&'a Original> {
    let same_host = |other: &Place| other.host() == place.host();
    let same_path = |other: &Place| other.path() == place.path();
    let find = |related: &dyn Fn(&Place) -> bool| {
        relatives
            .iter()
            .copied()
            .filter(|original| original.place != Place::DEFAULT)
            .find(|original| related(&original.place))
    };
    find(&|other| same_host(other) && same_path(other))
        .or_else(|| find(&same_path))
        .or_else(|| find(&same_host))
}
