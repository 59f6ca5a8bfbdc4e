//! An admission policy that refuses a hold.

use std::time::Duration;

use entracte_testbed::target::Kind;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
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
    let original = scene.object(Kind::Service).await?;
    forbid(bench, &scene.namespace).await?;
    let began = bench.proxy.mark();
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    status(
        bench,
        &scene.namespace,
        WINDOW,
        "the policy is named",
        |status| {
            let mut messages = status
                .targets
                .iter()
                .filter_map(|target| target.message.as_ref());
            messages.any(|message| message.contains(SENTENCE))
        },
    )
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

    allow(bench).await?;
    scene.held(WINDOW).await
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

    let services = api(bench, Kind::Service, namespace);
    let hold = Patch::Merge(json!({"spec": {"selector": {"entracte.dev/hold": "x"}}}));
    let dry_run = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    eventually("the policy is in force", async || {
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
