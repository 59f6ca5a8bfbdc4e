//! A hold takes effect, however far the platform's controllers lag behind.
//!
//! They can be stopped in the middle of their work, so that no slice follows its Service.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::api::status::{TargetState, TargetStatus};
use entracte_testbed::api_proxy::{Mark, Recorded, Verb};
use entracte_testbed::app::{APP_HEADER, PORT};
use entracte_testbed::load::Class;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, status};
use crate::scene::{APP, Scene, WINDOW, always, create, named, once, settled, sleep_until, soon};

/// How late a hold may take effect, for every Service of a window and however many there are.
/// kube-proxy needs up to a second of it.
const EFFECTIVE: TimeDelta = TimeDelta::seconds(5);

/// As many targets as a window can name, but for some.
const MANY: usize = 60;

/// Services that come at the same time and that the platform has to look at as well.
const MORE: usize = 120;

pub(crate) async fn a_hold_takes_effect_while_the_platforms_controllers_stand_still(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "still").await?;
    let original = scene.object(Kind::Service).await?;
    service(&scene, "bystander").await?;
    let bystander = filled(&scene, "bystander").await?;
    let clients = scene.clients(Kind::Service).await?;
    let occurrence = soon(8);
    clients.expectation().set_end(Some(occurrence.end));
    scene
        .window(WINDOW, once(occurrence), &[Kind::Service])
        .await?;
    sleep_until(occurrence.start - TimeDelta::milliseconds(500)).await;
    bench.cluster.pause_controllers().await?;

    let effect = held_since(&scene, APP).await?;
    let late = effect - occurrence.start;
    println!("a hold without the platform's help: effective after {late}");
    assert!(late < EFFECTIVE, "effective after {late}");
    assert_eq!(
        scene
            .platform_slices(APP)
            .await?
            .iter()
            .flat_map(|s| &s.endpoints)
            .count(),
        0,
        "it says that it is held, and the app's endpoints are there"
    );
    assert_eq!(
        scene.platform_slices("bystander").await?,
        bystander,
        "a Service that is not held is left alone"
    );

    // The platform has to see that the app is ready.
    sleep_until(occurrence.end - TimeDelta::seconds(3)).await;
    bench.cluster.resume_controllers().await?;
    settled(occurrence.end).await;
    let report = clients.stop().await;
    let verdict = bench.judge(occurrence, &scene.target(Kind::Service), &report);
    assert_eq!(verdict.faults, []);
    let behind = report.count(Class::App, occurrence.start + EFFECTIVE..occurrence.end);
    assert_eq!(behind, 0, "the app answered in the window");
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

pub(crate) async fn many_services_answer_from_the_backend_at_once(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "many").await?;
    let mut clients = JoinSet::new();
    let mut targets = Vec::new();
    for number in 0..MANY {
        let name = format!("many-{number}");
        let address = service(&scene, &name).await?;
        targets.push(named(Kind::Service, &name));
        clients.spawn(Seen::by_a_client(address));
    }
    for number in 0..MANY {
        filled(&scene, &format!("many-{number}")).await?;
    }
    let occurrence = soon(20);
    let namespace = &scene.namespace;
    create(bench, namespace, WINDOW, once(occurrence), targets).await?;
    sleep_until(occurrence.start - TimeDelta::seconds(1)).await;
    let mark = bench.proxy.mark();
    for number in 0..MORE {
        service(&scene, &format!("more-{number}")).await?;
    }
    let held = status(bench, namespace, WINDOW, "all are held", |status| {
        status
            .target_counts
            .is_some_and(|counts| counts.held == counts.total)
    })
    .await?;
    sleep_until(occurrence.start + EFFECTIVE + TimeDelta::seconds(1)).await;
    let writes = bench.proxy.writes_since(mark);
    scene.end().await?;

    let mut seen = Vec::new();
    while let Some(client) = clients.join_next().await {
        seen.push(client??);
    }
    let others: usize = seen.iter().map(|seen| seen.others).sum();
    let last = seen.iter().filter_map(|seen| seen.last_app).max();
    let last = last.ok_or("no client saw the app")? - occurrence.start;
    let effect = held.targets.iter().filter_map(|target| target.since).max();
    let effect = effect.ok_or("no target says since when")? - occurrence.start;
    println!(
        "{MANY} Services held: the last said so after {effect}, the last answer of an app came \
         after {last}; {} slices were emptied for the platform, {} status writes",
        count(&writes, namespace, "endpointslices", &Verb::Update),
        count(
            &writes,
            namespace,
            "maintenancewindows/status",
            &Verb::Update
        ),
    );
    assert_eq!(others, 0, "answers of neither the app nor the backend");
    assert!(last < EFFECTIVE, "an app answered {last} after the start");
    assert!(effect < EFFECTIVE, "{effect}");
    Ok(())
}

