//! Step 7: what is true of a window. Does not touch the cluster.
//!
//! A status is computed from what was applied or observed, never from what was intended: the
//! state of a target is the outcome of a plan whose edits the API server has answered.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::findings::findings;
use super::lines::{self, is_passed_over};
use super::target::Applied;
use crate::api::conditions::{self, ConditionType, Finding};
use crate::api::status::{
    LastOccurrence, MAX_TARGETS, MaintenanceWindowStatus, Phase, Summary, TargetCounts,
    TargetState, TargetStatus,
};
use crate::api::time::to_milliseconds;
use crate::plan::{Outcome, Reason, platform};
use crate::reach::Reach;
use crate::schedule::{Occurrence, Problem, TargetRef, Window};

/// The word for a target that is held, and not by the window that is asked.
const HELD_BY_ANOTHER: &str = "HeldByAnotherWindow";

/// What a status is computed from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) window: &'a Window,
    pub(super) reach: &'a Reach,
    pub(super) applied: &'a BTreeMap<TargetRef, Applied>,
    /// Why something that the window needs does not stand.
    pub(super) trouble: Option<&'a Reason>,
    /// Why no rehearsal stands, where it may be missed.
    pub(super) unrehearsed: &'a BTreeMap<TargetRef, Reason>,
    /// What may keep clients from the answer, though everything is held.
    pub(super) warnings: &'a [String],
    /// What was said before: it knows since when things are as they are.
    pub(super) before: &'a MaintenanceWindowStatus,
    pub(super) now: DateTime<Utc>,
}

/// The status of a window that was understood.
pub(super) fn status(facts: Facts<'_>) -> MaintenanceWindowStatus {
    let Facts {
        window,
        before,
        now,
        ..
    } = facts;
    let on = !window.suspended && !window.deleting;
    let current = window.current(now).filter(|_| on);
    let next = window.next(now).filter(|_| on);
    let mut targets = lines::lines(current.is_some(), facts);
    targets.sort_by_key(order);
    let held = targets
        .iter()
        .filter(|target| target.state == TargetState::Held)
        .count();
    let phase = phase(window, current, next, &targets);
    let mut conditions = before.conditions.clone();
    for finding in findings(facts, current, phase, &targets) {
        conditions::set(&mut conditions, finding, window.generation, now);
    }
    let trouble = said_by(&conditions, ConditionType::Ready).or_else(|| notes(facts, &targets));
    let last = last(window.last(now), &targets, before, now);
    let counts = TargetCounts {
        total: count(
            targets
                .iter()
                .filter(|target| !is_passed_over(target))
                .count(),
        ),
        held: count(held),
    };
    targets.truncate(MAX_TARGETS);
    MaintenanceWindowStatus {
        phase: Some(phase),
        current: current.map(Into::into),
        next: next.map(Into::into),
        last,
        target_counts: Some(counts),
        targets,
        warnings: warnings(facts),
        summary: Some(summary(facts, current, next, counts, trouble)),
        conditions,
        observed_generation: Some(window.generation),
    }
}

/// Whether a target that a window reaches was held only a moment ago, so that within another the
/// status will say what came of it: one write, and not two.
pub(super) fn is_settling(
    reach: &Reach,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
) -> bool {
    let mut targets = reach.holds.iter().filter_map(|target| applied.get(target));
    targets.any(|applied| {
        // The hold was written after the reconcile began.
        let moment = applied.written.unwrap_or(now) + platform::MOMENT;
        let again = applied.again.is_some_and(|again| again <= moment);
        matches!(applied.result, Ok(Outcome::Holding(_))) && again
    })
}

/// The status of a window that was not understood: nothing of it is honoured.
pub(super) fn refusal(
    problems: &[Problem],
    generation: i64,
    before: &MaintenanceWindowStatus,
    now: DateTime<Utc>,
) -> MaintenanceWindowStatus {
    let message = problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let no = |condition, reason, message: &str| Finding {
        condition,
        holds: false,
        reason,
        message: message.to_owned(),
    };
    let mut conditions = before.conditions.clone();
    for finding in [
        no(ConditionType::Accepted, "Invalid", &message),
        no(
            ConditionType::Active,
            "NotAccepted",
            "the spec is not understood",
        ),
        no(
            ConditionType::Held,
            "NotAccepted",
            "the spec is not understood",
        ),
        no(ConditionType::Ready, "NotAccepted", &message),
    ] {
        conditions::set(&mut conditions, finding, generation, now);
    }
    MaintenanceWindowStatus {
        phase: Some(Phase::Refused),
        last: before.last,
        summary: Some(Summary {
            message: Some(message),
            ..Summary::default()
        }),
        conditions,
        observed_generation: Some(generation),
        ..MaintenanceWindowStatus::default()
    }
}

