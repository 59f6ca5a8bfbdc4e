//! An API server that answers wrongly, late or not at all.
//!
//! Each write of each work is harmed once, on a target of its own, and the controller lives on:
//! every target gets to where it belongs, and comes back as it was, with nothing of ours left.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte_testbed::api_proxy::{Delay, Fault, Harm, Outcome, Recorded, Side, Verb};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::crowd::{Crowd, Member};
use crate::objects::{merge, windows};
use crate::scene::{always, once, sleep_until};

const KINDS: [Kind; 2] = [Kind::Ingress, Kind::Service];

/// As many writes as any of these works has, and some; what is beyond the last one harms nothing.
const DEPTH: usize = 10;

/// How many faults are under way at once: fewer than namespaces are reconciled at once, because
/// one to which the API server is silent waits.
const SILENT_DEPTH: usize = 7;

/// How far behind a view is held.
const STALE: Duration = Duration::from_secs(3);

pub(crate) async fn a_conflict_at_any_write_is_planned_anew(bench: &Bench) -> Result {
    at_each_write(bench, answer(409), Side::Before, DEPTH).await
}

pub(crate) async fn an_error_at_any_write_is_tried_again(bench: &Bench) -> Result {
    for side in [Side::Before, Side::After] {
        at_each_write(bench, answer(500), side, DEPTH).await?;
    }
    Ok(())
}

pub(crate) async fn an_api_server_that_is_busy_at_any_write_is_asked_again_later(
    bench: &Bench,
) -> Result {
    let busy = Harm::Answer {
        status: 429,
        retry_after: Some(1),
    };
    at_each_write(bench, busy, Side::Before, DEPTH).await
}

/// The write was made, and nobody says so: the worse of the two silences.
pub(crate) async fn silence_at_any_write_is_waited_out(bench: &Bench) -> Result {
    at_each_write(bench, Harm::Silence, Side::After, SILENT_DEPTH).await
}

fn answer(status: u16) -> Harm {
    Harm::Answer {
        status,
        retry_after: None,
    }
}

/// Holds, changes the leader and releases, with the k-th write of each work harmed on the k-th
/// target of each kind.
async fn at_each_write(bench: &Bench, harm: Harm, side: Side, depth: usize) -> Result {
    let kinds: Vec<Kind> = KINDS
        .into_iter()
        .flat_map(|kind| vec![kind; depth])
        .collect();
    let crowd = Crowd::set(bench, "fault", &kinds).await?;
    let mut struck = 0;
    let an_hour = once(from_now(TimeDelta::zero(), TimeDelta::hours(1)));
    arm(&crowd, harm, side, depth);
    crowd.windows("first", &an_hour).await?;
    crowd
        .all("it is held", |it, view| view.is_led_by(it, "first"))
        .await?;
    struck += disarm(&crowd).await;
    arm(&crowd, harm, side, depth);
    crowd.windows("second", &always()).await?;
    crowd
        .all("another leads", |it, view| view.is_led_by(it, "second"))
        .await?;
    struck += disarm(&crowd).await;
    arm(&crowd, harm, side, depth);
    bench.delete_windows().await?;
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await?;
    struck += disarm(&crowd).await;
    println!("faults: {struck} ({harm} {side})");
    // Each work has more than two writes of each kind.
    assert!(struck > 3 * 2 * KINDS.len(), "{struck}");
    Ok(())
}

fn arm(crowd: &Crowd<'_>, harm: Harm, side: Side, depth: usize) {
    for (index, member) in crowd.members.iter().enumerate() {
        let fault = Fault::new(1 + index % depth, side, harm);
        crowd.bench.proxy.arm(fault.about(&member.namespace));
    }
}

/// How many faults have struck, once those of the last writes have had their time.
async fn disarm(crowd: &Crowd<'_>) -> usize {
    sleep(Duration::from_secs(1)).await;
    let left = crowd.bench.proxy.faults_left().len();
    crowd.bench.proxy.clear_faults();
    crowd.members.len() - left
}

fn from_now(start: TimeDelta, length: TimeDelta) -> Occurrence {
    let start = Utc::now() + start;
    Occurrence {
        start,
        end: start + length,
    }
}

/// The view of everything is three seconds old: at the hold, while somebody writes to the held
/// target, at the release, and again while nobody's window is on.
pub(crate) async fn what_a_user_writes_survives_a_view_that_is_stale(bench: &Bench) -> Result {
    let kinds: Vec<Kind> = KINDS.into_iter().flat_map(|kind| [kind; 3]).collect();
    let mut crowd = Crowd::set(bench, "stale", &kinds).await?;
    bench.proxy.delay_watches(Delay::by(STALE));
    let began = bench.proxy.mark();
    crowd.windows("first", &always()).await?;
    crowd
        .all("it is held", |it, view| view.is_led_by(it, "first"))
        .await?;

    // While the controller does not know yet that it holds them; and when it does.
    crowd.upgrade("next").await?;
    crowd
        .all("the new truth is held", |it, view| {
            view.is_led_by(it, "first")
        })
        .await?;
    sleep(STALE * 2).await;
    crowd.upgrade("last").await?;
    // The release is planned from what was there before the upgrade.
    sleep(STALE / 3).await;
    bench.delete_windows().await?;
    crowd
        .all("the last truth is back", |it, view| view.is_released(it))
        .await?;
    sleep(STALE * 2).await;
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await?;
    nothing_goes_while_it_is_held(&crowd, &bench.proxy.writes_since(began));
    bench.proxy.let_watches_go();
    Ok(())
}

