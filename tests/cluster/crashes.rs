//! A controller that dies at any point of its work.
//!
//! The connection to the API server is cut at the k-th write, once before the API server gets it
//! and once after, nothing passes any more, and the controller is killed and started again: for
//! each k until the work has no more writes. Whatever was done by then, the next controller takes
//! the targets to where they belong, and they come back as they were.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use entracte_testbed::api_proxy::{Cut, Side};
use entracte_testbed::app::App;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, merge, ours, windows};
use crate::scene::{APP, always, create, named, once};

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

/// More writes than any of these works has.
const TOO_MANY: usize = 40;

/// A work that has come so far needs no more writes when none came for this long.
const QUIET: Duration = Duration::from_millis(1500);

/// What the controller has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Hold,
    Release,
    AnotherLeads,
    Deletion,
}

pub(crate) async fn a_controller_may_die_at_any_write_of_a_hold(bench: &Bench) -> Result {
    at_each_write(bench, Work::Hold).await
}

pub(crate) async fn a_controller_may_die_at_any_write_of_a_release(bench: &Bench) -> Result {
    at_each_write(bench, Work::Release).await
}

pub(crate) async fn a_controller_may_die_at_any_write_when_another_window_takes_the_lead(
    bench: &Bench,
) -> Result {
    at_each_write(bench, Work::AnotherLeads).await
}

pub(crate) async fn a_controller_may_die_at_any_write_after_the_window_was_deleted(
    bench: &Bench,
) -> Result {
    at_each_write(bench, Work::Deletion).await
}

async fn at_each_write(bench: &Bench, work: Work) -> Result {
    let mut points = 0;
    for nth in 1..TOO_MANY {
        let mut struck = false;
        for side in [Side::Before, Side::After] {
            let point = Point {
                bench,
                work,
                nth,
                side,
            };
            let strikes = point
                .tried()
                .await
                .map_err(|error| format!("{work:?}, {side} write {nth}: {error}"))?;
            points += usize::from(strikes);
            struck |= strikes;
        }
        if !struck {
            println!("crash points: {points}");
            assert!(nth > 2, "{work:?} has only {nth} writes");
            return nothing_is_left(bench).await;
        }
    }
    Err(format!("{work:?} has more than {TOO_MANY} writes").into())
}

/// Once what lingers has gone.
async fn nothing_is_left(bench: &Bench) -> Result {
    let left = eventually("nothing of ours is left", async || {
        Ok(ours(bench).await?.is_empty().then_some(()))
    });
    if let Err(error) = left.await {
        return Err(format!("{error}: {:?}", ours(bench).await?).into());
    }
    Ok(())
}

/// An occurrence that ends in an hour, before that of a window without an end.
fn under_way() -> Occurrence {
    let start = Utc::now();
    Occurrence {
        start,
        end: start + TimeDelta::hours(1),
    }
}

/// One point at which the controller dies.
struct Point<'b> {
    bench: &'b Bench,
    work: Work,
    nth: usize,
    side: Side,
}

impl Point<'_> {
    /// Whether there was such a point; the targets are well in either case.
    async fn tried(&self) -> Result<bool> {
        let Self { bench, work, .. } = *self;
        let scene = Scene::set(bench).await?;
        let first = if work == Work::AnotherLeads {
            once(under_way())
        } else {
            always()
        };
        if work != Work::Hold {
            scene.window("first", first).await?;
            scene.leads("entracte-first").await?;
        }
        let cut = Cut::new(self.nth, self.side).about(&scene.namespace);
        bench.proxy.cut(cut.for_good());
        scene.begin(work).await?;
        let struck = self.strikes(&scene).await?;
        if struck {
            bench.operator().await.controller().kill().await?;
        }
        bench.proxy.clear_faults();
        bench.operator().await.controller().start().await?;
        scene.arrives(work).await?;
        scene.end().await?;
        Ok(struck)
    }

    /// Waits until the cut has struck, or the work is done without it.
    async fn strikes(&self, scene: &Scene<'_>) -> Result<bool> {
        let proxy = &self.bench.proxy;
        let mut quiet = proxy.mark();
        loop {
            sleep(QUIET).await;
            if proxy.faults_left() == 0 {
                return Ok(true);
            }
            let is_quiet = self.bench.writes_in(&scene.namespace, quiet).is_empty();
            if is_quiet && scene.has_arrived(self.work).await? {
                return Ok(false);
            }
            quiet = proxy.mark();
        }
    }
}

