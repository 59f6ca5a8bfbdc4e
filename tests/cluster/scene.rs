//! An app in a namespace of its own, its clients, and the windows over it.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use entracte::api::MaintenanceWindow;
use entracte::api::conditions::ConditionType;
use entracte_testbed::app::{App, Routes};
use entracte_testbed::load::{Load, Options};
use entracte_testbed::network;
use entracte_testbed::target::{Kind, Target};
use entracte_testbed::verdict::{Occurrence, SETTLES_WITHIN};
use kube::api::PostParams;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{eventually, is, merge, status, windows, without_bookkeeping};

/// The name of the app, its Service, its Ingress and its HTTPRoute.
pub(crate) const APP: &str = "web";

/// The name of the window, where there is one.
pub(crate) const WINDOW: &str = "db-upgrade";

/// How long before its start a window is applied: longer than the preparation takes.
const LEAD: TimeDelta = TimeDelta::seconds(5);

/// Requests per second of the clients of one target.
const PER_SECOND: u32 = 200;

/// The addresses that clients connect from: each request is a new connection, and an address
/// runs out of ports.
const SOURCES: u8 = 8;

/// What stands in one test.
pub(crate) struct Scene<'b> {
    pub(crate) bench: &'b Bench,
    pub(crate) namespace: String,
    pub(crate) app: App,
}

impl<'b> Scene<'b> {
    /// An app with two pods, and an Ingress of Traefik's.
    pub(crate) async fn set(bench: &'b Bench, prefix: &str) -> Result<Self> {
        Self::set_behind(bench, prefix, Routes::default()).await
    }

    /// An app with two pods behind these proxies.
    pub(crate) async fn set_behind(bench: &'b Bench, prefix: &str, routes: Routes) -> Result<Self> {
        let namespace = bench.cluster.namespace(prefix).await?;
        let app = App::create_behind(&bench.cluster, &namespace, APP, 2, routes).await?;
        let scene = Self {
            bench,
            namespace,
            app,
        };
        scene.ingress_has_its_address().await?;
        Ok(scene)
    }

    /// Its proxy writes it into the status a while after it serves the Ingress.
    async fn ingress_has_its_address(&self) -> Result {
        let api = crate::objects::api(self.bench, Kind::Ingress, &self.namespace);
        eventually("the Ingress has an address", async || {
            let ingress = api.get(APP).await?;
            let address = &ingress.data["status"]["loadBalancer"]["ingress"];
            Ok((!address.is_null()).then_some(()))
        })
        .await
    }

    pub(crate) fn target(&self, kind: Kind) -> Target {
        Target {
            kind,
            namespace: self.namespace.clone(),
            name: APP.to_owned(),
        }
    }

    /// The object of the app that is of this kind, without what changes with any write to it.
    pub(crate) async fn object(&self, kind: Kind) -> Result<String> {
        without_bookkeeping(self.bench, kind, &self.namespace, APP).await
    }

    /// Clients that keep asking for the app, each time over a new connection, on the way that an
    /// object of this kind makes: through the proxy of the Ingress or HTTPRoute, or straight to the
    /// ClusterIP.
    pub(crate) async fn clients(&self, kind: Kind) -> Result<Load> {
        Ok(Load::start(self.asking(kind).await?))
    }

    /// The same, but that they keep their connections.
    pub(crate) async fn kept_clients(&self, kind: Kind) -> Result<Load> {
        Ok(Load::start(Options {
            keep_alive: true,
            ..self.asking(kind).await?
        }))
    }

    async fn asking(&self, kind: Kind) -> Result<Options> {
        let address = self.app.address(kind)?;
        Ok(Options {
            sources: sources().await?,
            per_second: PER_SECOND,
            ..Options::new(address, &self.app.host())
        })
    }

