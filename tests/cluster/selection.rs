//! Targets by label or all of a kind, and routes that are held by their Services.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use entracte::api::conditions::ConditionType;
use entracte::api::status::{MaintenanceWindowStatus, TargetState, TargetStatus};
use entracte_testbed::app::App;
use entracte_testbed::cluster::{Proxy, TRAEFIK};
use entracte_testbed::load::Class;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use kube::api::{DeleteParams, PostParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::flips::ON_TIME;
use crate::objects::{api, eventually, is, merge, status, why, windows};
use crate::scene::{APP, Scene, WINDOW, always, create, once, settled, soon};

/// Within which an object that comes to be selected is patched.
const WITHIN: Duration = Duration::from_secs(1);

const OTHER: &str = "other";

pub(crate) async fn the_set_of_a_selector_follows_labels_during_the_window(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "selector").await?;
    let other = App::create(&bench.cluster, &scene.namespace, OTHER, 1).await?;
    let selector = json!({"kind": "Service", "selector": {"matchLabels": {"tier": "web"}}});
    scene.window_over(WINDOW, always(), vec![selector]).await?;
    let nothing = scene
        .status("it selects nothing", |status| {
            is(status, ConditionType::Ready) == Some(false)
        })
        .await?;
    let (reason, message) = why(&nothing, ConditionType::Ready).ok_or("no condition Ready")?;
    assert_eq!(reason, "TargetsMissing");
    assert_eq!(
        message,
        "nothing matches Service -l tier=web; what comes to match while the window lasts is held"
    );
    assert_eq!(is(&nothing, ConditionType::Held), Some(false));

    // The port of the window is there by then, and pods answer on it.
    sleep(Duration::from_secs(2)).await;
    for app in [APP, OTHER] {
        scene.label(Kind::Service, app, json!("web")).await?;
        let labelled = Instant::now();
        scene.service_is_held(app, true).await?;
        let took = labelled.elapsed();
        assert!(took <= WITHIN, "{app} was held {took:?} after its label");
    }
    scene.held(WINDOW).await?;
    for app in [&scene.app, &other] {
        scene.answers_at(app, "503").await?;
    }

    scene.label(Kind::Service, APP, Value::Null).await?;
    let unlabelled = Instant::now();
    scene.service_is_held(APP, false).await?;
    let took = unlabelled.elapsed();
    assert!(
        took <= WITHIN,
        "{APP} was released {took:?} after its label"
    );
    scene.answers_at(&scene.app, APP).await?;
    scene.answers_at(&other, "503").await?;
    let left = scene
        .status("one target is left", |status| status.targets.len() == 1)
        .await?;
    assert_eq!(
        (&*left.targets[0].name, left.targets[0].state),
        (OTHER, TargetState::Held)
    );
    Ok(())
}

