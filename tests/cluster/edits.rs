//! What a user writes while a target is held is kept, and the hold is put back over it.

use entracte_testbed::app::App;
use entracte_testbed::cluster::TRAEFIK;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, windows};
use crate::scene::{APP, Scene, WINDOW, always};

/// The app that the user leads to instead.
const OTHER: &str = "other";

pub(crate) async fn what_a_user_writes_to_a_held_ingress_is_kept(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "edits").await?;
    let _other = App::create(&bench.cluster, &scene.namespace, OTHER, 1).await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    scene.held(WINDOW).await?;

    // A whole manifest, as a GitOps tool applies it: another order, a rule more, a backend
    // changed, and neither our label nor our annotation.
    let backend = |name: &str| json!({"service": {"name": name, "port": {"name": "http"}}});
    let path = |path: &str, name: &str| json!({"path": path, "pathType": "Prefix", "backend": backend(name)});
    let rules = json!([
        {"host": "new.test", "http": {"paths": [path("/", OTHER)]}},
        {"host": scene.app.host(), "http": {"paths": [path("/other", OTHER), path("/", APP)]}},
    ]);
    let ingresses = api(bench, Kind::Ingress, &scene.namespace);
    let edit = json!([
        {"op": "replace", "path": "/spec/rules", "value": rules},
        {"op": "replace", "path": "/metadata/labels", "value": {"app": APP, "edited": "yes"}},
        {"op": "remove", "path": "/metadata/annotations"},
    ]);
    let edit = Patch::Json::<()>(serde_json::from_value(edit)?);
    ingresses.patch(APP, &PatchParams::default(), &edit).await?;
    for (host, path) in [
        ("new.test", "/"),
        (&*scene.app.host(), "/other"),
        (&*scene.app.host(), "/"),
    ] {
        answers(host, path, "503").await?;
    }

    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    for (host, path, app) in [
        ("new.test", "/", OTHER),
        (&*scene.app.host(), "/other", OTHER),
        (&*scene.app.host(), "/", APP),
    ] {
        answers(host, path, app).await?;
    }
    let now = ingresses.get(APP).await?;
    assert_eq!(now.data["spec"]["rules"], rules);
    assert_eq!(
        json!(now.metadata.labels),
        json!({"app": APP, "edited": "yes"})
    );
    assert_eq!(now.metadata.annotations, None);
    Ok(())
}

/// Waits until Traefik's answer comes from this app, or is a 503.
async fn answers(host: &str, path: &str, from: &str) -> Result {
    eventually(&format!("{host}{path} answers {from}"), async || {
        let answer = request::get(TRAEFIK, host, path).await?;
        let found = match answer.headers().get("x-app") {
            Some(app) => app.to_str()?.to_owned(),
            None => answer.status().as_str().to_owned(),
        };
        Ok((found == from).then_some(()))
    })
    .await
}

pub(crate) async fn what_a_user_writes_to_a_held_service_is_kept(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "edits").await?;
    let _other = App::create(&bench.cluster, &scene.namespace, OTHER, 1).await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;

    // The selector is atomic to whoever applies a manifest: our key goes with it.
    let services = api(bench, Kind::Service, &scene.namespace);
    let edit = json!([
        {"op": "replace", "path": "/spec/selector", "value": {"app": OTHER}},
        {"op": "replace", "path": "/spec/ports/0/name", "value": "web"},
        {"op": "add", "path": "/metadata/annotations", "value": {"edited": "yes"}},
    ]);
    let edit = Patch::Json::<()>(serde_json::from_value(edit)?);
    services.patch(APP, &PatchParams::default(), &edit).await?;
    eventually("the hold is put back", async || {
        let service = services.get(APP).await?;
        let key = &service.data["spec"]["selector"]["entracte.dev/hold"];
        Ok((*key == json!(service.metadata.uid)).then_some(()))
    })
    .await?;
    let address = scene.app.service_address();
    let asked = async || -> Result<_> { Ok(request::get(address, "web.test", "/").await?) };
    eventually("maintenance answers on the renamed port", async || {
        Ok((asked().await?.status() == 503).then_some(()))
    })
    .await?;

    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    eventually("the app that the user leads to answers", async || {
        let answer = asked().await?;
        Ok((answer
            .headers()
            .get("x-app")
            .is_some_and(|app| app == OTHER))
        .then_some(()))
    })
    .await?;
    let now = services.get(APP).await?;
    assert_eq!(now.data["spec"]["selector"], json!({"app": OTHER}));
    assert_eq!(now.data["spec"]["ports"][0]["name"], json!("web"));
    assert_eq!(json!(now.metadata.labels), json!({"app": APP}));
    assert_eq!(json!(now.metadata.annotations), json!({"edited": "yes"}));
    Ok(())
}
