//! Kinds that are absent, appear and vanish, while the controller runs.

use std::time::Duration;

use entracte::api::status::TargetState;
use entracte_testbed::operator;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use kube::api::PostParams;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, ours, status};
use crate::routes::BEHIND_A_GATEWAY;
use crate::scene::{APP, Scene, WINDOW, always};

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

/// Our definition, as kubectl names it.
const DEFINITION: &str = "crd/maintenancewindows.entracte.dev";

/// Long enough for a controller that draws a wrong conclusion to act on it.
const A_WHILE: Duration = Duration::from_secs(5);

pub(crate) async fn the_gateway_api_may_go_and_come_back_while_a_window_is_on(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "gateway", BEHIND_A_GATEWAY).await?;
    let routes = api(bench, Kind::HttpRoute, &scene.namespace);
    let mut manifest = routes.get(APP).await?;
    manifest.metadata.resource_version = None;
    manifest.metadata.uid = None;
    manifest.metadata.managed_fields = None;
    let spec = manifest.data["spec"].clone();
    let targets = [Kind::Service, Kind::HttpRoute];
    scene.window(WINDOW, always(), &targets).await?;
    scene.held(WINDOW).await?;

    bench.cluster.remove_gateway_api().await?;
    let what = "the HTTPRoute is missing, and why";
    let missing = status(bench, &scene.namespace, WINDOW, what, |status| {
        status.targets.first().is_some_and(|target| {
            let message = target.message.as_deref().unwrap_or_default();
            target.state == TargetState::Missing
                && message.contains("the Gateway API is not installed")
        })
    })
    .await?;
    assert_eq!(
        missing.targets[1].state,
        TargetState::Held,
        "the Service is"
    );
    readiness(bench, 200, "HTTPRoutes: the Gateway API is not installed").await?;

    bench.cluster.install_gateway_api().await?;
    readiness(bench, 200, "HTTPRoutes: listed").await?;
    eventually("the HTTPRoute is written anew", async || {
        // A definition that is established may still be unknown for a moment.
        let created = routes.create(&PostParams::default(), &manifest).await;
        Ok(created.ok().map(|_| ()))
    })
    .await?;
    scene.held(WINDOW).await?;
    bench.delete_windows().await?;
    eventually("the HTTPRoute is as it was", async || {
        let route = routes.get(APP).await?;
        Ok((route.data["spec"] == spec && route.metadata.annotations.is_none()).then_some(()))
    })
    .await
}

pub(crate) async fn without_our_definition_everything_is_released_and_readiness_says_why(
    bench: &Bench,
) -> Result {
    let result = without_our_definition(bench).await;
    // Whatever came of it, the other tests need it.
    operator::install(&bench.cluster).await?;
    result?;
    readiness(bench, 200, "MaintenanceWindows: listed").await?;
    let scene = Scene::set(bench, "defined").await?;
    scene.window(WINDOW, always(), &KINDS).await?;
    scene.held(WINDOW).await
}

/// It is deleted once while the controller runs, and once while it does not.
async fn without_our_definition(bench: &Bench) -> Result {
    for running in [true, false] {
        operator::install(&bench.cluster).await?;
        readiness(bench, 200, "MaintenanceWindows: listed").await?;
        let scene = Scene::set(bench, "undefined").await?;
        let originals = objects(&scene).await?;
        scene.window(WINDOW, always(), &KINDS).await?;
        scene.held(WINDOW).await?;
        if !running {
            bench.operator().await.controller().kill().await?;
        }
        kubectl(bench, &["delete", DEFINITION]).await?;
        if !running {
            sleep(A_WHILE).await;
            assert_ne!(objects(&scene).await?, originals, "nobody releases them");
            bench.operator().await.controller().launch()?;
        }
        as_before(&scene, &originals).await?;
        readiness(bench, 503, "MaintenanceWindows: the CRD is not installed").await?;
    }
    eventually("nothing of ours is left", async || {
        Ok(ours(bench).await?.is_empty().then_some(()))
    })
    .await
}

pub(crate) async fn windows_that_are_not_served_are_not_taken_for_gone(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "unserved").await?;
    let originals = objects(&scene).await?;
    scene.window(WINDOW, always(), &KINDS).await?;
    scene.held(WINDOW).await?;
    let held = objects(&scene).await?;
    serve(bench, false).await?;
    let result = are_not_taken_for_gone(&scene, &held).await;
    serve(bench, true).await?;
    result?;
    bench.operator().await.controller().start().await?;
    assert_eq!(objects(&scene).await?, held);
    bench.delete_windows().await?;
    as_before(&scene, &originals).await
}

/// Neither by a controller that knew them, nor by one that did not.
async fn are_not_taken_for_gone(scene: &Scene<'_>, held: &[String; 2]) -> Result {
    let bench = scene.bench;
    sleep(A_WHILE).await;
    assert_eq!(objects(scene).await?, *held);
    bench.operator().await.controller().kill().await?;
    bench.operator().await.controller().launch()?;
    let amiss = "MaintenanceWindows: the CRD is installed, but does not serve the version v1alpha1";
    readiness(bench, 503, amiss).await?;
    sleep(A_WHILE).await;
    assert_eq!(objects(scene).await?, *held);
    Ok(())
}

/// Serves the only version of our definition, or not: then every request for a window is answered
/// with 404.
async fn serve(bench: &Bench, served: bool) -> Result {
    let patch =
        format!(r#"[{{"op": "replace", "path": "/spec/versions/0/served", "value": {served}}}]"#);
    kubectl(bench, &["patch", DEFINITION, "--type=json", "-p", &patch]).await?;
    let windows = ["get", "maintenancewindows.v1alpha1.entracte.dev"];
    eventually("the API server follows", async || {
        let output = bench.cluster.kubectl(windows).await?;
        Ok((output.status.success() == served).then_some(()))
    })
    .await
}

async fn kubectl(bench: &Bench, arguments: &[&str]) -> Result {
    let output = bench.cluster.kubectl(arguments).await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("kubectl {}: {said}", arguments.join(" ")).into())
}

/// Ingress and Service of the app.
async fn objects(scene: &Scene<'_>) -> Result<[String; 2]> {
    Ok([scene.object(KINDS[0]).await?, scene.object(KINDS[1]).await?])
}

async fn as_before(scene: &Scene<'_>, originals: &[String; 2]) -> Result {
    eventually("Ingress and Service are as they were", async || {
        Ok((objects(scene).await? == *originals).then_some(()))
    })
    .await
}

/// Waits until the controller's readiness has this status, and says this.
async fn readiness(bench: &Bench, status: u16, line: &str) -> Result {
    let address = bench.operator().await.controller().admin_address();
    eventually(&format!("{status} {line}"), async || {
        // The process may have been started a moment ago.
        let Ok(answer) = request::get(address, &address.to_string(), "/readyz").await else {
            return Ok(None);
        };
        let said = String::from_utf8_lossy(answer.body()).into_owned();
        Ok((answer.status() == status && said.contains(line)).then_some(()))
    })
    .await
}