pub(crate) async fn a_hold_that_the_platform_follows_costs_no_write_more(bench: &Bench) -> Result {
    let expected = [
        ("endpointslices", Verb::Create),
        ("services", Verb::Patch),
        ("services", Verb::Patch),
        // The origin.
        ("services", Verb::Create),
        ("maintenancewindows/status", Verb::Update),
    ]
    .map(|(resource, verb)| (resource.to_owned(), verb));
    let mut made = Vec::new();
    // A busy machine may keep even the platform from being in time.
    for _ in 0..3 {
        let writes = writes_of_a_hold(bench).await?;
        made = writes
            .into_iter()
            .map(|write| (write.request.resource, write.request.verb))
            .collect();
        if made == expected {
            break;
        }
    }
    assert_eq!(made, expected);
    Ok(())
}

/// What the controller writes from the start of a window until a while after it took effect.
async fn writes_of_a_hold(bench: &Bench) -> Result<Vec<Recorded>> {
    let scene = Scene::set(bench, "single").await?;
    let occurrence = soon(20);
    scene
        .window(WINDOW, once(occurrence), &[Kind::Service])
        .await?;
    sleep_until(occurrence.start - TimeDelta::milliseconds(200)).await;
    let mark: Mark = bench.proxy.mark();
    let late = held_since(&scene, APP).await? - occurrence.start;
    println!("a hold that the platform follows: effective after {late}");
    sleep(Duration::from_secs(1)).await;
    let mut writes = bench.proxy.writes_since(mark);
    writes.retain(|write| write.request.namespace.as_ref() == Some(&scene.namespace));
    scene.end().await?;
    Ok(writes)
}

pub(crate) async fn a_service_that_is_released_by_hand_while_it_is_emptied_is_served_again(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "hand").await?;
    let clients = scene.clients(Kind::Service).await?;
    bench.cluster.pause_controllers().await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    let services = api(bench, Kind::Service, &scene.namespace);
    let release: json_patch::Patch = serde_json::from_value(
        json!([{"op": "remove", "path": "/spec/selector/entracte.dev~1hold"}]),
    )?;
    // The operator empties 250 ms after each hold: a person comes before, while and after. More than
    // three times in a row would be somebody to give way to.
    for delay in [200, 250, 300] {
        eventually("it is held", async || {
            let service = services.get(APP).await?;
            let key = &service.data["spec"]["selector"]["entracte.dev/hold"];
            Ok(key.is_string().then_some(()))
        })
        .await?;
        sleep(Duration::from_millis(delay)).await;
        let by_hand = Patch::Json::<()>(release.clone());
        services
            .patch(APP, &PatchParams::default(), &by_hand)
            .await?;
    }
    scene.held(WINDOW).await?;
    scene.end().await?;
    bench.cluster.resume_controllers().await?;
    eventually("the app is served by its own endpoints alone", async || {
        let slices = scene.slices(APP).await?;
        let is_platforms = slices.iter().all(is_platforms);
        let is_filled = slices.iter().any(|slice| !slice.endpoints.is_empty());
        Ok((is_platforms && is_filled).then_some(()))
    })
    .await?;
    sleep(Duration::from_secs(2)).await;
    let report = clients.stop().await;
    assert_eq!(report.others().collect::<Vec<_>>(), []);
    Ok(())
}

