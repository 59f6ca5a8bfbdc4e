//! The conditions of a window.

use chrono::{DateTime, SubsecRound, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::time::to_kubernetes;

/// The conditions that a window has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The spec is understood; else the message says what to write.
    Accepted,
    /// An occurrence is on.
    Active,
    /// Every target answers from the backend.
    Held,
    /// Everything is as it should be now: what Flux, Helm and `kubectl wait` look at.
    Ready,
}

impl ConditionType {
    /// The `type` of the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Active => "Active",
            Self::Held => "Held",
            Self::Ready => "Ready",
        }
    }
}

/// What is to be said of one condition. A condition that is not known is not said at all, so
/// there are two values and no third.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which condition.
    pub condition: ConditionType,
    /// Whether it is true.
    pub holds: bool,
    /// Why, in one CamelCase word for programs; never empty.
    pub reason: &'static str,
    /// Why, in a sentence for people.
    pub message: String,
}

/// Writes a finding into a list of conditions, in place of what the list said before.
///
/// `lastTransitionTime` becomes `now` where the status changes, and stays what it was where it
/// does not (KEP-1623), so that the same findings leave the list equal.
///
/// ```
/// use chrono::{TimeZone, Utc};
/// use entracte::api::conditions::{ConditionType, Finding, set};
///
/// let finding = |message: &str| Finding {
///     condition: ConditionType::Ready,
///     holds: false,
///     reason: "BackendUnavailable",
///     message: message.into(),
/// };
/// let first = Utc.with_ymd_and_hms(2026, 12, 6, 2, 0, 0).unwrap();
/// let later = Utc.with_ymd_and_hms(2026, 12, 6, 2, 0, 7).unwrap();
/// let mut conditions = Vec::new();
///
/// set(&mut conditions, finding("no backend pod has answered"), 1, first);
/// let before = conditions.clone();
/// set(&mut conditions, finding("no backend pod has answered"), 1, later);
/// assert_eq!(conditions, before);
/// ```
pub fn set(
    conditions: &mut Vec<Condition>,
    finding: Finding,
    observed_generation: i64,
    now: DateTime<Utc>,
) {
    let type_ = finding.condition.as_str();
    let status = if finding.holds { "True" } else { "False" };
    let before = conditions.iter().position(|c| c.type_ == type_);
    let last_transition_time = before
        .map(|i| &conditions[i])
        .filter(|c| c.status == status)
        .map_or_else(
            || to_kubernetes(now.trunc_subsecs(0)),
            |c| c.last_transition_time.clone(),
        );
    let condition = Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: finding.reason.to_owned(),
        message: finding.message,
        observed_generation: Some(observed_generation),
        last_transition_time,
    };
    match before {
        Some(i) => conditions[i] = condition,
        None => conditions.push(condition),
    }
}

/// The condition of a type, where the list has it.
pub fn get(conditions: &[Condition], condition: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == condition.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ready(holds: bool, reason: &'static str) -> Finding {
        Finding {
            condition: ConditionType::Ready,
            holds,
            reason,
            message: format!("{reason}."),
        }
    }

    #[test]
    fn the_transition_time_changes_with_the_status_and_with_nothing_else() {
        let steps = [
            // now, holds, reason, last transition
            (
                "2026-12-06T02:00:00.7Z",
                false,
                "BackendUnavailable",
                "2026-12-06T02:00:00Z",
            ),
            (
                "2026-12-06T02:00:05Z",
                false,
                "Contended",
                "2026-12-06T02:00:00Z",
            ),
            (
                "2026-12-06T02:00:09Z",
                true,
                "AsScheduled",
                "2026-12-06T02:00:09Z",
            ),
            (
                "2026-12-06T02:00:30Z",
                true,
                "AsScheduled",
                "2026-12-06T02:00:09Z",
            ),
        ];
        let mut conditions = Vec::new();
        for (generation, (now, holds, reason, transition)) in (1..).zip(steps) {
            set(&mut conditions, ready(holds, reason), generation, at(now));
            let expected = Condition {
                type_: "Ready".into(),
                status: if holds { "True" } else { "False" }.into(),
                reason: reason.into(),
                message: format!("{reason}."),
                observed_generation: Some(generation),
                last_transition_time: to_kubernetes(at(transition)),
            };
            assert_eq!(conditions, [expected], "at {now}");
        }
    }

    #[test]
    fn a_condition_takes_the_place_of_its_own_kind_only() {
        let now = at("2026-12-06T02:00:00Z");
        let mut conditions = Vec::new();
        let accepted = Finding {
            condition: ConditionType::Accepted,
            ..ready(true, "Understood")
        };
        set(&mut conditions, accepted, 1, now);
        set(&mut conditions, ready(true, "AsScheduled"), 1, now);
        let types: Vec<_> = conditions.iter().map(|c| c.type_.as_str()).collect();
        assert_eq!(types, ["Accepted", "Ready"]);
        let found = get(&conditions, ConditionType::Ready).map(|c| c.reason.as_str());
        assert_eq!(found, Some("AsScheduled"));
        assert_eq!(get(&conditions, ConditionType::Held), None);
    }
}
