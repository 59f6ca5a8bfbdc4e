//! A release waits for the app, and not for ever.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::api::conditions::ConditionType;
use entracte::api::status::{MaintenanceWindowStatus, Phase, TargetState};
use entracte_testbed::app::App;
use entracte_testbed::load::{Class, Load};
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::{Occurrence, SETTLES_WITHIN};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{eventually, is, ours, status, why, windows, without_bookkeeping};
use crate::scene::{APP, Scene, WINDOW, create, named, once, settled, sleep_until, soon, text};

/// From something that is seen to the patch of the target: a watch event and a plan.
const AT_ONCE: TimeDelta = TimeDelta::milliseconds(500);

/// The clients of a window whose release may wait.
fn expect(clients: &Load, occurrence: Occurrence) {
    clients.expectation().change(|expected| {
        expected.end = Some(occurrence.end);
        expected.may_wait = true;
    });
}

/// A window that is over, and whose app is not ready.
struct Overrun<'b> {
    scene: Scene<'b>,
    kind: Kind,
    original: String,
    clients: Load,
    occurrence: Occurrence,
}

impl<'b> Overrun<'b> {
    /// In the overrun of a window over the target of that kind.
    async fn reached(bench: &'b Bench, kind: Kind, restore: Value) -> Result<Self> {
        let scene = Scene::set(bench, "restore").await?;
        let original = scene.object(kind).await?;
        let clients = scene.clients(kind).await?;
        let occurrence = soon(5);
        expect(&clients, occurrence);
        scene.window(WINDOW, once(occurrence), &[kind]).await?;
        scene.change(WINDOW, json!({ "restore": restore })).await?;
        scene.held(WINDOW).await?;
        scene.app.set_ready(false).await?;
        sleep_until(occurrence.end + TimeDelta::seconds(1)).await;
        let overrun = Self {
            scene,
            kind,
            original,
            clients,
            occurrence,
        };
        overrun.status("it is restoring", Phase::Restoring).await?;
        overrun.is_held().await?;
        Ok(overrun)
    }

    async fn status(&self, what: &str, phase: Phase) -> Result<MaintenanceWindowStatus> {
        let Scene {
            bench, namespace, ..
        } = &self.scene;
        status(bench, namespace, WINDOW, what, |status| {
            status.phase == Some(phase)
        })
        .await
    }

    async fn is_held(&self) -> Result {
        assert_ne!(self.scene.object(self.kind).await?, self.original);
        Ok(())
    }

    /// Waits until the target is as it was.
    async fn is_released(&self) -> Result {
        eventually("the target is released", async || {
            Ok((self.scene.object(self.kind).await? == self.original).then_some(()))
        })
        .await
    }

    async fn retry_after(&self) -> Result<String> {
        let Scene { app, .. } = &self.scene;
        let answer = request::get(app.address(self.kind)?, &app.host(), "/").await?;
        assert_eq!(answer.status(), 503);
        Ok(answer.headers()["retry-after"].to_str()?.to_owned())
    }

    /// The app becomes ready, and nobody saw anything but it and our page, each in its time.
    async fn comes_back(self) -> Result {
        let ready = Utc::now();
        self.scene.app.set_ready(true).await?;
        self.is_released().await?;
        self.scene.released(WINDOW).await?;
        settled(ready).await;
        let report = self.clients.stop().await;
        assert_eq!(report.others().collect::<Vec<_>>(), []);
        let followed = self.occurrence.start + TimeDelta::seconds(3);
        assert_eq!(report.count(Class::App, followed..ready), 0);
        assert!(report.count(Class::App, ready..ready + within(self.kind)) > 0);
        let late = ready + SETTLES_WITHIN;
        assert_eq!(report.count(Class::Maintenance, late..), 0);
        assert_eq!(self.scene.object(self.kind).await?, self.original);
        no_origin_is_left(&self.scene).await
    }
}

/// Traefik looks every two seconds, and kube-proxy once in a second (`minSyncPeriod`): it looks when our
/// slices say that they are about to go, and again a second later, when the app's are there.
fn within(kind: Kind) -> TimeDelta {
    match kind {
        Kind::Service => TimeDelta::seconds(2),
        Kind::Ingress | Kind::HttpRoute => TimeDelta::seconds(3),
    }
}

