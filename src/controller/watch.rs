//! Step 0: follow the cluster. Touches it: a watch for each kind, the probes, and the users' own pages.
//!
//! Each change brings its namespace to be reconciled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::{Stream, StreamExt, future};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::PartialObjectMeta;
use kube::core::ObjectMeta;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync;

use super::cache::Cache;
use super::installed::{Without, tell};
use super::{Caches, Context, backoff};
use crate::api::names;
use crate::api::target::TargetKind;
use crate::plan::ownership::keep_owners;
use crate::telemetry::{Condition, Readiness};

/// How long what is not needed to hold anything may take to be listed before we go on without it:
/// the right to read it may be missing.
const EXTRAS_MAY_TAKE: Duration = Duration::from_secs(3);

/// Under the idle time-outs after which load balancers drop a watch without a word.
const WATCH_SECONDS: u32 = 200;

/// Without windows there is nothing to do but to give back what is held.
const NO_WINDOWS: Without = Without {
    is_ready: false,
    absent: "the CRD is not installed: no window is on, and what was held is released; apply crds/",
    unserved: "the CRD is installed, but does not serve the version v1alpha1; apply crds/",
};

/// Routes of the Gateway API are one kind of targets of three.
const NO_ROUTES: Without = Without {
    is_ready: true,
    absent: "the Gateway API is not installed",
    unserved: "the Gateway API that is installed does not serve them as v1",
};

/// Takes the namespaces that have to be reconciled.
pub(super) type Trigger = UnboundedSender<ObjectRef<PartialObjectMeta<Namespace>>>;

/// How everything is watched.
pub(super) fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

/// Starts a watch for each kind, the probes, and whoever reads the users' own pages.
pub(super) fn follow(context: &Context, trigger: &Trigger) {
    let Context {
        client,
        caches,
        probes,
        pages,
        ..
    } = context;
    let wake = || {
        let trigger = trigger.clone();
        move |namespace: &str| {
            // The receiver goes when the process does.
            let _ = trigger.unbounded_send(ObjectRef::new(namespace));
        }
    };
    tokio::spawn(caches.windows.clone().follow_while(
        caches.windows_installed.clone(),
        NO_WINDOWS.is_ready,
        Api::all(client.clone()),
        no_fields,
        wake(),
    ));
    tokio::spawn(caches.routes.clone().follow_while(
        caches.routes_installed.clone(),
        NO_ROUTES.is_ready,
        Api::all(client.clone()),
        |metadata| keep_owners(TargetKind::HTTPRoute, metadata),
        wake(),
    ));
    tokio::spawn(wake_with_the_routes(caches.clone(), wake()));
    watch(
        &caches.services,
        Api::all(client.clone()),
        config(),
        |metadata| keep_owners(TargetKind::Service, metadata),
        wake(),
    );
    watch(
        &caches.ingresses,
        Api::all(client.clone()),
        config(),
        |metadata| keep_owners(TargetKind::Ingress, metadata),
        wake(),
    );
    let class_changed = class_changed(caches.clone(), wake());
    watch(
        &caches.ingress_classes,
        Api::all(client.clone()),
        config(),
        no_fields,
        class_changed,
    );
    watch(
        &caches.policies,
        Api::all(client.clone()),
        config(),
        no_fields,
        wake(),
    );
    let slice_changed = slice_changed(caches.clone(), wake());
    watch(
        &caches.slices,
        Api::all(client.clone()),
        config(),
        no_fields,
        slice_changed,
    );
    let notices = Api::namespaced(client.clone(), &caches.operator_namespace);
    let notice_changed = notice_changed(caches.clone(), wake());
    let labelled = config().labels(names::NOTICE_LABEL);
    watch(
        &caches.notices,
        notices,
        labelled,
        no_fields,
        notice_changed,
    );
    tokio::spawn(probes.clone().follow(caches.clone(), wake()));
    tokio::spawn(pages.clone().follow(client.clone(), wake()));
}

/// Every namespace: what is known of them, whether they were listed, and a stream of those that
/// have to be reconciled, which drives the other two.
///
/// An error of this watch is logged and backed off from here. Passed on, it would hold back every
/// trigger, for a controller backs off from its streams as a whole
/// (`kube_runtime::controller::Controller::run`).
pub(super) fn namespaces(
    client: &Client,
) -> (
    Store<PartialObjectMeta<Namespace>>,
    sync::watch::Receiver<bool>,
    impl Stream<Item = watcher::Result<PartialObjectMeta<Namespace>>> + Send + use<>,
) {
    let (store, writer) = reflector::store();
    // `Store::wait_until_ready` wakes only the last of those that wait, and the controller waits.
    let (listed, is_listed) = sync::watch::channel(false);
    let changes = watcher::watcher(Api::all(client.clone()), config())
        .backoff(backoff::of_watches())
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(Event::InitDone) => {
                listed.send_replace(true);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot watch Namespaces; trying again"),
        })
        .applied_objects()
        .filter(|change| future::ready(change.is_ok()));
    (store, is_listed, changes)
}

