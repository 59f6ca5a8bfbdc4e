//! Step 5: rehearsals, for the targets whose proxy needs one. Touches the cluster, but nothing of the
//! user's.
//!
//! A target is held without one where it could not be made: a moment of bare 503 is better than no
//! maintenance. The status says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};

use chrono::{DateTime, Utc};
use k8s_openapi::api::networking::v1::Ingress;

use super::apply::apply_all;
use super::observe::{Observed, Routes};
use super::prepare::Prepared;
use super::setback::Flip;
use super::target::Applied;
use super::{Context, RETRY};
use crate::api::httproute::HttpRoute;
use crate::api::target::TargetKind;
use crate::coverage::stage;
use crate::plan::rehearsal::{self, Demand, Need, Rehearsable, UNREHEARSED};
use crate::plan::{Outcome, Plan, Reason, bridge};
use crate::schedule::TargetRef;

/// A kind of routes that are rehearsed, as they were observed.
trait Watched: Rehearsable {
    fn among(observed: &Observed) -> &Routes<Self>;

    /// Whether a rehearsal of it is needed, by who serves it.
    fn demand(&self, observed: &Observed) -> Demand {
        Demand::of(&self.served_by(&|class| observed.controller_of(class)))
    }
}

impl Watched for Ingress {
    fn among(observed: &Observed) -> &Routes<Self> {
        &observed.ingresses
    }
}

impl Watched for HttpRoute {
    fn among(observed: &Observed) -> &Routes<Self> {
        &observed.http_routes
    }
}

/// Makes the rehearsals that are needed, and takes away those that have lingered.
pub(super) async fn rehearse(
    context: &Context,
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let targets = rehearsed(observed, applied, now);
    let ingresses = rehearse_kind::<Ingress>(context, observed, &targets, now, prepared).await;
    let routes = rehearse_kind::<HttpRoute>(context, observed, &targets, now, prepared).await;
    let is_needed = |target: &TargetRef| ingresses.contains(target) || routes.contains(target);
    let namespace = &observed.namespace;
    context
        .unrehearsed
        .keep(namespace, |target, _| is_needed(target));
}

