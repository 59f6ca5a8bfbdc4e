//! A controller that dies, and a backend pod that is replaced.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use entracte_testbed::load::Class;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::scene::{Scene, WINDOW, always, once, settled, sleep_until, soon};

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

pub(crate) async fn a_controller_killed_in_the_window_goes_on_when_it_is_back(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "killed").await?;
    let occurrence = soon(9);
    killed(
        &scene,
        occurrence,
        occurrence.start + TimeDelta::seconds(5),
        occurrence.end,
    )
    .await
}

pub(crate) async fn a_controller_that_was_down_at_the_end_releases_when_it_is_back(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "down").await?;
    let occurrence = soon(4);
    let back = occurrence.end + TimeDelta::seconds(3);
    killed(&scene, occurrence, back, back).await
}

/// Kills the controller in the window and starts it again at `back`; the apps are released after
/// `due`, and nobody sees anything of it.
async fn killed(
    scene: &Scene<'_>,
    occurrence: Occurrence,
    back: chrono::DateTime<Utc>,
    due: chrono::DateTime<Utc>,
) -> Result {
    let bench = scene.bench;
    let originals = [scene.object(KINDS[0]).await?, scene.object(KINDS[1]).await?];
    let clients = [
        scene.clients(KINDS[0]).await?,
        scene.clients(KINDS[1]).await?,
    ];
    for load in &clients {
        load.expectation().set_end(Some(occurrence.end));
    }
    scene.window(WINDOW, once(occurrence), &KINDS).await?;
    scene.held(WINDOW).await?;
    bench.operator().await.controller().kill().await?;
    sleep_until(back).await;
    let starting = bench.proxy.mark();
    bench.operator().await.controller().start().await?;
    sleep_until(due - TimeDelta::milliseconds(500)).await;
    if back < due {
        let again = bench.writes_in(&scene.namespace, starting);
        assert_eq!(again, [], "what stands already is not written again");
    }

    settled(due).await;
    for ((kind, load), original) in KINDS.into_iter().zip(clients).zip(originals) {
        let report = load.stop().await;
        let seen = Occurrence {
            end: due,
            ..occurrence
        };
        let verdict = bench.judge(seen, &scene.target(kind), &report);
        assert_eq!(verdict.faults, []);
        assert_eq!(scene.object(kind).await?, original);
    }
    Ok(())
}

pub(crate) async fn a_backend_pod_is_replaced_in_the_window(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "replaced").await?;
    scene.window(WINDOW, always(), &KINDS).await?;
    scene.held(WINDOW).await?;
    let ingress = scene.clients(Kind::Ingress).await?;
    let service = scene.clients(Kind::Service).await?;
    // Until every proxy has followed, the app may answer.
    sleep(Duration::from_secs(4)).await;
    let followed = Utc::now();

    let mut operator = bench.operator().await;
    let old: Vec<String> = operator
        .backends()
        .iter()
        .map(|pod| pod.name().to_owned())
        .collect();
    for pod in old {
        operator.add_backend().await?;
        operator.remove_backend(&pod).await?;
    }
    drop(operator);
    sleep(Duration::from_secs(2)).await;

    for load in [ingress, service] {
        let report = load.stop().await;
        assert_eq!(report.others().collect::<Vec<_>>(), []);
        assert_eq!(report.count(Class::App, followed..), 0);
        assert!(report.count(Class::Maintenance, followed..) > 0);
    }
    Ok(())
}