/// What heals a slice that was emptied though its Service had just been released.
pub(crate) async fn an_emptied_slice_is_filled_again_by_the_platform(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "heal").await?;
    let [full] = &filled(&scene, APP).await?[..] else {
        return Err("not one slice".into());
    };
    let slices = Api::<EndpointSlice>::namespaced(bench.client(), &scene.namespace);
    let mut empty = full.clone();
    empty.endpoints.clear();
    let emptied = Instant::now();
    slices
        .replace(&full.name_any(), &PostParams::default(), &empty)
        .await?;
    eventually("it is filled again", async || {
        let slice = slices.get(&full.name_any()).await?;
        Ok((by_address(slice) == by_address(full.clone())).then_some(()))
    })
    .await?;
    let healed = emptied.elapsed();
    println!("a slice that was emptied: filled again after {healed:?}");
    assert!(healed < Duration::from_secs(5), "{healed:?}");
    Ok(())
}

/// The platform writes them in any order.
fn by_address(slice: EndpointSlice) -> Vec<Endpoint> {
    let mut endpoints = slice.endpoints;
    endpoints.sort_by(|a, b| a.addresses.cmp(&b.addresses));
    endpoints
}

pub(crate) async fn endpoints_of_somebody_else_are_left_and_named(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "mesh").await?;
    let slices = Api::<EndpointSlice>::namespaced(bench.client(), &scene.namespace);
    let address = scene.app.pods()[0].address().ip();
    let theirs: EndpointSlice = serde_json::from_value(json!({
        "metadata": {"name": "remote", "labels": {
            "kubernetes.io/service-name": APP,
            "endpointslice.kubernetes.io/managed-by": "mesh.example",
        }},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]}],
        "ports": [{"name": "http", "port": PORT}],
    }))?;
    let theirs = slices.create(&PostParams::default(), &theirs).await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    let named = target_status(&scene, APP, "it is named", |target| {
        target.reason.as_deref() == Some("ForeignEndpoints")
    })
    .await?;
    assert_eq!(named.state, TargetState::Pending);
    let message = named.message.unwrap_or_default();
    assert!(message.contains("EndpointSlice remote"), "{message}");
    assert!(message.contains("mesh.example"), "{message}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(slices.get("remote").await?, theirs, "it is left as it is");

    slices.delete("remote", &DeleteParams::default()).await?;
    scene.held(WINDOW).await
}

/// A Service of the app's namespace that leads to the app's pods.
async fn service(scene: &Scene<'_>, name: &str) -> Result<SocketAddr> {
    let services = Api::<Service>::namespaced(scene.bench.client(), &scene.namespace);
    let service = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": APP},
            "ports": [{"name": "http", "port": 80, "targetPort": PORT}],
        },
    }))?;
    let created = services.create(&PostParams::default(), &service).await?;
    let address = created.spec.and_then(|spec| spec.cluster_ip);
    let address = address.ok_or("no ClusterIP")?.parse()?;
    Ok(SocketAddr::new(address, 80))
}

/// The platform's slices of a Service, once they lead to every pod of the app.
async fn filled(scene: &Scene<'_>, service: &str) -> Result<Vec<EndpointSlice>> {
    let pods = scene.app.pods().len();
    eventually("the slices are filled", async || {
        let slices = scene.platform_slices(service).await?;
        let filled = slices.iter().any(|slice| slice.endpoints.len() == pods);
        Ok(filled.then_some(slices))
    })
    .await
}

