//! Targets that are missing, unfit, covered twice, or without a port to lead to.

use std::ops::RangeBounds;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::api::conditions::ConditionType;
use entracte::api::status::TargetState::{Missing, Refused};
use entracte::api::status::{MaintenanceWindowStatus, Phase};
use entracte::notice::Notice;
use entracte_testbed::api_proxy::Recorded;
use entracte_testbed::app::App;
use entracte_testbed::load::{Class, Expected, Report, Verdict};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::bench::{Bench, FIRST_PORT, PORTS};
use crate::objects::{api, eventually, is, merge, status, why, windows};
use crate::scene::{APP, Scene, WINDOW, always, create, named, once, settled, sleep_until, soon};

pub(crate) async fn a_missing_target_is_held_when_it_appears(bench: &Bench) -> Result {
    let namespace = bench.cluster.namespace("missing").await?;
    let targets = vec![named(Kind::Service, APP), named(Kind::Ingress, APP)];
    create(bench, &namespace, WINDOW, always(), targets).await?;
    let missing = status(
        bench,
        &namespace,
        WINDOW,
        "its targets are missing",
        |status| {
            let mut targets = status.targets.iter();
            status.targets.len() == 2 && targets.all(|target| target.state == Missing)
        },
    )
    .await?;
    assert_eq!(
        missing.targets[0].message.as_deref(),
        Some(
            "there is no Service web in the namespace; it is held when it appears while the window lasts"
        )
    );
    let (reason, _) = why(&missing, ConditionType::Ready).ok_or("no condition Ready")?;
    assert_eq!(reason, "TargetsMissing");

    // Without pods: it never answers, and is held all the same.
    let _app = App::create(&bench.cluster, &namespace, APP, 0).await?;
    status(
        bench,
        &namespace,
        WINDOW,
        "its targets are held",
        |status| status.target_counts.is_some_and(|counts| counts.held == 2),
    )
    .await?;
    Ok(())
}

/// What cannot be held: the kind, the spec, and what the status says.
fn unfit() -> Vec<(Kind, &'static str, Value, &'static str)> {
    let ports = json!([{"name": "http", "port": 80}]);
    let selector = json!({"app": "x"});
    vec![
        (
            Kind::Service,
            "headless",
            json!({"clusterIP": "None", "selector": selector, "ports": ports}),
            "the Service is headless",
        ),
        (
            Kind::Service,
            "elsewhere",
            json!({"type": "ExternalName", "externalName": "elsewhere.test"}),
            "the Service is an ExternalName",
        ),
        (
            Kind::Service,
            "selectorless",
            json!({"ports": ports}),
            "the Service has no selector",
        ),
        (
            Kind::Service,
            "dns",
            json!({"selector": selector, "ports": [{"port": 53, "protocol": "UDP"}]}),
            "port 53 of the Service is UDP",
        ),
        (
            Kind::Service,
            "encrypted",
            json!({"selector": selector, "ports": [{"port": 443, "appProtocol": "https"}]}),
            "port 443 of the Service has appProtocol: https",
        ),
        (
            Kind::Service,
            "local",
            json!({"internalTrafficPolicy": "Local", "selector": selector, "ports": ports}),
            "the Service has internalTrafficPolicy: Local",
        ),
        (
            Kind::Ingress,
            "bucket",
            json!({"defaultBackend": {"resource": {"apiGroup": "x.test", "kind": "Bucket", "name": "b"}}}),
            "the default backend of the Ingress leads to something else than a Service",
        ),
    ]
}

pub(crate) async fn an_unfit_target_is_not_touched_and_the_status_says_why(
    bench: &Bench,
) -> Result {
    let namespace = bench.cluster.namespace("unfit").await?;
    let cases = unfit();
    for (kind, name, spec, _) in &cases {
        let object: DynamicObject =
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?;
        let api = api(bench, *kind, &namespace);
        api.create(&PostParams::default(), &object).await?;
    }
    let created = bench.proxy.mark();
    let targets = cases
        .iter()
        .map(|(kind, name, ..)| named(*kind, name))
        .collect();
    create(bench, &namespace, WINDOW, always(), targets).await?;

    let refused = status(
        bench,
        &namespace,
        WINDOW,
        "every target is refused",
        |status| {
            let mut targets = status.targets.iter();
            status.targets.len() == cases.len() && targets.all(|target| target.state == Refused)
        },
    )
    .await?;
    for (_, name, _, sentence) in &cases {
        let mut targets = refused.targets.iter();
        let said = targets.find(|target| target.name == *name);
        let message = said
            .and_then(|target| target.message.clone())
            .unwrap_or_default();
        assert!(message.contains(sentence), "{name}: {message}");
    }
    // The Ingress may have become fit until the window ends: its bridge is made.
    let bridge = format!("entracte-{WINDOW}");
    let mut written = bench.writes_in(&namespace, created);
    written.retain(|recorded| !recorded.to_string().contains(&bridge));
    assert_eq!(written, []);
    let (reason, _) = why(&refused, ConditionType::Ready).ok_or("no condition Ready")?;
    assert_eq!(reason, "TargetsRefused");
    Ok(())
}