/// A Service and an Ingress without pods behind them.
struct Scene<'b> {
    bench: &'b Bench,
    namespace: String,
    originals: [Value; 2],
    _app: App,
}

impl<'b> Scene<'b> {
    async fn set(bench: &'b Bench) -> Result<Self> {
        let namespace = bench.cluster.namespace("crash").await?;
        let app = App::create(&bench.cluster, &namespace, APP, 0).await?;
        let mut scene = Self {
            bench,
            namespace,
            originals: Default::default(),
            _app: app,
        };
        scene.originals = scene.objects().await?;
        Ok(scene)
    }

    /// Ingress and Service, but for what anybody's write changes.
    async fn objects(&self) -> Result<[Value; 2]> {
        let mut objects: [Value; 2] = Default::default();
        for (kind, slot) in KINDS.into_iter().zip(&mut objects) {
            let object = api(self.bench, kind, &self.namespace).get(APP).await?;
            let managers = object.metadata.managed_fields.into_iter().flatten();
            let ours = |manager: &String| manager == "entracte";
            *slot = json!({
                "owns": managers.filter_map(|entry| entry.manager).any(|name| ours(&name)),
                "labels": object.metadata.labels,
                "annotations": object.metadata.annotations,
                "spec": object.data["spec"],
            });
        }
        Ok(objects)
    }

    async fn window(&self, name: &str, schedule: Value) -> Result {
        let targets = KINDS.map(|kind| named(kind, APP)).into();
        create(self.bench, &self.namespace, name, schedule, targets).await
    }

    /// Gives the controller something to do.
    async fn begin(&self, work: Work) -> Result {
        let windows = windows(self.bench, &self.namespace);
        match work {
            Work::Hold => self.window("first", always()).await?,
            Work::Release => {
                merge(&windows, "first", json!({"spec": {"suspend": true}})).await?;
            }
            Work::AnotherLeads => self.window("second", always()).await?,
            Work::Deletion => {
                windows.delete("first", &DeleteParams::default()).await?;
            }
        }
        Ok(())
    }

    /// Whether the targets are where a work takes them.
    async fn has_arrived(&self, work: Work) -> Result<bool> {
        match work {
            Work::Hold => self.is_led_by("entracte-first").await,
            Work::AnotherLeads => self.is_led_by("entracte-second").await,
            Work::Release | Work::Deletion => Ok(self.objects().await? == self.originals),
        }
    }

    async fn arrives(&self, work: Work) -> Result {
        eventually("the targets are where they belong", async || {
            Ok(self.has_arrived(work).await?.then_some(()))
        })
        .await
    }

    async fn leads(&self, bridge: &str) -> Result {
        eventually("the targets are held", async || {
            Ok(self.is_led_by(bridge).await?.then_some(()))
        })
        .await
    }

    /// Whether the Ingress leads to the bridge and the Service is held.
    async fn is_led_by(&self, bridge: &str) -> Result<bool> {
        let [ingress, service] = self.objects().await?;
        let backend = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"];
        let key = &service["spec"]["selector"]["entracte.dev/hold"];
        Ok(backend["service"]["name"] == bridge && key.is_string())
    }

    /// Deletes every window, after which all is as it was.
    async fn end(&self) -> Result {
        self.bench.delete_windows().await?;
        eventually("the targets are as they were", async || {
            Ok((self.objects().await? == self.originals).then_some(()))
        })
        .await
    }
}
