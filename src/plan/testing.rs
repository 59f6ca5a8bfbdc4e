//! What the tests of plans share: objects from manifests, and an API server that only patches.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::backend::{Endpoint, Pod};
use super::edit::Edit;
use super::holdable::Surroundings;
use super::{Answering, Desired, Holdable, Linger, Plan};

/// An object from its YAML.
pub(super) fn object<K: DeserializeOwned>(yaml: &str) -> K {
    serde_saphyr::from_str(yaml).unwrap()
}

/// The object that the API server would have after the patches of user objects among `edits`, each
/// with the one that follows it. It has no managed fields.
pub(super) fn patched<K: Serialize + DeserializeOwned>(object: &K, edits: &[Edit]) -> K {
    let mut value = serde_json::to_value(object).unwrap();
    for edit in edits {
        if let Edit::Patch { kind, patch, .. } = edit {
            json_patch::patch(&mut value, patch).unwrap();
            let metadata = serde_json::from_value(value["metadata"].clone()).unwrap();
            if let Some(patch) = super::ownership::give_back(*kind, &metadata) {
                json_patch::patch(&mut value, &patch).unwrap();
            }
        }
    }
    serde_json::from_value(value).unwrap()
}

/// The object that the API server would have after a patch.
pub(super) fn patched_by<K: Serialize + DeserializeOwned>(
    object: &K,
    patch: &json_patch::Patch,
) -> K {
    let mut value = serde_json::to_value(object).unwrap();
    json_patch::patch(&mut value, patch).unwrap();
    serde_json::from_value(value).unwrap()
}

/// The slices of ours after `edits`, as the API server would have them.
pub(super) fn stored(ours: &[EndpointSlice], edits: &[Edit]) -> Vec<EndpointSlice> {
    let mut stored = ours.to_vec();
    for edit in edits {
        match edit {
            Edit::CreateSlice(slice) => stored.push((**slice).clone()),
            Edit::ReplaceSlice(slice) => {
                stored.retain(|s| s.metadata.name != slice.metadata.name);
                stored.push((**slice).clone());
            }
            Edit::DeleteSlice(which) => {
                stored.retain(|s| s.metadata.name.as_ref() != Some(&which.name));
            }
            _ => {}
        }
    }
    stored
}

/// The patch of the only edit, as JSON.
pub(super) fn only_patch(edits: &[Edit]) -> Value {
    match edits {
        [Edit::Patch { patch, .. }] => serde_json::to_value(patch).unwrap(),
        _ => panic!("not one patch: {edits:?}"),
    }
}

/// One backend pod.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint {
        address: "10.244.9.1".parse().unwrap(),
        pod: Pod {
            namespace: "ops".into(),
            name: "backend-0".into(),
            uid: "b0".into(),
        },
        node: Some("node1".into()),
        zone: None,
    }]
}

/// What a route does not look at.
pub(super) const NO_LINGER: Linger = Linger {
    unready: TimeDelta::zero(),
    longest: TimeDelta::zero(),
};

static NOTHING: BTreeSet<String> = BTreeSet::new();

/// Held by the window whose bridge is `bridge`.
pub(super) fn held<'a>(bridge: &'a str, endpoints: &'a [Endpoint]) -> Desired<'a> {
    Desired::Held(Answering {
        bridge,
        bridge_ready: true,
        port: Some(20_000),
        endpoints,
        backend: endpoints,
        is_kept: false,
        idle: &NOTHING,
    })
}

/// The surroundings of a route in a namespace with the bridges that the tests use.
pub(super) fn among_bridges() -> Surroundings {
    let bridges = ["entracte-a", "entracte-b", "entracte-w"].map(str::to_owned);
    Surroundings {
        bridges: Arc::new(bridges.into()),
        ..Surroundings::default()
    }
}

/// The plan of a route among those bridges.
pub(super) fn plan_of(route: &(impl Holdable + ?Sized), desired: Desired<'_>) -> Plan {
    route.plan(&among_bridges(), desired, NO_LINGER, DateTime::UNIX_EPOCH)
}

/// The route that is held by the window whose bridge is `bridge`.
pub(super) fn hold_on<R: Holdable + Serialize + DeserializeOwned>(route: &R, bridge: &str) -> R {
    patched(route, &plan_of(route, held(bridge, &endpoints())).edits)
}

/// The route that was given back.
pub(super) fn released<R: Holdable + Serialize + DeserializeOwned>(route: &R) -> R {
    patched(route, &plan_of(route, Desired::Released).edits)
}

/// Edits the manifest of an object as a person would.
pub(super) fn edited<K: Serialize + DeserializeOwned>(
    object: &K,
    edit: impl FnOnce(&mut Value),
) -> K {
    let mut value = serde_json::to_value(object).unwrap();
    edit(&mut value);
    serde_json::from_value(value).unwrap()
}
