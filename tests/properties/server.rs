//! An API server that makes the edits of plans, and refuses what touches more than ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::api::httproute::HttpRoute;
use entracte::api::names;
use entracte::plan::backend::{Endpoint, Pod};
use entracte::plan::holdable::Surroundings;
use entracte::plan::{Answering, Desired, Edit, Holdable, Linger, Plan, ownership};
use json_patch::Patch;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) const BRIDGES: [&str; 2] = ["entracte-a", "entracte-b"];

pub(crate) const LINGER: Linger = Linger {
    unready: TimeDelta::minutes(2),
    longest: TimeDelta::minutes(2),
};

/// A kind that can be held.
pub(crate) trait Target:
    Holdable + Serialize + DeserializeOwned + Clone + PartialEq
{
    /// Takes what a hold changes out of an object, so that what is left has to stay as it is.
    fn forget_leaves(value: &mut Value);
}

impl Target for Service {
    fn forget_leaves(value: &mut Value) {
        forget(value, "/spec/selector", names::HOLD_KEY);
    }
}

impl Target for Ingress {
    fn forget_leaves(value: &mut Value) {
        if let Some(default) = value.pointer_mut("/spec/defaultBackend") {
            *default = Value::Null;
        }
        let rules = value
            .pointer_mut("/spec/rules")
            .and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten() {
            let paths = rule
                .pointer_mut("/http/paths")
                .and_then(Value::as_array_mut);
            for path in paths.into_iter().flatten() {
                path["backend"] = Value::Null;
            }
        }
    }
}

impl Target for HttpRoute {
    fn forget_leaves(value: &mut Value) {
        let rules = value
            .pointer_mut("/spec/rules")
            .and_then(Value::as_array_mut);
        for rule in rules.into_iter().flatten().filter_map(Value::as_object_mut) {
            rule.remove("backendRefs");
            let filters = rule.get_mut("filters").and_then(Value::as_array_mut);
            if let Some(filters) = filters {
                filters.retain(|filter| filter["type"] != "RequestMirror");
                if filters.is_empty() {
                    rule.remove("filters");
                }
            }
        }
    }
}

/// A target and the slices that bear its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored<T> {
    pub(crate) object: T,
    pub(crate) slices: Vec<EndpointSlice>,
}

impl<T: Target> Stored<T> {
    pub(crate) fn new(object: &T) -> Self {
        Self {
            object: object.clone(),
            slices: Vec::new(),
        }
    }

    pub(crate) fn held_by(&self, bridge: &str) -> Self {
        self.made(&self.plan_to_hold(bridge))
    }

    pub(crate) fn released(&self) -> Self {
        self.made(&self.plan_to_release(now()))
    }

    pub(crate) fn plan_to_hold(&self, bridge: &str) -> Plan {
        let endpoints = [endpoint("10.244.9.1"), endpoint("fd00::9")];
        let idle = BTreeSet::new();
        let answering = Answering {
            bridge,
            bridge_ready: true,
            port: Some(if bridge == BRIDGES[0] { 20_000 } else { 20_001 }),
            endpoints: &endpoints,
            backend: &endpoints,
            is_kept: false,
            idle: &idle,
        };
        self.object
            .plan(&self.around(), Desired::Held(answering), LINGER, now())
    }