async fn origins(scene: &Scene<'_>) -> Result<Vec<Service>> {
    let services = Api::<Service>::namespaced(scene.bench.client(), &scene.namespace);
    let labelled = ListParams::default().labels("entracte.dev/origin");
    Ok(services.list(&labelled).await?.items)
}

async fn no_origin_is_left(scene: &Scene<'_>) -> Result {
    eventually("no origin is left", async || {
        Ok(origins(scene).await?.is_empty().then_some(()))
    })
    .await
}

pub(crate) async fn a_service_whose_app_is_not_ready_at_the_end_is_held_until_it_is(
    bench: &Bench,
) -> Result {
    let overrun = Overrun::reached(bench, Kind::Service, json!({})).await?;
    let latest = text(overrun.occurrence.end + TimeDelta::minutes(10));
    waits(
        &overrun,
        &format!(
            "no ready endpoint for port http over IPv4; it is released at {latest} at the latest"
        ),
    )
    .await?;
    overrun.comes_back().await
}

pub(crate) async fn an_ingress_whose_app_is_not_ready_at_the_end_is_held_until_it_is(
    bench: &Bench,
) -> Result {
    let overrun = Overrun::reached(bench, Kind::Ingress, json!({})).await?;
    let latest = text(overrun.occurrence.end + TimeDelta::minutes(10));
    waits(
        &overrun,
        &format!(
            "Service web has no ready endpoint for port http over IPv4; it is released at {latest} \
             at the latest"
        ),
    )
    .await?;
    overrun.comes_back().await
}

/// What people and programs are told in an overrun.
async fn waits(overrun: &Overrun<'_>, message: &str) -> Result {
    let status = overrun.status("it is restoring", Phase::Restoring).await?;
    let target = &status.targets[0];
    assert_eq!(target.state, TargetState::Releasing);
    assert_eq!(target.reason.as_deref(), Some("AppNotReady"));
    assert_eq!(target.message.as_deref(), Some(message));
    assert_eq!(is(&status, ConditionType::Active), Some(false));
    let (reason, why) = why(&status, ConditionType::Ready).ok_or("no condition Ready")?;
    assert_eq!(reason, "Restoring");
    assert_eq!(why, format!("{} web: {message}", overrun.kind.as_str()));
    let last = status.last.ok_or("no last occurrence")?;
    assert_eq!(last.released_at, None);
    assert_eq!(overrun.retry_after().await?, "30");
    Ok(())
}

pub(crate) async fn after_the_overrun_a_target_is_released_all_the_same(bench: &Bench) -> Result {
    let restore = json!({"maxOverrun": "4s"});
    let overrun = Overrun::reached(bench, Kind::Service, restore).await?;
    let over = overrun.occurrence.end + TimeDelta::seconds(4);
    sleep_until(over - AT_ONCE).await;
    overrun.is_held().await?;
    let Overrun {
        scene,
        clients,
        original,
        ..
    } = overrun;
    let report = clients.stop().await;
    assert_eq!(report.others().collect::<Vec<_>>(), []);
    sleep_until(over + AT_ONCE).await;
    assert_eq!(scene.object(Kind::Service).await?, original);
    // The platform gets two seconds, in case the app is well after all.
    our_slices_go(&scene, over + TimeDelta::seconds(2)).await?;
    scene.released(WINDOW).await?;
    let last = status(bench, &scene.namespace, WINDOW, "it has ended", |status| {
        status.phase == Some(Phase::Ended)
    })
    .await?
    .last
    .ok_or("no last occurrence")?;
    assert!(last.released_at.is_some_and(|at| at >= over), "{last:?}");
    scene.app.set_ready(true).await?;
    answers(&scene).await?;
    no_origin_is_left(&scene).await
}

/// Waits until none of our slices is behind the Service, which has to be soon after `at`, and not
/// before.
async fn our_slices_go(scene: &Scene<'_>, at: DateTime<Utc>) -> Result {
    let slices = Api::<EndpointSlice>::namespaced(scene.bench.client(), &scene.namespace);
    let labels =
        "endpointslice.kubernetes.io/managed-by=entracte.dev,kubernetes.io/service-name=web";
    let labelled = ListParams::default().labels(labels);
    let count = async || Ok::<_, kube::Error>(slices.list(&labelled).await?.items.len());
    sleep_until(at - AT_ONCE).await;
    assert_eq!(
        count().await?,
        1,
        "they stay for as long as the app may come"
    );
    sleep_until(at + AT_ONCE).await;
    assert_eq!(count().await?, 0, "they go when nobody comes");
    Ok(())
}