/// The same for the targets that are of one kind. Returns which of them need a rehearsal.
async fn rehearse_kind<R: Watched>(
    context: &Context,
    observed: &Observed,
    targets: &BTreeSet<TargetRef>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> BTreeSet<TargetRef> {
    let Routes { theirs, rehearsals } = R::among(observed);
    let mut needed = BTreeSet::new();
    let mut names = BTreeSet::new();
    for target in targets.iter().filter(|target| target.kind == R::KIND) {
        let Some(object) = theirs.get(&target.name) else {
            continue;
        };
        let Demand { is_needed, missed } = object.demand(observed);
        let mut unrehearsed = missed;
        if is_needed {
            needed.insert(target.clone());
            names.insert(rehearsal::name(&target.name));
            let stood = stand(context, observed, target, &**object, now, prepared).await;
            unrehearsed = stood.err().or(unrehearsed);
        }
        let unrehearsed = unrehearsed.map(|reason| (target.clone(), reason));
        prepared.unrehearsed.extend(unrehearsed);
    }
    for (name, standing) in rehearsals {
        if !names.contains(name) {
            take_away(context, observed, name, &**standing, now, prepared).await;
        }
    }
    needed
}

/// Whether the proxy of `target` has had the time to learn of `bridge`, or will not be told of it.
pub(super) fn is_ready(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    bridge: &str,
    now: DateTime<Utc>,
) -> bool {
    match target.kind {
        TargetKind::Service => true,
        TargetKind::Ingress => is_known::<Ingress>(context, observed, target, bridge, now),
        TargetKind::HTTPRoute => is_known::<HttpRoute>(context, observed, target, bridge, now),
    }
}

fn is_known<R: Watched>(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    bridge: &str,
    now: DateTime<Utc>,
) -> bool {
    let Routes { theirs, rehearsals } = R::among(observed);
    let Some(object) = theirs.get(&target.name) else {
        return true;
    };
    // Whether or not it is to be tried again now.
    let could_not_be_made = || {
        let setbacks = &context.unrehearsed;
        let last = setbacks.last(&observed.namespace, target, Flip::Hold);
        last.is_some()
    };
    if object.leads_only_to(bridge) || !object.demand(observed).is_needed || could_not_be_made() {
        return true;
    }
    let ready = rehearsals
        .get(&rehearsal::name(&target.name))
        .and_then(|standing| {
            rehearsal::ready_at(&**standing, bridge, &object.originals(&observed.bridges))
        });
    ready.is_some_and(|at| at <= now)
}

/// The routes that are held, or about to be, and can be.
fn rehearsed(
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
) -> BTreeSet<TargetRef> {
    let can_be_held = |target: &TargetRef| {
        applied.get(target).is_none_or(|applied| {
            applied.unfit.is_none() && !matches!(applied.result, Ok(Outcome::Refused(_)))
        })
    };
    let held = observed
        .objects
        .iter()
        .filter(|(_, object)| object.is_marked() || object.leads_to_any(&observed.bridges))
        .map(|(target, _)| target.clone());
    let reached = observed.reached();
    reached
        .filter(|(window, _)| stage(window, now).needs_backend())
        .flat_map(|(_, reach)| reach.holds.iter().cloned())
        .chain(held)
        .filter(|target| target.kind.is_route())
        .filter(can_be_held)
        .collect()
}

async fn stand<R: Watched>(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    object: &R,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<(), Reason> {
    let namespace = &observed.namespace;
    if let Some(setback) = context.unrehearsed.of(namespace, target, Flip::Hold, now) {
        prepared.wake_at(setback.until);
        return Err(setback.reason);
    }
    let made = make(context, observed, target, object, now, prepared).await;
    match made {
        Ok(ready_at) => {
            context.unrehearsed.over(namespace, target);
            if let Some(at) = ready_at.filter(|at| *at > now) {
                prepared.wake_at(at);
            }
            Ok(())
        }
        Err(reason) => {
            let reason = rehearsal::missed(reason.message);
            let failed = Utc::now();
            context
                .unrehearsed
                .refused(namespace, target, Flip::Hold, reason.clone(), failed);
            // The target is held without it.
            prepared.wake_at(failed + RETRY);
            Err(reason)
        }
    }
}

/// Sees to it that the rehearsal stands. Returns when it may be relied on, as far as it was seen.
async fn make<R: Watched>(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    object: &R,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<Option<DateTime<Utc>>, Reason> {
    let name = rehearsal::name(&target.name);
    let bridges = bridges_to(observed, target, now);
    let originals = object.originals(&observed.bridges);
    let standing = R::among(observed).rehearsals.get(&name);
    let drawn = standing.and_then(|standing| rehearsal::drawn(&**standing));
    let secret = drawn.map_or_else(draw, |secret| Ok(secret.to_owned()));
    let secret = secret.map_err(|error| {
        Reason::new(UNREHEARSED, format!("there are no random numbers: {error}"))
    })?;
    let need = Need::Stand {
        target: object,
        bridges: &bridges,
        originals: &originals,
        secret: &secret,
    };
    apply(context, observed, &name, need, now, prepared).await?;
    let ready = |bridge: &String| rehearsal::ready_at(&**standing?, bridge, &originals);
    Ok(bridges.iter().filter_map(ready).max())
}

/// The bridges that `target` leads to, or may soon, as far as they stand: a Service of somebody else
/// may have the name of one.
fn bridges_to(observed: &Observed, target: &TargetRef, now: DateTime<Utc>) -> BTreeSet<String> {
    observed
        .reached()
        .filter(|(window, reach)| {
            stage(window, now).needs_backend() && reach.holds.contains(target)
        })
        .map(|(window, _)| bridge::name(&window.name))
        .filter(|name| observed.bridges.contains(name))
        .collect()
}

async fn take_away<R: Watched>(
    context: &Context,
    observed: &Observed,
    name: &str,
    standing: &R,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let target = rehearsal::target(standing);
    let theirs = &R::among(observed).theirs;
    let need = match target.filter(|target| theirs.contains_key(*target)) {
        Some(_) => Need::Linger {
            until: now + context.linger.longest,
        },
        None => Need::Go,
    };
    match apply::<R>(context, observed, name, need, now, prepared).await {
        Ok(plan) => {
            if let Some(at) = plan.again {
                prepared.wake_at(at);
            }
        }
        Err(reason) => {
            prepared.wake_at(now + RETRY);
            let namespace = &observed.namespace;
            tracing::warn!(
                namespace,
                kind = %R::KIND,
                name,
                message = reason.message,
                "a rehearsal stays"
            );
        }
    }
}

async fn apply<R: Watched>(
    context: &Context,
    observed: &Observed,
    name: &str,
    need: Need<'_, R>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<Plan, Reason> {
    let namespace = &observed.namespace;
    let Routes { theirs, rehearsals } = R::among(observed);
    // Whatever else has the name is in the way.
    let read = rehearsals.get(name).or_else(|| theirs.get(name));
    let plan = rehearsal::plan(namespace, name, read.map(AsRef::as_ref), need, now);
    if let Outcome::Waiting(reason) = plan.outcome {
        return Err(reason);
    }
    let applied = apply_all(&context.client, namespace, &plan.edits).await;
    prepared.unless_stale(applied, now)?;
    Ok(plan)
}

/// 128 bits that nobody guesses.
fn draw() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(rehearsal::secret(u128::from_be_bytes(bytes)))
}
