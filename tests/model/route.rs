//! A route and its record, whatever its kind. The bridges of both windows stand, always.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use entracte::api::target::TargetKind;
use entracte::plan::backend::Endpoint;
use entracte::plan::holdable::Surroundings;
use entracte::plan::{Answering, Desired, Edit, Holdable, Leaning, ownership};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::state::{Contents, Cover, TARGET};
use crate::kind::{Kind, MOST_WRITES, Planned, UserEdit, Verb, Write, backend};
use crate::store::{Id, Patches, Store, is_guarded};
use crate::time::{LINGER, now, recede};

mod httproute;
mod ingress;

const BRIDGE_A: &str = "entracte-a";
const BRIDGE_B: &str = "entracte-b";

/// An edit in place, and what it is called.
pub(crate) type InPlace = (&'static str, fn(&mut Value));

/// What is particular about a kind of route.
pub(crate) trait Route: Holdable + Debug + Serialize + DeserializeOwned {
    const KIND: TargetKind;
    /// What people write into it, held or not.
    const EDITS: &'static [InPlace];

    /// The manifest in the tool's repository.
    fn manifest() -> Value;

    /// For each place that leads somewhere, all that a request to it reaches: copies too.
    fn leads_to(&self) -> Vec<Vec<String>>;
}

/// A storefront that is reached by a route.
pub(crate) struct Storefront<R> {
    routes: Store<R>,
    patches: Patches,
    endpoints: Vec<Endpoint>,
    idle: BTreeSet<String>,
    around: Surroundings,
}

impl<R: Route> Storefront<R> {
    pub(crate) fn new() -> Self {
        Self {
            routes: Store::default(),
            patches: Patches::default(),
            endpoints: vec![backend()],
            idle: BTreeSet::new(),
            around: Surroundings {
                bridges: Arc::new([BRIDGE_A, BRIDGE_B].map(str::to_owned).into()),
                ..Surroundings::default()
            },
        }
    }

    fn manifest(&mut self) -> Id {
        let route: R = serde_json::from_value(R::manifest()).unwrap();
        self.routes.id(&route)
    }

    fn edits_of(&self, route: Id, desired: Cover) -> Vec<Edit> {
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
        let route = self.routes.get(route);
        route.plan(&self.around, desired, LINGER, now()).edits
    }

    /// The route after a plan that nobody comes in between of.
    fn after(&mut self, route: Id, desired: Cover) -> Id {
        let edits = self.edits_of(route, desired);
        edits.iter().fold(route, |route, edit| match edit {
            Edit::Patch { patch, .. } => {
                let patched = self.routes.patched(route, patch).unwrap();
                self.given_back(patched).unwrap_or(patched)
            }
            other => panic!("not a write of a route: {other:?}"),
        })
    }

    fn leads_to(&self, route: Id) -> Vec<Vec<String>> {
        self.routes.get(route).leads_to()
    }

    fn is_bridge(&self, name: &String) -> bool {
        self.around.bridges.contains(name)
    }

    /// Where the user wants a place to lead, or to a bridge, and to what the user put beside it.
    fn is_right(&self, leaf: &[String], wanted: &[String]) -> bool {
        let is_theirs_or_ours = |name| wanted.contains(name) || self.is_bridge(name);
        leaf == wanted
            || leaf.iter().any(|name| self.is_bridge(name)) && leaf.iter().all(is_theirs_or_ours)
    }
}

fn bridge(cover: Cover) -> Option<&'static str> {
    match cover {
        Cover::Nothing => None,
        Cover::A => Some(BRIDGE_A),
        Cover::B => Some(BRIDGE_B),
    }
}

impl<R: Route> Kind for Storefront<R> {
    fn start(&mut self) -> (Contents, Id) {
        let manifest = self.manifest();
        ([Some(manifest), None, None], manifest)
    }

