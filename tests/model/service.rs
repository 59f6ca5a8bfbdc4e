//! A Service and its slices.

use std::collections::BTreeSet;
use std::sync::Arc;

use entracte::api::names;
use entracte::api::target::TargetKind;
use entracte::plan::backend::{Endpoint, Pod};
use entracte::plan::edit::Precondition;
use entracte::plan::holdable::Surroundings;
use entracte::plan::{Answering, Desired, Edit, Holdable, ownership, slices};
use fnv::FnvHashMap;
use json_patch::Patch;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

use crate::cluster::{
    Contents, Cover, Kind, MOST_WRITES, OURS, PLATFORM, Planned, TARGET, UserEdit, Verb, Write,
};
use crate::store::{Id, READ, Store, is_guarded};
use crate::time::{LINGER, now, recede};

const OUR_SLICE: &str = "cart-entracte-ipv4";
const PLATFORM_SLICE: &str = "cart-x7k2p";

/// What the backend answers from.
const BACKEND: &str = "10.244.9.1";
/// A window's port on the backend.
fn port(cover: Cover) -> Option<u16> {
    match cover {
        Cover::Nothing => None,
        Cover::A => Some(20_000),
        Cover::B => Some(20_001),
    }
}

/// The pods of the app, by the value of the selector's key `app`; all are ready, always.
fn pod(app: &str) -> &'static str {
    if app == "cart" {
        "10.244.0.2"
    } else {
        "10.244.0.3"
    }
}

pub(crate) struct Cart {
    /// Whether a step that leaves a Service without an endpoint is a flaw.
    pub(crate) minds_gaps: bool,
    /// Whether that is so of a Service that was made anew while it was held, too.
    pub(crate) minds_gaps_anew: bool,
    services: Store<Service>,
    slices: Store<EndpointSlice>,
    patches: Vec<Patch>,
    endpoints: Vec<Endpoint>,
    idle: BTreeSet<String>,
    endpoint_counts: FnvHashMap<Id, usize>,
}

impl Cart {
    pub(crate) fn new() -> Self {
        let backend = Endpoint {
            address: BACKEND.parse().unwrap(),
            pod: Pod {
                namespace: "ops".into(),
                name: "backend-0".into(),
                uid: "b0".into(),
            },
            node: None,
            zone: None,
        };
        Self {
            minds_gaps: true,
            minds_gaps_anew: false,
            services: Store::default(),
            slices: Store::default(),
            patches: Vec::new(),
            endpoints: vec![backend],
            idle: BTreeSet::new(),
            endpoint_counts: FnvHashMap::default(),
        }
    }

    fn write(&mut self, edit: Edit) -> Write {
        let read = Some(READ.to_owned());
        let (slot, verb, is_guarded) = match edit {
            Edit::Patch { patch, .. } => {
                let is_guarded = is_guarded(&patch);
                (TARGET, Verb::Patch(self.patch(patch)), is_guarded)
            }
            Edit::CreateSlice(slice) => (OURS, Verb::Create(self.slice(&slice)), true),
            Edit::ReplaceSlice(slice) | Edit::EmptySlice(slice) => {
                let is_guarded = slice.metadata.resource_version == read;
                (
                    slot(slice.metadata.name.as_deref()),
                    Verb::Put(self.slice(&slice)),
                    is_guarded,
                )
            }
            Edit::DeleteSlice(Precondition {
                name,
                resource_version,
                ..
            }) => (slot(Some(&name)), Verb::Delete, resource_version == read),
            other => panic!("not a write of a Service: {other:?}"),
        };
        Write {
            slot: u8::try_from(slot).unwrap(),
            verb,
            is_guarded,
        }
    }

    fn patch(&mut self, patch: Patch) -> Id {
        let known = self.patches.iter().position(|known| *known == patch);
        let id = known.unwrap_or_else(|| {
            self.patches.push(patch);
            self.patches.len() - 1
        });
        Id::try_from(id).unwrap()
    }

    fn slice(&mut self, slice: &EndpointSlice) -> Id {
        let mut slice = slice.clone();
        slice.metadata.uid = Some("s".to_owned());
        self.slices.id(&slice)
    }

