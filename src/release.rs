//! `entracte release --all`: gives everything back without the operator. Touches the cluster.
//!
//! It needs nothing but a kubeconfig: no operator, no custom resource, no record. What is held
//! says so itself, and says what to put back.
//!
//! # Guarantees
//!
//! - What a person or a tool wrote while a target was held stays, as with any release.
//! - A target that fails is named, and does not keep the others from being released.
//! - Nothing that something leads to is taken away: where a target could not be released, or was
//!   held again by an operator that runs, that is said, and bridges and notices stay.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures::{StreamExt, future, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, ListParams};
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::api::httproute::HttpRoute;
use crate::api::names;
use crate::api::target::TargetKind;
use crate::controller::apply::{self, within_patience};
use crate::controller::courtesy::client;
use crate::controller::target::{Snapshot, converge, delete_our_slices};
use crate::plan::rehearsal::Rehearsable;
use crate::plan::{Desired, Holdable, Linger, Outcome, bridge, origin, rehearsal, slices};
use crate::schedule::{TargetRef, duration};

/// How long proxies get to forget the bridges before these are taken away.
const PROXIES_FOLLOW: Duration = Duration::from_secs(3);
/// How often Services are looked at whose apps are not ready yet.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How many objects are listed at once: a large cluster, or a slow line to it, would take longer than
/// we wait for one answer.
const PAGE: u32 = 500;
/// How many targets are released at once.
const AT_ONCE: usize = 16;

/// Arguments of `entracte release`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Release every Service, Ingress and HTTPRoute of the cluster that is held
    #[arg(long, required = true)]
    pub all: bool,
    /// How long our answer may stand in for an app that is not ready yet
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration::parse)]
    pub wait: TimeDelta,
}