pub(crate) async fn what_will_not_be_held_is_named_before_the_start(bench: &Bench) -> Result {
    let namespace = bench.cluster.namespace("ahead").await?;
    let (kind, name, spec, sentence) = unfit().remove(0);
    let object: DynamicObject =
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?;
    api(bench, kind, &namespace)
        .create(&PostParams::default(), &object)
        .await?;
    let tomorrow = soon(60).start + TimeDelta::days(1);
    let later = Occurrence {
        start: tomorrow,
        end: tomorrow + TimeDelta::hours(1),
    };
    let targets = vec![named(kind, name), named(Kind::Ingress, "nobody")];
    create(bench, &namespace, WINDOW, once(later), targets).await?;

    let scheduled = status(bench, &namespace, WINDOW, "both are named", |status| {
        let states: Vec<_> = status.targets.iter().map(|target| target.state).collect();
        states == [Refused, Missing]
    })
    .await?;
    let said = why(&scheduled, ConditionType::Ready).ok_or("no condition Ready")?;
    assert_eq!(said.0, "TargetsRefused");
    assert!(said.1.contains(sentence), "{}", said.1);
    Ok(())
}

pub(crate) async fn a_target_that_becomes_fit_is_held(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "fit").await?;
    let services = api(bench, Kind::Service, &scene.namespace);
    merge(
        &services,
        APP,
        json!({"spec": {"internalTrafficPolicy": "Local"}}),
    )
    .await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    status(bench, &scene.namespace, WINDOW, "it is refused", |status| {
        status.targets.iter().any(|target| target.state == Refused)
    })
    .await?;
    merge(
        &services,
        APP,
        json!({"spec": {"internalTrafficPolicy": "Cluster"}}),
    )
    .await?;
    scene.held(WINDOW).await
}

pub(crate) async fn of_overlapping_windows_the_one_that_ends_last_answers(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "overlap").await?;
    let original = scene.object(Kind::Service).await?;
    let clients = scene.clients(Kind::Service).await?;
    let early = soon(9);
    let late = Occurrence {
        start: early.start + TimeDelta::seconds(3),
        end: early.end + TimeDelta::seconds(3),
    };
    let either = |expected: &mut Expected| {
        expected.end = Some(early.end);
        expected.other_end = Some(late.end);
    };
    clients.expectation().change(either);
    let tomorrow = Occurrence {
        start: early.start + TimeDelta::days(1),
        end: early.end + TimeDelta::days(1),
    };
    let began = bench.proxy.mark();
    for (name, occurrence) in [("early", early), ("late", late), ("tomorrow", tomorrow)] {
        let schedule = once(occurrence);
        scene.window(name, schedule, &[Kind::Service]).await?;
    }
    sleep_until(early.start + TimeDelta::seconds(2)).await;
    let kept = scene.kept_clients(Kind::Service).await?;
    kept.expectation().change(either);
    settled(late.end).await;

    let report = clients.stop().await;
    let both = Occurrence {
        start: early.start,
        end: late.end,
    };
    let verdict = bench.judge(both, &scene.target(Kind::Service), &report);
    assert_eq!(verdict.faults, []);
    assert_eq!(
        report.count(Class::App, early.start + TimeDelta::seconds(3)..late.end),
        0
    );
    let seen = windows_seen(&report, ..);
    assert_eq!(
        (seen.first(), seen.last()),
        (Some(&"early"), Some(&"late")),
        "{seen:?}"
    );
    // A connection that is kept does not stay with the window that led, though that is not over.
    let kept = kept.stop().await;
    assert_eq!(kept.others().next(), None);
    assert_eq!(windows_seen(&kept, ..late.start), ["early"]);
    let led = late.start + TimeDelta::seconds(2)..early.end - TimeDelta::seconds(3);
    assert_eq!(windows_seen(&kept, led), ["late"]);
    assert_eq!(scene.object(Kind::Service).await?, original);
    let writes = bench.proxy.writes_since(began);
    let said = statuses(&writes, &scene.namespace, "tomorrow")?;
    assert!(!said.is_empty());
    for status in said {
        assert_eq!(status.phase, Some(Phase::Scheduled), "it is not its affair");
        assert_eq!(is(&status, ConditionType::Ready), Some(true), "{status:?}");
    }
    Ok(())
}