    /// The Service as the user wrote it, with the selector's value.
    fn user(&mut self, app: &str, uid: &str) -> Id {
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "cart", "namespace": "shop", "uid": uid,
                "annotations": {"team": "web"}},
            "spec": {
                "clusterIP": "10.96.0.7",
                "ipFamilies": ["IPv4"],
                "selector": {"app": app},
                "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
            },
        }))
        .unwrap();
        self.services.id(&service)
    }

    /// The Service without what is ours.
    fn without_marks(&mut self, service: Id) -> Id {
        self.services.edited(service, |value| {
            forget(&mut value["spec"]["selector"], names::HOLD_KEY);
            forget(&mut value["metadata"]["labels"], names::HELD_LABEL);
            forget(
                &mut value["metadata"]["annotations"],
                names::HOLD_ANNOTATION,
            );
            let metadata = value["metadata"].as_object_mut().unwrap();
            metadata.retain(|_, field| *field != json!({}));
        })
    }

    fn app_of(&self, service: Id) -> &str {
        let selector = self.services.get(service).spec.as_ref();
        let selector = selector.and_then(|spec| spec.selector.as_ref());
        selector.map_or("", |selector| selector["app"].as_str())
    }

    fn uid_of(&self, service: Id) -> String {
        let metadata = &self.services.get(service).metadata;
        metadata.uid.clone().unwrap_or_default()
    }

    fn bears_key(&self, server: Contents) -> bool {
        let is_held = |id| self.services.get(id).is_held(&Surroundings::default());
        server[TARGET].is_some_and(is_held)
    }

    /// How many endpoints answer.
    fn answering(&mut self, server: Contents) -> usize {
        let slices = &self.slices;
        [server[OURS], server[PLATFORM]]
            .into_iter()
            .flatten()
            .map(|id| {
                let count = self.endpoint_counts.entry(id);
                *count.or_insert_with(|| slices.get(id).endpoints.len())
            })
            .sum()
    }

    /// Whether ours are those of a Service of the same name before this one.
    fn has_strays(&self, server: Contents) -> bool {
        let is_owned = |(ours, target): (Id, Id)| {
            slices::is_owned_by(self.slices.get(ours), self.services.get(target))
        };
        server[OURS]
            .zip(server[TARGET])
            .is_some_and(|both| !is_owned(both))
    }

    /// What is wrong with a slice of ours: it leads to a window's port of the backend, or nowhere.
    fn wrong_slice(&self, ours: Id) -> Option<String> {
        let slice = self.slices.get(ours);
        let mut addresses = slice
            .endpoints
            .iter()
            .flat_map(|endpoint| &endpoint.addresses);
        let foreign = addresses.find(|address| *address != BACKEND);
        let mut ports = slice.ports.iter().flatten().map(|port| port.port);
        let strange = ports.find(|port| ![Some(20_000), Some(20_001)].contains(port));
        foreign
            .map(|address| format!("a slice of ours leads to {address}"))
            .or_else(|| strange.map(|port| format!("a slice of ours leads to port {port:?}")))
    }
}

fn slot(name: Option<&str>) -> usize {
    match name {
        Some(OUR_SLICE) => OURS,
        Some(PLATFORM_SLICE) => PLATFORM,
        other => panic!("nobody's slice: {other:?}"),
    }
}

fn forget(map: &mut Value, key: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(key);
    }
}

impl Kind for Cart {
    fn start(&mut self) -> (Contents, Id) {
        let user = self.user("cart", "u1");
        let platform: EndpointSlice = serde_json::from_value(json!({
            "addressType": "IPv4",
            "metadata": {"name": PLATFORM_SLICE, "namespace": "shop", "uid": "p", "labels": {
                "kubernetes.io/service-name": "cart",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            }},
            "endpoints": [endpoint(pod("cart"))],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }))
        .unwrap();
        let platform = self.slices.id(&platform);
        ([Some(user), None, Some(platform)], user)
    }

    fn plan(&mut self, read: Contents, desired: Cover) -> Planned {
        let desired = match desired {
            Cover::Nothing => Desired::Released,
            cover => Desired::Held(Answering {
                bridge: "entracte-w",
                bridge_ready: true,
                port: port(cover),
                endpoints: &self.endpoints,
                backend: &self.endpoints,
                is_kept: false,
                idle: &self.idle,
            }),
        };
        let slices = [read[OURS], read[PLATFORM]].into_iter().flatten();
        let around = Surroundings {
            slices: slices
                .map(|id| Arc::new(self.slices.get(id).clone()))
                .collect(),
            ..Surroundings::default()
        };
        let plan = read[TARGET].map(|target| {
            let service = self.services.get(target);
            service.plan(&around, desired, LINGER, now())
        });
        let leans = plan
            .as_ref()
            .is_some_and(entracte::plan::Plan::leans_on_another_kind);
        let mut writes = [None; MOST_WRITES];
        let edits = plan.into_iter().flat_map(|plan| plan.edits);
        for (at, edit) in edits.enumerate() {
            writes[at] = Some(self.write(edit));
        }
        Planned { writes, leans }
    }

    fn patched(&mut self, target: Id, patch: Id) -> Option<Id> {
        self.services
            .patched(target, &self.patches[usize::from(patch)])
    }

    fn given_back(&mut self, target: Id) -> Option<Id> {
        let metadata = &self.services.get(target).metadata;
        let patch = ownership::give_back(TargetKind::Service, metadata)?;
        self.services.patched(target, &patch)
    }

    fn receded(&mut self, slot: usize, content: Id) -> Id {
        if slot == TARGET {
            self.services.edited(content, recede)
        } else {
            self.slices.edited(content, recede)
        }
    }

    fn is_over(&self, server: Contents) -> bool {
        let ours = server[OURS].map(|ours| &self.slices.get(ours).metadata);
        let until = ours.and_then(|ours| names::instant(ours, names::LINGER_ANNOTATION));
        until.is_some_and(|until| until <= now())
    }