pub(crate) async fn all_reaches_what_can_be_held_and_names_what_cannot(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "all").await?;
    scene
        .create(
            Kind::Service,
            "db",
            json!({"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]}),
        )
        .await?;
    // Its bridge is a Service too, and must not be held.
    scene.window("route", always(), &[Kind::Ingress]).await?;
    scene.held("route").await?;
    let all = vec![json!({"kind": "Service", "all": {}})];
    scene.window_over(WINDOW, always(), all).await?;
    let status = scene
        .status("it is held and ready", |status| {
            is(status, ConditionType::Held) == Some(true)
                && is(status, ConditionType::Ready) == Some(true)
        })
        .await?;
    let lines: Vec<_> = status
        .targets
        .iter()
        .map(|target| (&*target.name, target.state, target.reason.as_deref()))
        .collect();
    assert_eq!(
        lines,
        [
            ("db", TargetState::Refused, Some("PassedOver")),
            (APP, TargetState::Held, None)
        ]
    );
    let counts = status.target_counts.ok_or("no counts")?;
    assert_eq!((counts.held, counts.total), (1, 1));
    let (_, message) = why(&status, ConditionType::Ready).ok_or("no condition Ready")?;
    assert!(
        message.contains("Service db: the Service is headless") && message.contains("passed over"),
        "{message}"
    );

    // A Service that comes is held, one that goes is forgotten.
    let ports = json!([{"name": "http", "port": 80}]);
    let spec = json!({"selector": {"app": "new"}, "ports": ports});
    scene.create(Kind::Service, "new", spec).await?;
    scene.service_is_held("new", true).await?;
    let services = api(bench, Kind::Service, &scene.namespace);
    services.delete("new", &DeleteParams::default()).await?;
    scene
        .status("it is forgotten", |status| status.targets.len() == 2)
        .await?;
    Ok(())
}

pub(crate) async fn all_of_an_empty_namespace_is_ready(bench: &Bench) -> Result {
    let namespace = bench.cluster.namespace("empty").await?;
    let all = vec![json!({"kind": "Service", "all": {}})];
    create(bench, &namespace, WINDOW, always(), all).await?;
    let ready = status(bench, &namespace, WINDOW, "it is ready", |status| {
        is(status, ConditionType::Ready) == Some(true)
    })
    .await?;
    let (_, message) = why(&ready, ConditionType::Ready).ok_or("no condition Ready")?;
    assert!(
        message.ends_with("there is no Service in the namespace"),
        "{message}"
    );
    Ok(())
}

pub(crate) async fn an_ingress_is_held_by_its_services_on_time_and_not_written(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "services").await?;
    let version = scene.version_of_the_ingress().await?;
    let clients = scene.clients(Kind::Ingress).await?;
    let occurrence = soon(6);
    clients.expectation().set_end(Some(occurrence.end));
    let targets = vec![by_services(APP)];
    scene.window_over(WINDOW, once(occurrence), targets).await?;
    let ahead = scene
        .status("it says how", |status| line(status, APP).is_some())
        .await?;
    let ahead = line(&ahead, APP).ok_or("no line")?;
    assert_eq!(
        (ahead.state, ahead.message.as_deref()),
        (TargetState::Serving, Some("to be held by its Service web"))
    );
    scene.held(WINDOW).await?;
    let held = scene.now().await?;
    let held = line(&held, APP).ok_or("no line")?;
    assert_eq!(
        (
            held.kind.as_str(),
            held.reason.as_deref(),
            held.message.as_deref()
        ),
        (
            "Ingress",
            Some("ByServices"),
            Some("held by its Service web")
        )
    );
    settled(occurrence.end).await;

    let report = clients.stop().await;
    let verdict = bench.judge(occurrence, &scene.target(Kind::Service), &report);
    assert_eq!(verdict.faults, []);
    for flip in verdict.flips {
        let written = flip.written.ok_or("not written")?;
        assert!(
            written <= ON_TIME,
            "the {} was written {written} late",
            flip.to
        );
    }
    assert_eq!(scene.version_of_the_ingress().await?, version);
    Ok(())
}

pub(crate) async fn a_service_that_routes_share_is_held_for_all_and_the_status_says_so(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "shared").await?;
    let admin = format!("admin.{}.test", scene.namespace);
    let spec = ingress_spec(&admin, APP);
    scene.create(Kind::Ingress, "admin", spec).await?;
    scene.answers(&admin, APP).await?;
    scene
        .window_over(WINDOW, always(), vec![by_services(APP)])
        .await?;
    scene.held(WINDOW).await?;
    let held = scene.now().await?;
    assert_eq!(
        line(&held, APP).and_then(|line| line.message),
        Some(
            "held by its Service web; Service web is shared with Ingress admin, which is held with it"
                .to_owned()
        )
    );
    for host in [&admin, &scene.app.host()] {
        scene.answers(host, "503").await?;
    }
    Ok(())
}

pub(crate) async fn what_is_held_follows_an_ingress_as_it_is_edited(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "followed").await?;
    let other = App::create(&bench.cluster, &scene.namespace, OTHER, 1).await?;
    scene
        .window_over(WINDOW, always(), vec![by_services(APP)])
        .await?;
    scene.held(WINDOW).await?;
    scene.answers(&scene.app.host(), "503").await?;

    let ingresses = api(bench, Kind::Ingress, &scene.namespace);
    let spec = ingress_spec(&scene.app.host(), OTHER);
    merge(&ingresses, APP, json!({ "spec": spec })).await?;
    let edited = Instant::now();
    scene.service_is_held(OTHER, true).await?;
    scene.service_is_held(APP, false).await?;
    let took = edited.elapsed();
    assert!(took <= WITHIN, "it was followed after {took:?}");
    scene.answers_at(&other, "503").await?;
    scene.answers(&scene.app.host(), "503").await?;
    scene.answers_at(&scene.app, APP).await?;
    scene
        .status("it says so", |status| {
            line(status, APP).and_then(|line| line.message).as_deref()
                == Some("held by its Service other; Service other is shared with Ingress other, which is held with it")
        })
        .await?;
    Ok(())
}

