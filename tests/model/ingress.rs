//! An Ingress and its record. The bridges of both windows stand, always.

use std::collections::BTreeSet;
use std::sync::Arc;

use entracte::api::target::TargetKind;
use entracte::plan::backend::{Endpoint, Pod};
use entracte::plan::holdable::Surroundings;
use entracte::plan::{Answering, Desired, Edit, Holdable, ownership};
use json_patch::Patch;
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};

use crate::cluster::{Contents, Cover, Kind, MOST_WRITES, Planned, TARGET, UserEdit, Verb, Write};
use crate::store::{Id, Store, is_guarded};
use crate::time::{LINGER, now, recede};

const BRIDGE_A: &str = "entracte-a";
const BRIDGE_B: &str = "entracte-b";

type EditOfJson = fn(&mut Value);

pub(crate) struct Storefront {
    ingresses: Store<Ingress>,
    patches: Vec<Patch>,
    endpoints: Vec<Endpoint>,
    idle: BTreeSet<String>,
    around: Surroundings,
}

impl Storefront {
    pub(crate) fn new() -> Self {
        let backend = Endpoint {
            address: "10.244.9.1".parse().unwrap(),
            pod: Pod {
                namespace: "ops".into(),
                name: "backend-0".into(),
                uid: "b0".into(),
            },
            node: None,
            zone: None,
        };
        Self {
            ingresses: Store::default(),
            patches: Vec::new(),
            endpoints: vec![backend],
            idle: BTreeSet::new(),
            around: Surroundings {
                bridges: Arc::new([BRIDGE_A, BRIDGE_B].map(str::to_owned).into()),
                ..Surroundings::default()
            },
        }
    }

    /// The manifest in the tool's repository.
    fn manifest(&mut self) -> Id {
        let ingress: Ingress = serde_json::from_value(json!({
            "metadata": {"name": "storefront", "namespace": "shop", "uid": "u1",
                "annotations": {"team": "web"}},
            "spec": {
                "defaultBackend": backend("fallback"),
                "rules": [{"host": "shop.test", "http": {"paths": [
                    path("/", "front"),
                    path("/api", "api"),
                ]}}],
            },
        }))
        .unwrap();
        self.ingresses.id(&ingress)
    }

    fn edits_of(&self, ingress: Id, desired: Cover) -> Vec<Edit> {
        let desired = match bridge(desired) {
            None => Desired::Released,
            Some(bridge) => Desired::Held(Answering {
                bridge,
                bridge_ready: true,
                port: Some(20_000),
                endpoints: &self.endpoints,
                backend: &self.endpoints,
                is_kept: false,
                idle: &self.idle,
            }),
        };
        let ingress = self.ingresses.get(ingress);
        ingress.plan(&self.around, desired, LINGER, now()).edits
    }

    /// The Ingress after a plan that nobody comes in between of.
    fn after(&mut self, ingress: Id, desired: Cover) -> Id {
        let edits = self.edits_of(ingress, desired);
        edits.iter().fold(ingress, |ingress, edit| match edit {
            Edit::Patch { patch, .. } => {
                let patched = self.ingresses.patched(ingress, patch).unwrap();
                self.given_back(patched).unwrap_or(patched)
            }
            other => panic!("not a write of an Ingress: {other:?}"),
        })
    }

    fn leads_to(&self, ingress: Id) -> Vec<String> {
        self.ingresses.get(ingress).backends()
    }
}

fn bridge(cover: Cover) -> Option<&'static str> {
    match cover {
        Cover::Nothing => None,
        Cover::A => Some(BRIDGE_A),
        Cover::B => Some(BRIDGE_B),
    }
}

fn backend(service: &str) -> Value {
    json!({"service": {"name": service, "port": {"number": 80}}})
}

fn path(path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": "Prefix", "backend": backend(service)})
}

impl Kind for Storefront {
    fn start(&mut self) -> (Contents, Id) {
        let manifest = self.manifest();
        ([Some(manifest), None, None], manifest)
    }

    fn plan(&mut self, read: Contents, desired: Cover) -> Planned {
        let edits = read[TARGET].map(|ingress| self.edits_of(ingress, desired));
        let mut writes = [None; MOST_WRITES];
        for (at, edit) in edits.into_iter().flatten().enumerate() {
            let Edit::Patch { patch, .. } = edit else {
                panic!("not a write of an Ingress: {edit:?}");
            };
            let known = self.patches.iter().position(|known| *known == patch);
            let number = known.unwrap_or(self.patches.len());
            writes[at] = Some(Write {
                slot: 0,
                verb: Verb::Patch(Id::try_from(number).unwrap()),
                is_guarded: is_guarded(&patch),
            });
            if known.is_none() {
                self.patches.push(patch);
            }
        }
        Planned {
            writes,
            leans: false,
        }
    }