    pub(crate) fn plan_to_release(&self, now: DateTime<Utc>) -> Plan {
        self.object
            .plan(&self.around(), Desired::Released, LINGER, now)
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            slices: self.slices.iter().cloned().map(Arc::new).collect(),
            bridges: Arc::new(BRIDGES.map(str::to_owned).into()),
        }
    }

    /// After every edit of a plan.
    pub(crate) fn made(&self, plan: &Plan) -> Self {
        let mut stored = self.clone();
        for edit in &plan.edits {
            stored.make(edit);
        }
        stored
    }

    fn make(&mut self, edit: &Edit) {
        let name = |slice: &EndpointSlice| slice.metadata.name.clone();
        match edit {
            Edit::Patch { patch, .. } => {
                self.patch(patch);
                self.give_back();
            }
            Edit::CreateSlice(slice) => {
                assert!(self.slices.iter().all(|other| name(other) != name(slice)));
                self.slices.push((**slice).clone());
            }
            Edit::ReplaceSlice(slice) | Edit::EmptySlice(slice) => {
                let mut slices = self.slices.iter_mut();
                let there = slices.find(|other| name(other) == name(slice)).unwrap();
                there.clone_from(slice);
            }
            Edit::DeleteSlice(which) => {
                let before = self.slices.len();
                self.slices
                    .retain(|slice| name(slice).as_ref() != Some(&which.name));
                assert_eq!(self.slices.len() + 1, before);
            }
            other => panic!("not a write of a target: {other:?}"),
        }
    }

    /// What follows each patch: the ownership goes back, and after a release our marks go.
    fn give_back(&mut self) {
        let object = &self.object;
        if let Some(patch) = ownership::give_back(object.kind(), object.metadata()) {
            self.patch(&patch);
        }
    }

    /// Touches leaves, label, annotation and nothing else, and fails on another version.
    fn patch(&mut self, patch: &Patch) {
        let before = serde_json::to_value(&self.object).unwrap();
        let version = &before["metadata"]["resourceVersion"];
        let guard = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version});
        assert_eq!(serde_json::to_value(&patch.0[0]).unwrap(), guard);
        let mut after = before.clone();
        json_patch::patch(&mut after, patch).unwrap();
        assert_ne!(before, after, "a patch that changes nothing");
        assert_eq!(without_ours::<T>(before), without_ours::<T>(after.clone()));
        self.object = serde_json::from_value(after).unwrap();
    }

    /// After somebody's edit of the object's JSON.
    pub(crate) fn edited(&self, edit: impl FnOnce(&mut Value)) -> Self {
        Self {
            object: edited(&self.object, edit),
            slices: self.slices.clone(),
        }
    }
}

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// After somebody's edit of the object's JSON.
pub(crate) fn edited<T: Target>(object: &T, edit: impl FnOnce(&mut Value)) -> T {
    let mut value = serde_json::to_value(object).unwrap();
    edit(&mut value);
    serde_json::from_value(without_empty_maps(value)).unwrap()
}

/// The API server stores no map that is empty.
fn without_empty_maps(mut value: Value) -> Value {
    for parent in ["metadata", "spec"] {
        if let Some(fields) = value[parent].as_object_mut() {
            fields.retain(|_, field| *field != json!({}));
        }
    }
    value
}

fn without_ours<T: Target>(mut value: Value) -> Value {
    forget(&mut value, "/metadata/labels", names::HELD_LABEL);
    forget(&mut value, "/metadata/annotations", names::HOLD_ANNOTATION);
    T::forget_leaves(&mut value);
    without_empty_maps(value)
}

/// What people do to marks of ours: each is taken away, or written over where it stands. Where nothing
/// is held there is none, and nothing happens.
pub(crate) fn spoil([parent, map]: [&str; 2], key: &str, with: Option<&str>, value: &mut Value) {
    let marks = value[parent].get_mut(map).and_then(Value::as_object_mut);
    if let Some(marks) = marks.filter(|marks| marks.contains_key(key)) {
        match with {
            Some(with) => marks.insert(key.to_owned(), json!(with)),
            None => marks.remove(key),
        };
    }
}

fn forget(value: &mut Value, map: &str, key: &str) {
    if let Some(map) = value.pointer_mut(map).and_then(Value::as_object_mut) {
        map.remove(key);
    }
}

fn endpoint(address: &str) -> Endpoint {
    Endpoint {
        address: address.parse().unwrap(),
        pod: Pod {
            namespace: "ops".into(),
            name: "backend-0".into(),
            uid: "b0".into(),
        },
        node: None,
        zone: None,
    }
}
