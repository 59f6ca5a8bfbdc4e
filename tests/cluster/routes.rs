//! HTTPRoutes: what a user writes while one is held is kept.

use entracte_testbed::app::{App, Routes};
use entracte_testbed::cluster::Proxy;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, windows};
use crate::scene::{APP, Scene, WINDOW, always};

/// The app that the user leads to as well.
const OTHER: &str = "other";

/// An app that has an HTTPRoute too.
pub(crate) const BEHIND_A_GATEWAY: Routes = Routes {
    ingress: Proxy::Traefik,
    http_route: Some(Proxy::Traefik),
};

/// Traefik knows no mirrors.
const BEHIND_CONTOUR: Routes = Routes {
    ingress: Proxy::Traefik,
    http_route: Some(Proxy::Contour),
};

pub(crate) async fn what_a_user_writes_to_a_held_http_route_is_kept(bench: &Bench) -> Result {
    let scene = Scene::set_behind(bench, "edits", BEHIND_A_GATEWAY).await?;
    let _other = App::create(&bench.cluster, &scene.namespace, OTHER, 1).await?;
    let routes = api(bench, Kind::HttpRoute, &scene.namespace);
    // Two thirds of the requests go to one app, a third to the other.
    let shared = json!([backend(APP, 2), backend(OTHER, 1)]);
    let with_weights = json!([rule("/", &shared)]);
    write_rules(&scene, &with_weights).await?;
    scene.window(WINDOW, always(), &[Kind::HttpRoute]).await?;
    scene.held(WINDOW).await?;
    asked(&scene, "/", "503").await?;

    // A rule before ours, as it stands in the cluster while it is held, and a label.
    let inserted = rule("/other", &json!([backend(OTHER, 1)]));
    let edit = json!([
        {"op": "add", "path": "/spec/rules/0", "value": inserted},
        {"op": "add", "path": "/metadata/labels/edited", "value": "yes"},
    ]);
    let edit = Patch::Json::<()>(serde_json::from_value(edit)?);
    routes.patch(APP, &PatchParams::default(), &edit).await?;
    asked(&scene, "/other", "503").await?;
    asked(&scene, "/", "503").await?;
    let held = routes.get(APP).await?;
    let parents = &held.data["spec"]["parentRefs"];

    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    asked(&scene, "/other", OTHER).await?;
    asked(&scene, "/", APP).await?;
    let now = routes.get(APP).await?;
    assert_eq!(
        now.data["spec"]["rules"],
        json!([inserted, rule("/", &shared)])
    );
    assert_eq!(now.data["spec"]["parentRefs"], *parents);
    assert_eq!(
        json!(now.metadata.labels),
        json!({"app": APP, "edited": "yes"})
    );
    assert_eq!(now.metadata.annotations, None);
    Ok(())
}

pub(crate) async fn a_mirror_gets_no_copies_in_the_window_and_a_redirect_stays(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "mirrors", BEHIND_CONTOUR).await?;
    let _other = App::create(&bench.cluster, &scene.namespace, OTHER, 1).await?;
    let mut mirrored = rule("/", &json!([backend(APP, 1)]));
    mirrored["filters"] = json!([{"type": "RequestMirror", "requestMirror":
        {"backendRef": {"group": "", "kind": "Service", "name": OTHER, "port": 80}}}]);
    let mut redirect = rule("/old", &Value::Null);
    redirect["filters"] = json!([{"type": "RequestRedirect", "requestRedirect":
        {"statusCode": 302, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}}}]);
    let rules = json!([mirrored, redirect]);
    write_rules(&scene, &rules).await?;
    let original = scene.object(Kind::HttpRoute).await?;
    asked(&scene, "/", APP).await?;
    scene.window(WINDOW, always(), &[Kind::HttpRoute]).await?;
    scene.held(WINDOW).await?;
    asked(&scene, "/", "503").await?;
    asked(&scene, "/old", "302").await?;
    let routes = api(bench, Kind::HttpRoute, &scene.namespace);
    let held = routes.get(APP).await?.data;
    assert_eq!(held["spec"]["rules"][0]["filters"], Value::Null);
    assert_eq!(held["spec"]["rules"][1], redirect);

    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    asked(&scene, "/", APP).await?;
    assert_eq!(scene.object(Kind::HttpRoute).await?, original);
    Ok(())
}

/// As the API server writes it out.
fn backend(name: &str, weight: u32) -> Value {
    json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight})
}

fn rule(path: &str, backends: &Value) -> Value {
    let mut rule = json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}]});
    if !backends.is_null() {
        rule["backendRefs"] = backends.clone();
    }
    rule
}

async fn write_rules(scene: &Scene<'_>, rules: &Value) -> Result {
    let routes = api(scene.bench, Kind::HttpRoute, &scene.namespace);
    let edit = json!({"spec": {"rules": rules}});
    routes
        .patch(APP, &PatchParams::default(), &Patch::Merge(edit))
        .await?;
    let written = routes.get(APP).await?;
    assert_eq!(written.data["spec"]["rules"], *rules, "nothing was added");
    Ok(())
}

/// Waits until the Gateway's answer comes from this app, or has this status.
async fn asked(scene: &Scene<'_>, path: &str, from: &str) -> Result {
    let gateway = scene.app.address(Kind::HttpRoute)?;
    eventually(&format!("{path} answers {from}"), async || {
        let answer = request::get(gateway, &scene.app.host(), path).await?;
        let found = match answer.headers().get("x-app") {
            Some(app) => app.to_str()?.to_owned(),
            None => answer.status().as_str().to_owned(),
        };
        Ok((found == from).then_some(()))
    })
    .await
}