pub(crate) async fn an_ingress_that_argo_cd_tracks_is_held_by_its_services(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "argocd").await?;
    let ingresses = api(bench, Kind::Ingress, &scene.namespace);
    let id = format!("shop:networking.k8s.io/Ingress:{}/{APP}", scene.namespace);
    let tracked = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": id}}});
    merge(&ingresses, APP, tracked).await?;
    let version = scene.version_of_the_ingress().await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    scene.held(WINDOW).await?;
    let held = scene.now().await?;
    assert_eq!(
        line(&held, APP).and_then(|line| line.message),
        Some(
            "held by its Service web, as Argo CD tracks it (annotation \
             argocd.argoproj.io/tracking-id) and may undo a patch; hold: Route would patch it all \
             the same"
                .to_owned()
        )
    );
    scene.answers(&scene.app.host(), "503").await?;
    assert_eq!(scene.version_of_the_ingress().await?, version);

    // What Argo CD does not track any more is patched, and then the Service is given back.
    let untracked = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": null}}});
    merge(&ingresses, APP, untracked).await?;
    scene.service_is_held(APP, false).await?;
    scene.answers_at(&scene.app, APP).await?;
    scene.answers(&scene.app.host(), "503").await?;
    assert_ne!(scene.version_of_the_ingress().await?, version);
    Ok(())
}

pub(crate) async fn a_change_of_the_way_reaches_the_app_at_no_moment(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "ways").await?;
    let clients = scene.clients(Kind::Ingress).await?;
    scene.window(WINDOW, always(), &[Kind::Ingress]).await?;
    scene.held(WINDOW).await?;
    settled(Utc::now()).await;
    let began = Utc::now();
    for by in ["Services", "Route"] {
        let target = json!({"kind": "Ingress", "name": APP, "hold": by});
        scene.change(WINDOW, json!({"targets": [target]})).await?;
        scene.ingress_is_patched(by == "Route").await?;
        scene.service_is_held(APP, by == "Services").await?;
        scene.held(WINDOW).await?;
        settled(Utc::now()).await;
    }
    let ended = Utc::now();
    let report = clients.stop().await;
    assert!(report.count(Class::Maintenance, began..ended) > 0);
    assert_eq!(
        report.count(Class::App, began..ended),
        0,
        "the app was reached"
    );
    assert_eq!(report.count(Class::Other, began..ended), 0);
    assert!(ended - began > TimeDelta::seconds(4));
    Ok(())
}

pub(crate) async fn windows_reach_a_service_by_different_ways(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "two-ways").await?;
    let original = scene.object(Kind::Service).await?;
    scene.window("service", always(), &[Kind::Service]).await?;
    scene
        .window_over(WINDOW, always(), vec![by_services(APP)])
        .await?;
    let all = vec![json!({"kind": "Service", "all": {}})];
    scene.window_over("all", always(), all).await?;
    for window in ["service", WINDOW, "all"] {
        scene.held(window).await?;
    }
    for window in ["service", "all"] {
        windows(bench, &scene.namespace)
            .delete(window, &DeleteParams::default())
            .await?;
        sleep(Duration::from_secs(1)).await;
        scene.service_is_held(APP, true).await?;
        scene.answers(&scene.app.host(), "503").await?;
    }
    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    scene.answers(&scene.app.host(), APP).await?;
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

pub(crate) async fn an_ingress_whose_services_cannot_be_held_is_refused(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "unholdable").await?;
    let headless = json!({"clusterIP": "None", "selector": {"app": APP}, "ports": [{"port": 80}]});
    scene.create(Kind::Service, "pods", headless).await?;
    let spec = json!({"rules": [{"host": "x.test", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": backend(APP)},
        {"path": "/pods", "pathType": "Prefix", "backend": backend("pods")},
    ]}}]});
    scene.create(Kind::Ingress, "mixed", spec).await?;
    let began = bench.proxy.mark();
    scene
        .window_over(WINDOW, always(), vec![by_services("mixed")])
        .await?;
    let refused = scene
        .status("it is refused", |status| {
            line(status, "mixed").is_some_and(|line| line.state == TargetState::Refused)
        })
        .await?;
    let message = line(&refused, "mixed")
        .and_then(|line| line.message)
        .unwrap_or_default();
    assert!(
        message.contains("pods cannot be held: the Service is headless"),
        "{message}"
    );
    assert!(
        message.ends_with("write hold: Route to patch the Ingress itself"),
        "{message}"
    );
    let (reason, _) = why(&refused, ConditionType::Ready).ok_or("no condition Ready")?;
    assert_eq!(reason, "TargetsRefused");
    assert_eq!(bench.writes_in(&scene.namespace, began), []);
    Ok(())
}

