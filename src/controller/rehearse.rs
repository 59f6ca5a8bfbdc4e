//! Step 5: rehearsals, for the targets whose proxy needs one. Touches the cluster, but nothing of the
//! user's.
//!
//! A target is held without one where it could not be made: a moment of bare 503 is better than no
//! maintenance. The status says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::networking::v1::Ingress;

use super::apply::{Error, apply_all};
use super::observe::Observed;
use super::prepare::Prepared;
use super::setback::Flip;
use super::target::Applied;
use super::{Context, RETRY};
use crate::api::target::TargetKind;
use crate::coverage::stage;
use crate::plan::controllers::{self, Rehearsal};
use crate::plan::rehearsal::{self, Need};
use crate::plan::{Holdable, Outcome, Plan, Reason, bridge};
use crate::schedule::TargetRef;

/// The word for a target whose flips may show a bare 503.
const UNREHEARSED: &str = "Unrehearsed";

/// Makes the rehearsals that are needed, and takes away those that have lingered.
pub(super) async fn rehearse(
    context: &Context,
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let namespace = &observed.namespace;
    let mut needed = BTreeSet::new();
    for target in rehearsed(observed, applied, now) {
        let Some(object) = observed.ingresses.get(&target.name) else {
            continue;
        };
        if let Err(reason) = controller_needs_one(observed, object) {
            prepared
                .unrehearsed
                .extend(reason.map(|reason| (target, reason)));
            continue;
        }
        needed.insert(rehearsal::name(&target.name));
        if let Err(reason) = stand(context, observed, &target, object, now, prepared).await {
            prepared.unrehearsed.insert(target, reason);
        }
    }
    context.unrehearsed.keep(namespace, |target, _| {
        needed.contains(&rehearsal::name(&target.name))
    });
    for (name, standing) in &observed.rehearsals {
        if !needed.contains(name) {
            take_away(context, observed, name, standing, now, prepared).await;
        }
    }
}

/// Whether the proxy of `target` has had the time to learn of `bridge`, or will not be told of it.
pub(super) fn is_ready(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    bridge: &str,
    now: DateTime<Utc>,
) -> bool {
    if target.kind != TargetKind::Ingress {
        return true;
    }
    let Some(object) = observed.ingresses.get(&target.name) else {
        return true;
    };
    let leads_there = object.backends().iter().all(|name| name == bridge);
    // Whether or not it is to be tried again now.
    let could_not_be_made = || {
        let setbacks = &context.unrehearsed;
        let last = setbacks.last(&observed.namespace, target, Flip::Hold);
        last.is_some()
    };
    if leads_there || controller_needs_one(observed, object).is_err() || could_not_be_made() {
        return true;
    }
    let standing = observed.rehearsals.get(&rehearsal::name(&target.name));
    let ready = standing.and_then(|standing| {
        rehearsal::ready_at(
            standing,
            bridge,
            &rehearsal::originals(object, &observed.bridges),
        )
    });
    ready.is_some_and(|at| at <= now)
}

/// The targets that are held, or about to be, and can be.
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
        .ingresses
        .iter()
        .filter(|(_, object)| object.is_marked() || object.leads_to_any(&observed.bridges))
        .map(|(name, _)| TargetRef {
            kind: TargetKind::Ingress,
            name: name.clone(),
        });
    let reached = observed.reached();
    reached
        .filter(|(window, _)| stage(window, now).needs_backend())
        .flat_map(|(_, reach)| reach.holds.iter().cloned())
        .filter(|target| target.kind == TargetKind::Ingress)
        .chain(held)
        .filter(can_be_held)
        .collect()
}

/// Whether the proxy of an Ingress needs a rehearsal; else why it may miss one, if it may.
fn controller_needs_one(observed: &Observed, object: &Ingress) -> Result<(), Option<Reason>> {
    let Some(class) = rehearsal::class(object) else {
        return Err(Some(missed("the Ingress names no class")));
    };
    let Some(controller) = observed.controller_of(class) else {
        return Err(Some(missed(format!(
            "there is no IngressClass {class} that names its controller"
        ))));
    };
    match controllers::of_ingress_class(controller) {
        None => Err(Some(missed(format!(
            "nothing is known of {controller}, the controller of the IngressClass {class}"
        )))),
        Some(known) => match known.rehearsal {
            Rehearsal::Needed => Ok(()),
            Rehearsal::Unneeded => Err(None),
            Rehearsal::Untried => Err(Some(missed(format!(
                "nobody has tried it with {}",
                known.name
            )))),
        },
    }
}

