//! How late flips are written: the first and the last of a window's three targets, one of each kind,
//! at its start and at its end, with few and with many other windows waiting.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte_testbed::target::{Kind, Target, To, patches};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::Result;
use crate::figures::Late;
use crate::stage::{Occurrence, Stage, eventually, manifest, objects, sleep_until};

const KINDS: [Kind; 3] = [Kind::Service, Kind::Ingress, Kind::HttpRoute];

const TARGET: &str = "web";
const WINDOW: &str = "often";
/// What the windows name that wait.
const TOMORROW: &str = "tomorrow";

/// How a window is moved, again and again. Its bridge and its port stand since the first time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long before its start it is moved there.
    lead: TimeDelta,
    length: TimeDelta,
    /// How long after its end it may be moved again.
    rest: Duration,
}

impl Pace {
    /// The shortest that a window may be.
    pub(crate) const FAST: Self = Self {
        lead: TimeDelta::milliseconds(500),
        length: TimeDelta::seconds(1),
        rest: Duration::from_millis(300),
    };
    /// Where flips are so late that they would not be done.
    pub(crate) const SLOW: Self = Self {
        lead: TimeDelta::seconds(2),
        length: TimeDelta::seconds(3),
        rest: Duration::from_secs(2),
    };
}

/// How many windows wait in each namespace, where there are many.
const IN_EACH: usize = 10;

const AT_ONCE: usize = 16;

/// Where a window and its targets are.
pub(crate) struct Often {
    namespace: String,
}

impl Often {
    pub(crate) async fn set(stage: &Stage) -> Result<Self> {
        let namespace = stage.cluster.namespace("late").await?;
        for kind in KINDS {
            let object = serde_json::from_value(manifest(kind, TARGET, "nobody"))?;
            let objects = objects(stage.client(), kind, &namespace);
            objects.create(&PostParams::default(), &object).await?;
        }
        // The first time it takes a while until the bridge may be relied on.
        let first = Occurrence::in_(TimeDelta::seconds(4), Pace::FAST.length);
        let targets: Vec<Value> = KINDS
            .iter()
            .map(|kind| json!({"kind": kind.as_str(), "name": TARGET}))
            .collect();
        stage
            .window(&namespace, WINDOW, first, json!(targets))
            .await?;
        sleep_until(first.end + TimeDelta::seconds(1)).await;
        Ok(Self { namespace })
    }

    /// Moves the window so many times, and says how late its flips were.
    pub(crate) async fn measure(
        &self,
        stage: &Stage,
        others: &str,
        pace: Pace,
        repetitions: usize,
    ) -> Result<Late> {
        let windows = stage.windows(&self.namespace);
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for _ in 0..repetitions {
            let mark = stage.proxy.mark();
            let occurrence = Occurrence::in_(pace.lead, pace.length);
            let moved = Patch::Merge(json!({"spec": {"schedule": occurrence.schedule()}}));
            windows
                .patch(WINDOW, &PatchParams::default(), &moved)
                .await?;
            sleep_until(occurrence.end).await;
            sleep(pace.rest).await;
            let requests = stage.proxy.since(mark);
            if std::env::var_os("TRACE").is_some() {
                for instant in [occurrence.start, occurrence.end] {
                    eprintln!("--");
                    for it in &requests {
                        let after = it.received - instant;
                        if after.abs() < TimeDelta::milliseconds(300) {
                            let took = match it.outcome {
                                entracte_testbed::api_proxy::Outcome::Answered { at, status } => {
                                    format!(
                                        "{status} {:?}us",
                                        (at - it.received).num_microseconds()
                                    )
                                }
                                _ => String::new(),
                            };
                            eprintln!(
                                "{:>8.1} {} {took}",
                                after.as_seconds_f64() * 1000.0,
                                it.request
                            );
                        }
                    }
                }
            }
            for (to, instant) in [(To::Hold, occurrence.start), (To::Release, occurrence.end)] {
                let mut late = Vec::new();
                for kind in KINDS {
                    late.push(self.late(&requests, kind, to, instant)?);
                }
                first.extend(late.iter().min());
                last.extend(late.iter().max());
            }
        }
        Ok(Late::new(others, first, last))
    }

    fn late(
        &self,
        requests: &[entracte_testbed::api_proxy::Recorded],
        kind: Kind,
        to: To,
        instant: DateTime<Utc>,
    ) -> Result<TimeDelta> {
        let target = Target {
            kind,
            namespace: self.namespace.clone(),
            name: TARGET.to_owned(),
        };
        let patches = patches(&target, requests);
        let mut done = patches.iter().filter(|patch| patch.to == to);
        let first = done.find_map(|patch| Some((patch.sent, patch.written?)));
        let (sent, at) = first.ok_or_else(|| format!("{target}: no {to} was written in time"))?;
        if sent < instant {
            return Err(format!("{target}: the {to} was written early").into());
        }
        Ok(at - instant)
    }

    /// Windows of tomorrow, in this namespace, over another target.
    pub(crate) async fn wait_here(&self, stage: &Stage, count: usize) -> Result {
        target_of_tomorrow(stage, &self.namespace).await?;
        wait(stage, vec![self.namespace.clone()], count).await
    }
}

/// Windows of tomorrow, in namespaces of their own.
pub(crate) async fn wait_elsewhere(stage: &Stage, count: usize) -> Result {
    let mut namespaces = Vec::new();
    for _ in 0..count.div_ceil(IN_EACH) {
        let namespace = stage.cluster.namespace("wait").await?;
        target_of_tomorrow(stage, &namespace).await?;
        namespaces.push(namespace);
    }
    let each = count.min(IN_EACH);
    wait(stage, namespaces, each).await
}

async fn target_of_tomorrow(stage: &Stage, namespace: &str) -> Result {
    let object = serde_json::from_value(manifest(Kind::Service, TOMORROW, "nobody"))?;
    let services = objects(stage.client(), Kind::Service, namespace);
    services.create(&PostParams::default(), &object).await?;
    Ok(())
}

async fn wait(stage: &Stage, namespaces: Vec<String>, in_each: usize) -> Result {
    let tomorrow = Occurrence::in_(TimeDelta::days(1), TimeDelta::hours(1));
    let targets = json!([{"kind": "Service", "name": TOMORROW}]);
    let windows = namespaces.iter().flat_map(|namespace| {
        (0..in_each).map(move |number| (namespace, format!("wait-{number}")))
    });
    stream::iter(windows)
        .map(|(namespace, name)| {
            let targets = targets.clone();
            async move { stage.window(namespace, &name, tomorrow, targets).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    // The operator has seen them all once it has written what it says of them.
    for namespace in &namespaces {
        eventually("every window is told of", async || {
            let windows = stage
                .windows(namespace)
                .list(&kube::api::ListParams::default())
                .await?;
            let told = |it: &entracte::api::MaintenanceWindow| it.status.is_some();
            Ok(windows.iter().all(told).then_some(()))
        })
        .await?;
    }
    stage.quiet().await
}
