//! A window that ends early restores at once, in whichever way it does.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::api::status::Phase;
use entracte_testbed::load::{Expected, Load};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::bench::Bench;
use crate::crowd::Crowd;
use crate::objects::{self, status};
use crate::scene::{Scene, WINDOW, always, once, settled, sleep_until, soon, text};

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

/// From the change of the window to the patch of the target: a watch event and a plan.
const AT_ONCE: TimeDelta = TimeDelta::milliseconds(500);

/// In the foreground an object is deleted by the platform's garbage collector, which looks for new
/// kinds every half minute.
const COLLECTOR_LOOKS: Duration = Duration::from_secs(40);

/// A scene whose window, which would last for a minute, holds Ingress and Service.
struct Held<'b> {
    scene: Scene<'b>,
    originals: [String; 2],
    clients: [Load; 2],
    start: DateTime<Utc>,
}

impl<'b> Held<'b> {
    async fn set(bench: &'b Bench) -> Result<Self> {
        let scene = Scene::set(bench, "early").await?;
        let originals = [scene.object(KINDS[0]).await?, scene.object(KINDS[1]).await?];
        let clients = [
            scene.clients(KINDS[0]).await?,
            scene.clients(KINDS[1]).await?,
        ];
        let occurrence = soon(60);
        for load in &clients {
            load.expectation().set_end(Some(occurrence.end));
        }
        scene.window(WINDOW, once(occurrence), &KINDS).await?;
        scene.held(WINDOW).await?;
        // Long enough for every proxy to have followed.
        sleep_until(occurrence.start + TimeDelta::seconds(3)).await;
        Ok(Self {
            scene,
            originals,
            clients,
            start: occurrence.start,
        })
    }

    /// From now on Retry-After may be that of a window that is over.
    fn expect_its_end(&self) {
        for load in &self.clients {
            let early = |expected: &mut Expected| expected.may_be_released = true;
            load.expectation().change(early);
        }
    }

    /// All is as it was before, since `end`.
    async fn comes_back(self, end: DateTime<Utc>) -> Result<Scene<'b>> {
        let occurrence = Occurrence {
            start: self.start,
            end,
        };
        settled(end).await;
        for ((kind, load), original) in KINDS.into_iter().zip(self.clients).zip(self.originals) {
            let report = load.stop().await;
            let bench = self.scene.bench;
            let verdict = bench.judge(occurrence, &self.scene.target(kind), &report);
            assert_eq!(verdict.faults, []);
            let [_, release] = verdict.flips;
            assert!(
                release.written.is_some_and(|written| written <= AT_ONCE),
                "{release:?}"
            );
            assert_eq!(self.scene.object(kind).await?, original);
        }
        Ok(self.scene)
    }
}

pub(crate) async fn moving_the_end_restores_at_once(bench: &Bench) -> Result {
    let held = Held::set(bench).await?;
    held.expect_its_end();
    let end = Utc::now();
    let spec = json!({"schedule": {"once": {"end": text(end)}}});
    held.scene.change(WINDOW, spec).await?;
    held.comes_back(end).await?;
    Ok(())
}

pub(crate) async fn suspending_a_window_restores_at_once_and_resuming_it_holds_again(
    bench: &Bench,
) -> Result {
    let held = Held::set(bench).await?;
    held.expect_its_end();
    let end = Utc::now();
    held.scene.change(WINDOW, json!({"suspend": true})).await?;
    let scene = held.comes_back(end).await?;
    status(
        bench,
        &scene.namespace,
        WINDOW,
        "it is suspended",
        |status| status.phase == Some(Phase::Suspended),
    )
    .await?;
    scene.change(WINDOW, json!({"suspend": false})).await?;
    scene.held(WINDOW).await
}

pub(crate) async fn deleting_a_window_restores_at_once(bench: &Bench) -> Result {
    let held = Held::set(bench).await?;
    held.expect_its_end();
    let end = Utc::now();
    let windows = objects::windows(bench, &held.scene.namespace);
    windows.delete(WINDOW, &DeleteParams::default()).await?;
    held.comes_back(end).await?;
    Ok(())
}

/// Nothing of ours is owned by a window, and no finalizer of ours is on it.
pub(crate) async fn a_window_may_be_deleted_in_any_way(bench: &Bench) -> Result {
    let ways = [
        PropagationPolicy::Background,
        PropagationPolicy::Foreground,
        PropagationPolicy::Orphan,
    ];
    bench.cluster.install_gateway_api().await?;
    let kinds = [Kind::Ingress, Kind::Service, Kind::HttpRoute];
    let each: Vec<Kind> = ways.iter().flat_map(|_| kinds).collect();
    let crowd = Crowd::set(bench, "any-way", &each).await?;
    crowd.windows(WINDOW, &always()).await?;
    crowd
        .all("it is held", |it, view| view.is_led_by(it, WINDOW))
        .await?;
    for (members, way) in crowd.members.chunks(kinds.len()).zip(ways) {
        for member in members {
            let windows = objects::windows(bench, &member.namespace);
            let delete = DeleteParams {
                propagation_policy: Some(way.clone()),
                ..DeleteParams::default()
            };
            windows.delete(WINDOW, &delete).await?;
            let gone = async || {
                while windows.get_opt(WINDOW).await?.is_some() {
                    sleep(Duration::from_millis(100)).await;
                }
                Result::Ok(())
            };
            timeout(COLLECTOR_LOOKS, gone()).await??;
        }
    }
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await
}
