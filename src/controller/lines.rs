//! Step 7, continued: what is said of each object that a window names or selects. Does not touch
//! the cluster.

use chrono::{DateTime, Utc};

use super::status::{Facts, is_to_come, severity, state};
use crate::api::status::{TargetState, TargetStatus};
use crate::api::time::to_milliseconds;
use crate::plan::{ORIGINAL_UNKNOWN, Reason};
use crate::reach::{By, ByServices, Line, Reach, idle};
use crate::schedule::{TargetRef, Which};

/// The reason of an object that was selected, and not named, and cannot be held.
const PASSED_OVER: &str = "PassedOver";

/// The reason of a route that is held by its Services, as it should be.
const BY_SERVICES: &str = "ByServices";

/// How many entries that select nothing are told of.
const MOST_IDLE: usize = 3;

/// One line for each object that the window reaches.
pub(super) fn lines(active: bool, facts: Facts<'_>) -> Vec<TargetStatus> {
    let lines = facts.reach.lines.iter();
    lines.map(|line| line_status(line, active, facts)).collect()
}

fn line_status(line: &Line, active: bool, facts: Facts<'_>) -> TargetStatus {
    let target = &line.target;
    let (state, reason) = match &line.by {
        By::Itself => state(target, target, active, facts),
        By::Services(by) => by_services(target, by, active, facts),
    };
    let reason = if state == TargetState::Refused && !line.is_named {
        reason.map(passed_over)
    } else {
        reason
    };
    let well = matches!(state, TargetState::Held | TargetState::Serving);
    let missed = facts.unrehearsed.get(target).filter(|_| well);
    let reason = reason.or_else(|| missed.cloned());
    let same = |before: &&TargetStatus| {
        before.kind == target.kind && before.name == target.name && before.state == state
    };
    let since = facts
        .before
        .targets
        .iter()
        .find(same)
        .and_then(|before| before.since);
    let since = since.unwrap_or_else(|| to_milliseconds(written(line, facts).unwrap_or(facts.now)));
    TargetStatus {
        group: target.kind.group().to_owned(),
        kind: target.kind,
        name: target.name.clone(),
        state,
        reason: reason.as_ref().map(|reason| reason.word.to_owned()),
        message: reason.map(|reason| reason.message),
        since: Some(since),
    }
}

/// When what is held for a line was last written to.
fn written(line: &Line, facts: Facts<'_>) -> Option<DateTime<Utc>> {
    let written = |target: &TargetRef| facts.applied.get(target)?.written;
    match &line.by {
        By::Itself => written(&line.target),
        By::Services(by) => by
            .services
            .iter()
            .filter_map(|name| written(&TargetRef::service(name)))
            .max(),
    }
}

/// A route that is held by its Services is as the worst of them.
fn by_services(
    route: &TargetRef,
    by: &ByServices,
    active: bool,
    facts: Facts<'_>,
) -> (TargetState, Option<Reason>) {
    if let Some(reason) = &by.but {
        return match (active, reason.word) {
            (true, ORIGINAL_UNKNOWN) => (TargetState::Pending, Some(reason.clone())),
            (true, _) => (TargetState::Refused, Some(reason.clone())),
            (false, _) if is_to_come(facts) => (TargetState::Refused, Some(reason.clone())),
            (false, _) if facts.applied.contains_key(route) => state(route, route, active, facts),
            (false, _) => (TargetState::Serving, None),
        };
    }
    let states = by.services.iter().map(|name| {
        let (state, reason) = state(&TargetRef::service(name), route, active, facts);
        (state, name, reason)
    });
    // Of two in one state, the one of which there is something to say.
    let worst = states.min_by_key(|(state, _, reason)| (severity(*state), reason.is_none()));
    let Some((worst, name, reason)) = worst else {
        return (TargetState::Serving, None);
    };
    let of_all = |verb: &str| Some(Reason::new(BY_SERVICES, format!("{verb} by {by}")));
    let reason = match worst {
        TargetState::Held if active && reason.is_none() => of_all("held"),
        TargetState::Serving if is_to_come(facts) => of_all("to be held"),
        _ => reason.map(|Reason { word, message }| {
            Reason::new(word, format!("its Service {name}: {message}"))
        }),
    };
    (worst, reason)
}

fn passed_over(Reason { message, .. }: Reason) -> Reason {
    Reason::new(
        PASSED_OVER,
        format!("{message} (selected and not named, so it is passed over)"),
    )
}

/// Whether an object cannot be held, and nobody asked for it by its name.
pub(super) fn is_passed_over(target: &TargetStatus) -> bool {
    target.reason.as_deref() == Some(PASSED_OVER)
}

/// Labels that match nothing are more often a slip than meant; every object of a kind may be none.
pub(super) fn nothing_selected(reach: &Reach) -> Option<Reason> {
    let mut entries = reach.idle.iter();
    let selector = entries.find(|entry| matches!(entry.which, Which::Selector(_)))?;
    Some(Reason::new("TargetsMissing", idle(selector)))
}

/// What was passed over, and what selects nothing.
pub(super) fn notes(reach: &Reach, targets: &[TargetStatus]) -> Option<String> {
    let mut passed_over = targets.iter().filter(|target| is_passed_over(target));
    let mut notes = Vec::new();
    if let Some(first) = passed_over.next() {
        let message = first.message.as_deref().unwrap_or_default();
        notes.push(format!("{} {}: {message}", first.kind, first.name));
    }
    match passed_over.count() {
        0 => {}
        1 => notes.push("one more object is passed over".to_owned()),
        more => notes.push(format!("{more} more objects are passed over")),
    }
    notes.extend(reach.idle.iter().take(MOST_IDLE).map(idle));
    (!notes.is_empty()).then(|| notes.join("; "))
}
