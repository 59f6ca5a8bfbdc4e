//! Step 2: what each target should do, and doing it. Touches the cluster through
//! [`converge`] only.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use super::Context;
use super::apply::apply_all;
use super::contention::Contended;
use super::observe::Observed;
use super::rehearse;
use super::restoring::{Restores, Restoring};
use super::target::{Applied, Snapshot, converge};
use crate::coverage::{Coverage, coverages};
use crate::plan::backend::Endpoint;
use crate::plan::edit::Precondition;
use crate::plan::{Answering, Desired, Edit, Outcome, bridge, slices};
use crate::schedule::{TargetRef, Window};

/// What covers each target that is covered.
type Covered<'t, 'w> = HashMap<&'t TargetRef, Coverage<'w>>;

/// How many targets of one namespace are written at once.
const AT_ONCE: usize = 32;

/// Holds what is covered and releases what is not; the results are by target.
pub(super) async fn hold_and_release(
    context: &Context,
    observed: &Observed,
    now: DateTime<Utc>,
) -> BTreeMap<TargetRef, Applied> {
    let restores = Restores::of(observed, &context.origins, now);
    let mut restoring = HashMap::new();
    let targets = targets(observed);
    let covered = covered(observed, &targets, &restores, &mut restoring, now);
    let is_covered = |target: &TargetRef| covered.contains_key(target);
    context.setbacks.keep(&observed.namespace, is_covered);
    context.contentions.keep(&observed.namespace, is_covered);
    let answerers = answerers(context, observed, &covered, now);
    let idle: Vec<BTreeSet<String>> = targets.iter().map(|target| restores.idle(target)).collect();
    let flips: Vec<_> = targets
        .iter()
        .zip(&idle)
        .map(|(target, idle)| {
            let answerer = covered
                .get(target)
                .and_then(|c| answerers.get(c.leading.uid.as_str()));
            let desired = answerer.map_or(Desired::Released, |answerer| {
                let answering = answerer.answering(idle);
                Desired::Held(Answering {
                    bridge_ready: answering.bridge_ready
                        && rehearse::is_ready(context, observed, target, answering.bridge, now),
                    ..answering
                })
            });
            let snapshot = Snapshot::cached(observed, target);
            follow(context, observed, target.clone(), snapshot, desired, now)
        })
        .collect();
    let applied = stream::iter(flips)
        .buffer_unordered(AT_ONCE)
        .inspect(|applied| tell_of_what_stays(observed, applied))
        .map(|mut applied| {
            applied.may_wait = covered.get(&applied.target).and_then(may_wait);
            applied.restoring = restoring.remove(&applied.target);
            applied
        })
        .map(|applied| (applied.target.clone(), applied))
        .collect()
        .await;
    sweep_strays(context, observed).await;
    applied
}

/// What covers each target; where no window does, one that is over may, because the app is not
/// ready: of such a target `restoring` is told.
fn covered<'t, 'o: 't>(
    observed: &'o Observed,
    targets: &'t BTreeSet<TargetRef>,
    restores: &Restores<'o>,
    restoring: &mut HashMap<TargetRef, Restoring>,
    now: DateTime<Utc>,
) -> Covered<'t, 'o> {
    let reached = observed.reached();
    let mut covered: Covered<'t, 'o> =
        coverages(reached.map(|(window, reach)| (window, &reach.holds)), now);
    for target in targets {
        if !covered.contains_key(target)
            && let Some(coverage) = overrun(restores, target, restoring)
        {
            covered.insert(target, coverage);
        }
    }
    covered
}

/// The coverage of a target by a window that is over, where its app is not ready.
fn overrun<'o>(
    restores: &Restores<'o>,
    target: &TargetRef,
    restoring: &mut HashMap<TargetRef, Restoring>,
) -> Option<Coverage<'o>> {
    let (leading, waits) = restores.restoring(target)?;
    let until = Some(waits.until);
    restoring.insert(target.clone(), waits);
    Some(Coverage { leading, until })
}

