//! A Service and its slices.

use std::collections::BTreeSet;
use std::sync::Arc;

use entracte::api::names;
use entracte::api::target::TargetKind;
use entracte::plan::backend::Endpoint;
use entracte::plan::edit::Precondition;
use entracte::plan::holdable::Surroundings;
use entracte::plan::{Answering, Desired, Edit, Holdable, Leaning, Plan, ownership};
use fnv::FnvHashMap;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::{Value, json};

use crate::cluster::state::{Contents, Cover, OURS, PLATFORM, TARGET};
use crate::kind::{Kind, MOST_WRITES, Planned, UserEdit, Verb, Write, backend};
use crate::store::{Id, Patches, READ, Store, is_guarded};
use crate::time::{LINGER, now, recede};

mod edits;
mod invariants;

const OUR_SLICE: &str = "cart-entracte-ipv4";
const PLATFORM_SLICE: &str = "cart-x7k2p";

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
    /// Whether somebody may delete our slice, which may cost the last endpoint.
    pub(crate) is_robbed: bool,
    services: Store<Service>,
    slices: Store<EndpointSlice>,
    patches: Patches,
    endpoints: Vec<Endpoint>,
    idle: BTreeSet<String>,
    endpoint_counts: FnvHashMap<Id, usize>,
}

impl Cart {
    pub(crate) fn new() -> Self {
        Self {
            minds_gaps: true,
            minds_gaps_anew: false,
            is_robbed: false,
            services: Store::default(),
            slices: Store::default(),
            patches: Patches::default(),
            endpoints: vec![backend()],
            idle: BTreeSet::new(),
            endpoint_counts: FnvHashMap::default(),
        }
    }

    fn write(&mut self, edit: Edit) -> Write {
        let read = Some(READ.to_owned());
        let (slot, verb, is_guarded) = match edit {
            Edit::Patch { patch, .. } => {
                let is_guarded = is_guarded(&patch);
                (TARGET, Verb::Patch(self.patches.id(patch)), is_guarded)
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

fn endpoint(address: &str) -> Value {
    json!({"addresses": [address],
        "conditions": {"ready": true, "serving": true, "terminating": false}})
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
        let leaning = plan.as_ref().map_or(Leaning::Nothing, Plan::leaning);
        let mut writes = [None; MOST_WRITES];
        let edits = plan.into_iter().flat_map(|plan| plan.edits);
        for (at, edit) in edits.enumerate() {
            writes[at] = Some(self.write(edit));
        }
        Planned { writes, leaning }
    }

    fn patched(&mut self, target: Id, patch: Id) -> Option<Id> {
        self.services.patched(target, self.patches.get(patch))
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

    fn platform(&mut self, seen: Contents) -> Option<Id> {
        let pods = if self.bears_key(seen) {
            json!([])
        } else {
            json!([endpoint(pod(self.app_of(seen[TARGET]?)))])
        };
        let slice = seen[PLATFORM]?;
        Some(self.slices.edited(slice, |value| value["endpoints"] = pods))
    }

    fn edits(&mut self, server: Contents, truth: Id) -> Vec<UserEdit> {
        self.edits_of(server, truth)
    }

    fn wrong(&mut self, server: Contents, truth: Id) -> Option<String> {
        self.wrong_for_the_user(server, truth)
            .or_else(|| self.wrong_slice_of_ours(server))
            .or_else(|| self.wrong_slice_of_the_platform(server))
    }

    fn wrong_step(&mut self, before: Contents, after: Contents) -> Option<String> {
        self.gap(before, after)
    }

    fn wrong_at_rest(&mut self, server: Contents, truth: Id, coverage: Cover) -> Option<String> {
        match port(coverage) {
            None => self.not_released(server, truth),
            Some(port) => self.not_held(server, port),
        }
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
