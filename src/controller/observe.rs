//! Step 1: what is there. Reads the caches; does not touch the cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use kube::ResourceExt;
use kube::core::{DeserializeGuard, ObjectMeta};

use super::Caches;
use super::probe::{Line, Probes};
use super::reaching::reached;
use crate::api::httproute::HttpRoute;
use crate::api::status::MaintenanceWindowStatus;
use crate::api::window::MaintenanceWindow;
use crate::api::{names, time};
use crate::notice::Notice;
use crate::plan::backend::{self, Endpoint};
use crate::plan::holdable::Surroundings;
use crate::plan::{Holdable, bridge, rehearsal, slices};
use crate::reach::Reach;
use crate::schedule::{self, Problem, TargetRef, Window};

/// How long proxies get to learn of a bridge before a route is pointed at it. A proxy reads
/// Services, slices and routes from watches of their own, and sees them in any order. The
/// creation timestamp has whole seconds, so this is 0.5 to 1.5 s.
const BRIDGE_SETTLES: TimeDelta = TimeDelta::milliseconds(1500);

/// The namespace of objects that have none.
const CLUSTER: &str = "";

/// One namespace, and the backend, as they were last seen.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) namespace: String,
    /// The windows that were understood.
    pub(super) windows: Vec<Window>,
    /// Every window, for its status.
    pub(super) manifests: Vec<Manifest>,
    pub(super) services: BTreeMap<String, Arc<Service>>,
    /// The names of the bridges among them.
    pub(super) bridges: Arc<BTreeSet<String>>,
    /// Whether the cluster is known to have no HTTPRoutes that anybody could read.
    pub(super) no_routes: bool,
    /// Whatever can be held: nothing of our own but bridges and origins.
    pub(super) objects: BTreeMap<TargetRef, Arc<dyn Holdable>>,
    pub(super) ingresses: Routes<Ingress>,
    pub(super) http_routes: Routes<HttpRoute>,
    /// The IngressClasses of the cluster.
    pub(super) ingress_classes: BTreeMap<String, Arc<IngressClass>>,
    pub(super) policies: BTreeMap<String, Arc<NetworkPolicy>>,
    pub(super) slices: Vec<Arc<EndpointSlice>>,
    /// The same, by the name of their Service.
    by_service: HashMap<String, Vec<Arc<EndpointSlice>>>,
    /// The notices of windows of this namespace.
    pub(super) notices: Vec<StandingNotice>,
    /// The backend pods that are ready.
    pub(super) backend: Vec<Endpoint>,
    /// What each of the windows reaches, in their order.
    reach: Vec<Reach>,
}

/// The routes of one kind, by name.
#[derive(Debug)]
pub(super) struct Routes<K> {
    /// Those that are not our own.
    pub(super) theirs: BTreeMap<String, Arc<K>>,
    pub(super) rehearsals: BTreeMap<String, Arc<K>>,
}

impl<K: kube::Resource> Routes<K> {
    fn of(all: BTreeMap<String, Arc<K>>) -> Self {
        let (rehearsals, theirs) = all
            .into_iter()
            .partition(|(_, route)| rehearsal::is_rehearsal(route.meta()));
        Self { theirs, rehearsals }
    }
}

/// A window as its object says it.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) object: DeserializeGuard<MaintenanceWindow>,
    /// What was wrong with it; empty where it was understood.
    pub(super) problems: Vec<Problem>,
}

impl Manifest {
    /// What its status says; nothing where nobody can read it.
    pub(super) fn status(&self) -> MaintenanceWindowStatus {
        let window = self.object.0.as_ref().ok();
        window
            .and_then(|window| window.status.clone())
            .unwrap_or_default()
    }

    pub(super) fn metadata(&self) -> &ObjectMeta {
        match &self.object.0 {
            Ok(window) => &window.metadata,
            Err(invalid) => &invalid.metadata,
        }
    }
}