/// A list that is too long for an `i32` cannot be written by anybody.
fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// Those that fail come first.
fn order(target: &TargetStatus) -> u8 {
    match target.state {
        TargetState::Refused if is_passed_over(target) => 4,
        state => severity(state),
    }
}

/// The lower, the worse.
pub(super) fn severity(state: TargetState) -> u8 {
    match state {
        TargetState::Refused => 0,
        TargetState::Missing => 1,
        TargetState::Pending => 2,
        TargetState::Releasing => 3,
        TargetState::Held => 5,
        TargetState::Serving => 6,
    }
}

/// What is seen of one target, and why. It is `line` that the window names or selects: the target, or
/// the route that is held by it.
pub(super) fn state(
    target: &TargetRef,
    line: &TargetRef,
    active: bool,
    facts: Facts<'_>,
) -> (TargetState, Option<Reason>) {
    let unfinished = if active {
        TargetState::Pending
    } else {
        TargetState::Releasing
    };
    let Some(applied) = facts.applied.get(target) else {
        return (unfinished, None);
    };
    if !active && !was_held_by(facts.before, line) && is_on_its_way_back(applied) {
        // Another window gives it back, and says so.
        return (TargetState::Serving, None);
    }
    let restoring = applied.restoring.as_ref();
    if let Some(restoring) = restoring.filter(|restoring| restoring.window == facts.window.uid) {
        let reason = match &applied.result {
            Ok(Outcome::Held | Outcome::Holding(_)) => Some(restoring.reason.clone()),
            Ok(Outcome::Waiting(reason)) => Some(reason.clone()),
            Ok(_) => None,
            Err(error) => Some(error.reason()),
        };
        if reason.is_some() {
            return (TargetState::Releasing, reason);
        }
    }
    match &applied.result {
        Ok(Outcome::Serving) => match applied.unfit.clone() {
            // Known before the start, while there is time to do something about it.
            Some(reason) if is_to_come(facts) => (TargetState::Refused, Some(reason)),
            _ => (TargetState::Serving, None),
        },
        Ok(Outcome::Held) if active => (TargetState::Held, applied.contended.clone()),
        Ok(Outcome::Held) => (
            TargetState::Held,
            Some(Reason::new(
                HELD_BY_ANOTHER,
                "another window covers the target now",
            )),
        ),
        Ok(Outcome::Releasing { .. }) => (
            TargetState::Releasing,
            Some(Reason::new(
                "WaitingForEndpoints",
                "the app serves again as soon as its own endpoints are ready",
            )),
        ),
        Ok(Outcome::Missing) => (
            TargetState::Missing,
            Some(Reason::new(
                "TargetsMissing",
                format!(
                    "there is no {} {} in the namespace; it is held when it appears while the \
                     window lasts",
                    target.kind, target.name
                ),
            )),
        ),
        Ok(Outcome::NotInstalled) => (
            TargetState::Missing,
            Some(Reason::new(
                "TargetsMissing",
                format!(
                    "there are no objects of kind {} in the cluster: the Gateway API is not \
                     installed; install its definitions ({}/{}); the target is held when it \
                     appears while the window lasts",
                    target.kind,
                    target.kind.group(),
                    target.kind.version()
                ),
            )),
        ),
        // Another window wants it held, and has not got so far.
        Ok(Outcome::Waiting(_) | Outcome::Holding(_)) | Err(_) if !active && applied.is_covered => {
            (TargetState::Serving, None)
        }
        Ok(Outcome::Waiting(reason) | Outcome::Holding(reason)) => {
            (unfinished, Some(reason.clone()))
        }
        Ok(Outcome::Refused(reason)) => (TargetState::Refused, Some(reason.clone())),
        Err(error) => (unfinished, Some(error.reason())),
    }
}

