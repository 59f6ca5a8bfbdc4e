//! What the operator is held against: one plain client that sends the same writes to objects that
//! are alike, and does nothing else.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use chrono::{TimeDelta, Utc};
use entracte::plan::backend::{Endpoint, Pod};
use entracte::plan::holdable::Surroundings;
use entracte::plan::{Answering, Desired, Edit, Holdable, Linger};
use entracte_testbed::api_proxy::{Outcome, Verb};
use entracte_testbed::target::Kind;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;
use crate::stage::{Stage, objects};

/// Whoever writes the same and is not the operator. What bears its name is nobody's to give back.
const MANAGER: &str = "plain";

/// What every mark and label of the operator's begins with, and the same of the plain client's.
const OURS: &str = "entracte.dev";

/// The writes that hold one object.
struct Writes {
    name: String,
    slices: Vec<EndpointSlice>,
    patch: json_patch::Patch,
}

/// What is sent for each object, each write after the answer to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The patch alone.
    Patch,
    /// What has to stand behind a Service before it is patched, too.
    SlicesAndPatch,
}

/// How long it takes to hold all of `kind` in `namespace`: from the first request until the answer to
/// the last one, as the proxy saw them. The operator has to be stopped.
pub(crate) async fn takes(
    stage: &Stage,
    kind: Kind,
    namespace: &str,
    what: What,
    at_once: usize,
) -> Result<TimeDelta> {
    let marks = match what {
        What::Patch => "plain.test",
        What::SlicesAndPatch => "other.test",
    };
    let writes = writes(stage, kind, namespace, marks).await?;
    let client = stage.plain_client().await?;
    let objects = objects(client.clone(), kind, namespace);
    let slices = Api::<EndpointSlice>::namespaced(client, namespace);
    let mark = stage.proxy.mark();
    stream::iter(&writes)
        .map(|writes| send(&objects, &slices, writes, what))
        .buffer_unordered(at_once)
        .try_collect::<()>()
        .await?;
    let requests = stage.proxy.since(mark);
    let sent = requests.iter().filter(|it| it.request.verb != Verb::List);
    let first = sent.clone().map(|it| it.received).min();
    let last = sent
        .filter_map(|it| match it.outcome {
            Outcome::Answered { at, .. } => Some(at),
            _ => None,
        })
        .max();
    Ok(last
        .zip(first)
        .map(|(last, first)| last - first)
        .ok_or("nothing was sent")?)
}

async fn send(
    objects: &Api<DynamicObject>,
    slices: &Api<EndpointSlice>,
    writes: &Writes,
    what: What,
) -> Result {
    if what == What::SlicesAndPatch {
        for slice in &writes.slices {
            let by_us = PostParams {
                field_manager: Some(MANAGER.to_owned()),
                ..PostParams::default()
            };
            slices.create(&by_us, slice).await?;
        }
    }
    let by_us = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::<()>::Json(writes.patch.clone());
    objects.patch(&writes.name, &by_us, &patch).await?;
    Ok(())
}

/// What the operator would write, under another name.
async fn writes(stage: &Stage, kind: Kind, namespace: &str, marks: &str) -> Result<Vec<Writes>> {
    match kind {
        Kind::Service => planned::<Service>(stage, namespace, marks).await,
        Kind::Ingress => planned::<Ingress>(stage, namespace, marks).await,
        Kind::HttpRoute => Err("no crowd of HTTPRoutes is measured".into()),
    }
}

async fn planned<K>(stage: &Stage, namespace: &str, marks: &str) -> Result<Vec<Writes>>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Holdable
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let objects = Api::<K>::namespaced(stage.client(), namespace);
    let listed = objects.list(&ListParams::default()).await?;
    let endpoints = [endpoint(2), endpoint(3)];
    let idle = BTreeSet::new();
    let answering = Answering {
        bridge: "entracte-db-upgrade",
        bridge_ready: true,
        port: Some(20000),
        endpoints: &endpoints,
        backend: &endpoints,
        is_kept: false,
        idle: &idle,
    };
    let linger = Linger {
        unready: TimeDelta::zero(),
        longest: TimeDelta::zero(),
    };
    let mut all = Vec::new();
    for object in listed {
        let around = Surroundings::default();
        let plan = object.plan(&around, Desired::Held(answering), linger, Utc::now());
        let mut slices = Vec::new();
        let mut patches = Vec::new();
        for edit in plan.edits {
            match edit {
                Edit::CreateSlice(slice) => slices.push(renamed(&*slice, marks)?),
                Edit::Patch { patch, .. } => patches.push(renamed(&patch, marks)?),
                edit => return Err(format!("not the edit of a hold: {edit:?}").into()),
            }
        }
        let [patch] = &patches[..] else {
            return Err(format!("{} patches", patches.len()).into());
        };
        all.push(Writes {
            name: object.name_any(),
            slices,
            patch: patch.clone(),
        });
    }
    Ok(all)
}

/// The operator must not take it for its own.
fn renamed<T: Serialize + DeserializeOwned>(write: &T, marks: &str) -> Result<T> {
    let text = serde_json::to_string(write)?.replace(OURS, marks);
    Ok(serde_json::from_str(&text)?)
}

/// A backend pod like those of the operator.
fn endpoint(last: u8) -> Endpoint {
    Endpoint {
        address: IpAddr::V4(Ipv4Addr::new(10, 244, 0, last)),
        pod: Pod {
            namespace: "entracte-system".to_owned(),
            name: format!("entracte-backend-{last}"),
            uid: "5b3b3f0e-6f4b-4c8e-9d7a-0a1b2c3d4e5f".to_owned(),
        },
        node: Some("node1".to_owned()),
        zone: None,
    }
}
