//! Step 7, continued: the conditions of a window that was understood. Does not touch the cluster.

use super::lines::{self, is_passed_over};
use super::status::{Facts, notes};
use crate::api::conditions::{ConditionType, Finding};
use crate::api::status::{Phase, TargetState, TargetStatus};
use crate::api::time::to_text;
use crate::plan::Reason;
use crate::schedule::Occurrence;

/// What each condition of a window that was understood says.
pub(super) fn findings(
    facts: Facts<'_>,
    current: Option<Occurrence>,
    phase: Phase,
    targets: &[TargetStatus],
) -> [Finding; 4] {
    let finding = |condition, holds, reason, message: String| Finding {
        condition,
        holds,
        reason,
        message,
    };
    let word = idle_word(phase);
    let until = current.map(|current| match current.end {
        Some(end) => format!("an occurrence is on until {}", to_text(end)),
        None => "the window is on until it is suspended or deleted".to_owned(),
    });
    let (held, amiss) = match current {
        Some(_) => {
            let amiss = first_in(targets, |target| {
                target.state != TargetState::Held || target.reason.as_deref() == Some("Contended")
            });
            (
                first_not_held(targets).or_else(|| nothing_to_hold(facts, targets)),
                amiss.or_else(|| lines::nothing_selected(facts.reach)),
            )
        }
        None => (
            Some(Reason::new(word, "no occurrence is on")),
            first_in(targets, |target| {
                let state = target.state;
                state == TargetState::Releasing || phase == Phase::Scheduled && is_wrong(state)
            }),
        ),
    };
    let ready = facts.trouble.cloned().or(amiss);
    let (when_ready, so) = if current.is_some() {
        ("TargetsHeld", "every target answers from the backend")
    } else {
        (word, "every target serves its app")
    };
    let but = notes(facts, targets).map(|notes| format!("; {notes}"));
    let when_ready = (when_ready, so.to_owned() + &but.unwrap_or_default());
    [
        finding(
            ConditionType::Accepted,
            true,
            "Understood",
            "the spec is understood".to_owned(),
        ),
        finding(
            ConditionType::Active,
            current.is_some(),
            if current.is_some() {
                "OccurrenceIsOn"
            } else {
                word
            },
            until.unwrap_or_else(|| "no occurrence is on".to_owned()),
        ),
        verdict(ConditionType::Held, held, &when_ready),
        verdict(ConditionType::Ready, ready, &when_ready),
    ]
}

fn verdict(
    condition: ConditionType,
    but: Option<Reason>,
    otherwise: &(&'static str, String),
) -> Finding {
    let holds = but.is_none();
    let reason = but.unwrap_or_else(|| Reason::new(otherwise.0, otherwise.1.as_str()));
    Finding {
        condition,
        holds,
        reason: reason.word,
        message: reason.message,
    }
}

fn idle_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Suspended => "Suspended",
        Phase::Ended => "Ended",
        Phase::Restoring => "Restoring",
        Phase::Scheduled | Phase::Active | Phase::Refused => "Scheduled",
    }
}

/// Whether a target in such a state will not be held.
fn is_wrong(state: TargetState) -> bool {
    matches!(state, TargetState::Missing | TargetState::Refused)
}

/// Nothing is not everything, where something was to be selected.
fn nothing_to_hold(facts: Facts<'_>, targets: &[TargetStatus]) -> Option<Reason> {
    lines::nothing_selected(facts.reach).filter(|_| targets.is_empty())
}

fn first_not_held(targets: &[TargetStatus]) -> Option<Reason> {
    first_in(targets, |target| target.state != TargetState::Held)
}

/// The reason of the first such target, naming it.
fn first_in(targets: &[TargetStatus], is_one: impl Fn(&TargetStatus) -> bool) -> Option<Reason> {
    let mut targets = targets.iter().filter(|target| !is_passed_over(target));
    let target = targets.find(|target| is_one(target))?;
    let word = match (target.state, target.reason.as_deref()) {
        (TargetState::Missing, _) => "TargetsMissing",
        (TargetState::Refused, _) => "TargetsRefused",
        (_, Some("BackendUnavailable")) => "BackendUnavailable",
        (_, Some("Forbidden")) => "Forbidden",
        (_, Some("QuotaExceeded")) => "QuotaExceeded",
        (_, Some("ApiServerError")) => "ApiServerError",
        (_, Some("Contended")) => "Contended",
        (_, Some("OriginalUnknown")) => "OriginalUnknown",
        (TargetState::Releasing, _) => "Restoring",
        _ => "TargetsPending",
    };
    let message = target.message.as_deref().unwrap_or("it is not held yet");
    Some(Reason::new(
        word,
        format!("{} {}: {message}", target.kind, target.name),
    ))
}