async fn answers(scene: &Scene<'_>) -> Result {
    eventually("the app answers", async || {
        let asked = request::get(scene.app.service_address(), &scene.app.host(), "/").await;
        Ok(asked
            .is_ok_and(|answer| answer.status() == 200)
            .then_some(()))
    })
    .await
}

pub(crate) async fn an_app_that_is_meant_to_stay_at_zero_keeps_nobody_waiting(
    bench: &Bench,
) -> Result {
    let namespace = bench.cluster.namespace("zero").await?;
    let _app = App::create(&bench.cluster, &namespace, APP, 0).await?;
    let kinds = [Kind::Service, Kind::Ingress];
    let mut originals = Vec::new();
    for kind in kinds {
        originals.push(without_bookkeeping(bench, kind, &namespace, APP).await?);
    }
    let occurrence = soon(3);
    let targets = kinds.map(|kind| named(kind, APP)).into();
    create(bench, &namespace, WINDOW, once(occurrence), targets).await?;
    status(bench, &namespace, WINDOW, "all are held", |status| {
        is(status, ConditionType::Held) == Some(true)
    })
    .await?;
    sleep_until(occurrence.end + AT_ONCE).await;
    for (kind, original) in kinds.into_iter().zip(originals) {
        let object = without_bookkeeping(bench, kind, &namespace, APP).await?;
        assert_eq!(object, original);
    }
    sleep_until(occurrence.end + TimeDelta::seconds(3)).await;
    let ended = windows(bench, &namespace).get(WINDOW).await?.status;
    assert_eq!(ended.and_then(|status| status.phase), Some(Phase::Ended));
    Ok(())
}

/// Holds the Service of an app, whose release is to wait for nothing.
async fn held_until_its_end_at_most(scene: &Scene<'_>, occurrence: Occurrence) -> Result {
    scene
        .window(WINDOW, once(occurrence), &[Kind::Service])
        .await?;
    let restore = json!({"restore": {"when": "Immediately"}});
    scene.change(WINDOW, restore).await?;
    scene.held(WINDOW).await
}

pub(crate) async fn a_restore_that_waits_for_nothing_keeps_a_healthy_app_whole(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "at-once").await?;
    let clients = scene.clients(Kind::Service).await?;
    let occurrence = soon(4);
    clients.expectation().set_end(Some(occurrence.end));
    held_until_its_end_at_most(&scene, occurrence).await?;
    assert_eq!(origins(&scene).await?, [], "nobody would look at it");
    settled(occurrence.end).await;
    let report = clients.stop().await;
    let verdict = bench.judge(occurrence, &scene.target(Kind::Service), &report);
    assert_eq!(verdict.faults, []);
    Ok(())
}

pub(crate) async fn a_restore_that_waits_for_nothing_releases_an_app_that_is_not_ready(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "at-once").await?;
    let original = scene.object(Kind::Service).await?;
    let occurrence = soon(4);
    held_until_its_end_at_most(&scene, occurrence).await?;
    scene.app.set_ready(false).await?;
    sleep_until(occurrence.end + AT_ONCE).await;
    assert_eq!(scene.object(Kind::Service).await?, original);
    our_slices_go(&scene, occurrence.end + TimeDelta::seconds(2)).await
}

pub(crate) async fn a_controller_killed_in_the_overrun_goes_on_when_it_is_back(
    bench: &Bench,
) -> Result {
    let overrun = Overrun::reached(bench, Kind::Service, json!({})).await?;
    bench.operator().await.controller().kill().await?;
    sleep(Duration::from_secs(1)).await;
    let starting = bench.proxy.mark();
    bench.operator().await.controller().start().await?;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.writes_in(&overrun.scene.namespace, starting), []);
    overrun.is_held().await?;
    overrun.comes_back().await
}

pub(crate) async fn a_controller_that_is_back_after_the_overrun_releases(bench: &Bench) -> Result {
    let restore = json!({"maxOverrun": "4s"});
    let overrun = Overrun::reached(bench, Kind::Service, restore).await?;
    bench.operator().await.controller().kill().await?;
    sleep_until(overrun.occurrence.end + TimeDelta::seconds(5)).await;
    overrun.is_held().await?;
    bench.operator().await.controller().start().await?;
    overrun.is_released().await?;
    no_origin_is_left(&overrun.scene).await
}

