//! A controller that dies at any point of its work.
//!
//! The connection to the API server is cut at the k-th write, once before the API server gets it
//! and once after, and nothing about that target passes any more until the controller is killed
//! and started again: for each k until the work has no more writes. Whatever was done by then, the
//! next controller takes the target to where it belongs, and it comes back as it was, the ownership of
//! its fields included, with nothing of ours left.
//!
//! Each point has a namespace of its own, so that one controller dies at many points at once:
//! nothing is agreed between namespaces but who has which port of the backend.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use entracte_testbed::api_proxy::{Fault, Mark, Side};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::crowd::{Crowd, Member, View};
use crate::objects::{merge, windows};
use crate::scene::{always, once};

const KINDS: [Kind; 3] = [Kind::Ingress, Kind::Service, Kind::HttpRoute];

/// How many writes are tried side by side: as many as most of these works have, and some.
const DEPTH: usize = 14;

/// More writes than any of these works has.
const TOO_MANY: usize = 3 * DEPTH;

/// A work that has come so far needs no more writes when none came for this long.
const QUIET: TimeDelta = TimeDelta::milliseconds(1500);

/// How long a work may take until it is done or cut, the linger included.
const LIMIT: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(200);

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
    bench.cluster.install_gateway_api().await?;
    let mut points = Vec::new();
    let mut flows: Vec<Flow> = KINDS.into_iter().flat_map(Flow::both).collect();
    let mut nths = 1..1 + DEPTH;
    while !flows.is_empty() {
        assert!(
            nths.end <= 1 + TOO_MANY,
            "{work:?} goes on and on: {flows:?}"
        );
        let batch = Batch::set(bench, work, &flows, nths.clone()).await?;
        let struck = batch.tried().await?;
        flows.retain(|flow| {
            let of_flow = struck.iter().filter(|point| point.flow == *flow);
            of_flow.count() == nths.len()
        });
        points.extend(struck);
        nths = nths.end..nths.end + DEPTH;
    }
    println!("crash points: {} ({work:?})", points.len());
    for flow in KINDS.into_iter().flat_map(Flow::both) {
        let writes = points.iter().filter(|point| point.flow == flow).count();
        println!(
            "  {} writes of an {:?}, cut {}",
            writes, flow.kind, flow.side
        );
        assert!(writes > 2, "{work:?}, {flow:?} has only {writes} writes");
    }
    Ok(())
}

/// The same work, cut at one write after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flow {
    kind: Kind,
    side: Side,
}

impl Flow {
    fn both(kind: Kind) -> [Self; 2] {
        [Side::Before, Side::After].map(|side| Self { kind, side })
    }
}

/// One point at which the controller dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    flow: Flow,
    nth: usize,
}

/// Points that are tried at once, each on a target of its own.
struct Batch<'b> {
    work: Work,
    points: Vec<Point>,
    crowd: Crowd<'b>,
}

impl<'b> Batch<'b> {
    async fn set(bench: &'b Bench, work: Work, flows: &[Flow], nths: Range<usize>) -> Result<Self> {
        let of_flow = |flow: &Flow| {
            let flow = *flow;
            nths.clone().map(move |nth| Point { flow, nth })
        };
        let points: Vec<Point> = flows.iter().flat_map(of_flow).collect();
        let kinds: Vec<Kind> = points.iter().map(|point| point.flow.kind).collect();
        Ok(Self {
            work,
            points,
            crowd: Crowd::set(bench, "crash", &kinds).await?,
        })
    }

    /// The points that there were; the targets are well in either case.
    async fn tried(&self) -> Result<Vec<Point>> {
        let Self { work, crowd, .. } = self;
        let bench = crowd.bench;
        if *work != Work::Hold {
            let first = if *work == Work::AnotherLeads {
                once(under_way())
            } else {
                always()
            };
            crowd.windows("first", &first).await?;
            crowd
                .all("it is held", |member, view| view.is_led_by(member, "first"))
                .await?;
        }
        for (point, member) in self.points.iter().zip(&crowd.members) {
            let cut = Fault::cut(point.nth, point.flow.side).about(&member.namespace);
            bench.proxy.arm(cut.for_good());
        }
        let struck = self.struck().await?;
        bench.operator().await.controller().kill().await?;
        bench.proxy.clear_faults();
        bench.operator().await.controller().start().await?;
        crowd
            .all(&format!("{work:?} is done"), |member, view| {
                self.has_arrived(member, view)
            })
            .await?;
        bench.delete_windows().await?;
        crowd
            .all("it is as before", |member, view| view.is_as_before(member))
            .await?;
        Ok(struck)
    }

    /// Begins the work, and waits until each cut has struck, or the work is done without it.
    async fn struck(&self) -> Result<Vec<Point>> {
        let bench = self.crowd.bench;
        let begun = bench.proxy.mark();
        self.crowd
            .each(async |member| begin(bench, self.work, member).await)
            .await?;
        let deadline = Instant::now() + LIMIT;
        loop {
            sleep(POLL).await;
            let left = bench.proxy.faults_left();
            let is_left = |member: &Member| {
                let about = Some(&member.namespace);
                left.iter().any(|fault| fault.namespace.as_ref() == about)
            };
            let view = self.crowd.look().await?;
            let busy = self.busy(begun);
            let is_done = |member: &&Member| {
                !busy.contains(&member.namespace) && self.has_arrived(member, &view)
            };
            let mut open = self.crowd.members.iter().filter(|it| is_left(it));
            if open.clone().all(|member| is_done(&member)) {
                let pairs = self.points.iter().zip(&self.crowd.members);
                let struck = pairs.filter(|(_, member)| !is_left(member));
                return Ok(struck.map(|(point, _)| *point).collect());
            }
            if Instant::now() >= deadline {
                let first = open.find(|member| !is_done(member));
                let seen = first.map(|member| (member, view.of(member)));
                return Err(format!("neither cut nor done: {seen:#?}").into());
            }
        }
    }

    /// The namespaces in which something was written a moment ago.
    fn busy(&self, begun: Mark) -> BTreeSet<String> {
        let quiet_since = Utc::now() - QUIET;
        let writes = self.crowd.bench.proxy.writes_since(begun).into_iter();
        writes
            .filter(|write| write.received >= quiet_since)
            .filter_map(|write| write.request.namespace)
            .collect()
    }

    /// Whether a target is where the work takes it.
    fn has_arrived(&self, member: &Member, view: &View) -> bool {
        match self.work {
            Work::Hold => view.is_led_by(member, "first"),
            Work::AnotherLeads => view.is_led_by(member, "second"),
            Work::Release | Work::Deletion => view.is_as_before(member),
        }
    }
}

/// Gives the controller something to do.
async fn begin(bench: &Bench, work: Work, member: &Member) -> Result {
    let windows = windows(bench, &member.namespace);
    match work {
        Work::Hold => member.window(bench, "first", &once(under_way())).await?,
        Work::Release => {
            merge(&windows, "first", json!({"spec": {"suspend": true}})).await?;
        }
        Work::AnotherLeads => member.window(bench, "second", &always()).await?,
        Work::Deletion => {
            windows.delete("first", &DeleteParams::default()).await?;
        }
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
