//! Behind Envoy a rehearsal makes flips seamless, and is no way around the maintenance.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use entracte::api::names;
use entracte::api::status::{MaintenanceWindowStatus, TargetState};
use entracte_testbed::app::{APP_HEADER, Routes};
use entracte_testbed::cluster::Proxy;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use k8s_openapi::api::networking::v1::IngressSpec;
use kube::ResourceExt;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::bench::{Bench, LINGER};
use crate::flips::hold_and_release;
use crate::objects::{api, eventually, merge, status, windows};
use crate::routes::BEHIND_A_GATEWAY;
use crate::scene::{APP, Scene, WINDOW, always, once, sleep_until, soon};

/// Longer than Contour gathers changes.
const FOLLOWED: Duration = Duration::from_millis(700);

/// How far the flips of two scenes are from each other.
const APART: Duration = Duration::from_secs(2);

const BEHIND_CONTOUR: Routes = Routes {
    ingress: Proxy::Contour,
    http_route: None,
};

const BOTH_BEHIND_CONTOUR: Routes = Routes {
    ingress: Proxy::Contour,
    http_route: Some(Proxy::Contour),
};

/// The kinds that are rehearsed.
const KINDS: [Kind; 2] = [Kind::Ingress, Kind::HttpRoute];

pub(crate) async fn routes_behind_contour_are_held_on_time_and_given_back_as_they_were(
    bench: &Bench,
) -> Result {
    let ingress = Scene::set_behind(bench, "contour", BEHIND_CONTOUR).await?;
    let route = Scene::set_behind(bench, "contour", BOTH_BEHIND_CONTOUR).await?;
    tokio::try_join!(hold_and_release(&ingress, Kind::Ingress), async {
        // Each is to be on time by itself.
        sleep(APART).await;
        hold_and_release(&route, Kind::HttpRoute).await
    },)?;
    Ok(())
}

pub(crate) async fn a_rehearsal_is_no_way_to_the_app(bench: &Bench) -> Result {
    let scene = Scene::set_behind(bench, "no-way", BOTH_BEHIND_CONTOUR).await?;
    let occurrence = soon(6);
    scene.window(WINDOW, once(occurrence), &KINDS).await?;
    let mut rehearsals = Vec::new();
    for kind in KINDS {
        rehearsals.push(rehearsal_of(&scene, kind).await?);
    }
    sleep_until(occurrence.start - TimeDelta::milliseconds(800)).await;
    no_app_answers(&scene, &rehearsals).await?;
    scene.held(WINDOW).await?;
    sleep(FOLLOWED).await;
    no_app_answers(&scene, &rehearsals).await?;

    scene.released(WINDOW).await?;
    for (kind, rehearsal) in KINDS.into_iter().zip(&rehearsals) {
        let lingering = rehearsal_of(&scene, kind).await?;
        let spec = &lingering.data["spec"];
        assert_eq!(
            *spec, rehearsal.data["spec"],
            "it stands through the linger"
        );
    }
    no_app_answers(&scene, &rehearsals).await?;
    sleep(LINGER).await;
    for kind in KINDS {
        no_rehearsal(&scene, kind).await?;
    }
    Ok(())
}

pub(crate) async fn a_rehearsal_that_was_deleted_is_put_back_and_goes_with_its_target(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "put-back", BOTH_BEHIND_CONTOUR).await?;
    let all = KINDS.map(|kind| json!({"kind": kind.as_str(), "all": {}}));
    scene.window_over(WINDOW, always(), all.to_vec()).await?;
    scene.held(WINDOW).await?;
    for kind in KINDS {
        let rehearsal = rehearsal_of(&scene, kind).await?;
        api(bench, kind, &scene.namespace)
            .delete(&rehearsal.name_any(), &DeleteParams::default())
            .await?;
        eventually("another one stands", async || {
            let again = find_rehearsal(&scene, kind).await?;
            Ok(again.filter(|again| again.metadata.uid != rehearsal.metadata.uid))
        })
        .await?;
    }
    let status = windows(bench, &scene.namespace).get(WINDOW).await?.status;
    let targets = status.unwrap_or_default().targets;
    let targets: BTreeSet<_> = targets
        .iter()
        .map(|it| (it.kind.as_str(), &*it.name))
        .collect();
    let routes = KINDS.map(|kind| (kind.as_str(), APP));
    assert_eq!(targets, routes.into(), "what is ours is never selected");

    bench.operator().await.controller().kill().await?;
    for kind in KINDS {
        rehearsal_of(&scene, kind).await?;
        api(bench, kind, &scene.namespace)
            .delete(APP, &DeleteParams::default())
            .await?;
        no_rehearsal(&scene, kind).await?;
    }
    Ok(())
}

