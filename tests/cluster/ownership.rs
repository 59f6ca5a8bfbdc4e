//! The ownership of fields is given back: server-side apply meets no conflict with us.

use entracte_testbed::target::Kind;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, windows};
use crate::scene::{APP, WINDOW, always, create, named};

const KINDS: [Kind; 3] = [Kind::Ingress, Kind::Service, Kind::HttpRoute];

pub(crate) async fn managed_fields_are_after_a_window_what_they_were_before(
    bench: &Bench,
) -> Result {
    for kind in KINDS {
        let chart = Chart::install(bench, kind).await?;
        let before = chart.managed_fields().await?;
        chart.begin_maintenance().await?;
        chart.end_maintenance().await?;
        eventually("the managed fields are as before", async || {
            Ok((chart.managed_fields().await? == before).then_some(()))
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn an_upgrade_meets_no_conflict_in_the_window_nor_after_it(
    bench: &Bench,
) -> Result {
    for kind in KINDS {
        let chart = Chart::install(bench, kind).await?;
        chart.begin_maintenance().await?;
        // The second finds what the first one left: a hold that was put back.
        for leads_to in ["web", "next"] {
            chart.apply(leads_to).await?;
            chart.is_held().await?;
        }
        chart.end_maintenance().await?;
        assert_eq!(
            chart.leads_to().await?,
            "next",
            "{kind:?}: the upgrade stays"
        );
        chart.apply("last").await?;
        assert_eq!(chart.leads_to().await?, "last", "{kind:?}");
    }
    Ok(())
}

/// A Service or an Ingress that is applied as Helm 4 does it: server-side, and not by force.
struct Chart<'b> {
    bench: &'b Bench,
    kind: Kind,
    namespace: String,
}

impl<'b> Chart<'b> {
    async fn install(bench: &'b Bench, kind: Kind) -> Result<Self> {
        let namespace = bench.cluster.namespace("helm").await?;
        if kind == Kind::HttpRoute {
            bench.cluster.install_gateway_api().await?;
        }
        let chart = Self {
            bench,
            kind,
            namespace,
        };
        chart.apply("web").await?;
        Ok(chart)
    }

    async fn apply(&self, leads_to: &str) -> Result {
        let manifest = match self.kind {
            Kind::Service => json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": APP},
                "spec": {"selector": {"app": leads_to}, "ports": [{"name": "http", "port": 80}]},
            }),
            Kind::Ingress => json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": APP},
                "spec": {"rules": [{"host": "web.test", "http": {"paths": [{
                    "path": "/",
                    "pathType": "Prefix",
                    "backend": {"service": {"name": leads_to, "port": {"number": 80}}},
                }]}}]},
            }),
            Kind::HttpRoute => json!({
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "HTTPRoute",
                "metadata": {"name": APP},
                "spec": {
                    "hostnames": ["web.test"],
                    "rules": [{"backendRefs": [{"name": leads_to, "port": 80}]}],
                },
            }),
        };
        let objects = api(self.bench, self.kind, &self.namespace);
        objects
            .patch(APP, &PatchParams::apply("helm"), &Patch::Apply(manifest))
            .await
            .map_err(|error| format!("{:?} {leads_to}: {error}", self.kind))?;
        Ok(())
    }

    async fn spec(&self) -> Result<Value> {
        let object = api(self.bench, self.kind, &self.namespace).get(APP).await?;
        Ok(object.data["spec"].clone())
    }

    /// The app of the selector, or the Service of the only rule.
    async fn leads_to(&self) -> Result<String> {
        let spec = self.spec().await?;
        let name = match self.kind {
            Kind::Service => &spec["selector"]["app"],
            Kind::Ingress => &spec["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"],
            Kind::HttpRoute => &spec["rules"][0]["backendRefs"][0]["name"],
        };
        Ok(name.as_str().unwrap_or_default().to_owned())
    }

    /// But for what Traefik writes into the status.
    async fn managed_fields(&self) -> Result<Value> {
        let object = api(self.bench, self.kind, &self.namespace).get(APP).await?;
        let mut fields = object.metadata.managed_fields.unwrap_or_default();
        fields.retain(|entry| entry.subresource.is_none());
        Ok(json!(fields))
    }

    /// Until it is held, and the ownership is given back.
    async fn begin_maintenance(&self) -> Result {
        let targets = vec![named(self.kind, APP)];
        create(self.bench, &self.namespace, WINDOW, always(), targets).await?;
        self.is_held().await
    }

    async fn is_held(&self) -> Result {
        eventually("it is held, and not ours", async || {
            let spec = self.spec().await?;
            let is_held = match self.kind {
                Kind::Service => spec["selector"]["entracte.dev/hold"].is_string(),
                Kind::Ingress | Kind::HttpRoute => {
                    self.leads_to().await? == format!("entracte-{WINDOW}")
                }
            };
            Ok((is_held && self.owner_of_leaf().await?.as_deref() == Some("helm")).then_some(()))
        })
        .await
    }

    async fn owner_of_leaf(&self) -> Result<Option<String>> {
        let leaf = match self.kind {
            Kind::Service => "f:selector",
            Kind::Ingress | Kind::HttpRoute => "f:rules",
        };
        let fields = self.managed_fields().await?;
        let mut entries = fields.as_array().into_iter().flatten();
        let owner = entries.find(|entry| !entry["fieldsV1"]["f:spec"][leaf].is_null());
        Ok(owner.and_then(|entry| entry["manager"].as_str().map(str::to_owned)))
    }

    /// Until it is released, and the ownership is given back.
    async fn end_maintenance(&self) -> Result {
        windows(self.bench, &self.namespace)
            .delete(WINDOW, &DeleteParams::default())
            .await?;
        eventually("it is released", async || {
            let object = api(self.bench, self.kind, &self.namespace).get(APP).await?;
            let labels = object.metadata.labels.unwrap_or_default();
            let is_held = labels.contains_key("entracte.dev/held");
            Ok((!is_held && self.owner_of_leaf().await?.as_deref() == Some("helm")).then_some(()))
        })
        .await
    }
}
