//! Objects that tools write, each twice: a window covers the first, and nothing the second, which
//! is what the first has to be when the window is over.

use std::time::Duration;

use entracte_testbed::target::Kind;
use futures::future::try_join_all;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{eventually, windows};
use crate::scene::{WINDOW, always, create, patched};
use crate::tools::{Tool, Written};

/// The app that every object leads to first.
pub(crate) const FIRST: &str = "web";

pub(crate) struct Twins<'b> {
    bench: &'b Bench,
    namespace: String,
    pub(crate) pairs: Vec<Pair<'b>>,
}

/// One object that is held, and one like it that is not.
pub(crate) struct Pair<'b> {
    pub(crate) covered: Written<'b>,
    pub(crate) free: Written<'b>,
}

impl<'b> Twins<'b> {
    pub(crate) async fn install(bench: &'b Bench, kinds: &[Kind], tools: &[Tool]) -> Result<Self> {
        let covered = bench.cluster.namespace("covered").await?;
        let free = bench.cluster.namespace("free").await?;
        let mut pairs = Vec::new();
        for &kind in kinds {
            for &tool in tools {
                let written = |namespace: &String| Written {
                    bench,
                    namespace: namespace.clone(),
                    kind,
                    tool,
                };
                let (covered, free) = (written(&covered), written(&free));
                pairs.push(Pair { covered, free });
            }
        }
        let twins = Self {
            bench,
            namespace: covered,
            pairs,
        };
        try_join_all(twins.pairs.iter().map(async |pair| {
            pair.covered.install(FIRST).await?;
            pair.free.install(FIRST).await
        }))
        .await?;
        Ok(twins)
    }

    /// Until every covered object is held, and the ownership of its leaf is given back.
    pub(crate) async fn begin_maintenance(&self) -> Result {
        let name = |pair: &Pair<'_>| patched(pair.covered.kind, pair.covered.tool.name());
        let targets = self.pairs.iter().map(name).collect();
        create(self.bench, &self.namespace, WINDOW, always(), targets).await?;
        for pair in &self.pairs {
            pair.covered.is_held_again().await?;
        }
        Ok(())
    }

    /// Until no window covers anything any more, and nothing of ours is left on the objects.
    pub(crate) async fn end_maintenance(&self) -> Result {
        windows(self.bench, &self.namespace)
            .delete(WINDOW, &DeleteParams::default())
            .await?;
        for pair in &self.pairs {
            pair.covered.is_released().await?;
        }
        Ok(())
    }

    /// Writes the same to both objects of a pair.
    pub(crate) async fn write(&self, pair: &Pair<'_>, leads_to: &str) -> Result<Value> {
        pair.free.write(leads_to).await?;
        pair.covered.write(leads_to).await
    }

    /// Each covered object leads to `leads_to`, and is in everything what its twin is.
    pub(crate) async fn are_alike(&self, leads_to: &str) -> Result {
        for Pair { covered, free } in &self.pairs {
            let what = format!("{:?} of {:?}", covered.kind, covered.tool);
            let [found, expected] = [covered.likeness().await?, free.likeness().await?];
            assert_eq!(covered.leads_to(&found), leads_to, "{what}");
            similar_asserts::assert_eq!(format!("{found:#}"), format!("{expected:#}"), "{what}");
        }
        Ok(())
    }
}

impl Written<'_> {
    /// How long it takes until the object is held.
    pub(crate) async fn is_held_again(&self) -> Result<Duration> {
        let began = Instant::now();
        let what = format!("{:?} {} is held", self.kind, self.tool.name());
        let took = eventually(&what, async || {
            let is_held = self.is_held(&self.read().await?);
            Ok(is_held.then(|| began.elapsed()))
        })
        .await?;
        eventually("the ownership is given back", async || {
            Ok((!is_ours(&self.read().await?)).then_some(()))
        })
        .await?;
        Ok(took)
    }

    pub(crate) async fn is_released(&self) -> Result {
        let what = format!("{:?} {} is released", self.kind, self.tool.name());
        eventually(&what, async || {
            let object = self.read().await?;
            let label = &object["metadata"]["labels"]["entracte.dev/held"];
            let is_free = label.is_null() && !self.is_held(&object) && !is_ours(&object);
            Ok(is_free.then_some(()))
        })
        .await
    }

    /// What two objects have in common that were written in the same way.
    async fn likeness(&self) -> Result<Value> {
        let mut object = self.read().await?;
        let managed = object["metadata"]["managedFields"].take();
        let mut managed: Vec<Value> = managed.as_array().cloned().unwrap_or_default();
        managed.retain(|entry| entry["subresource"].is_null());
        for entry in &mut managed {
            entry["time"] = Value::Null;
        }
        managed.sort_by_key(ToString::to_string);
        let object = json!({
            "labels": object["metadata"]["labels"],
            "annotations": object["metadata"]["annotations"],
            "managedFields": managed,
            "spec": object["spec"],
        });
        let mut object = object.to_string().replace(&self.namespace, "NAMESPACE");
        if let Some(address) = self.read().await?["spec"]["clusterIP"].as_str() {
            object = object.replace(address, "ADDRESS");
        }
        Ok(serde_json::from_str(&object)?)
    }
}

/// Whether we own what we changed of an object.
fn is_ours(object: &Value) -> bool {
    let managed = object["metadata"]["managedFields"].as_array();
    let mut ours = managed
        .into_iter()
        .flatten()
        .filter(|entry| entry["manager"] == "entracte");
    ours.any(|entry| !entry["fieldsV1"]["f:spec"].is_null())
}