pub(crate) async fn where_nobody_knows_the_controller_the_status_says_so_once(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "unknown", BEHIND_A_GATEWAY).await?;
    for (kind, spec) in [
        (Kind::Ingress, json!({"ingressClassName": "unknown"})),
        (
            Kind::HttpRoute,
            json!({"parentRefs": [{"name": "unknown"}]}),
        ),
    ] {
        let objects = api(bench, kind, &scene.namespace);
        merge(&objects, APP, json!({ "spec": spec })).await?;
    }
    scene.window(WINDOW, always(), &KINDS).await?;
    let is_held = |status: &MaintenanceWindowStatus| {
        let mut targets = status.targets.iter();
        status.targets.len() == 2 && targets.all(|target| target.state == TargetState::Held)
    };
    let held = status(bench, &scene.namespace, WINDOW, "both are held", is_held).await?;
    for (kind, why) in [
        (Kind::Ingress, "there is no IngressClass unknown"),
        (
            Kind::HttpRoute,
            "the status of the HTTPRoute does not say which controller serves it at unknown",
        ),
    ] {
        let mut targets = held.targets.iter();
        let line = targets.find(|target| target.kind.as_str() == kind.as_str());
        let line = line.ok_or("no line")?;
        let message = line.message.as_deref().unwrap_or_default();
        assert_eq!(line.reason.as_deref(), Some("Unrehearsed"));
        assert!(message.contains(why), "{message}");
        assert!(find_rehearsal(&scene, kind).await?.is_none());
    }

    let version = async || -> Result<_> {
        let window = windows(bench, &scene.namespace).get(WINDOW).await?;
        Ok(window.metadata.resource_version)
    };
    sleep(Duration::from_secs(1)).await;
    let before = version().await?;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(version().await?, before, "it is said once");
    Ok(())
}

/// Whoever knows all of a rehearsal does not get to the app by it.
async fn no_app_answers(scene: &Scene<'_>, rehearsals: &[DynamicObject]) -> Result {
    let [ingress, route] = rehearsals else {
        return Err("there is one of each kind".into());
    };
    nobody_answers(scene, &ingress.data["spec"]).await?;
    the_window_answers(scene, &route.data["spec"]).await
}

/// Over the host and the paths of an Ingress's nobody gets the maintenance page either.
async fn nobody_answers(scene: &Scene<'_>, rehearsal: &Value) -> Result {
    let address = scene.app.address(Kind::Ingress)?;
    let rehearsal: IngressSpec = serde_json::from_value(rehearsal.clone())?;
    let rules = rehearsal.rules.unwrap_or_default();
    let mut asked = 0;
    for rule in rules {
        let host = rule.host.ok_or("a rehearsal without a host")?;
        assert!(host.ends_with(".invalid"), "{host}");
        let paths = rule.http.map(|http| http.paths).unwrap_or_default();
        for path in paths.into_iter().filter_map(|path| path.path) {
            for path in [
                path.clone(),
                path.replace('?', "%3F"),
                path.replace('?', "%3f"),
                path.replace('?', "%253F"),
                path.replace('?', ""),
                format!("{path}?"),
                format!("{path}x=1"),
                "/".to_owned(),
            ] {
                let answer = request::get(address, &host, &path).await?;
                assert_eq!(answer.status(), 404, "{host}{path}");
                assert!(!answer.headers().contains_key(APP_HEADER));
                asked += 1;
            }
            let answer = request::get(address, &scene.app.host(), &path).await?;
            let who = answer.headers().get(APP_HEADER).is_some() || answer.status() == 503;
            assert!(who, "on the app's own host it is a path as any other");
        }
    }
    assert!(asked > 0, "it has no paths");
    Ok(())
}

/// The paths of an HTTPRoute's have the host of the app.
async fn the_window_answers(scene: &Scene<'_>, rehearsal: &Value) -> Result {
    let address = scene.app.address(Kind::HttpRoute)?;
    let rules = rehearsal["rules"].as_array().ok_or("it has no rules")?;
    for rule in rules {
        let path = rule["matches"][0]["path"]["value"].as_str();
        let path = path.ok_or("a rule without a path")?;
        for path in [path.to_owned(), format!("{path}?x=1")] {
            let answer = request::get(address, &scene.app.host(), &path).await?;
            assert_eq!(answer.status(), 503, "{path}");
            assert!(!answer.headers().contains_key(APP_HEADER), "{path}");
            let window = answer.headers().get(names::WINDOW_HEADER);
            let window = window.ok_or("not the window's answer")?.to_str()?;
            assert_eq!(window, format!("{}/{WINDOW}", scene.namespace));
        }
    }
    assert!(!rules.is_empty());
    Ok(())
}

async fn find_rehearsal(scene: &Scene<'_>, kind: Kind) -> Result<Option<DynamicObject>> {
    let objects = api(scene.bench, kind, &scene.namespace);
    let ours = ListParams::default().labels(names::REHEARSAL_LABEL);
    Ok(objects.list(&ours).await?.items.pop())
}

async fn rehearsal_of(scene: &Scene<'_>, kind: Kind) -> Result<DynamicObject> {
    let what = format!("there is a rehearsal of the {}", kind.as_str());
    eventually(&what, async || find_rehearsal(scene, kind).await).await
}

async fn no_rehearsal(scene: &Scene<'_>, kind: Kind) -> Result {
    let what = format!("the rehearsal of the {} is gone", kind.as_str());
    eventually(&what, async || {
        Ok(find_rehearsal(scene, kind).await?.is_none().then_some(()))
    })
    .await
}
