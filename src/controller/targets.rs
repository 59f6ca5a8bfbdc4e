//! Step 2: what each target should do, and doing it. Touches the cluster: writes through
//! [`take_effect`] and [`settle`], but for slices of ours whose Service is gone, which it deletes.
//!
//! Of many targets all are held or released, and what the platform lags behind with is done for it,
//! before the ownership of any field is given back: who waits for an answer waits for the first two.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use tokio::time::sleep;

use super::apply::{Error, apply_all, within_patience};
use super::contention::Contended;
use super::observe::{Observed, observe};
use super::setback::Flip;
use super::target::{Applied, Snapshot, settle, take_effect};
use super::wanted::{Want, Wanted};
use super::{Context, event};
use crate::plan::edit::Precondition;
use crate::plan::{Answering, Desired, Edit, Outcome, Reason, slices};
use crate::schedule::TargetRef;

/// How many targets of one namespace are written at once.
const AT_ONCE: usize = 32;

/// Holds what is covered and releases what is not; the results are by target.
pub(super) async fn hold_and_release(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> BTreeMap<TargetRef, Applied> {
    context.setbacks.keep(&observed.namespace, |target, flip| {
        wanted.covers(target) == (flip == Flip::Hold)
    });
    let is_covered = |target: &TargetRef| wanted.covers(target);
    context.contentions.keep(&observed.namespace, is_covered);
    let targets = wanted.targets.keys();
    let flips = targets.map(|target| {
        let snapshot = Snapshot::cached(observed, target);
        follow_wanted(context, observed, wanted, target, snapshot, now)
    });
    let mut applied = all_at_once(flips.collect()).await;
    go_on(context, observed, wanted, &mut applied).await;
    give_back(context, observed, &mut applied).await;
    tell_of_what_stays(context, observed, &applied).await;
    sweep_strays(context, observed).await;
    applied
}

async fn all_at_once(flips: Vec<impl Future<Output = Applied>>) -> BTreeMap<TargetRef, Applied> {
    stream::iter(flips)
        .buffer_unordered(AT_ONCE)
        .map(|applied| (applied.target.clone(), applied))
        .collect()
        .await
}

async fn follow_wanted(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    target: &TargetRef,
    snapshot: Snapshot,
    now: DateTime<Utc>,
) -> Applied {
    let desired = wanted.desired(target, context, observed, now);
    let want = wanted.targets.get(target);
    Applied {
        may_wait: want.and_then(Want::may_wait),
        restoring: want.and_then(|want| want.restoring.clone()),
        ..follow(context, observed, target.clone(), snapshot, desired, now).await
    }
}

/// Where holding so many took longer than the platform gets, what it has not done by now is done
/// before anything else. It may have done it, so this starts from what was seen since.
async fn go_on(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    applied: &mut BTreeMap<TargetRef, Applied>,
) {
    let waits = |applied: &Applied| match applied.result {
        Ok(Outcome::Holding(_)) => applied.again,
        _ => None,
    };
    let now = Utc::now();
    if !applied.values().filter_map(waits).any(|until| until <= now) {
        return;
    }
    let waiting: Vec<_> = applied
        .values()
        .filter_map(|applied| Some((applied.target.clone(), waits(applied)?)))
        .collect();
    let longest = waiting.iter().map(|(_, until)| *until).max();
    sleep((longest.unwrap_or(now) - now).to_std().unwrap_or_default()).await;
    let now = Utc::now();
    let seen = observe(&context.caches, &observed.namespace);
    let flips = waiting.iter().map(|(target, _)| {
        let snapshot = Snapshot::cached(&seen, target);
        follow_wanted(context, observed, wanted, target, snapshot, now)
    });
    for (target, after) in all_at_once(flips.collect()).await {
        if let Some(before) = applied.remove(&target) {
            let owes = before.owes.or(after.owes);
            // What was only seen was seen now.
            let written = after.written.or(Some(now));
            applied.insert(
                target,
                Applied {
                    written,
                    owes,
                    ..after
                },
            );
        }
    }
}

/// Gives back the ownership of what was taken over.
async fn give_back(
    context: &Context,
    observed: &Observed,
    applied: &mut BTreeMap<TargetRef, Applied>,
) {
    let owing = applied.values_mut().filter(|it| it.owes.is_some());
    let settled: Vec<_> = owing
        .map(|applied| settled(context, observed, applied))
        .collect();
    stream::iter(settled)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn settled(context: &Context, observed: &Observed, applied: &mut Applied) {
    let Context {
        client, setbacks, ..
    } = context;
    let namespace = &observed.namespace;
    settle(client, namespace, applied).await;
    match &applied.result {
        Ok(_) => setbacks.over(namespace, &applied.target),
        Err(error) if error.is_refusal() && !applied.is_covered => {
            let (target, reason) = (&applied.target, error.reason());
            setbacks.refused(namespace, target, Flip::Release, reason, Utc::now());
        }
        Err(_) => {}
    }
}

/// The targets that are about to be held or released.
///
/// One that somebody undid again and again, or whose flip was refused, is none while that pauses;
/// nor is one that waits for its app.
pub(super) fn flips(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> Vec<TargetRef> {
    let flips = wanted.targets.iter().filter(|(target, want)| {
        let snapshot = Snapshot::cached(observed, target);
        let plan = || {
            let desired = wanted.desired(target, context, observed, now);
            snapshot.plan(desired, context.linger, now)
        };
        want.is_covered() != snapshot.is_held()
            && !pauses(context, observed, target, want.is_covered(), now)
            && !plan().edits.is_empty()
    });
    flips.map(|(target, _)| target.clone()).collect()
}

/// Whether a flip is not tried now.
fn pauses(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    is_covered: bool,
    now: DateTime<Utc>,
) -> bool {
    let namespace = &observed.namespace;
    let flip = if is_covered {
        Flip::Hold
    } else {
        Flip::Release
    };
    context.setbacks.of(namespace, target, flip, now).is_some()
        || is_covered && context.contentions.pause(namespace, target, now).is_some()
}

/// Whether a window that is known reaches the target, at whatever time.
pub(super) fn is_reached(observed: &Observed, target: &TargetRef) -> bool {
    let mut reached = observed.reached();
    reached.any(|(_, reach)| reach.holds.contains(target))
}

/// Takes a target to where it should be, unless somebody takes it back again and again: then the
/// app answers for a while.
async fn follow(
    context: &Context,
    observed: &Observed,
    target: TargetRef,
    snapshot: Snapshot,
    desired: Desired<'_>,
    now: DateTime<Utc>,
) -> Applied {
    let namespace = &observed.namespace;
    let contentions = &context.contentions;
    if desired == Desired::Released {
        return converge_unless_refused(context, observed, target, snapshot, desired, now).await;
    }
    let snapshot = look_for_who_undid(context, namespace, &target, snapshot, now).await;
    let desired = match desired {
        Desired::Held(answering) if !target.kind.is_route() && snapshot.is_to_tell_flux() => {
            let is_kept = context.policy.stands(&context.client, now).await;
            Desired::Held(Answering {
                is_kept,
                ..answering
            })
        }
        desired => desired,
    };
    if let Some(pause) = contentions.pause(namespace, &target, now)
        && !snapshot.is_held()
    {
        let released = Desired::Released;
        let applied =
            converge_unless_refused(context, observed, target, snapshot, released, now).await;
        return paused(applied, pause);
    }
    let mut applied =
        converge_unless_refused(context, observed, target, snapshot, desired, now).await;
    match applied.result {
        Ok(Outcome::Held | Outcome::Holding(_)) => {
            contentions.held(namespace, &applied.target, Utc::now());
        }
        Ok(_) => contentions.not_held(namespace, &applied.target),
        Err(_) => {}
    }
    if let Some(unrest) = contentions.unrest(namespace, &applied.target, now) {
        applied.again = applied.again.into_iter().chain([unrest.until]).min();
        applied.contended = Some(unrest.reason);
    }
    applied
}

/// Takes note of a hold that stood when it was last looked at, and is gone. What is known of the
/// target may be older than our own write, so it is read first; what was read is returned.
async fn look_for_who_undid(
    context: &Context,
    namespace: &str,
    target: &TargetRef,
    snapshot: Snapshot,
    now: DateTime<Utc>,
) -> Snapshot {
    let contentions = &context.contentions;
    if snapshot.is_held() || !contentions.was_held(namespace, target) {
        return snapshot;
    }
    // What cannot be read now is read when the hold is put back.
    let Ok(live) = Snapshot::live(&context.client, namespace, target).await else {
        return snapshot;
    };
    if matches!(live, Snapshot::Missing) {
        contentions.not_held(namespace, target);
    } else if !live.is_held() {
        contentions.undone(namespace, target, live.last_writer().as_deref(), now);
    }
    live
}

fn paused(applied: Applied, pause: Contended) -> Applied {
    let result = applied.result.map(|outcome| match outcome {
        Outcome::Serving | Outcome::Releasing { .. } => Outcome::Waiting(pause.reason),
        other => other,
    });
    Applied {
        result,
        again: applied.again.into_iter().chain([pause.until]).min(),
        unfit: None,
        is_covered: true,
        ..applied
    }
}

/// A flip that was refused a moment ago is not tried; what was said then is still what there is to
/// say.
async fn converge_unless_refused(
    context: &Context,
    observed: &Observed,
    target: TargetRef,
    snapshot: Snapshot,
    desired: Desired<'_>,
    now: DateTime<Utc>,
) -> Applied {
    let Context {
        client,
        setbacks,
        linger,
        ..
    } = context;
    let namespace = &observed.namespace;
    let is_covered = desired != Desired::Released;
    let flip = match (is_covered, snapshot.is_held()) {
        (true, false) => Some(Flip::Hold),
        (true, true) => None,
        (false, _) => Some(Flip::Release),
    };
    let setback = flip.and_then(|flip| setbacks.of(namespace, &target, flip, now));
    if let Some(setback) = setback {
        return Applied {
            again: Some(setback.until),
            ..Applied::new(target, Ok(Outcome::Waiting(setback.reason)), is_covered)
        };
    }
    let applied = take_effect(client, namespace, target, snapshot, desired, *linger, now).await;
    match (&applied.result, flip) {
        (Err(error), Some(flip))
            if error.is_refusal() || flip == Flip::Hold && error.may_last() =>
        {
            setbacks.refused(namespace, &applied.target, flip, error.reason(), Utc::now());
        }
        (Ok(_), _) if applied.owes.is_none() => setbacks.over(namespace, &applied.target),
        // What is owed is to be given back first.
        (Ok(_) | Err(_), _) => {}
    }
    applied
}

/// A target that cannot be given back, and that no window names, has no status to say so.
async fn tell_of_what_stays(
    context: &Context,
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
) {
    let namespace = &observed.namespace;
    let stays: BTreeMap<&TargetRef, Reason> = applied
        .iter()
        .filter_map(|(target, applied)| Some((target, why_it_stays(applied)?)))
        .collect();
    context
        .told_of
        .keep(namespace, |target| stays.contains_key(target));
    for (target, reason) in stays {
        let TargetRef { kind, name } = target;
        tracing::warn!(namespace, %kind, name, "{}", reason.message);
        let Some(object) = observed.objects.get(target) else {
            continue;
        };
        let is_told = || {
            let told = context.told_of.change(namespace, |told_of| {
                told_of.insert(target.clone(), reason.word)
            });
            told == Some(reason.word)
        };
        if !is_reached(observed, target) && !is_told() {
            event::stays(&context.client, &**object, &reason.message).await;
        }
    }
}

/// Why a target that nothing covers is not given back, where that may last.
fn why_it_stays(applied: &Applied) -> Option<Reason> {
    match &applied.result {
        _ if applied.is_covered => None,
        Ok(Outcome::Waiting(reason)) => Some(reason.clone()),
        Err(error) if error.is_refusal() || error.may_last() => Some(error.reason()),
        Ok(_) | Err(_) => None,
    }
}

/// Takes away slices of ours whose Service is gone: a Service that was deleted with
/// `--cascade=orphan` leaves them, and they would answer for the next one of its name.
async fn sweep_strays(context: &Context, observed: &Observed) {
    let strays: Vec<_> = observed
        .slices
        .iter()
        .filter(|slice| slices::is_ours(slice))
        .filter(|slice| {
            slices::service_name(slice).is_none_or(|name| !observed.services.contains_key(name))
        })
        .collect();
    for stray in strays {
        if let Err(error) = sweep_stray(context, observed, stray).await {
            tracing::warn!(namespace = observed.namespace, %error, "slices without a Service stay");
        }
    }
}

/// Each kind is watched by itself: a Service that is not known may only not be known yet, and be
/// held.
async fn sweep_stray(
    context: &Context,
    observed: &Observed,
    stray: &EndpointSlice,
) -> Result<(), Error> {
    let Context { client, .. } = context;
    let namespace = &observed.namespace;
    if let Some(name) = slices::service_name(stray) {
        let services = Api::<Service>::namespaced(client.clone(), namespace);
        let action = format!("read Service {name}");
        let service = within_patience(&action, services.get_opt(name)).await?;
        if service.is_some() {
            return Ok(());
        }
    }
    let delete = Edit::DeleteSlice(Precondition::of(&stray.metadata));
    apply_all(client, namespace, &[delete]).await
}