    fn patched(&mut self, target: Id, patch: Id) -> Option<Id> {
        self.ingresses
            .patched(target, &self.patches[usize::from(patch)])
    }

    fn given_back(&mut self, target: Id) -> Option<Id> {
        let metadata = &self.ingresses.get(target).metadata;
        let patch = ownership::give_back(TargetKind::Ingress, metadata)?;
        self.ingresses.patched(target, &patch)
    }

    fn receded(&mut self, _: usize, content: Id) -> Id {
        self.ingresses.edited(content, recede)
    }

    fn is_over(&self, _: Contents) -> bool {
        false
    }

    fn platform(&mut self, _: Contents) -> Option<Id> {
        None
    }

    fn edits(&mut self, server: Contents, truth: Id) -> Vec<UserEdit> {
        let Some(now) = server[TARGET] else {
            return Vec::new();
        };
        let manifest = self.manifest();
        let spec = json!(self.ingresses.get(manifest).spec);
        let mut edits = Vec::new();
        let mut put = |name, ingress: Id, truth: Id| {
            if ingress != now {
                edits.push(UserEdit {
                    name,
                    put: [Some(ingress), None, None],
                    truth,
                });
            }
        };
        put("replaces the manifest", manifest, manifest);
        // The rules are atomic; label and annotation are not the applier's.
        let forced = self
            .ingresses
            .edited(now, |value| value["spec"] = spec.clone());
        put("applies by force", forced, manifest);
        let reopened = self.after(truth, Cover::A);
        put("saves what was opened while it was held", reopened, truth);
        let in_place: [(&str, EditOfJson); 5] = [
            ("inserts a path before the others", |value| {
                paths(value).insert(0, path("/new", "new"));
            }),
            ("changes a backend", |value| {
                if let Some(api) = paths(value).iter_mut().find(|p| p["path"] == "/api") {
                    api["backend"] = backend("api2");
                }
            }),
            ("removes a path", |value| {
                paths(value).retain(|path| path["path"] != "/");
            }),
            ("turns the paths around", |value| paths(value).reverse()),
            ("copies a rule to another host", |value| {
                let rules = value["spec"]["rules"].as_array_mut().unwrap();
                let mut copy = rules[0].clone();
                copy["host"] = json!("copy.test");
                rules.truncate(1);
                rules.push(copy);
            }),
        ];
        for (name, edit) in in_place {
            let ingress = self.ingresses.edited(now, edit);
            put(name, ingress, self.ingresses.edited(truth, edit));
        }
        edits
    }

    fn wrong(&mut self, server: Contents, truth: Id) -> Option<String> {
        let ingress = server[TARGET]?;
        if self.after(ingress, Cover::Nothing) != truth {
            return Some("a release would not give back what the user wrote".to_owned());
        }
        let leads_to = self.leads_to(ingress);
        let wanted = self.leads_to(truth);
        let mut leaves = leads_to.iter().zip(&wanted);
        let is_right =
            leaves.all(|(leaf, wanted)| leaf == wanted || self.around.bridges.contains(leaf));
        (!is_right || leads_to.len() != wanted.len())
            .then(|| format!("{wanted:?} leads to {leads_to:?}"))
    }

    fn wrong_step(&mut self, before: Contents, after: Contents) -> Option<String> {
        let (before, after) = (before[TARGET]?, after[TARGET]?);
        let leads_to = self.leads_to(after);
        let is_bridge = |leaf: &String| self.around.bridges.contains(leaf);
        let is_all_or_nothing = leads_to.iter().all(is_bridge) || !leads_to.iter().any(is_bridge);
        (before != after && !is_all_or_nothing).then(|| "held in part".to_owned())
    }

    fn wrong_at_rest(&mut self, server: Contents, truth: Id, coverage: Cover) -> Option<String> {
        let ingress = server[TARGET]?;
        let Some(bridge) = bridge(coverage) else {
            return (ingress != truth).then(|| "not released".to_owned());
        };
        let is_held = self.leads_to(ingress).iter().all(|leaf| *leaf == bridge);
        let is_marked = self.ingresses.get(ingress).is_marked();
        (!is_held || !is_marked).then(|| "not held".to_owned())
    }

    fn show(&self, server: Contents) -> String {
        let Some(ingress) = server[TARGET] else {
            return "none".to_owned();
        };
        let annotations = &self.ingresses.get(ingress).metadata.annotations;
        format!("{:?} {}", self.leads_to(ingress), json!(annotations))
    }
}

fn paths(value: &mut Value) -> &mut Vec<Value> {
    value["spec"]["rules"][0]["http"]["paths"]
        .as_array_mut()
        .unwrap()
}