fn by_services(ingress: &str) -> Value {
    json!({"kind": "Ingress", "name": ingress, "hold": "Services"})
}

fn backend(service: &str) -> Value {
    json!({"service": {"name": service, "port": {"number": 80}}})
}

fn ingress_spec(host: &str, service: &str) -> Value {
    let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend(service)}]);
    json!({
        "ingressClassName": Proxy::Traefik.name(),
        "rules": [{"host": host, "http": {"paths": paths}}],
    })
}

fn line(status: &MaintenanceWindowStatus, name: &str) -> Option<TargetStatus> {
    status
        .targets
        .iter()
        .find(|line| line.name == name)
        .cloned()
}

impl Scene<'_> {
    async fn status(
        &self,
        what: &str,
        wanted: impl Fn(&MaintenanceWindowStatus) -> bool,
    ) -> Result<MaintenanceWindowStatus> {
        status(self.bench, &self.namespace, WINDOW, what, wanted).await
    }

    async fn now(&self) -> Result<MaintenanceWindowStatus> {
        self.status("it is there", |_| true).await
    }

    async fn create(&self, kind: Kind, name: &str, spec: Value) -> Result {
        let object: DynamicObject =
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?;
        api(self.bench, kind, &self.namespace)
            .create(&PostParams::default(), &object)
            .await?;
        Ok(())
    }

    async fn label(&self, kind: Kind, name: &str, tier: Value) -> Result {
        let api = api(self.bench, kind, &self.namespace);
        merge(&api, name, json!({"metadata": {"labels": {"tier": tier}}})).await?;
        Ok(())
    }

    async fn version_of_the_ingress(&self) -> Result<Option<String>> {
        let ingress = api(self.bench, Kind::Ingress, &self.namespace)
            .get(APP)
            .await?;
        Ok(ingress.metadata.resource_version)
    }

    async fn service_is_held(&self, name: &str, held: bool) -> Result {
        let services = api(self.bench, Kind::Service, &self.namespace);
        eventually(&format!("{name} held: {held}"), async || {
            let service = services.get(name).await?;
            let key = &service.data["spec"]["selector"]["entracte.dev/hold"];
            Ok((key.is_null() != held).then_some(()))
        })
        .await
    }

    async fn ingress_is_patched(&self, patched: bool) -> Result {
        let ingresses = api(self.bench, Kind::Ingress, &self.namespace);
        eventually(&format!("the Ingress is patched: {patched}"), async || {
            let ingress = ingresses.get(APP).await?;
            let labels = ingress.metadata.labels.unwrap_or_default();
            Ok((labels.contains_key("entracte.dev/held") == patched).then_some(()))
        })
        .await
    }

    /// Waits until an app answers at its ClusterIP, or a 503 does.
    async fn answers_at(&self, app: &App, from: &str) -> Result {
        let host = app.host();
        self.answered(from, async || {
            Ok(request::get(app.service_address(), &host, "/").await?)
        })
        .await
    }

    /// Waits until Traefik's answer comes from an app, or is a 503.
    async fn answers(&self, host: &str, from: &str) -> Result {
        self.answered(from, async || Ok(request::get(TRAEFIK, host, "/").await?))
            .await
    }

    async fn answered<B>(
        &self,
        from: &str,
        ask: impl AsyncFn() -> Result<http::Response<B>>,
    ) -> Result {
        eventually(&format!("{from} answers"), async || {
            let answer = ask().await?;
            let found = match answer.headers().get("x-app") {
                Some(app) => app.to_str()?.to_owned(),
                None => answer.status().as_str().to_owned(),
            };
            Ok((found == from).then_some(()))
        })
        .await
    }
}