pub(crate) async fn deleting_a_window_in_its_overrun_releases_at_once(bench: &Bench) -> Result {
    let overrun = Overrun::reached(bench, Kind::Service, json!({})).await?;
    let windows = windows(bench, &overrun.scene.namespace);
    windows.delete(WINDOW, &DeleteParams::default()).await?;
    sleep_until(Utc::now() + AT_ONCE).await;
    assert_eq!(overrun.scene.object(Kind::Service).await?, overrun.original);
    no_origin_is_left(&overrun.scene).await
}

pub(crate) async fn an_app_whose_pods_are_all_replaced_in_the_window_is_waited_for(
    bench: &Bench,
) -> Result {
    let mut scene = Scene::set(bench, "rollout").await?;
    let clients = scene.clients(Kind::Service).await?;
    let original = scene.object(Kind::Service).await?;
    let occurrence = soon(9);
    expect(&clients, occurrence);
    scene
        .window(WINDOW, once(occurrence), &[Kind::Service])
        .await?;
    scene.held(WINDOW).await?;
    let old: Vec<String> = scene
        .app
        .pods()
        .iter()
        .map(|p| p.name().to_owned())
        .collect();
    // Until every proxy has followed, the app may still be asked.
    sleep_until(occurrence.start + TimeDelta::seconds(3)).await;
    for pod in old {
        scene.app.crash_pod(&pod).await?;
    }
    sleep_until(occurrence.end + TimeDelta::seconds(1)).await;
    assert_ne!(
        scene.object(Kind::Service).await?,
        original,
        "it has no pod"
    );
    scene.app.add_pod().await?;
    let ready = Utc::now();
    scene.released(WINDOW).await?;
    settled(ready).await;
    let report = clients.stop().await;
    assert_eq!(report.others().collect::<Vec<_>>(), []);
    let late = ready + SETTLES_WITHIN;
    assert_eq!(report.count(Class::Maintenance, late..), 0);
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

pub(crate) async fn an_origin_follows_the_selector_and_goes_with_its_service(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "origin").await?;
    let hour = Occurrence {
        start: Utc::now(),
        end: Utc::now() + TimeDelta::hours(1),
    };
    scene.window(WINDOW, once(hour), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    let first = the_origin(&scene, json!({"app": "web"})).await?;
    assert_eq!(
        first.spec.and_then(|spec| spec.cluster_ip).as_deref(),
        Some("None")
    );
    let services = Api::<Service>::namespaced(bench.client(), &scene.namespace);
    let selector = json!({"spec": {"selector": {"tier": "web"}}});
    crate::objects::merge(&services, APP, selector).await?;
    let changed = json!({"app": "web", "tier": "web"});
    let second = the_origin(&scene, changed).await?;
    assert_ne!(second.metadata.name, first.metadata.name);
    // Nobody is there to take it away.
    bench.operator().await.controller().kill().await?;
    services.delete(APP, &DeleteParams::default()).await?;
    no_origin_is_left(&scene).await
}

/// Waits until there is one origin, which has that selector.
async fn the_origin(scene: &Scene<'_>, selector: Value) -> Result<Service> {
    eventually("there is one origin, with the selector", async || {
        let mut origins = origins(scene).await?;
        let found = origins.pop().filter(|_| origins.is_empty());
        Ok(found.filter(|origin| {
            let spec = origin.spec.as_ref();
            spec.is_some_and(|spec| json!(spec.selector) == selector)
        }))
    })
    .await
}

pub(crate) async fn an_origin_that_nobody_needs_is_swept_at_the_start(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "swept").await?;
    bench.operator().await.controller().kill().await?;
    let services = Api::<Service>::namespaced(bench.client(), &scene.namespace);
    let origin: Service = serde_json::from_value(json!({
        "metadata": {
            "name": "entracte-origin-0123456789abcdef",
            "labels": {
                "app.kubernetes.io/managed-by": "entracte", "entracte.dev/origin": "true",
            },
        },
        "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    }))?;
    services.create(&PostParams::default(), &origin).await?;
    bench.operator().await.controller().start().await?;
    no_origin_is_left(&scene).await?;
    assert!(
        !ours(bench)
            .await?
            .iter()
            .any(|name| name.contains("origin"))
    );
    Ok(())
}