fn missed(why: impl std::fmt::Display) -> Reason {
    Reason::new(
        UNREHEARSED,
        format!(
            "no rehearsal is made: {why}; should its proxy learn of a Service only from the routes \
             that lead there, clients get a bare 503 for a moment at each flip"
        ),
    )
}

async fn stand(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    object: &Ingress,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<(), Reason> {
    let namespace = &observed.namespace;
    if let Some(setback) = context.unrehearsed.of(namespace, target, Flip::Hold, now) {
        prepared.wake_at(setback.until);
        return Err(setback.reason);
    }
    let made = make(context, observed, target, object, now).await;
    match made {
        Ok(ready_at) => {
            context.unrehearsed.over(namespace, target);
            if let Some(at) = ready_at.filter(|at| *at > now) {
                prepared.wake_at(at);
            }
            Ok(())
        }
        Err(reason) => {
            let reason = missed(reason.message);
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
async fn make(
    context: &Context,
    observed: &Observed,
    target: &TargetRef,
    object: &Ingress,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Reason> {
    let name = rehearsal::name(&target.name);
    let bridges = bridges_to(observed, target, now);
    let originals = rehearsal::originals(object, &observed.bridges);
    let backends = rehearsal::backends(bridges.iter().map(String::as_str), originals.clone());
    let standing = observed.rehearsals.get(&name);
    let chosen = standing.and_then(|standing| rehearsal::host_of(standing));
    let host = chosen.map_or_else(random_host, |host| Ok(host.to_owned()));
    let host = host.map_err(|error| {
        Reason::new(UNREHEARSED, format!("there are no random numbers: {error}"))
    })?;
    let need = Need::Stand {
        target: object,
        backends: &backends,
        host: &host,
    };
    apply(context, observed, &name, need, now).await?;
    let ready = |bridge: &String| rehearsal::ready_at(standing?, bridge, &originals);
    Ok(bridges.iter().filter_map(ready).max())
}

/// The bridges that `target` leads to, or may soon.
fn bridges_to(observed: &Observed, target: &TargetRef, now: DateTime<Utc>) -> BTreeSet<String> {
    observed
        .reached()
        .filter(|(window, reach)| {
            stage(window, now).needs_backend() && reach.holds.contains(target)
        })
        .map(|(window, _)| bridge::name(&window.name))
        .collect()
}

async fn take_away(
    context: &Context,
    observed: &Observed,
    name: &str,
    standing: &Arc<Ingress>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let target = rehearsal::target(&standing.metadata);
    let need = match target.filter(|target| observed.ingresses.contains_key(*target)) {
        Some(_) => Need::Linger {
            until: now + context.linger.longest,
        },
        None => Need::Go,
    };
    match apply(context, observed, name, need, now).await {
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
                name,
                message = reason.message,
                "a rehearsal stays"
            );
        }
    }
}

/// One that somebody else has just written is seen again soon: that is no trouble.
async fn apply(
    context: &Context,
    observed: &Observed,
    name: &str,
    need: Need<'_>,
    now: DateTime<Utc>,
) -> Result<Plan, Reason> {
    let namespace = &observed.namespace;
    let standing = observed.rehearsals.get(name);
    // Whatever else has the name is in the way.
    let read = standing.or_else(|| observed.ingresses.get(name));
    let plan = rehearsal::plan(namespace, name, read.map(AsRef::as_ref), need, now);
    if let Outcome::Waiting(reason) = plan.outcome {
        return Err(reason);
    }
    match apply_all(&context.client, namespace, &plan.edits).await {
        Ok(()) | Err(Error::Stale(_)) => Ok(plan),
        Err(error) => Err(error.reason()),
    }
}

/// 128 bits that nobody guesses.
fn random_host() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(rehearsal::host(u128::from_be_bytes(bytes)))
}