/// A notice, and the ConfigMap in which it lies.
#[derive(Debug, Clone)]
pub(super) struct StandingNotice {
    pub(super) notice: Notice,
    pub(super) object: Arc<ConfigMap>,
}

/// What was last seen of `namespace`.
pub(super) fn observe(caches: &Caches, namespace: &str) -> Observed {
    let mut windows = Vec::new();
    let mut manifests = Vec::new();
    for object in caches.windows.in_namespace(namespace).into_values() {
        let problems = match parse(&object) {
            Ok(window) => {
                windows.push(window);
                Vec::new()
            }
            Err(problems) => problems,
        };
        manifests.push(Manifest {
            object: DeserializeGuard::clone(&object),
            problems,
        });
    }
    let services = caches.services.in_namespace(namespace);
    let slices: Vec<_> = caches
        .slices
        .in_namespace(namespace)
        .into_values()
        .collect();
    let ingresses = Routes::of(caches.ingresses.in_namespace(namespace));
    let http_routes = Routes::of(caches.routes.in_namespace(namespace));
    let mut observed = Observed {
        namespace: namespace.to_owned(),
        windows,
        manifests,
        bridges: Arc::new(bridge::names_of(services.values().map(AsRef::as_ref))),
        no_routes: caches.routes_installed.borrow().is_unreadable(),
        objects: objects(&services, &ingresses.theirs, &http_routes.theirs),
        services,
        ingresses,
        http_routes,
        ingress_classes: caches.ingress_classes.in_namespace(CLUSTER),
        policies: caches.policies.in_namespace(namespace),
        by_service: by_service(&slices),
        slices,
        notices: notices_of(caches, namespace),
        backend: caches.backend(),
        reach: Vec::new(),
    };
    observed.reach = reached(&observed);
    observed
}

fn by_service(all: &[Arc<EndpointSlice>]) -> HashMap<String, Vec<Arc<EndpointSlice>>> {
    let mut by_service: HashMap<String, Vec<_>> = HashMap::new();
    for slice in all {
        if let Some(service) = slices::service_name(slice) {
            let of_service = by_service.entry(service.to_owned()).or_default();
            of_service.push(Arc::clone(slice));
        }
    }
    by_service
}

fn objects(
    services: &BTreeMap<String, Arc<Service>>,
    ingresses: &BTreeMap<String, Arc<Ingress>>,
    http_routes: &BTreeMap<String, Arc<HttpRoute>>,
) -> BTreeMap<TargetRef, Arc<dyn Holdable>> {
    let by_target = |object: Arc<dyn Holdable>| {
        let target = TargetRef {
            kind: object.kind(),
            name: object.metadata().name.clone().unwrap_or_default(),
        };
        (target, object)
    };
    let services = services.values().cloned().map(|object| object as _);
    let ingresses = ingresses.values().cloned().map(|object| object as _);
    let routes = http_routes.values().cloned().map(|object| object as _);
    let objects = services.chain(ingresses).chain(routes);
    objects.map(by_target).collect()
}

fn parse(object: &DeserializeGuard<MaintenanceWindow>) -> Result<Window, Vec<Problem>> {
    match &object.0 {
        Ok(window) => schedule::parse(window),
        Err(invalid) => Err(vec![Problem {
            field: "spec".to_owned(),
            message: format!(
                "cannot be read: {invalid}; write it as `kubectl explain mw.spec` says"
            ),
        }]),
    }
}

fn notices_of(caches: &Caches, namespace: &str) -> Vec<StandingNotice> {
    caches
        .notices
        .all()
        .into_iter()
        .filter(|object| {
            object
                .labels()
                .get(names::WINDOW_NAMESPACE_LABEL)
                .is_some_and(|n| n == namespace)
        })
        .filter_map(|object| {
            let notice = Notice::from_data(object.data.as_ref()?).ok()?;
            let named_by_port = object.name_any() == Notice::object_name(notice.port);
            named_by_port.then_some(StandingNotice { notice, object })
        })
        .collect()
}