/// No slice of ours is taken away behind a Service between its hold and its release.
fn nothing_goes_while_it_is_held(crowd: &Crowd<'_>, writes: &[Recorded]) {
    for member in crowd.members.iter().filter(|it| it.kind == Kind::Service) {
        let mut is_held = false;
        for write in writes {
            let request = &write.request;
            let done = matches!(write.outcome, Outcome::Answered { status, .. } if status < 300);
            if !done || request.namespace.as_ref() != Some(&member.namespace) {
                continue;
            }
            let body = String::from_utf8_lossy(&write.body);
            match (request.resource.as_str(), &request.verb) {
                ("services", Verb::Patch) if body.contains(r#""add","path":"/spec/selector"#) => {
                    is_held = true;
                }
                // Whoever applies a manifest by force has taken the key away; the label still says
                // `releasing` by the release, or goes with it.
                ("services", Verb::Patch) if !body.contains("/metadata/managedFields") => {
                    is_held = false;
                }
                ("endpointslices", Verb::Delete) => {
                    assert!(!is_held, "{write}, behind a Service that is held");
                }
                _ => {}
            }
        }
    }
}

/// A restart that lists what was there before the last writes, and learns of them late: first what
/// was before a hold, and then what was before a release.
pub(crate) async fn a_restart_that_lists_an_older_state_writes_nothing_wrong(
    bench: &Bench,
) -> Result {
    let kinds: Vec<Kind> = KINDS.into_iter().flat_map(|kind| [kind; 2]).collect();
    let crowd = Crowd::set(bench, "older", &kinds).await?;
    restart(bench).await?;
    let before_the_hold = bench.proxy.lists();
    crowd.windows("first", &always()).await?;
    crowd
        .all("it is held", |it, view| view.is_led_by(it, "first"))
        .await?;

    for resource in [None, Some("maintenancewindows"), Some("services")] {
        let starting = bench.proxy.mark();
        bench.operator().await.controller().kill().await?;
        bench.proxy.replay(before_the_hold.clone());
        bench.proxy.delay_watches(Delay {
            by: STALE,
            resource: resource.map(str::to_owned),
        });
        bench.operator().await.controller().start().await?;
        assert_eq!(bench.proxy.lists_to_replay(), 0, "each list is an old one");
        sleep(STALE * 2).await;
        crowd
            .all("it is still held", |it, view| view.is_led_by(it, "first"))
            .await?;
        let wrong = of_users(&crowd, &bench.proxy.writes_since(starting));
        assert_eq!(wrong, [], "what is held stays as it is; late: {resource:?}");
        bench.proxy.let_watches_go();
    }

    restart(bench).await?;
    let before_the_release = bench.proxy.lists();
    bench.delete_windows().await?;
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await?;
    let starting = bench.proxy.mark();
    bench.operator().await.controller().kill().await?;
    bench.proxy.replay(before_the_release);
    bench.proxy.delay_watches(Delay::by(STALE));
    bench.operator().await.controller().start().await?;
    sleep(STALE * 2).await;
    let wrong = of_users(&crowd, &bench.proxy.writes_since(starting));
    assert_eq!(wrong, [], "what is released stays as it is");
    bench.proxy.let_watches_go();
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await
}

/// The writes to what is the users', and to what leads to it, that were done.
fn of_users(crowd: &Crowd<'_>, writes: &[Recorded]) -> Vec<Recorded> {
    let is_users = |write: &&Recorded| {
        let request = &write.request;
        let done = matches!(write.outcome, Outcome::Answered { status, .. } if status < 300);
        let mut members = crowd.members.iter();
        done && request.resource != "maintenancewindows/status"
            && members.any(|member| request.namespace.as_ref() == Some(&member.namespace))
    };
    writes.iter().filter(is_users).cloned().collect()
}

async fn restart(bench: &Bench) -> Result {
    let mut operator = bench.operator().await;
    operator.controller().kill().await?;
    operator.controller().start().await?;
    Ok(())
}

