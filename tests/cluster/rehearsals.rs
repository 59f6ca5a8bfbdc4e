//! Behind Envoy a rehearsal makes flips seamless, and is no way around the maintenance.

use std::time::Duration;

use chrono::TimeDelta;
use entracte::api::status::TargetState;
use entracte_testbed::app::{APP_HEADER, Routes};
use entracte_testbed::cluster::Proxy;
use entracte_testbed::load::Class;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use k8s_openapi::api::networking::v1::Ingress;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use tokio::time::sleep;

use crate::Result;
use crate::bench::{Bench, LINGER};
use crate::flips::hold_and_release;
use crate::objects::{api, eventually, merge, status, windows};
use crate::scene::{APP, Scene, WINDOW, always, once, sleep_until, soon};

/// How many flips in a row nobody may notice.
const FLIPS: usize = 50;

/// How long each of them stands: longer than Contour gathers changes.
const BETWEEN_FLIPS: Duration = Duration::from_millis(700);

const BEHIND_CONTOUR: Routes = Routes {
    ingress: Proxy::Contour,
    http_route: None,
};

pub(crate) async fn an_ingress_behind_contour_is_held_on_time_and_given_back_as_it_was(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "contour", BEHIND_CONTOUR).await?;
    hold_and_release(&scene, Kind::Ingress).await
}

pub(crate) async fn fifty_flips_behind_contour_show_nobody_a_bare_503(bench: &Bench) -> Result {
    let scene = Scene::set_behind(bench, "fifty", BEHIND_CONTOUR).await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    scene.held(WINDOW).await?;
    let clients = scene.clients(Kind::Ingress).await?;
    for flip in 0..FLIPS {
        sleep(BETWEEN_FLIPS).await;
        let release = flip % 2 == 0;
        scene.change(WINDOW, json!({ "suspend": release })).await?;
        if release {
            scene.released(WINDOW).await?;
        } else {
            scene.held(WINDOW).await?;
        }
    }
    sleep(BETWEEN_FLIPS).await;
    let report = clients.stop().await;
    println!("flips behind Contour: {FLIPS}, {:?}", report.counts());
    assert_eq!(report.others().collect::<Vec<_>>(), []);
    for class in [Class::App, Class::Maintenance] {
        assert!(report.count(class, ..) > 0, "{class:?}");
    }
    Ok(())
}

pub(crate) async fn a_rehearsal_is_no_way_to_the_app(bench: &Bench) -> Result {
    let scene = Scene::set_behind(bench, "no-way", BEHIND_CONTOUR).await?;
    let occurrence = soon(6);
    scene
        .window(WINDOW, once(occurrence), &[Kind::Ingress])
        .await?;
    let rehearsal = rehearsal_of(&scene).await?;
    sleep_until(occurrence.start - TimeDelta::milliseconds(800)).await;
    nobody_answers(&scene, &rehearsal).await?;
    scene.held(WINDOW).await?;
    sleep(BETWEEN_FLIPS).await;
    nobody_answers(&scene, &rehearsal).await?;

    scene.released(WINDOW).await?;
    let lingering = rehearsal_of(&scene).await?;
    assert_eq!(
        lingering.spec, rehearsal.spec,
        "it stands through the linger"
    );
    nobody_answers(&scene, &lingering).await?;
    sleep(LINGER).await;
    no_rehearsal(&scene).await
}

pub(crate) async fn a_rehearsal_goes_with_its_target_though_no_operator_is_there(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "owned", BEHIND_CONTOUR).await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    scene.held(WINDOW).await?;
    rehearsal_of(&scene).await?;
    bench.operator().await.controller().kill().await?;
    api(bench, Kind::Ingress, &scene.namespace)
        .delete(APP, &DeleteParams::default())
        .await?;
    no_rehearsal(&scene).await
}

pub(crate) async fn a_rehearsal_that_was_deleted_is_put_back(bench: &Bench) -> Result {
    let scene = Scene::set_behind(bench, "put-back", BEHIND_CONTOUR).await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    scene.held(WINDOW).await?;
    let rehearsal = rehearsal_of(&scene).await?;
    let name = rehearsal.metadata.name.unwrap_or_default();
    ingresses(&scene)
        .delete(&name, &DeleteParams::default())
        .await?;
    eventually("another one stands", async || {
        let again = find_rehearsal(&scene).await?;
        Ok(again.filter(|again| again.metadata.uid != rehearsal.metadata.uid))
    })
    .await?;
    Ok(())
}

pub(crate) async fn of_a_class_that_nobody_knows_the_status_says_so_once(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "unknown").await?;
    let unknown = json!({"spec": {"ingressClassName": "unknown"}});
    let ingresses = api(bench, Kind::Ingress, &scene.namespace);
    merge(&ingresses, APP, unknown).await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    let held = status(bench, &scene.namespace, WINDOW, "it is held", |status| {
        let target = status.targets.first();
        target.is_some_and(|target| target.state == TargetState::Held)
    })
    .await?;
    let message = held.targets[0].message.as_deref().unwrap_or_default();
    assert_eq!(held.targets[0].reason.as_deref(), Some("Unrehearsed"));
    assert!(
        message.contains("there is no IngressClass unknown"),
        "{message}"
    );
    assert!(find_rehearsal(&scene).await?.is_none());

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

/// Whoever knows host and paths gets neither the app nor the maintenance page over them.
async fn nobody_answers(scene: &Scene<'_>, rehearsal: &Ingress) -> Result {
    let address = scene.app.address(Kind::Ingress)?;
    let rules = rehearsal.spec.clone().and_then(|spec| spec.rules);
    let rules = rules.unwrap_or_default();
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

fn ingresses(scene: &Scene<'_>) -> Api<Ingress> {
    Api::namespaced(scene.bench.client(), &scene.namespace)
}

async fn find_rehearsal(scene: &Scene<'_>) -> Result<Option<Ingress>> {
    let ours = ListParams::default().labels("entracte.dev/rehearsal");
    Ok(ingresses(scene).list(&ours).await?.items.pop())
}

async fn rehearsal_of(scene: &Scene<'_>) -> Result<Ingress> {
    eventually("there is a rehearsal", async || find_rehearsal(scene).await).await
}

async fn no_rehearsal(scene: &Scene<'_>) -> Result {
    eventually("the rehearsal is gone", async || {
        Ok(find_rehearsal(scene).await?.is_none().then_some(()))
    })
    .await
}
