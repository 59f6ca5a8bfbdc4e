//! Hold and release an HTTPRoute.
//!
//! PURE. Its leaves are its rules, each as one: the backends that it leads to, and the mirrors
//! among its filters, which would send the app copies of the requests all the same. A rule that
//! leads nowhere (a redirect, say) answers by itself and is left alone, and so is everything else:
//! parents, host names, matches, and the other filters (what some of them do to our answer is warned
//! of, `warnings/httproute.rs`). What backends bear beside their name (weights, filters of their own, another namespace or
//! kind) is written down as it stands and comes back so.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::edit::PatchBuilder;
use super::route::{self, Leaf, Route};
use super::{Reason, bridge};
use crate::api::httproute::{HttpRoute, Rule};
use crate::api::target::TargetKind;

mod leaves;
mod mirrors;

use leaves::Place;
use mirrors::Mirror;

/// The backends that the user wants `route` to lead to, as far as anything says so. Mirrors are not
/// among them.
pub(super) fn originals(route: &HttpRoute, bridges: &BTreeSet<String>) -> Vec<Value> {
    let originals = route::originals(route, bridges).into_iter();
    originals
        .filter_map(|original| original.backend_refs)
        .flatten()
        .collect()
}

/// The rules of `route` that lead somewhere, each with what it is called.
pub(super) fn rules(route: &HttpRoute) -> impl Iterator<Item = (String, &Rule)> {
    leaves::leading(route).map(|(_, rule)| (leaves::place(rule).to_string(), rule))
}

/// Whether a backend is a Service, of whichever namespace (`BackendObjectReference`, with its
/// defaults).
pub(super) fn is_service(backend: &Value) -> bool {
    let is = |field: &str, what: &str| backend[field].as_str().is_none_or(|said| said == what);
    is("group", "") && is("kind", "Service")
}

/// What we change of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stands {
    backend_refs: Option<Vec<Value>>,
    filters: Option<Vec<Value>>,
}

/// What is written down of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Original {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backend_refs: Option<Vec<Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mirrors: Vec<Mirror>,
}

impl Route for HttpRoute {
    const KIND: TargetKind = TargetKind::HTTPRoute;

    type Place = Place;
    type Stands = Stands;
    type Original = Original;

    fn unfit_leaves(&self) -> Option<Reason> {
        leads_nowhere(self)
    }

    fn leaves(&self) -> Vec<Leaf<Self>> {
        leaves::leaves(self)
    }

    fn services<'s>(&self, stands: &'s Stands) -> Vec<&'s str> {
        let namespace = self.metadata.namespace.as_deref();
        let backends = stands.backend_refs.iter().flatten();
        backends
            .filter_map(|backend| service_of(backend, namespace))
            .collect()
    }

    /// To an object of another kind, or in another namespace.
    fn leads_elsewhere(&self, stands: &Stands) -> bool {
        let backends = stands.backend_refs.as_ref().map_or(0, Vec::len);
        self.services(stands).len() < backends
    }

    /// A rule that leads to the bridge and nowhere else is as it should be, whatever weight the
    /// API server or a person has given the bridge.
    fn held(&self, stands: &Stands, bridge: &str) -> Stands {
        let namespace = self.metadata.namespace.as_deref();
        let backend_refs = match stands.backend_refs.as_deref() {
            Some([backend]) if is_whole_bridge(backend, namespace, bridge) => {
                stands.backend_refs.clone()
            }
            _ => Some(vec![to_bridge(bridge)]),
        };
        Stands {
            backend_refs,
            filters: mirrors::without(stands.filters.as_deref()),
        }
    }

    fn original(&self, stands: &Stands) -> Original {
        Original {
            backend_refs: stands.backend_refs.clone(),
            mirrors: mirrors::of(stands.filters.as_deref()),
        }
    }

    /// What a person put beside the bridge they wanted beside the backends that it stands for.
    fn amended(
        &self,
        recorded: Original,
        stands: &Stands,
        is_bridge: &dyn Fn(&str) -> bool,
    ) -> Original {
        let namespace = self.metadata.namespace.as_deref();
        let is_ours = |backend: &Value| service_of(backend, namespace).is_some_and(is_bridge);
        let mut backends = recorded.backend_refs.clone().unwrap_or_default();
        for backend in stands.backend_refs.iter().flatten() {
            if !is_ours(backend) && !backends.contains(backend) {
                backends.push(backend.clone());
            }
        }
        let absent = recorded.backend_refs.is_none() && backends.is_empty();
        let filters = mirrors::put_back(stands.filters.as_deref(), &recorded.mirrors);
        Original {
            backend_refs: (!absent).then_some(backends),
            mirrors: mirrors::of(filters.as_deref()),
        }
    }

    fn restored(&self, stands: &Stands, original: &Original) -> Stands {
        Stands {
            backend_refs: original.backend_refs.clone(),
            filters: mirrors::put_back(stands.filters.as_deref(), &original.mirrors),
        }
    }

    fn write(patch: &mut PatchBuilder, leaf: &Leaf<Self>, wanted: &Stands) {
        let Stands {
            backend_refs,
            filters,
        } = &leaf.stands;
        let fields = [
            ("backendRefs", backend_refs, &wanted.backend_refs),
            ("filters", filters, &wanted.filters),
        ];
        for (field, before, after) in fields {
            let field = leaf.path.iter().map(String::as_str).chain([field]);
            match (before, after) {
                (before, after) if before == after => {}
                (Some(_), Some(after)) => patch.replace(field, json!(after)),
                (None, Some(after)) => patch.add(field, json!(after)),
                (_, None) => patch.remove(field),
            }
        }
    }
}

/// The only backend of a held rule, with what the API server would write into it.
fn to_bridge(name: &str) -> Value {
    json!({
        "group": "",
        "kind": "Service",
        "name": name,
        "port": bridge::PORT,
        "weight": 1,
    })
}

fn is_whole_bridge(backend: &Value, namespace: Option<&str>, name: &str) -> bool {
    service_of(backend, namespace) == Some(name)
        && backend["port"] == json!(bridge::PORT)
        && backend["weight"] != json!(0)
        && backend["filters"].is_null()
}

/// The name of the Service of the route's own namespace that a backend is, if it is one.
fn service_of<'v>(backend: &'v Value, namespace: Option<&str>) -> Option<&'v str> {
    let is_near = backend["namespace"]
        .as_str()
        .is_none_or(|other| Some(other) == namespace);
    let is_here = is_service(backend) && is_near;
    backend["name"].as_str().filter(|_| is_here)
}

/// Why nothing of `route` can be held, or `None` where a rule leads somewhere.
fn leads_nowhere(route: &HttpRoute) -> Option<Reason> {
    let is_empty = route.leaves().is_empty();
    is_empty.then(|| route::nowhere(TargetKind::HTTPRoute))
}

#[cfg(test)]
#[path = "httproute_tests.rs"]
mod tests;