    /// Creates a window over the targets.
    pub(crate) async fn window(&self, name: &str, schedule: Value, targets: &[Kind]) -> Result {
        let targets = targets.iter().map(|kind| named(*kind, APP)).collect();
        self.window_over(name, schedule, targets).await
    }

    /// Creates a window with these targets, as they stand in its manifest.
    pub(crate) async fn window_over(
        &self,
        name: &str,
        schedule: Value,
        targets: Vec<Value>,
    ) -> Result {
        create(self.bench, &self.namespace, name, schedule, targets).await
    }

    /// Waits until every target of a window answers from the backend.
    pub(crate) async fn held(&self, window: &str) -> Result {
        let what = "every target is held";
        status(self.bench, &self.namespace, window, what, |status| {
            is(status, ConditionType::Held) == Some(true)
        })
        .await?;
        Ok(())
    }

    /// Waits until no target of a window is held, nor being given back.
    pub(crate) async fn released(&self, window: &str) -> Result {
        use entracte::api::status::TargetState::Serving;
        let what = "every target serves";
        status(self.bench, &self.namespace, window, what, |status| {
            status.targets.iter().all(|target| target.state == Serving)
        })
        .await?;
        Ok(())
    }

    /// Changes the spec of a window.
    pub(crate) async fn change(&self, window: &str, spec: Value) -> Result {
        let api = windows(self.bench, &self.namespace);
        merge(&api, window, json!({ "spec": spec })).await?;
        Ok(())
    }
}

/// Puts the addresses of clients on the loopback device; they may be there already.
pub(crate) async fn sources() -> Result<Vec<IpAddr>> {
    let addresses: Vec<IpAddr> = (1..=SOURCES)
        .map(|last| Ipv4Addr::new(10, 1, 0, last).into())
        .collect();
    for address in &addresses {
        network::add_address(*address).await?;
    }
    Ok(addresses)
}

/// Creates a window, which the API server has to take.
pub(crate) async fn create(
    bench: &Bench,
    namespace: &str,
    name: &str,
    schedule: Value,
    targets: Vec<Value>,
) -> Result {
    let window: MaintenanceWindow = serde_json::from_value(json!({
        "apiVersion": "entracte.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {"name": name},
        "spec": {
            "schedule": schedule,
            "targets": targets,
            "response": {"message": "We are upgrading our database."},
        },
    }))?;
    windows(bench, namespace)
        .create(&PostParams::default(), &window)
        .await?;
    Ok(())
}

/// A target by name, as it stands in a window.
pub(crate) fn named(kind: Kind, name: &str) -> Value {
    json!({"kind": kind.as_str(), "name": name})
}

/// A target that is patched itself, also where Argo CD tracks it.
pub(crate) fn patched(kind: Kind, name: &str) -> Value {
    match kind {
        Kind::Service => named(kind, name),
        Kind::Ingress | Kind::HttpRoute => {
            json!({"kind": kind.as_str(), "name": name, "hold": "Route"})
        }
    }
}

/// An occurrence that begins soon and lasts for `seconds`.
pub(crate) fn soon(seconds: i64) -> Occurrence {
    // As it is written into the manifest.
    let start = Utc::now().trunc_subsecs(3) + LEAD;
    Occurrence {
        start,
        end: start + TimeDelta::seconds(seconds),
    }
}

pub(crate) fn once(occurrence: Occurrence) -> Value {
    json!({"once": {"start": text(occurrence.start), "end": text(occurrence.end)}})
}

pub(crate) fn always() -> Value {
    json!({"always": {}})
}

/// As it is written into a manifest.
pub(crate) fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(crate) async fn sleep_until(at: DateTime<Utc>) {
    sleep((at - Utc::now()).to_std().unwrap_or_default()).await;
}

/// Waits until every proxy has followed what was scheduled for `at`, and a while longer.
pub(crate) async fn settled(at: DateTime<Utc>) {
    sleep_until(at + SETTLES_WITHIN + TimeDelta::seconds(1)).await;
}
