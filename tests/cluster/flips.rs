//! A target is held and given back on time, and nobody gets anything else.

use chrono::TimeDelta;
use entracte::api::status::Phase;
use entracte_testbed::target::Kind;

use crate::Result;
use crate::bench::Bench;
use crate::objects::status;
use crate::routes::BEHIND_A_GATEWAY;
use crate::scene::{Scene, WINDOW, once, settled, sleep_until, soon};

/// Within which an instant's patch has to be written.
pub(crate) const ON_TIME: TimeDelta = TimeDelta::milliseconds(50);

pub(crate) async fn an_ingress_is_held_on_time_and_given_back_as_it_was(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "flips").await?;
    hold_and_release(&scene, Kind::Ingress).await
}

pub(crate) async fn a_service_is_held_on_time_and_given_back_as_it_was(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "flips").await?;
    hold_and_release(&scene, Kind::Service).await
}

pub(crate) async fn an_http_route_is_held_on_time_and_given_back_as_it_was(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "flips", BEHIND_A_GATEWAY).await?;
    hold_and_release(&scene, Kind::HttpRoute).await
}

/// One window over one target, with clients, from before it until everything has settled.
pub(crate) async fn hold_and_release(scene: &Scene<'_>, kind: Kind) -> Result {
    let bench = scene.bench;
    let original = scene.object(kind).await?;
    let clients = scene.clients(kind).await?;
    let occurrence = soon(6);
    clients.expectation().set_end(Some(occurrence.end));

    scene.window(WINDOW, once(occurrence), &[kind]).await?;
    let scheduled = status(
        bench,
        &scene.namespace,
        WINDOW,
        "it is scheduled",
        |status| status.phase == Some(Phase::Scheduled),
    )
    .await?;
    assert_eq!(
        scheduled.next.map(|next| next.start),
        Some(occurrence.start)
    );
    sleep_until(occurrence.start - TimeDelta::milliseconds(500)).await;
    assert_eq!(
        scene.object(kind).await?,
        original,
        "untouched before the start"
    );

    scene.held(WINDOW).await?;
    assert_ne!(
        scene.object(kind).await?,
        original,
        "changed while it is held"
    );
    let columns = bench
        .cluster
        .kubectl(["get", "mw", "-n", &scene.namespace, "--no-headers"])
        .await?;
    let columns = String::from_utf8(columns.stdout)?;
    let columns: Vec<&str> = columns.split_whitespace().collect();
    assert_eq!(columns[..2], [WINDOW, "Active"]);
    assert_eq!(columns[4], "1/1");

    settled(occurrence.end).await;
    let report = clients.stop().await;
    let verdict = bench.judge(occurrence, &scene.target(kind), &report);
    assert_eq!(verdict.faults, []);
    for flip in verdict.flips {
        let written = flip.written.ok_or("not written")?;
        assert!(
            written <= ON_TIME,
            "the {} was written {} ms late",
            flip.to,
            written.num_milliseconds()
        );
    }
    assert_eq!(scene.object(kind).await?, original);

    let ended = status(bench, &scene.namespace, WINDOW, "it has ended", |status| {
        status.phase == Some(Phase::Ended)
    })
    .await?;
    let last = ended.last.ok_or("no last occurrence")?;
    assert_eq!((last.start, last.end), (occurrence.start, occurrence.end));
    assert!(
        last.held_at
            .is_some_and(|at| at >= last.start && at < last.end),
        "{last:?}"
    );
    assert!(
        last.released_at.is_some_and(|at| at >= last.end),
        "{last:?}"
    );
    Ok(())
}