/// The window whose end may find the app of a target that it covers not ready.
fn may_wait(coverage: &Coverage<'_>) -> Option<String> {
    let Coverage { leading, until } = coverage;
    (until.is_some() && leading.restore.waits()).then(|| leading.uid.clone())
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

/// A hold that was refused a moment ago is not tried; what was said then is still what there is to
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
    let may_pause = desired != Desired::Released && !snapshot.is_held();
    let setback = setbacks.of(namespace, &target, now);
    if let Some(setback) = setback.filter(|_| may_pause) {
        return Applied {
            target,
            result: Ok(Outcome::Waiting(setback.reason)),
            written: None,
            again: Some(setback.until),
            unfit: None,
            is_covered: true,
            contended: None,
            may_wait: None,
            restoring: None,
        };
    }
    let applied = converge(client, namespace, target, snapshot, desired, *linger, now).await;
    match &applied.result {
        Err(error) if may_pause && error.is_refusal() => {
            setbacks.refused(namespace, &applied.target, error.reason(), Utc::now());
        }
        Err(_) => {}
        Ok(_) => setbacks.over(namespace, &applied.target),
    }
    applied
}

/// What the windows reach, and whatever bears marks of ours, has slices of ours behind it or leads
/// to a bridge, whoever put them there.
fn targets(observed: &Observed) -> BTreeSet<TargetRef> {
    let reached = observed
        .reached()
        .flat_map(|(_, reach)| reach.holds.iter().cloned());
    let held = observed
        .objects
        .iter()
        .filter(|(_, object)| {
            object.is_marked() || object.leads_to_any(&observed.bridges) || object.is_borrowed()
        })
        .map(|(target, _)| target.clone());
    let behind = observed
        .slices
        .iter()
        .filter(|slice| slices::is_ours(slice))
        .filter_map(|slice| slices::service_name(slice))
        .filter(|name| !observed.bridges.contains(*name))
        .filter(|name| observed.services.contains_key(*name))
        .map(TargetRef::service);
    reached.chain(held).chain(behind).collect()
}

/// What a leading window has prepared.
#[derive(Debug)]
struct Answerer {
    bridge: String,
    bridge_ready: bool,
    port: Option<u16>,
    endpoints: Vec<Endpoint>,
    backend: Vec<Endpoint>,
}

impl Answerer {
    fn of(window: &Window, context: &Context, observed: &Observed, now: DateTime<Utc>) -> Self {
        let notice = observed
            .notice_of(&window.uid)
            .map(|standing| &standing.notice);
        Self {
            bridge: bridge::name(&window.name),
            bridge_ready: observed
                .bridge_ready_at(&window.name)
                .is_some_and(|at| at <= now),
            port: notice.map(|notice| notice.port),
            endpoints: notice
                .map(|notice| observed.answering(notice, &context.probes))
                .unwrap_or_default(),
            backend: observed.backend.clone(),
        }
    }

    fn answering<'a>(&'a self, idle: &'a BTreeSet<String>) -> Answering<'a> {
        Answering {
            bridge: &self.bridge,
            bridge_ready: self.bridge_ready,
            port: self.port,
            endpoints: &self.endpoints,
            backend: &self.backend,
            is_kept: false,
            idle,
        }
    }
}

/// The answerers of the leading windows, by the windows' uid.
fn answerers<'w>(
    context: &Context,
    observed: &Observed,
    covered: &Covered<'_, 'w>,
    now: DateTime<Utc>,
) -> HashMap<&'w str, Answerer> {
    let mut answerers = HashMap::new();
    for leading in covered.values().map(|coverage| coverage.leading) {
        answerers
            .entry(leading.uid.as_str())
            .or_insert_with(|| Answerer::of(leading, context, observed, now));
    }
    answerers
}

/// A target that cannot be given back, and that no window names, has no status to say so.
fn tell_of_what_stays(observed: &Observed, applied: &Applied) {
    let namespace = &observed.namespace;
    let target = &applied.target;
    match &applied.result {
        Ok(Outcome::Waiting(reason)) if !applied.is_covered => {
            tracing::warn!(namespace, kind = %target.kind, name = target.name, "{}", reason.message);
        }
        Err(error) => {
            tracing::warn!(namespace, kind = %target.kind, name = target.name, "{error}");
        }
        Ok(_) => {}
    }
}

/// Takes away slices of ours whose Service is gone: a Service that was deleted with
/// `--cascade=orphan` leaves them, and they would answer for the next one of its name.
async fn sweep_strays(context: &Context, observed: &Observed) {
    let strays: Vec<Edit> = observed
        .slices
        .iter()
        .filter(|slice| slices::is_ours(slice))
        .filter(|slice| {
            slices::service_name(slice).is_none_or(|name| !observed.services.contains_key(name))
        })
        .map(|slice| Edit::DeleteSlice(Precondition::of(&slice.metadata)))
        .collect();
    if let Err(error) = apply_all(&context.client, &observed.namespace, &strays).await {
        tracing::warn!(namespace = observed.namespace, %error, "slices without a Service stay");
    }
}
