//! What the controller says about a window, in the order that a person asks.
//!
//! Instants that come from the schedule are exact. Instants that come from a clock
//! ([`LastOccurrence::held_at`], [`LastOccurrence::released_at`], [`TargetStatus::since`]) go
//! through [`super::time::to_milliseconds`] first, so that a status that was read back equals the
//! one that was written.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, with its `pub`, into a function"
)]

use std::fmt;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{schema, target::TargetKind};

/// The most entries that [`MaintenanceWindowStatus::targets`] may have.
pub const MAX_TARGETS: usize = 64;

/// The most entries that [`MaintenanceWindowStatus::warnings`] may have.
pub const MAX_WARNINGS: usize = 32;

/// The most characters that each of them may have.
pub const MAX_WARNING: usize = 512;

/// What a window is doing, and why something is not as it should be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindowStatus {
    /// One word for people. Programs read the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The occurrence that is on. Absent: none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<OccurrenceStatus>,
    /// The next occurrence. Absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<OccurrenceStatus>,
    /// The last occurrence that is over. Absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastOccurrence>,
    /// How many targets there are, and how many of them are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_counts: Option<TargetCounts>,
    /// The targets, those that fail first: at most 64; targetCounts counts all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["group".into(), "kind".into(), "name".into()]))]
    pub targets: Vec<TargetStatus>,
    /// What may keep clients from the answer, though every target is held as it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub warnings: Vec<String>,
    /// The columns of "kubectl get", as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Accepted: the spec is understood. Active: an occurrence is on. Held: every target answers
    /// from the backend. Ready: everything is as it should be now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What a window is doing, in one word for people.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(transform = schema::described_by_its_field)]
pub enum Phase {
    /// An occurrence is to come, and none is on.
    Scheduled,
    /// An occurrence is on.
    Active,
    /// An occurrence is over, and not every target is given back yet.
    Restoring,
    /// Every occurrence is over.
    Ended,
    /// The window is switched off.
    Suspended,
    /// The spec is not understood; the condition Accepted says what to write.
    Refused,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheduled => "Scheduled",
            Self::Active => "Active",
            Self::Restoring => "Restoring",
            Self::Ended => "Ended",
            Self::Suspended => "Suspended",
            Self::Refused => "Refused",
        })
    }
}

/// A start and an end.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OccurrenceStatus {
    /// The first instant inside.
    pub start: DateTime<Utc>,
    /// The first instant after it. Absent: no end is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<DateTime<Utc>>,
}

/// The last occurrence that is over, and when its targets changed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LastOccurrence {
    /// Its scheduled start.
    pub start: DateTime<Utc>,
    /// Its end, as the spec has it.
    pub end: DateTime<Utc>,
    /// When every target was held. Absent: that never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_at: Option<DateTime<Utc>>,
    /// When every target was given back. Absent: not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<DateTime<Utc>>,
}

/// How many targets there are.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetCounts {
    /// All targets that the window names, and those that it selects and can hold.
    #[schemars(range(min = 0))]
    pub total: i32,
    /// Those that answer from the backend.
    #[schemars(range(min = 0))]
    pub held: i32,
}

/// One target.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// The API group of the kind; empty for a Service.
    pub group: String,
    /// Service, Ingress or HTTPRoute.
    pub kind: TargetKind,
    /// The name of the object.
    pub name: String,
    /// Serving: the app answers, and nothing of ours is on the object. Pending: it is to be held,
    /// and is not yet; the reason says why. Held: the backend answers. Releasing: it is being
    /// given back. Missing: there is no such object. Refused: there is one that cannot be held,
    /// and it was not touched; the message says why.
    pub state: TargetState,
    /// The reason for the state, in one word for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason for the state, in a sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when the target is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
}

/// What is seen of one target now.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[schemars(transform = schema::described_by_its_field)]
pub enum TargetState {
    /// The app answers, and nothing of ours is on the object.
    Serving,
    /// It is to be held, and is not yet; the reason says why.
    Pending,
    /// The backend answers.
    Held,
    /// It is being given back.
    Releasing,
    /// There is no such object.
    Missing,
    /// There is one that cannot be held, and it was not touched; the message says why.
    Refused,
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serving => "Serving",
            Self::Pending => "Pending",
            Self::Held => "Held",
            Self::Releasing => "Releasing",
            Self::Missing => "Missing",
            Self::Refused => "Refused",
        })
    }
}

/// The columns of `kubectl get`, as text: a column of type `date` prints an instant in the
/// future as `<invalid>`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// START: of the occurrence that is on, or else of the next, or else of the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// END: of the same occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// TARGETS: held, of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<String>,
    /// NEXT: the next start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// SCHEDULE: the schedule in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// ZONE: the time zone in which the schedule is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// MESSAGE: why something is not as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
