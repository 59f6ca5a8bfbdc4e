//! Step 2, continued: what each target should do now. Does not touch the cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::Context;
use super::answerer::{Answerer, answerers};
use super::observe::Observed;
use super::rehearse;
use super::restoring::{Restores, Restoring};
use crate::coverage::{Coverage, coverages};
use crate::plan::{Answering, Desired, slices};
use crate::schedule::TargetRef;

/// Every target, and who answers for those that are to be held.
#[derive(Debug)]
pub(super) struct Wanted<'o> {
    pub(super) targets: BTreeMap<TargetRef, Want<'o>>,
    /// By the uid of the leading window.
    answerers: HashMap<&'o str, Answerer>,
}

/// What one target should do.
#[derive(Debug)]
pub(super) struct Want<'o> {
    /// What covers it; `None` where it is to be released.
    coverage: Option<Coverage<'o>>,
    /// Why it is held, though no window covers it: one that is over does, because the app is not ready.
    pub(super) restoring: Option<Restoring>,
    /// What is behind it and has no ready endpoint.
    idle: BTreeSet<String>,
}

impl<'o> Wanted<'o> {
    pub(super) fn of(context: &'o Context, observed: &'o Observed, now: DateTime<Utc>) -> Self {
        let restores = Restores::of(observed, &context.origins, now);
        let reached = observed.reached();
        let mut covered = coverages(reached.map(|(window, reach)| (window, &reach.holds)), now);
        let want = |target: TargetRef| {
            let want = Want::of(&target, covered.remove(&target), &restores);
            (target, want)
        };
        let targets: BTreeMap<_, _> = targets(observed).into_iter().map(want).collect();
        let leading = targets.values().filter_map(|want| want.coverage.as_ref());
        let leading = leading.map(|coverage| coverage.leading);
        Self {
            answerers: answerers(context, observed, leading, now),
            targets,
        }
    }

    /// Whether a target is to be held.
    pub(super) fn covers(&self, target: &TargetRef) -> bool {
        self.targets.get(target).is_some_and(Want::is_covered)
    }

    /// A route whose proxy needs a rehearsal is not led to the bridge before that stands.
    pub(super) fn desired(
        &self,
        target: &TargetRef,
        context: &Context,
        observed: &Observed,
        now: DateTime<Utc>,
    ) -> Desired<'_> {
        let Some(answering) = self.answering(target) else {
            return Desired::Released;
        };
        let is_rehearsed = rehearse::is_ready(context, observed, target, answering.bridge, now);
        Desired::Held(Answering {
            bridge_ready: answering.bridge_ready && is_rehearsed,
            ..answering
        })
    }

    /// The port that answers for a target, where it is to be held and one is reserved.
    pub(super) fn port(&self, target: &TargetRef) -> Option<u16> {
        self.answering(target)?.port
    }

    fn answering(&self, target: &TargetRef) -> Option<Answering<'_>> {
        let want = self.targets.get(target)?;
        let leading = want.coverage.as_ref()?.leading;
        let answerer = self.answerers.get(leading.uid.as_str())?;
        Some(answerer.answering(&want.idle))
    }
}

impl<'o> Want<'o> {
    fn of(target: &TargetRef, coverage: Option<Coverage<'o>>, restores: &Restores<'o>) -> Self {
        let overrun = match coverage {
            Some(_) => None,
            None => restores.restoring(target),
        };
        let (overrun, restoring) = overrun.unzip();
        let until = restoring.as_ref().map(|waits: &Restoring| waits.until);
        Self {
            coverage: coverage.or_else(|| {
                let leading = overrun?;
                Some(Coverage { leading, until })
            }),
            restoring,
            idle: restores.idle(target),
        }
    }

    pub(super) fn is_covered(&self) -> bool {
        self.coverage.is_some()
    }

    /// The uid of the window whose end may find the app of the target not ready.
    pub(super) fn may_wait(&self) -> Option<String> {
        let Coverage { leading, until } = self.coverage.as_ref()?;
        (until.is_some() && leading.restore.waits()).then(|| leading.uid.clone())
    }
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
