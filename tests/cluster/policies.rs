//! Who admits objects to the cluster refuses a hold, or cannot be asked.

use std::time::Duration;

use entracte_testbed::target::Kind;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, ours, status};
use crate::scene::{APP, Scene, WINDOW, always};

const NAME: &str = "no-maintenance";
const SENTENCE: &str = "no maintenance in this namespace";

pub(crate) async fn a_hold_that_a_policy_refuses_is_named_and_leaves_nothing_behind(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "policy").await?;
    forbid(bench, &scene.namespace).await?;
    a_hold_fails(&scene, SENTENCE).await?;
    allow(bench).await?;
    scene.held(WINDOW).await
}

/// The API server answers 500, and would to each try.
pub(crate) async fn a_hold_that_fails_on_a_dead_webhook_is_named_and_leaves_nothing_behind(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "webhook").await?;
    ask_nobody(bench, &scene.namespace).await?;
    a_hold_fails(&scene, "failed calling webhook").await?;
    let webhooks = Api::<ValidatingWebhookConfiguration>::all(bench.client());
    webhooks.delete(NAME, &DeleteParams::default()).await?;
    scene.held(WINDOW).await
}

/// There is no status any more to say it.
pub(crate) async fn a_release_that_fails_when_the_window_is_gone_is_told_in_an_event(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "webhook").await?;
    let original = scene.object(Kind::Service).await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    ask_nobody(bench, &scene.namespace).await?;
    bench.delete_windows().await?;
    let events = Api::<Event>::namespaced(bench.client(), &scene.namespace);
    let of_us = async || -> Result<Vec<Event>> {
        let all = events.list(&ListParams::default()).await?;
        let of_us = all.into_iter();
        Ok(of_us
            .filter(|event| event.reason.as_deref() == Some("NotReleased"))
            .collect())
    };
    let told = eventually("it is told", async || Ok(of_us().await?.into_iter().next())).await?;
    let regarding = told.regarding.unwrap_or_default();
    assert_eq!(regarding.kind.as_deref(), Some("Service"));
    assert_eq!(regarding.name.as_deref(), Some(APP));
    let note = told.note.unwrap_or_default();
    assert!(note.contains("failed calling webhook"), "{note}");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(of_us().await?.len(), 1, "it is told once");

    let webhooks = Api::<ValidatingWebhookConfiguration>::all(bench.client());
    webhooks.delete(NAME, &DeleteParams::default()).await?;
    eventually("it is as before", async || {
        Ok((scene.object(Kind::Service).await? == original).then_some(()))
    })
    .await
}

/// The status says so in these words, and the app is served as before.
async fn a_hold_fails(scene: &Scene<'_>, words: &str) -> Result {
    let bench = scene.bench;
    let original = scene.object(Kind::Service).await?;
    let began = bench.proxy.mark();
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    let what = "the reason is named";
    status(bench, &scene.namespace, WINDOW, what, |status| {
        let targets = status.targets.iter();
        let mut messages = targets.filter_map(|target| target.message.as_ref());
        messages.any(|message| message.contains(words))
    })
    .await?;

    sleep(Duration::from_secs(8)).await;
    let slices = ours(bench).await?;
    let left = format!("{}/{APP}-entracte", scene.namespace);
    assert!(
        slices.iter().all(|slice| !slice.contains(&left)),
        "{slices:?}"
    );
    assert_eq!(scene.object(Kind::Service).await?, original);
    // It was tried after 0 s, 2 s and 6 s, not each second.
    let writes = bench.writes_in(&scene.namespace, began);
    let tries = writes
        .iter()
        .filter(|write| write.request.resource == "endpointslices");
    assert!(tries.count() <= 8, "{writes:?}");
    Ok(())
}

/// Has the API server ask a webhook at which nobody listens before a Service is changed.
async fn ask_nobody(bench: &Bench, namespace: &str) -> Result {
    let webhook: ValidatingWebhookConfiguration = serde_json::from_value(json!({
        "metadata": {"name": NAME},
        "webhooks": [{
            "name": "nobody.entracte.test",
            "clientConfig": {"url": "https://127.0.0.1:1/"},
            "failurePolicy": "Fail",
            "timeoutSeconds": 1,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["UPDATE"],
                "resources": ["services"],
            }],
        }],
    }))?;
    let webhooks = Api::<ValidatingWebhookConfiguration>::all(bench.client());
    webhooks.create(&PostParams::default(), &webhook).await?;
    is_in_force(bench, namespace).await
}

/// Refuses our key in the selectors of a namespace, and waits until that is in force.
async fn forbid(bench: &Bench, namespace: &str) -> Result {
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["UPDATE"],
                    "resources": ["services"],
                }],
            },
            "validations": [{
                "expression": "!('entracte.dev/hold' in object.spec.selector)",
                "message": SENTENCE,
            }],
        },
    }))?;
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME, "validationActions": ["Deny"]},
    }))?;
    Api::all(bench.client())
        .create(&PostParams::default(), &policy)
        .await?;
    Api::all(bench.client())
        .create(&PostParams::default(), &binding)
        .await?;

    is_in_force(bench, namespace).await
}

/// Waits until nobody can hold the app's Service.
async fn is_in_force(bench: &Bench, namespace: &str) -> Result {
    let services = api(bench, Kind::Service, namespace);
    let hold = Patch::Merge(json!({"spec": {"selector": {"entracte.dev/hold": "x"}}}));
    let dry_run = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    eventually("it is in force", async || {
        Ok(services
            .patch(APP, &dry_run, &hold)
            .await
            .is_err()
            .then_some(()))
    })
    .await
}

async fn allow(bench: &Bench) -> Result {
    let bindings = Api::<ValidatingAdmissionPolicyBinding>::all(bench.client());
    bindings.delete(NAME, &DeleteParams::default()).await?;
    let policies = Api::<ValidatingAdmissionPolicy>::all(bench.client());
    policies.delete(NAME, &DeleteParams::default()).await?;
    Ok(())
}
