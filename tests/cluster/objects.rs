//! Objects as a person sees them, and waiting for them.

use std::fmt::Debug;
use std::time::Duration;

use entracte::api::MaintenanceWindow;
use entracte::api::conditions::{self, ConditionType};
use entracte::api::status::MaintenanceWindowStatus;
use entracte_testbed::cluster::gateway_resource;
use entracte_testbed::target::Kind;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ApiResource, DynamicObject, ListParams, PartialObjectMeta, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;

/// How long anything may take that should happen soon; a busy machine is slow.
pub(crate) const SOON: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(50);

/// Objects of the kind of a target, as JSON.
pub(crate) fn api(bench: &Bench, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(bench.client(), namespace, &resource(kind))
}

/// The same in every namespace.
pub(crate) fn everywhere(bench: &Bench, kind: Kind) -> Api<DynamicObject> {
    Api::all_with(bench.client(), &resource(kind))
}

fn resource(kind: Kind) -> ApiResource {
    match kind {
        Kind::Service => ApiResource::erase::<Service>(&()),
        Kind::Ingress => ApiResource::erase::<Ingress>(&()),
        Kind::HttpRoute => gateway_resource("HTTPRoute"),
    }
}

pub(crate) fn windows(bench: &Bench, namespace: &str) -> Api<MaintenanceWindow> {
    Api::namespaced(bench.client(), namespace)
}

/// The object without what changes with any write to it.
pub(crate) async fn without_bookkeeping(
    bench: &Bench,
    kind: Kind,
    namespace: &str,
    name: &str,
) -> Result<String> {
    let mut object = api(bench, kind, namespace).get(name).await?;
    object.metadata.resource_version = None;
    object.metadata.generation = None;
    object.metadata.managed_fields = None;
    if kind != Kind::Service {
        // The proxy's controller writes it when it comes to it.
        object.data["status"].take();
    }
    Ok(serde_json::to_string_pretty(&object)?)
}

/// Changes an object as `kubectl patch --type=merge` does.
pub(crate) async fn merge<K>(api: &Api<K>, name: &str, patch: Value) -> Result<K>
where
    K: Clone + Debug + serde::de::DeserializeOwned,
{
    Ok(api
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?)
}

/// Waits until `look` finds something, and says what was expected where it does not.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("not within {SOON:?}: {what}").into());
        }
        sleep(POLL).await;
    }
}

/// Waits until the status of a window is as `wanted` says.
pub(crate) async fn status(
    bench: &Bench,
    namespace: &str,
    name: &str,
    what: &str,
    wanted: impl Fn(&MaintenanceWindowStatus) -> bool,
) -> Result<MaintenanceWindowStatus> {
    let api = windows(bench, namespace);
    let mut last = None;
    let found = eventually(what, async || {
        let status = api.get(name).await?.status.unwrap_or_default();
        last = Some(status.clone());
        Ok(wanted(&status).then_some(status))
    })
    .await;
    found.map_err(|error| format!("{error}; the status of {namespace}/{name} is {last:#?}").into())
}

/// Whether a condition is true; `None` where the status does not say.
pub(crate) fn is(status: &MaintenanceWindowStatus, condition: ConditionType) -> Option<bool> {
    conditions::get(&status.conditions, condition).map(|found| found.status == "True")
}

/// Reason and message of a condition.
pub(crate) fn why(
    status: &MaintenanceWindowStatus,
    condition: ConditionType,
) -> Option<(String, String)> {
    let found = conditions::get(&status.conditions, condition)?;
    Some((found.reason.clone(), found.message.clone()))
}

/// Whatever is ours anywhere in the cluster, or bears our marks.
pub(crate) async fn ours(bench: &Bench) -> Result<Vec<String>> {
    let slices = "endpointslice.kubernetes.io/managed-by=entracte.dev";
    let lists = [
        named::<EndpointSlice>(bench, slices).await?,
        named::<Service>(bench, "entracte.dev/window").await?,
        named::<Service>(bench, "entracte.dev/origin").await?,
        named::<Service>(bench, "entracte.dev/held").await?,
        named::<Ingress>(bench, "entracte.dev/held").await?,
        named::<Ingress>(bench, "entracte.dev/rehearsal").await?,
        named::<ConfigMap>(bench, "entracte.dev/notice").await?,
        routes(bench, "entracte.dev/held").await?,
        routes(bench, "entracte.dev/rehearsal").await?,
    ];
    Ok(lists.concat())
}

/// The Gateway API may not be installed.
async fn routes(bench: &Bench, labels: &str) -> Result<Vec<String>> {
    let routes = Api::<DynamicObject>::all_with(bench.client(), &gateway_resource("HTTPRoute"));
    let labelled = ListParams::default().labels(labels);
    let listed = match routes.list(&labelled).await {
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
        listed => listed?,
    };
    Ok(listed.iter().map(ResourceExt::name_any).collect())
}

async fn named<K>(bench: &Bench, labels: &str) -> Result<Vec<String>>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + serde::de::DeserializeOwned,
{
    let objects = Api::<K>::all(bench.client());
    let labelled = ListParams::default().labels(labels);
    let listed = objects.list_metadata(&labelled).await?;
    let name = |object: &PartialObjectMeta<K>| {
        let namespace = object.namespace().unwrap_or_default();
        format!("{} {namespace}/{}", K::kind(&()), object.name_any())
    };
    Ok(listed.iter().map(name).collect())
}