fn watch<K>(
    cache: &Cache<K>,
    api: Api<K>,
    config: watcher::Config,
    keep: fn(&mut ObjectMeta),
    changed: impl Fn(&str) + Send + 'static,
) where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    tokio::spawn(cache.clone().follow(api, config, keep, changed));
}

/// Managed fields are often the larger part of an object, and of most kinds nobody reads them here.
fn no_fields(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
}

/// Whether there are HTTPRoutes at all concerns every window.
async fn wake_with_the_routes(caches: Caches, wake: impl Fn(&str)) {
    let mut installed = caches.routes_installed.clone();
    while installed.changed().await.is_ok() {
        for namespace in caches.windows.namespaces() {
            wake(&namespace);
        }
    }
}

/// What a class says is of interest wherever there is a window.
fn class_changed<F: Fn(&str)>(caches: Caches, wake: F) -> impl Fn(&str) + use<F> {
    move |_| {
        for namespace in caches.windows.namespaces() {
            wake(&namespace);
        }
    }
}

/// A slice in the operator's namespace may be the backend's, which every window leads to.
fn slice_changed<F: Fn(&str)>(caches: Caches, wake: F) -> impl Fn(&str) + use<F> {
    move |namespace| {
        wake(namespace);
        if namespace == caches.operator_namespace {
            for namespace in caches.windows.namespaces() {
                wake(&namespace);
            }
        }
    }
}

/// A notice lies in the operator's namespace, and belongs to a window in another. (Who waits for a
/// port that may be free now asks again by itself.)
fn notice_changed<F: Fn(&str)>(caches: Caches, wake: F) -> impl Fn(&str) + use<F> {
    let known = Mutex::new(BTreeMap::new());
    move |_| {
        let notices = caches.notices.in_namespace(&caches.operator_namespace);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::replace(&mut *known, notices.clone());
        let news = differing(&before, &notices).chain(differing(&notices, &before));
        let of_news = news.filter_map(|notice| notice.labels().get(names::WINDOW_NAMESPACE_LABEL));
        for namespace in of_news.collect::<BTreeSet<_>>() {
            wake(namespace);
        }
    }
}

/// Those of `some` that are not among `others` as they are.
fn differing<'a>(
    some: &'a BTreeMap<String, Arc<ConfigMap>>,
    others: &'a BTreeMap<String, Arc<ConfigMap>>,
) -> impl Iterator<Item = &'a Arc<ConfigMap>> {
    let differs = |(name, notice): &(&String, &Arc<ConfigMap>)| {
        let other = others.get(*name);
        other.is_none_or(|other| !Arc::ptr_eq(other, notice))
    };
    some.iter().filter(differs).map(|(_, notice)| notice)
}

/// Returns once every kind was listed; until then `readiness` names those that were not. What is
/// returned has to be kept for as long as the process is ready.
pub(super) async fn seen_once(caches: &Caches, readiness: &Readiness) -> impl Sized + use<> {
    let Caches {
        windows,
        services,
        ingresses,
        routes,
        slices,
        notices,
        ingress_classes,
        policies,
        windows_installed,
        routes_installed,
        ..
    } = caches;
    let condition = readiness.missing("MaintenanceWindows", "not listed yet");
    let installed = windows_installed.clone();
    tokio::spawn(tell(condition, installed, windows.listed(), NO_WINDOWS));
    let condition = readiness.missing("HTTPRoutes", "not listed yet");
    let installed = routes_installed.clone();
    tokio::spawn(tell(condition, installed, routes.listed(), NO_ROUTES));
    let extras = future::join(ingress_classes.synced(), policies.synced());
    let extras = tokio::time::timeout(EXTRAS_MAY_TAKE, extras);
    let ((), (), _, services, ingresses, slices, notices) = tokio::join!(
        windows.synced(),
        routes.synced(),
        extras,
        seen(services, readiness, "Services"),
        seen(ingresses, readiness, "Ingresses"),
        seen(slices, readiness, "EndpointSlices"),
        seen(notices, readiness, "notices"),
    );
    (services, ingresses, slices, notices)
}

async fn seen<K>(cache: &Cache<K>, readiness: &Readiness, what: &str) -> Condition {
    let condition = readiness.missing(what, "not listed yet");
    cache.synced().await;
    condition.met("listed");
    condition
}