/// The names of the windows whose page clients saw, each as often as it followed another.
fn windows_seen(report: &Report, span: impl RangeBounds<DateTime<Utc>>) -> Vec<&str> {
    let within = report
        .answers
        .iter()
        .filter(|answer| span.contains(&answer.answered.wall));
    let mut seen: Vec<_> = within
        .filter_map(|answer| match &answer.verdict {
            Verdict::Maintenance { window, .. } => window.split('/').nth(1),
            _ => None,
        })
        .collect();
    seen.dedup();
    seen
}

/// The statuses of a window that were written.
fn statuses(
    writes: &[Recorded],
    namespace: &str,
    window: &str,
) -> Result<Vec<MaintenanceWindowStatus>> {
    let is_of_window = |write: &&Recorded| {
        let request = &write.request;
        request.resource == "maintenancewindows/status"
            && request.namespace.as_deref() == Some(namespace)
            && request.name.as_deref() == Some(window)
    };
    let written = writes.iter().filter(is_of_window);
    let status = |write: &Recorded| {
        let window: Value = serde_json::from_slice(&write.body)?;
        Ok(serde_json::from_value(window["status"].clone())?)
    };
    written.map(status).collect()
}

/// How many ports that test leaves free: as many windows and one more are enough.
const FREE_PORTS: u16 = 16;

pub(crate) async fn a_window_without_a_port_says_so(bench: &Bench) -> Result {
    take_most_ports(bench).await?;
    let said = all_but_one_window_have_a_port(bench).await;
    give_ports_back(bench).await?;
    said
}

/// Takes ports as anybody may, by a ConfigMap of that name, once none lingers after another test.
async fn take_most_ports(bench: &Bench) -> Result {
    let labelled = ListParams::default().labels("entracte.dev/notice");
    eventually("no port lingers", async || {
        let left = notices(bench).list_metadata(&labelled).await?;
        Ok(left.items.is_empty().then_some(()))
    })
    .await?;
    for port in FIRST_PORT + FREE_PORTS..FIRST_PORT + PORTS {
        let taken = serde_json::from_value(json!({"metadata": {
            "name": Notice::object_name(port),
            "labels": {"entracte.dev/notice": "true", TAKEN: "true"},
        }}))?;
        notices(bench)
            .create(&PostParams::default(), &taken)
            .await?;
    }
    Ok(())
}

async fn give_ports_back(bench: &Bench) -> Result {
    let taken = ListParams::default().labels(TAKEN);
    let everything = DeleteParams::default();
    notices(bench)
        .delete_collection(&everything, &taken)
        .await?;
    Ok(())
}

/// The label of a ConfigMap that is there for its name alone.
const TAKEN: &str = "port-taken";

fn notices(bench: &Bench) -> Api<ConfigMap> {
    Api::namespaced(bench.client(), "entracte-system")
}

async fn all_but_one_window_have_a_port(bench: &Bench) -> Result {
    let namespace = bench.cluster.namespace("ports").await?;
    let name = |number: u16| format!("window-{number}");
    for number in 0..=FREE_PORTS {
        let targets = vec![named(Kind::Service, "nobody")];
        create(bench, &namespace, &name(number), always(), targets).await?;
    }
    sleep(Duration::from_secs(5)).await;
    let mut without = Vec::new();
    for window in &windows(bench, &namespace)
        .list(&ListParams::default())
        .await?
    {
        let status = window.status.clone().unwrap_or_default();
        let (reason, message) = why(&status, ConditionType::Ready).ok_or("no condition Ready")?;
        if reason == "NoPortLeft" {
            assert!(
                message.contains("give the controller more with --ports"),
                "{message}"
            );
            without.push(window.metadata.name.clone().unwrap_or_default());
        }
    }
    assert_eq!(without.len(), 1, "{without:?}");

    let other = if without[0] == name(0) {
        name(1)
    } else {
        name(0)
    };
    windows(bench, &namespace)
        .delete(&other, &DeleteParams::default())
        .await?;
    status(
        bench,
        &namespace,
        &without[0],
        "it has the port that came free",
        |status| {
            why(status, ConditionType::Ready).is_some_and(|(reason, _)| reason != "NoPortLeft")
        },
    )
    .await?;
    Ok(())
}