/// The windows move while the controller does not see it: what it knew of them is not acted upon.
pub(crate) async fn a_window_that_moved_unseen_moves_no_target(bench: &Bench) -> Result {
    let kinds: Vec<Kind> = KINDS.into_iter().flat_map(|kind| [kind; 2]).collect();
    let crowd = Crowd::set(bench, "moved", &kinds).await?;
    let soon = from_now(TimeDelta::seconds(6), TimeDelta::seconds(6));
    crowd.windows("first", &once(soon)).await?;
    sleep(Duration::from_secs(3)).await;
    let began = bench.proxy.mark();
    bench
        .proxy
        .delay_watches(Delay::by(STALE * 3).of("maintenancewindows"));
    // The start moves away a second before it, and the end of the others later on.
    let later = from_now(TimeDelta::hours(1), TimeDelta::hours(1));
    let (away, longer) = crowd.members.split_at(crowd.members.len() / 2);
    sleep_until(soon.start - TimeDelta::seconds(1)).await;
    for member in away {
        reschedule(bench, member, later).await?;
    }
    sleep_until(soon.end - TimeDelta::seconds(1)).await;
    for member in longer {
        let end = soon.end + TimeDelta::hours(1);
        reschedule(bench, member, Occurrence { end, ..soon }).await?;
    }
    sleep_until(soon.end + TimeDelta::seconds(1)).await;
    bench.proxy.let_watches_go();
    let writes = bench.proxy.writes_since(began);
    for member in away {
        assert_eq!(patches_of(member, &writes), 0, "{member:?}");
    }
    let view = crowd.look().await?;
    for member in longer {
        assert!(view.is_led_by(member, "first"), "{:#?}", view.of(member));
        // One to hold it, and one that gives the ownership back.
        assert!(patches_of(member, &writes) <= 2, "{member:?}");
    }
    Ok(())
}

fn patches_of(member: &Member, writes: &[Recorded]) -> usize {
    let patches = writes.iter().filter(|write| {
        write.request.verb == Verb::Patch
            && write.request.namespace.as_ref() == Some(&member.namespace)
    });
    patches.count()
}

async fn reschedule(bench: &Bench, member: &Member, occurrence: Occurrence) -> Result {
    let schedule = json!({"spec": {"schedule": once(occurrence)}});
    merge(&windows(bench, &member.namespace), "first", schedule).await?;
    Ok(())
}

/// An API server that is away over the start, and another time over the end.
pub(crate) async fn an_outage_over_a_flip_delays_it_and_no_more(bench: &Bench) -> Result {
    let crowd = Crowd::set(bench, "outage", &KINDS).await?;
    let occurrence = from_now(TimeDelta::seconds(8), TimeDelta::seconds(12));
    crowd.windows("first", &once(occurrence)).await?;
    for at in [occurrence.start, occurrence.end] {
        sleep_until(at - TimeDelta::seconds(2)).await;
        let before = bench.proxy.mark();
        bench.proxy.go_away();
        sleep_until(at + TimeDelta::seconds(3)).await;
        let back = Utc::now();
        bench.proxy.come_back();
        for member in &crowd.members {
            let written = first_patch(bench, member, before).await?;
            let late = written - back;
            println!(
                "{:?}: {} ms after the API server was back",
                member.kind,
                late.num_milliseconds()
            );
            assert!(late < TimeDelta::seconds(2), "{member:?}: {late}");
        }
    }
    bench.delete_windows().await?;
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await
}

/// When the target was first patched since; none came before its instant, since all were cut.
async fn first_patch(
    bench: &Bench,
    member: &Member,
    mark: entracte_testbed::api_proxy::Mark,
) -> Result<DateTime<Utc>> {
    crate::objects::eventually("it flips", async || {
        let writes = bench.writes_in(&member.namespace, mark);
        let answered = writes.iter().filter(|it| it.request.verb == Verb::Patch);
        let times = answered.filter_map(|it| match it.outcome {
            Outcome::Answered { status: 200, at } => Some(at),
            _ => None,
        });
        Ok(times.min())
    })
    .await
}

/// A busy API server that asks for three seconds gets them, from every target.
pub(crate) async fn a_busy_api_server_is_left_alone_for_as_long_as_it_asks(
    bench: &Bench,
) -> Result {
    let crowd = Crowd::set(bench, "busy", &KINDS).await?;
    let busy = Harm::Answer {
        status: 429,
        retry_after: Some(3),
    };
    let began = bench.proxy.mark();
    for member in &crowd.members {
        let fault = Fault::new(1, Side::Before, busy).about(&member.namespace);
        bench.proxy.arm(fault.for_good());
    }
    crowd.windows("first", &always()).await?;
    sleep(Duration::from_secs(8)).await;
    let mut writes = bench.proxy.writes_since(began);
    // Those of the test before may still be tidied up after.
    writes.retain(|write| {
        let mut members = crowd.members.iter();
        members.any(|member| write.is_about(&member.namespace))
    });
    // At 0 s, 3 s and 6 s: the first write after each pause, and those that were under way.
    println!("{} writes in 8 s", writes.len());
    assert!(writes.len() <= 3 * crowd.members.len(), "{writes:#?}");
    bench.proxy.clear_faults();
    crowd
        .all("it is held", |it, view| view.is_led_by(it, "first"))
        .await?;
    for member in &crowd.members {
        let windows = windows(bench, &member.namespace);
        windows.delete("first", &DeleteParams::default()).await?;
    }
    crowd
        .all("it is as before", |it, view| view.is_as_before(it))
        .await
}