/// Whether what was said last of a window shows that it held what is in this line, or may have.
fn was_held_by(before: &MaintenanceWindowStatus, line: &TargetRef) -> bool {
    let mut lines = before.targets.iter();
    let said = lines.find(|said| said.kind == line.kind && said.name == line.name);
    said.map_or(before.targets.len() >= MAX_TARGETS, |said| {
        match said.state {
            TargetState::Held => said.reason.as_deref() != Some(HELD_BY_ANOTHER),
            TargetState::Pending | TargetState::Releasing => true,
            TargetState::Serving | TargetState::Missing | TargetState::Refused => false,
        }
    })
}

/// Whether nothing covers the target, and it is not given back yet.
fn is_on_its_way_back(applied: &Applied) -> bool {
    let goes_on = match &applied.result {
        Ok(Outcome::Releasing { .. } | Outcome::Waiting(_) | Outcome::Holding(_)) | Err(_) => true,
        Ok(_) => false,
    };
    goes_on && !applied.is_covered
}

/// Whether the window has an occurrence ahead of it.
pub(super) fn is_to_come(facts: Facts<'_>) -> bool {
    let Facts { window, now, .. } = facts;
    !window.suspended && !window.deleting && window.next(now).is_some()
}

fn phase(
    window: &Window,
    current: Option<Occurrence>,
    next: Option<Occurrence>,
    targets: &[TargetStatus],
) -> Phase {
    let restoring = targets
        .iter()
        .any(|target| target.state == TargetState::Releasing);
    match (current, next) {
        (Some(_), _) => Phase::Active,
        (None, _) if restoring => Phase::Restoring,
        (None, _) if window.suspended => Phase::Suspended,
        (None, Some(_)) => Phase::Scheduled,
        (None, None) => Phase::Ended,
    }
}

/// What there is to say of a window that is on or to come, though nothing is wrong.
pub(super) fn notes(facts: Facts<'_>, targets: &[TargetStatus]) -> Option<String> {
    is_on_or_to_come(facts)
        .then(|| lines::notes(facts.reach, targets))
        .flatten()
}

fn warnings(facts: Facts<'_>) -> Vec<String> {
    if is_on_or_to_come(facts) {
        facts.warnings.to_vec()
    } else {
        Vec::new()
    }
}

fn is_on_or_to_come(facts: Facts<'_>) -> bool {
    let is_on = !facts.window.suspended && facts.window.current(facts.now).is_some();
    is_on || is_to_come(facts)
}

fn said_by(
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
    condition: ConditionType,
) -> Option<String> {
    let condition = conditions::get(conditions, condition)?;
    (condition.status == "False").then(|| condition.message.clone())
}

/// The last occurrence that is over. Who was held when is taken from what was said before.
fn last(
    over: Option<Occurrence>,
    targets: &[TargetStatus],
    before: &MaintenanceWindowStatus,
    now: DateTime<Utc>,
) -> Option<LastOccurrence> {
    let (start, end) = over.and_then(|over| Some((over.start, over.end?)))?;
    let known = before.last.filter(|last| last.start == start);
    let held_at = known.and_then(|last| last.held_at).or_else(|| {
        let was_on = before.current.is_some_and(|current| current.start == start);
        let all_held = before
            .targets
            .iter()
            .all(|target| target.state == TargetState::Held || is_passed_over(target));
        let since = before
            .targets
            .iter()
            .filter_map(|target| target.since)
            .max();
        since.filter(|_| was_on && all_held)
    });
    let released = !targets
        .iter()
        .any(|target| target.state == TargetState::Releasing);
    let released_at = known
        .and_then(|last| last.released_at)
        .or_else(|| (released && held_at.is_some()).then(|| to_milliseconds(now)));
    Some(LastOccurrence {
        start,
        end,
        held_at,
        released_at,
    })
}

fn summary(
    facts: Facts<'_>,
    current: Option<Occurrence>,
    next: Option<Occurrence>,
    counts: TargetCounts,
    trouble: Option<String>,
) -> Summary {
    let schedule = &facts.window.schedule;
    let write = |instant| schedule.write_instant(instant);
    let shown = current.or(next).or_else(|| facts.window.last(facts.now));
    Summary {
        start: shown.map(|shown| write(shown.start)),
        end: shown.and_then(|shown| shown.end).map(write),
        targets: Some(format!("{}/{}", counts.held, counts.total)),
        next: next.map(|next| write(next.start)),
        schedule: Some(schedule.summary()),
        zone: Some(schedule.zone()),
        message: trouble,
    }
}
