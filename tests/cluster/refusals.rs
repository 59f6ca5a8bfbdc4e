//! What the API server and the controller do not take.

use entracte::api::conditions::ConditionType;
use entracte::api::status::Phase;
use entracte_testbed::target::Kind;
use http::Request;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::Result;
use crate::bad_input::{ACCEPTED, cases, largest, rules_without_a_case};
use crate::bench::Bench;
use crate::objects::{eventually, is, status, why};
use crate::scene::{Scene, WINDOW, always, create, named};

pub(crate) async fn what_breaks_the_schema_is_refused_with_a_sentence(bench: &Bench) -> Result {
    let mut wrong = Vec::new();
    for (slip, manifest, parts) in cases() {
        match dry_run(&bench.client(), manifest).await? {
            Ok(()) => wrong.push(format!("{slip}: taken")),
            Err(said) if parts.iter().all(|part| said.contains(part)) => {}
            Err(said) => wrong.push(format!("{slip}: {said}")),
        }
    }
    assert_eq!(wrong, [""; 0]);
    Ok(())
}

pub(crate) async fn what_the_schema_allows_is_taken(bench: &Bench) -> Result {
    let largest = largest();
    let manifests = ACCEPTED
        .iter()
        .copied()
        .chain([("the largest one", &*largest)]);
    for (name, manifest) in manifests {
        assert_eq!(dry_run(&bench.client(), manifest).await?, Ok(()), "{name}");
    }
    Ok(())
}

pub(crate) async fn every_rule_of_the_schema_has_a_case(_: &Bench) -> Result {
    let missing = rules_without_a_case().map_err(|error| error.to_string())?;
    assert_eq!(missing, [""; 0]);
    Ok(())
}

/// Sends a manifest as `kubectl apply --dry-run=server` does, and returns what is said against it.
async fn dry_run(client: &Client, manifest: &str) -> Result<std::result::Result<(), String>> {
    let path = "/apis/entracte.dev/v1alpha1/namespaces/default/maintenancewindows\
                ?dryRun=All&fieldValidation=Strict";
    let request = Request::post(path)
        .header("content-type", "application/yaml")
        .body(manifest.as_bytes().to_vec())?;
    match client.request::<Value>(request).await {
        Ok(_) => Ok(Ok(())),
        Err(kube::Error::Api(status)) => Ok(Err(status.message)),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn a_window_that_is_edited_into_a_mistake_says_what_to_write_and_nothing_is_held(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "refused").await?;
    let original = scene.object(Kind::Service).await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    scene
        .change(
            WINDOW,
            json!({"schedule": {"always": null, "recurring": {
                "cron": "0 2 * * *", "timeZone": "Europe/Berln", "duration": "2h",
            }}}),
        )
        .await?;
    let refused = status(bench, &scene.namespace, WINDOW, "it is refused", |status| {
        status.phase == Some(Phase::Refused)
    })
    .await?;
    assert_eq!(is(&refused, ConditionType::Accepted), Some(false));
    let (_, message) = why(&refused, ConditionType::Accepted).ok_or("no condition Accepted")?;
    let expected = "spec.schedule.recurring.timeZone: Europe/Berln is no time zone of the IANA \
                    database: did you mean Europe/Berlin?";
    assert_eq!(message, expected);
    let events = Api::<Event>::namespaced(bench.client(), &scene.namespace);
    let told = eventually("an Event says it too", async || {
        let mut events = events.list(&ListParams::default()).await?.items;
        events.retain(|event| event.reason.as_deref() == Some("Refused"));
        Ok((!events.is_empty()).then_some(events))
    })
    .await?;
    let told: Vec<_> = told.iter().map(|event| event.note.as_deref()).collect();
    assert_eq!(told, [Some(expected)]);
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

/// Such an object comes from a time with another schema: the schema of today would not let it in.
pub(crate) async fn an_object_that_nobody_can_read_stalls_nobody(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "unreadable").await?;
    let definitions = Api::<CustomResourceDefinition>::all(bench.client());
    let name = "maintenancewindows.entracte.dev";
    let today = definitions.get(name).await?;
    let anything = json!([{
        "op": "replace",
        "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    }]);
    let anything = Patch::Json::<()>(serde_json::from_value(anything)?);
    definitions
        .patch(name, &PatchParams::default(), &anything)
        .await?;
    let created = create_unreadable(bench, &scene.namespace).await;
    let again = json!([{
        "op": "replace",
        "path": "/spec/versions/0/schema",
        "value": today.spec.versions[0].schema,
    }]);
    let again = Patch::Json::<()>(serde_json::from_value(again)?);
    definitions
        .patch(name, &PatchParams::default(), &again)
        .await?;
    created?;

    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    // Another namespace is not stalled either.
    let elsewhere = bench.cluster.namespace("readable").await?;
    create(
        bench,
        &elsewhere,
        WINDOW,
        always(),
        vec![named(Kind::Service, "nobody")],
    )
    .await?;
    status(bench, &elsewhere, WINDOW, "it is looked at", |status| {
        status.phase == Some(Phase::Active)
    })
    .await?;
    Ok(())
}

/// The API server may take a moment to learn of the other schema.
async fn create_unreadable(bench: &Bench, namespace: &str) -> Result {
    let windows: Api<kube::api::DynamicObject> = Api::namespaced_with(
        bench.client(),
        namespace,
        &kube::api::ApiResource::erase::<entracte::api::MaintenanceWindow>(&()),
    );
    let unreadable = serde_json::from_value(json!({
        "apiVersion": "entracte.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {"name": "unreadable"},
        "spec": {"schedule": "tonight", "targets": 7},
    }))?;
    eventually("the API server takes anything", async || {
        match windows.create(&PostParams::default(), &unreadable).await {
            Ok(_) => Ok(Some(())),
            Err(kube::Error::Api(status)) if status.code == 422 => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
    .await
}
