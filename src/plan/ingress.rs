//! Hold and release an Ingress.
//!
//! PURE. Its leaves are its backends, rules and default: each stands under a host, a path and a
//! path type.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{
    Ingress, IngressBackend, IngressServiceBackend, ServiceBackendPort,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::edit::PatchBuilder;
use super::route::{self, Leaf, Route};
use super::{Reason, bridge};
use crate::api::target::TargetKind;

mod leaves;

use leaves::Place;

/// The backends that the user wants, as far as anything says so.
pub(super) fn originals(ingress: &Ingress, bridges: &BTreeSet<String>) -> Vec<IngressBackend> {
    let originals = route::originals(ingress, bridges).into_iter();
    originals.map(|original| original.backend).collect()
}

/// The backend that leads to the bridge called `name`.
pub(super) fn to_bridge(name: &str) -> IngressBackend {
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

/// What stands at a place, and what is written down of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Backend {
    backend: IngressBackend,
}

impl Route for Ingress {
    const KIND: TargetKind = TargetKind::Ingress;

    type Place = Place;
    type Stands = Backend;
    type Original = Backend;

    fn unfit_leaves(&self) -> Option<Reason> {
        unfit_backends(self)
    }

    fn leaves(&self) -> Vec<Leaf<Self>> {
        leaves::leaves(self)
    }

    fn services<'s>(&self, stands: &'s Backend) -> Vec<&'s str> {
        let service = stands.backend.service.iter();
        service.map(|service| service.name.as_str()).collect()
    }

    /// To a resource (an object of another kind).
    fn leads_elsewhere(&self, stands: &Backend) -> bool {
        stands.backend.resource.is_some()
    }

    fn held(&self, _stands: &Backend, bridge: &str) -> Backend {
        let backend = to_bridge(bridge);
        Backend { backend }
    }

    fn original(&self, stands: &Backend) -> Backend {
        stands.clone()
    }

    fn amended(&self, recorded: Backend, _: &Backend, _: &dyn Fn(&str) -> bool) -> Backend {
        recorded
    }

    fn restored(&self, _stands: &Backend, original: &Backend) -> Backend {
        original.clone()
    }

    fn write(patch: &mut PatchBuilder, leaf: &Leaf<Self>, wanted: &Backend) {
        let backend = leaf.path.iter().map(String::as_str);
        patch.replace(backend, json!(wanted.backend));
    }
}

/// Why the backends of `ingress` cannot be held, or `None` where they can.
fn unfit_backends(ingress: &Ingress) -> Option<Reason> {
    let leaves = ingress.leaves();
    if leaves.is_empty() {
        return Some(route::nowhere(TargetKind::Ingress));
    }
    let resource = leaves
        .iter()
        .find(|leaf| ingress.leads_elsewhere(&leaf.stands))?;
    Some(route::elsewhere(TargetKind::Ingress, &resource.place))
}

#[cfg(test)]
#[path = "ingress_tests.rs"]
mod tests;