    fn platform(&mut self, server: Contents) -> Option<Id> {
        let pods = if self.bears_key(server) {
            json!([])
        } else {
            json!([endpoint(pod(self.app_of(server[TARGET]?)))])
        };
        let slice = server[PLATFORM]?;
        Some(self.slices.edited(slice, |value| value["endpoints"] = pods))
    }

    fn edits(&mut self, server: Contents, truth: Id) -> Vec<UserEdit> {
        let Some(service) = server[TARGET] else {
            return Vec::new();
        };
        let uid = self.uid_of(service);
        let user = self.user("cart", &uid);
        let put = |name, service: Id, truth: Id| UserEdit {
            name,
            put: [Some(service), None, None],
            truth,
        };
        // A forced server-side apply: the selector is atomic, the label is not the applier's.
        let forced = self.services.edited(service, |value| {
            value["spec"]["selector"] = json!({"app": "cart"});
        });
        let edited = self.services.edited(service, |value| {
            value["spec"]["selector"]["app"] = json!("basket");
        });
        let basket = self.user("basket", &uid);
        let mut edits = vec![
            put("applies by force", forced, user),
            put("replaces the manifest", user, user),
            put("edits the selector", edited, basket),
        ];
        edits.retain(|edit| edit.put[TARGET] != server[TARGET]);
        if uid == "u1" {
            let anew = self.user("cart", "u2");
            let slice = server[PLATFORM];
            let slice =
                slice.map(|slice| self.slices.edited(slice, |v| v["endpoints"] = json!([])));
            edits.push(UserEdit {
                name: "deletes it and makes it anew",
                put: [Some(anew), None, slice],
                truth: anew,
            });
        }
        let unlabelled = self.services.edited(service, |value| {
            forget(&mut value["metadata"]["labels"], names::HELD_LABEL);
        });
        if unlabelled != service {
            edits.push(put("takes the label away", unlabelled, truth));
        }
        edits
    }

    fn wrong(&mut self, server: Contents, truth: Id) -> Option<String> {
        let service = server[TARGET]?;
        if self.without_marks(service) != truth {
            return Some("the Service is not what the user wrote".to_owned());
        }
        server[OURS].and_then(|ours| self.wrong_slice(ours))
    }

    fn wrong_step(&mut self, before: Contents, after: Contents) -> Option<String> {
        if !self.minds_gaps {
            return None;
        }
        let was_answered = self.answering(before) > 0;
        // A Service that was made anew had no endpoint of its own yet.
        let is_anew = before[TARGET].is_some_and(|id| self.uid_of(id) != "u1");
        let is_swept =
            is_anew && !self.minds_gaps_anew || self.has_strays(before) && !self.bears_key(before);
        if was_answered && self.answering(after) == 0 && !is_swept {
            return Some("the Service has no endpoint left".to_owned());
        }
        if !self.bears_key(before) && self.bears_key(after) && after[OURS].is_none() {
            return Some("the Service is held, and nothing of ours answers for it".to_owned());
        }
        None
    }

    fn wrong_at_rest(&mut self, server: Contents, truth: Id, coverage: Cover) -> Option<String> {
        let Some(port) = port(coverage) else {
            let is_clean = server[TARGET] == Some(truth) && server[OURS].is_none();
            let is_filled = self.platform(server) == server[PLATFORM];
            return (!is_clean || !is_filled).then(|| "not released".to_owned());
        };
        let leads_there = server[OURS].is_some_and(|ours| {
            let slice = self.slices.get(ours);
            let released = names::instant(&slice.metadata, names::RELEASED_ANNOTATION);
            slices::leads_to_port(slice, port) && released.is_none()
        });
        let is_alone = self.answering(server) == 1;
        let is_held = self.bears_key(server) && leads_there && !self.has_strays(server) && is_alone;
        (!is_held).then(|| "not held".to_owned())
    }

    fn show(&self, server: Contents) -> String {
        let [target, ours, platform] = server;
        let service = target.map(|id| {
            let service = self.services.get(id);
            let selector = service.spec.as_ref().and_then(|spec| spec.selector.clone());
            json!([
                service.metadata.uid,
                selector,
                service.metadata.labels,
                service.metadata.annotations
            ])
        });
        let ours = ours.map(|id| {
            let slice = self.slices.get(id);
            let port = slice.ports.iter().flatten().next().map(|port| port.port);
            json!([
                slice.metadata.owner_references.as_ref().map(|o| &o[0].uid),
                port,
                slice.metadata.annotations
            ])
        });
        let platform = platform.map(|id| self.slices.get(id).endpoints.len());
        format!(
            "{} ours {} platform {platform:?}",
            json!(service),
            json!(ours)
        )
    }
}

fn endpoint(address: &str) -> Value {
    json!({"addresses": [address],
        "conditions": {"ready": true, "serving": true, "terminating": false}})
}
