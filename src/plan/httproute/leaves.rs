//! The rules of an HTTPRoute, each with what it stands under.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Stands, mirrors};
use crate::api::httproute::{HttpRoute, Rule};
use crate::plan::route::{self, Leaf};

/// What names a rule within its route, whatever is inserted before it: its name where it has one,
/// which no other rule has, or else its matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::plan) struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    matches: Vec<Value>,
    #[serde(default, skip_serializing_if = "is_zero")]
    occurrence: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(occurrence: &usize) -> bool {
    *occurrence == 0
}

impl Place {
    fn shares_a_match(&self, other: &Self) -> bool {
        self.matches.iter().any(|one| other.matches.contains(one))
    }

    fn shares_a_path(&self, other: &Self) -> bool {
        let paths = |place: &Self| -> Vec<Value> {
            let matches = place.matches.iter();
            matches.map(|one| one["path"].clone()).collect()
        };
        let theirs = paths(other);
        paths(self).iter().any(|path| theirs.contains(path))
    }
}

impl route::Place for Place {
    fn is_like(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(name), Some(other)) => name == other,
            (None, None) => self.matches == other.matches,
            _ => false,
        }
    }

    fn occurrence(&self) -> usize {
        self.occurrence
    }

    fn nth(self, occurrence: usize) -> Self {
        Self { occurrence, ..self }
    }

    /// By all matches, by a match, by a path.
    fn nearest<'p>(&self, relatives: &[&'p Self]) -> Option<&'p Self> {
        let find = |related: &dyn Fn(&Self) -> bool| {
            let mut relatives = relatives.iter().copied();
            relatives.find(|other| related(other))
        };
        find(&|other| other.matches == self.matches)
            .or_else(|| find(&|other| self.shares_a_match(other)))
            .or_else(|| find(&|other| self.shares_a_path(other)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return write!(f, "the rule {name}");
        }
        let path = self.matches.first().map(|one| &one["path"]["value"]);
        let path = path.and_then(Value::as_str).unwrap_or("/");
        write!(f, "the rule of {path}")?;
        match self.occurrence {
            0 => Ok(()),
            before => write!(f, " (number {} with the same matches)", before + 1),
        }
    }
}

/// Every rule of `route` that leads somewhere.
pub(super) fn leaves(route: &HttpRoute) -> Vec<Leaf<HttpRoute>> {
    route::told_apart(leading(route).map(|(index, rule)| {
        Leaf {
            place: place(rule),
            path: ["spec", "rules", &index.to_string()]
                .map(str::to_owned)
                .into(),
            stands: Stands {
                backend_refs: rule.backend_refs.clone(),
                filters: rule.filters.clone(),
            },
        }
    }))
}

/// The rules of `route` that lead somewhere, by their index.
pub(super) fn leading(route: &HttpRoute) -> impl Iterator<Item = (usize, &Rule)> {
    let rules = route.spec.rules.iter().enumerate();
    rules.filter(|(_, rule)| leads_somewhere(rule))
}

/// What names a rule, where it has no equals.
pub(super) fn place(rule: &Rule) -> Place {
    Place {
        name: rule.name.clone(),
        matches: rule.matches.clone().unwrap_or_default(),
        occurrence: 0,
    }
}

/// A redirect has no backends, and none may be given to it; what has neither answers 500
/// (HTTPRouteRule.backendRefs).
fn leads_somewhere(rule: &Rule) -> bool {
    let mut filters = rule.filters.iter().flatten();
    let redirects = filters.any(|filter| filter["type"] == "RequestRedirect");
    let has_backends = rule
        .backend_refs
        .as_ref()
        .is_some_and(|refs| !refs.is_empty());
    has_backends || !redirects && !mirrors::of(rule.filters.as_deref()).is_empty()
}