impl Caches {
    /// The backend pods that are ready, as the platform's slices of the backend's Service say.
    pub(super) fn backend(&self) -> Vec<Endpoint> {
        let slices = self.slices.in_namespace(&self.operator_namespace);
        backend::ready_endpoints(
            slices
                .values()
                .map(AsRef::as_ref)
                .filter(|slice| slices::service_name(slice) == Some(&self.backend_service)),
        )
    }
}

impl Observed {
    /// The notice of the window with `uid`.
    pub(super) fn notice_of(&self, uid: &str) -> Option<&StandingNotice> {
        self.notices
            .iter()
            .filter(|standing| standing.notice.uid == uid)
            .min_by_key(|s| s.notice.port)
    }

    /// The names of the Services that any route leads to.
    pub(super) fn led_to(&self) -> HashSet<String> {
        let routes = self.objects.values();
        routes.flat_map(|object| object.backends()).collect()
    }

    /// The slices of ours that bear the name of `service`.
    pub(super) fn our_slices(&self, service: &str) -> Vec<&EndpointSlice> {
        self.slices_of(service)
            .filter(|slice| slices::is_ours(slice))
            .collect()
    }

    /// Whoever's slices bear the name of `service`.
    pub(super) fn slices_of(&self, service: &str) -> impl Iterator<Item = &EndpointSlice> {
        let slices = self.by_service.get(service).into_iter().flatten();
        slices.map(AsRef::as_ref)
    }

    /// What was read beside a target.
    pub(super) fn around(&self, target: &TargetRef) -> Surroundings {
        let slices = self.by_service.get(&target.name);
        let slices = slices.filter(|_| !target.kind.is_route());
        Surroundings {
            slices: slices.cloned().unwrap_or_default(),
            bridges: Arc::clone(&self.bridges),
        }
    }

    /// The controller that the IngressClass called `class` names.
    pub(super) fn controller_of(&self, class: &str) -> Option<String> {
        let class = self.ingress_classes.get(class)?;
        class.spec.as_ref()?.controller.clone()
    }

    /// Each window, and what it reaches.
    pub(super) fn reached(&self) -> impl Iterator<Item = (&Window, &Reach)> {
        self.windows.iter().zip(&self.reach)
    }

    /// The backend pods that answer on the port of `notice`: those that answered the last probe,
    /// and those that stand in slices of ours already and have not been probed yet, so that a
    /// controller that has just started takes nobody away.
    pub(super) fn answering(&self, notice: &Notice, probes: &Probes) -> Vec<Endpoint> {
        let standing = self.standing_addresses(notice.port);
        self.backend
            .iter()
            .filter(|endpoint| {
                let line = Line::new(notice, endpoint.address);
                probes
                    .answered(&line)
                    .unwrap_or_else(|| standing.contains(&endpoint.address))
            })
            .cloned()
            .collect()
    }

    fn standing_addresses(&self, port: u16) -> Vec<IpAddr> {
        self.slices
            .iter()
            .filter(|slice| slices::is_ours(slice) && slices::leads_to_port(slice, port))
            .flat_map(|slice| &slice.endpoints)
            .flat_map(|endpoint| &endpoint.addresses)
            .filter_map(|address| address.parse().ok())
            .collect()
    }

    /// When the bridge of `window` may be relied on; `None` where it leads nowhere yet.
    pub(super) fn bridge_ready_at(&self, window: &str) -> Option<DateTime<Utc>> {
        let name = bridge::name(window);
        self.services
            .get(&name)
            .filter(|service| bridge::is_bridge(service))?;
        self.our_slices(&name)
            .into_iter()
            .filter(|slice| !slice.endpoints.is_empty())
            .filter_map(|slice| slice.metadata.creation_timestamp.as_ref())
            .map(|created| time::from_kubernetes(created) + BRIDGE_SETTLES)
            .min()
    }
}