async fn target_status(
    scene: &Scene<'_>,
    name: &str,
    what: &str,
    wanted: impl Fn(&TargetStatus) -> bool,
) -> Result<TargetStatus> {
    let find = |targets: &[TargetStatus]| {
        let mut targets = targets.iter();
        targets
            .find(|target| target.name == name && wanted(target))
            .cloned()
    };
    let status = status(scene.bench, &scene.namespace, WINDOW, what, |status| {
        find(&status.targets).is_some()
    })
    .await?;
    Ok(find(&status.targets).ok_or("it is not there any more")?)
}

/// Since when a target is held, as its window says.
async fn held_since(scene: &Scene<'_>, name: &str) -> Result<DateTime<Utc>> {
    let target = target_status(scene, name, "it is held", |target| {
        target.state == TargetState::Held
    })
    .await?;
    Ok(target.since.ok_or("it does not say since when")?)
}

fn is_platforms(slice: &EndpointSlice) -> bool {
    let managed_by = slice.labels().get("endpointslice.kubernetes.io/managed-by");
    managed_by.is_some_and(|writer| writer == "endpointslice-controller.k8s.io")
}

/// How many writes there were of a kind; in any namespace where none is named.
fn count(writes: &[Recorded], namespace: &str, resource: &str, verb: &Verb) -> usize {
    let counts = |write: &&Recorded| {
        let request = &write.request;
        let is_there = namespace.is_empty() || request.namespace.as_deref() == Some(namespace);
        is_there && request.resource == resource && request.verb == *verb
    };
    writes.iter().filter(counts).count()
}

impl Scene<'_> {
    async fn slices(&self, service: &str) -> Result<Vec<EndpointSlice>> {
        let slices = Api::<EndpointSlice>::namespaced(self.bench.client(), &self.namespace);
        let of_service = format!("kubernetes.io/service-name={service}");
        let params = ListParams::default().labels(&of_service);
        Ok(slices.list(&params).await?.items)
    }

    async fn platform_slices(&self, service: &str) -> Result<Vec<EndpointSlice>> {
        let mut slices = self.slices(service).await?;
        slices.retain(is_platforms);
        Ok(slices)
    }

    /// Deletes the windows, and waits until the app's Service is not held.
    async fn end(&self) -> Result {
        self.bench.delete_windows().await?;
        let services = Api::<Service>::namespaced(self.bench.client(), &self.namespace);
        eventually("nothing is held", async || {
            let held = ListParams::default().labels("entracte.dev/held");
            Ok(services.list(&held).await?.items.is_empty().then_some(()))
        })
        .await
    }
}

/// What one client of a Service saw.
#[derive(Debug, Default)]
struct Seen {
    /// When the last answer of the app came before the backend's came.
    last_app: Option<DateTime<Utc>>,
    /// How many answers were of neither.
    others: usize,
}

impl Seen {
    /// Asks until the backend has answered for a while.
    async fn by_a_client(address: SocketAddr) -> std::result::Result<Self, &'static str> {
        /// Long enough for kube-proxy to have followed on each endpoint.
        const ENOUGH: usize = 15;
        let mut seen = Self::default();
        let mut in_a_row = 0;
        let began = Instant::now();
        while in_a_row < ENOUGH {
            if began.elapsed() > Duration::from_secs(90) {
                return Err("a client was not answered from the backend within 90 s");
            }
            sleep(Duration::from_millis(200)).await;
            let asked = Utc::now();
            match request::get(address, "many.test", "/").await {
                Ok(answer) if answer.headers().contains_key(APP_HEADER) => {
                    seen.last_app = Some(asked);
                    in_a_row = 0;
                }
                Ok(answer) if answer.headers().contains_key("entracte-window") => in_a_row += 1,
                // Before the Service leads anywhere.
                _ if seen.last_app.is_none() => {}
                _ => seen.others += 1,
            }
        }
        Ok(seen)
    }
}
