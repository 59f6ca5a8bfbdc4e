//! What stands: a cluster, the operator with the API proxy before it, and objects by the thousand.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use entracte::api::MaintenanceWindow;
use entracte::api::status::MaintenanceWindowStatus;
use entracte_testbed::api_proxy::ApiProxy;
use entracte_testbed::cluster::{Cluster, User, gateway_resource};
use entracte_testbed::network;
use entracte_testbed::operator::{Operator, Options};
use entracte_testbed::run_folder::RunFolder;
use entracte_testbed::target::Kind;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Result;

/// How long what was released lingers.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// How many requests of the set-up are under way at once.
const AT_ONCE: usize = 16;

/// How long anything may take that is waited for.
const LIMIT: Duration = Duration::from_secs(180);

/// The label of the objects that are made by the thousand.
const CROWD: &str = "crowd";

/// The cluster with the operator on it.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) proxy: ApiProxy,
    pub(crate) operator: Operator,
}

impl Stage {
    pub(crate) async fn start(run: &RunFolder) -> Result<Self> {
        let cluster = Cluster::start(run).await?;
        cluster.install_gateway_api().await?;
        let certificate = run.data().join("proxy-ca.crt");
        fs::write(&certificate, cluster.certificate_authority())?;
        let anywhere = SocketAddr::new(network::NODE.into(), 0);
        let proxy = ApiProxy::start(anywhere, &cluster.url().parse()?, &certificate).await?;
        let options = Options {
            controller_server: proxy.url(),
            controller_arguments: vec![format!("--linger={}s", LINGER.as_secs())],
            ..Options::shipped(&cluster)
        };
        let operator = Operator::start(&cluster, options).await?;
        Ok(Self {
            cluster,
            proxy,
            operator,
        })
    }

    /// A client with an administrator's rights, which does not go through the proxy.
    pub(crate) fn client(&self) -> Client {
        self.cluster.client().clone()
    }

    /// A plain client that is, to the API server, the operator: its rights, its way through the
    /// proxy, its share of what the API server takes on at once.
    pub(crate) async fn plain_client(&self) -> Result<Client> {
        let kubeconfig = self
            .cluster
            .kubeconfig_for(User::Controller, &self.proxy.url())?;
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(Client::try_from(config)?)
    }

    /// Makes objects of a kind, all alike but for their names, which are in their order.
    pub(crate) async fn crowd(
        &self,
        kind: Kind,
        namespace: &str,
        count: usize,
        app: &str,
    ) -> Result {
        let objects = objects(self.client(), kind, namespace);
        let objects = &objects;
        stream::iter(0..count)
            .map(|number| async move {
                let object = serde_json::from_value(manifest(kind, &name(number), app))?;
                objects.create(&PostParams::default(), &object).await?;
                Ok(())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Waits until the platform has made the slices of so many Services.
    pub(crate) async fn sliced(&self, namespace: &str, count: usize) -> Result {
        let slices = Api::<EndpointSlice>::namespaced(self.client(), namespace);
        let platforms = "endpointslice.kubernetes.io/managed-by=endpointslice-controller.k8s.io";
        let platforms = ListParams::default().labels(platforms);
        eventually("the platform has made the slices", async || {
            sleep(Duration::from_secs(1)).await;
            let listed = slices.list_metadata(&platforms).await?;
            Ok((listed.items.len() >= count).then_some(()))
        })
        .await
    }

    /// Waits until nobody writes much: what the platform has to do after a thing is done.
    pub(crate) async fn quiet(&self) -> Result {
        const FEW: u64 = 6;
        let mut before = self.revision().await?;
        eventually("nobody writes", async || {
            sleep(Duration::from_secs(2)).await;
            let now = self.revision().await?;
            let written = now - before;
            before = now;
            Ok((written <= FEW).then_some(()))
        })
        .await
    }

    /// How often anything was written so far.
    async fn revision(&self) -> Result<u64> {
        let namespaces = Api::<Namespace>::all(self.client());
        let listed = namespaces.list(&ListParams::default().limit(1)).await?;
        let version = listed.metadata.resource_version.unwrap_or_default();
        Ok(version.parse()?)
    }

    pub(crate) async fn window(
        &self,
        namespace: &str,
        name: &str,
        occurrence: Occurrence,
        targets: Value,
    ) -> Result {
        let window: MaintenanceWindow = serde_json::from_value(json!({
            "apiVersion": "entracte.dev/v1alpha1",
            "kind": "MaintenanceWindow",
            "metadata": {"name": name},
            "spec": {"schedule": occurrence.schedule(), "targets": targets},
        }))?;
        let windows = self.windows(namespace);
        windows.create(&PostParams::default(), &window).await?;
        Ok(())
    }

    pub(crate) fn windows(&self, namespace: &str) -> Api<MaintenanceWindow> {
        Api::namespaced(self.client(), namespace)
    }

    /// Waits until the status of a window is as `wanted` says.
    pub(crate) async fn status(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(&MaintenanceWindowStatus) -> bool,
    ) -> Result<MaintenanceWindowStatus> {
        let windows = self.windows(namespace);
        eventually(what, async || {
            let status = windows.get(name).await?.status.unwrap_or_default();
            Ok(wanted(&status).then_some(status))
        })
        .await
    }
}

/// When a window is on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Occurrence {
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
}

impl Occurrence {
    pub(crate) fn in_(lead: TimeDelta, length: TimeDelta) -> Self {
        // As it is written into the manifest.
        let start = (Utc::now() + lead).trunc_subsecs(3);
        Self {
            start,
            end: start + length,
        }
    }

    pub(crate) fn schedule(self) -> Value {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        json!({"once": {"start": text(self.start), "end": text(self.end)}})
    }
}

/// All objects of a crowd, as a target of a window.
pub(crate) fn all_of(kind: Kind) -> Value {
    json!([{"kind": kind.as_str(), "selector": {"matchLabels": {CROWD: "many"}}}])
}

/// The name of an object by its place in the crowd.
pub(crate) fn name(number: usize) -> String {
    format!("app-{number:04}")
}

pub(crate) fn objects(client: Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    let resource = match kind {
        Kind::Service => ApiResource::erase::<Service>(&()),
        Kind::Ingress => ApiResource::erase::<Ingress>(&()),
        Kind::HttpRoute => gateway_resource("HTTPRoute"),
    };
    Api::namespaced_with(client, namespace, &resource)
}

/// What a user might write. A Service leads to the pods of `app`, a route to the Service of that
/// name; and no proxy serves the route, so that what is seen is the operator's alone.
pub(crate) fn manifest(kind: Kind, name: &str, app: &str) -> Value {
    let metadata = json!({"name": name, "labels": {CROWD: "many"}});
    match kind {
        Kind::Service => json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "selector": {"app": app},
                "ports": [{"name": "http", "port": 80, "targetPort": entracte_testbed::app::PORT}],
            },
        }),
        Kind::Ingress => json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata,
            "spec": {"ingressClassName": "nobody", "rules": [{
                "host": format!("{name}.test"),
                "http": {"paths": [{
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": {"service": {"name": app, "port": {"number": 80}}},
                }]},
            }]},
        }),
        Kind::HttpRoute => json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata,
            "spec": {
                "parentRefs": [{"name": "nobody"}],
                "hostnames": [format!("{name}.test")],
                "rules": [{"backendRefs": [{"name": app, "port": 80}]}],
            },
        }),
    }
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(format!("not within {LIMIT:?}: {what}").into());
        }
        sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) async fn sleep_until(at: DateTime<Utc>) {
    sleep((at - Utc::now()).to_std().unwrap_or_default()).await;
}