/// Why not everything was released.
#[derive(Debug, Error)]
pub enum Error {
    /// No way to the API server is known.
    #[error("no way to the API server: {0}; set KUBECONFIG to a kubeconfig of an administrator")]
    Config(#[from] kube::config::InferConfigError),
    /// The way to the API server cannot be taken.
    #[error("cannot talk to the API server: {0}")]
    Client(#[from] kube::Error),
    /// The API server did not list what there is.
    #[error(transparent)]
    List(#[from] apply::Error),
    /// Some targets could not be released.
    #[error("{0} could not be released; the lines above say why; run the command again")]
    Incomplete(usize),
    /// Something holds targets again.
    #[error(
        "held again while they were released: {0}; an operator is running: scale its controller \
         to zero, or delete or suspend the windows, and run the command again"
    )]
    HeldAgain(String),
}

/// A target and its namespace.
type Held = (String, TargetRef);

/// Releases everything, says what it did, and returns once nothing of ours is left.
///
/// Every target is released before any of them is waited for. Bridges and notices go last, and
/// only where nothing leads to them any more.
pub async fn run(args: Args) -> Result<(), Error> {
    let client = client(kube::Config::infer().await?)?;
    let held = held(&client, true).await?;
    if held.is_empty() {
        say("Nothing is held.");
    }
    let released = stream::iter(held)
        .map(|(namespace, target)| release(&client, namespace, target, args.wait))
        .buffer_unordered(AT_ONCE);
    let mut released = pin!(released);
    let mut waiting = Vec::new();
    let mut failed = 0;
    while let Some(Released {
        namespace,
        target,
        result,
    }) = released.next().await
    {
        let said = match result {
            Ok(Outcome::Releasing { .. }) => {
                waiting.push((namespace.clone(), target.clone()));
                "released; our answer stands in until its app is ready".to_owned()
            }
            Ok(Outcome::Serving | Outcome::Held | Outcome::Holding(_)) => "released".to_owned(),
            Ok(Outcome::Missing | Outcome::NotInstalled) => "gone, and our slices of it".to_owned(),
            Ok(Outcome::Waiting(reason) | Outcome::Refused(reason)) => {
                failed += 1;
                format!("NOT released: {}", reason.message)
            }
            Err(error) => {
                failed += 1;
                format!("NOT released: {error}")
            }
        };
        say(format!(
            "{} {namespace}/{}: {said}",
            target.kind, target.name
        ));
    }
    failed += wait_for_apps(&client, waiting, args.wait).await;
    if failed > 0 {
        return Err(Error::Incomplete(failed));
    }
    let again = held_names(&client).await?;
    if !again.is_empty() {
        return Err(Error::HeldAgain(again));
    }
    clean_up(&client).await
}

/// A closed standard output is no reason to leave anything held.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Whatever bears our key, label or annotation, has slices of ours behind it, or leads to a bridge.
///
/// What is only to be given back counts where it is asked for.
async fn held(client: &Client, and_borrowed: bool) -> Result<BTreeSet<Held>, Error> {
    let bridges = bridges(client).await?;
    let slices = list::<EndpointSlice>(client, slices::OURS).await?;
    let behind = slices.iter().filter_map(|slice| {
        let held = (slice.namespace()?, slices::service_name(slice)?.to_owned());
        (!bridges.contains(&held)).then_some((TargetKind::Service, held))
    });
    let leads_to_bridge = |object: &dyn Holdable| {
        let namespace = object.metadata().namespace.clone().unwrap_or_default();
        let mut backends = object.backends().into_iter();
        backends.any(|name| bridges.contains(&(namespace.clone(), name)))
    };
    let objects = holdable(client).await?;
    let held = objects
        .iter()
        .map(AsRef::as_ref)
        .filter(|object| !rehearsal::is_rehearsal(object.metadata()))
        .filter(|object| {
            object.is_marked() || leads_to_bridge(*object) || and_borrowed && object.is_borrowed()
        })
        .map(|object| (object.kind(), place(object.metadata())))
        .chain(behind);
    Ok(held
        .map(|(kind, (namespace, name))| (namespace, TargetRef { kind, name }))
        .collect())
}

/// Every object of the cluster that can be held.
async fn holdable(client: &Client) -> Result<Vec<Box<dyn Holdable>>, Error> {
    let services = list::<Service>(client, "").await?.into_iter();
    let ingresses = list::<Ingress>(client, "").await?.into_iter();
    let routes = http_routes(client, "").await?;
    let services = services.map(|object| Box::new(object) as Box<dyn Holdable>);
    let ingresses = ingresses.map(|object| Box::new(object) as _);
    let routes = routes.into_iter().map(|object| Box::new(object) as _);
    Ok(services.chain(ingresses).chain(routes).collect())
}

fn place(metadata: &ObjectMeta) -> (String, String) {
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

/// What came of one target.
struct Released {
    namespace: String,
    target: TargetRef,
    result: Result<Outcome, apply::Error>,
}

async fn release(
    client: &Client,
    namespace: String,
    target: TargetRef,
    wait: TimeDelta,
) -> Released {
    let result = match release_once(client, &namespace, &target, wait).await {
        Ok(Outcome::Missing) if !target.kind.is_route() => {
            delete_our_slices(client, &namespace, &target.name)
                .await
                .map(|()| Outcome::Missing)
        }
        result => result,
    };
    Released {
        namespace,
        target,
        result,
    }
}

async fn release_once(
    client: &Client,
    namespace: &str,
    target: &TargetRef,
    wait: TimeDelta,
) -> Result<Outcome, apply::Error> {
    let snapshot = Snapshot::live(client, namespace, target).await?;
    let target = target.clone();
    let desired = Desired::Released;
    let applied = converge(
        client,
        namespace,
        target,
        snapshot,
        desired,
        Linger {
            unready: wait,
            longest: wait,
        },
        Utc::now(),
    );
    applied.await.result
}

/// Takes our slices away behind each Service as its app becomes ready, and when `wait` is over
/// behind the others too. Returns how many times that failed.
async fn wait_for_apps(client: &Client, mut waiting: Vec<Held>, wait: TimeDelta) -> usize {
    let deadline = Instant::now() + wait.to_std().unwrap_or_default();
    while !waiting.is_empty() && Instant::now() < deadline {
        sleep(LOOK_AGAIN).await;
        let looked_at = stream::iter(waiting).map(async |(namespace, target)| {
            // What could not be looked at may be looked at in a moment.
            let looked = release_once(client, &namespace, &target, wait).await;
            let waits = matches!(looked, Ok(Outcome::Releasing { .. }) | Err(_));
            waits.then_some((namespace, target))
        });
        let still = looked_at.buffer_unordered(AT_ONCE);
        waiting = still.filter_map(future::ready).collect().await;
    }
    let mut failed = 0;
    for (namespace, target) in waiting {
        let TargetRef { kind, name } = &target;
        let said = match delete_our_slices(client, &namespace, name).await {
            Ok(()) => "its app is not ready, and nobody answers for it now".to_owned(),
            Err(error) => {
                failed += 1;
                format!("our slices stay: {error}")
            }
        };
        say(format!("{kind} {namespace}/{name}: {said}"));
    }
    failed
}

/// Takes away origins, and rehearsals, bridges and notices once proxies have had the time to follow the
/// release.
async fn clean_up(client: &Client) -> Result<(), Error> {
    for origin in list::<Service>(client, names::ORIGIN_LABEL).await? {
        if !origin::is_origin(&origin) {
            continue;
        }
        let (namespace, name) = place(&origin.metadata);
        let api = Api::<Service>::namespaced(client.clone(), &namespace);
        delete(&api, &name).await?;
        say(format!("Origin {namespace}/{name}: deleted"));
    }
    let bridges = bridges(client).await?;
    let notices = list::<ConfigMap>(client, names::NOTICE_LABEL).await?;
    let ingresses = list::<Ingress>(client, names::REHEARSAL_LABEL).await?;
    let ingresses = rehearsals(ingresses);
    let routes = rehearsals(http_routes(client, names::REHEARSAL_LABEL).await?);
    let nothing = ingresses.is_empty() && routes.is_empty();
    if nothing && bridges.is_empty() && notices.is_empty() {
        return Ok(());
    }
    sleep(PROXIES_FOLLOW).await;
    delete_rehearsals(client, ingresses).await?;
    delete_rehearsals(client, routes).await?;
    for (namespace, name) in bridges {
        let api = Api::<Service>::namespaced(client.clone(), &namespace);
        delete(&api, &name).await?;
        delete_our_slices(client, &namespace, &name).await?;
        say(format!("Bridge {namespace}/{name}: deleted"));
    }
    for notice in notices {
        let (namespace, name) = (notice.namespace().unwrap_or_default(), notice.name_any());
        let api = Api::<ConfigMap>::namespaced(client.clone(), &namespace);
        delete(&api, &name).await?;
        say(format!("Notice {namespace}/{name}: deleted"));
    }
    Ok(())
}

/// Those of `routes` that are rehearsals.
fn rehearsals<R: Rehearsable>(mut routes: Vec<R>) -> Vec<R> {
    routes.retain(|route| rehearsal::is_rehearsal(route.meta()));
    routes
}

async fn delete_rehearsals<R>(client: &Client, rehearsals: Vec<R>) -> Result<(), Error>
where
    R: Rehearsable + kube::Resource<Scope = NamespaceResourceScope> + DeserializeOwned,
{
    for rehearsal in rehearsals {
        let (namespace, name) = place(rehearsal.meta());
        let api = Api::<R>::namespaced(client.clone(), &namespace);
        delete(&api, &name).await?;
        let kind = R::KIND;
        say(format!("Rehearsal {kind} {namespace}/{name}: deleted"));
    }
    Ok(())
}

async fn bridges(client: &Client) -> Result<BTreeSet<(String, String)>, Error> {
    let services = list::<Service>(client, names::WINDOW_LABEL).await?;
    let bridges = services.iter().filter(|service| bridge::is_bridge(service));
    Ok(bridges.map(|bridge| place(&bridge.metadata)).collect())
}

async fn held_names(client: &Client) -> Result<String, Error> {
    let names = held(client, false)
        .await?
        .into_iter()
        .map(|(namespace, target)| format!("{} {namespace}/{}", target.kind, target.name));
    Ok(names.collect::<Vec<_>>().join(", "))
}

/// None where the Gateway API is not installed.
async fn http_routes(client: &Client, labels: &str) -> Result<Vec<HttpRoute>, apply::Error> {
    match list::<HttpRoute>(client, labels).await {
        // Not found.
        Err(apply::Error::Stale(_)) => Ok(Vec::new()),
        listed => listed,
    }
}

async fn list<K>(client: &Client, labels: &str) -> Result<Vec<K>, apply::Error>
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let action = format!("list {}", K::plural(&()));
    let api = Api::<K>::all(client.clone());
    let mut page = ListParams::default().labels(labels).limit(PAGE);
    let mut all = Vec::new();
    loop {
        let listed = within_patience(&action, api.list(&page)).await?;
        all.extend(listed.items);
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(all),
        }
    }
}

async fn delete<K>(api: &Api<K>, name: &str) -> Result<(), apply::Error>
where
    K: kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let action = format!("delete {} {name}", K::kind(&()));
    match within_patience(&action, api.delete(name, &DeleteParams::default())).await {
        // Somebody else was faster.
        Ok(_) | Err(apply::Error::Stale(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
