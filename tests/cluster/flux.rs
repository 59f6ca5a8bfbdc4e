//! Flux is told to look away from what is held, and to look again after it.

use entracte_testbed::target::Kind;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, merge, windows};
use crate::scene::{APP, WINDOW, always, create, named};
use crate::tools::leads_to;

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

/// The label of what Flux manages, and the annotation that it obeys there.
const WORDS: [[&str; 2]; 2] = [
    [
        "kustomize.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/reconcile",
    ],
    [
        "helm.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/driftDetection",
    ],
];

pub(crate) async fn flux_looks_away_from_what_is_held_and_applies_what_came_meanwhile(
    bench: &Bench,
) -> Result {
    for kind in KINDS {
        for words in WORDS {
            let flux = Flux::install(bench, kind, words).await?;
            let before = flux.object().await?;
            flux.begin_maintenance().await?;
            assert_eq!(flux.tells(&flux.object().await?), Some("disabled"));
            assert!(!flux.reconcile("next").await?, "{kind:?} {words:?}");
            flux.end_maintenance().await?;
            let after = flux.object().await?;
            similar_asserts::assert_eq!(format!("{after:#}"), format!("{before:#}"));
            assert!(flux.reconcile("next").await?, "{kind:?} {words:?}");
            assert_eq!(leads_to(kind, &flux.object().await?), "next");
        }
    }
    Ok(())
}

pub(crate) async fn what_the_user_has_told_flux_stays(bench: &Bench) -> Result {
    for kind in KINDS {
        let flux = Flux::install(bench, kind, WORDS[0]).await?;
        let [_, annotation] = WORDS[0];
        let theirs = json!({"metadata": {"annotations": {annotation: "disabled"}}});
        merge(&flux.objects(), APP, theirs).await?;
        let before = flux.object().await?;
        flux.begin_maintenance().await?;
        flux.end_maintenance().await?;
        let after = flux.object().await?;
        similar_asserts::assert_eq!(format!("{after:#}"), format!("{before:#}"));
    }
    Ok(())
}

/// Flux as one object sees it.
pub(crate) struct Flux<'b> {
    bench: &'b Bench,
    namespace: String,
    kind: Kind,
    words: [&'static str; 2],
}

impl<'b> Flux<'b> {
    pub(crate) async fn install_service(bench: &'b Bench) -> Result<Self> {
        Self::install(bench, Kind::Service, WORDS[0]).await
    }

    async fn install(bench: &'b Bench, kind: Kind, words: [&'static str; 2]) -> Result<Self> {
        let flux = Self {
            bench,
            namespace: bench.cluster.namespace("flux").await?,
            kind,
            words,
        };
        assert!(flux.reconcile("web").await?);
        Ok(flux)
    }

    /// What Flux does at each of its intervals; whether it applied.
    pub(crate) async fn reconcile(&self, leads_to: &str) -> Result<bool> {
        let live = self.objects().get_opt(APP).await?;
        if live.is_some_and(|live| self.tells(&json!(live)) == Some("disabled")) {
            return Ok(false);
        }
        let [label, _] = self.words;
        let (version, spec) = match self.kind {
            Kind::Service => (
                "v1",
                json!({"selector": {"app": leads_to}, "ports": [{"name": "http", "port": 80}]}),
            ),
            Kind::Ingress => (
                "networking.k8s.io/v1",
                json!({"rules": [{"host": "web.test", "http": {"paths": [{
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": {"service": {"name": leads_to, "port": {"number": 80}}},
                }]}}]}),
            ),
            Kind::HttpRoute => return Err("not tried with HTTPRoutes".into()),
        };
        let manifest = json!({
            "apiVersion": version,
            "kind": self.kind.as_str(),
            "metadata": {"name": APP, "labels": {label: "apps"}},
            "spec": spec,
        });
        let by_force = PatchParams::apply("kustomize-controller").force();
        self.objects()
            .patch(APP, &by_force, &Patch::Apply(manifest))
            .await?;
        Ok(true)
    }

    /// What the annotation says that Flux obeys.
    pub(crate) fn tells<'v>(&self, object: &'v Value) -> Option<&'v str> {
        let [_, annotation] = self.words;
        object["metadata"]["annotations"][annotation].as_str()
    }

    fn objects(&self) -> Api<DynamicObject> {
        api(self.bench, self.kind, &self.namespace)
    }

    /// The object, but for what any write changes.
    pub(crate) async fn object(&self) -> Result<Value> {
        let mut object = self.objects().get(APP).await?;
        object.metadata.resource_version = None;
        object.metadata.generation = None;
        let managed = object.metadata.managed_fields.as_mut();
        if let Some(managed) = managed {
            managed.retain(|entry| entry.subresource.is_none());
        }
        if self.kind != Kind::Service {
            // The proxy's controller writes it when it comes to it.
            object.data["status"].take();
        }
        Ok(json!(object))
    }

    pub(crate) async fn begin_maintenance(&self) -> Result {
        let targets = vec![named(self.kind, APP)];
        create(self.bench, &self.namespace, WINDOW, always(), targets).await?;
        eventually("it is held", async || {
            let object = self.object().await?;
            let label = &object["metadata"]["labels"]["entracte.dev/held"];
            Ok((*label == "true").then_some(()))
        })
        .await
    }

    pub(crate) async fn end_maintenance(&self) -> Result {
        windows(self.bench, &self.namespace)
            .delete(WINDOW, &DeleteParams::default())
            .await?;
        eventually("it is released", async || {
            let object = self.object().await?;
            Ok((!object.to_string().contains("entracte")).then_some(()))
        })
        .await
    }
}