    fn plan(&mut self, read: Contents, desired: Cover) -> Planned {
        let edits = read[TARGET].map(|route| self.edits_of(route, desired));
        let mut writes = [None; MOST_WRITES];
        for (at, edit) in edits.into_iter().flatten().enumerate() {
            let Edit::Patch { patch, .. } = edit else {
                panic!("not a write of a route: {edit:?}");
            };
            let is_guarded = is_guarded(&patch);
            writes[at] = Some(Write {
                slot: 0,
                verb: Verb::Patch(self.patches.id(patch)),
                is_guarded,
            });
        }
        Planned {
            writes,
            leaning: Leaning::Nothing,
        }
    }

    fn patched(&mut self, target: Id, patch: Id) -> Option<Id> {
        self.routes.patched(target, self.patches.get(patch))
    }

    fn given_back(&mut self, target: Id) -> Option<Id> {
        let metadata = self.routes.get(target).metadata();
        let patch = ownership::give_back(R::KIND, metadata)?;
        self.routes.patched(target, &patch)
    }

    fn receded(&mut self, _: usize, content: Id) -> Id {
        self.routes.edited(content, recede)
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
        let edit = |name, route, truth| UserEdit {
            name,
            leaves: [Some(route), None, None],
            truth,
        };
        let manifest = self.manifest();
        let spec = R::manifest()["spec"].take();
        let forced = self.routes.edited(now, |value| value["spec"] = spec);
        let reopened = self.after(truth, Cover::A);
        let mut edits = vec![
            edit("replaces the manifest", manifest, manifest),
            // The rules are atomic; label and annotation are not the applier's.
            edit("applies by force", forced, manifest),
            edit("saves what was opened while it was held", reopened, truth),
        ];
        for (name, write) in R::EDITS {
            let route = self.routes.edited(now, write);
            edits.push(edit(name, route, self.routes.edited(truth, write)));
        }
        edits
    }

    fn wrong(&mut self, server: Contents, truth: Id) -> Option<String> {
        let route = server[TARGET]?;
        if self.after(route, Cover::Nothing) != truth {
            return Some("a release would not give back what the user wrote".to_owned());
        }
        let (leads_to, wanted) = (self.leads_to(route), self.leads_to(truth));
        let mut leaves = leads_to.iter().zip(&wanted);
        let is_right = leaves.all(|(leaf, wanted)| self.is_right(leaf, wanted));
        (!is_right || leads_to.len() != wanted.len())
            .then(|| format!("{wanted:?} leads to {leads_to:?}"))
    }

    /// Whoever writes for us leads every place to the bridge and to nothing beside it, or none.
    fn wrong_step(&mut self, before: Contents, after: Contents) -> Option<String> {
        let (before, after) = (before[TARGET]?, after[TARGET]?);
        let names = self.leads_to(after).concat();
        let is_bridge = |name: &String| self.is_bridge(name);
        let is_all_or_nothing = names.iter().all(is_bridge) || !names.iter().any(is_bridge);
        (before != after && !is_all_or_nothing).then(|| "held in part".to_owned())
    }

    fn wrong_at_rest(&mut self, server: Contents, truth: Id, coverage: Cover) -> Option<String> {
        let route = server[TARGET]?;
        let Some(bridge) = bridge(coverage) else {
            return (route != truth).then(|| "not released".to_owned());
        };
        let is_held = self.leads_to(route).iter().all(|leaf| leaf == &[bridge]);
        let is_marked = self.routes.get(route).is_marked();
        (!is_held || !is_marked).then(|| "not held".to_owned())
    }

    fn show(&self, server: Contents) -> String {
        let Some(route) = server[TARGET] else {
            return "none".to_owned();
        };
        let annotations = &self.routes.get(route).metadata().annotations;
        format!("{:?} {}", self.leads_to(route), json!(annotations))
    }
}

/// The array at `pointer`.
fn list<'v>(value: &'v mut Value, pointer: &str) -> &'v mut Vec<Value> {
    value.pointer_mut(pointer).unwrap().as_array_mut().unwrap()
}
