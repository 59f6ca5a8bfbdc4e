//! The root of the resource, and when a window is on.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, with its `pub`, into a function"
)]

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{response::Response, rules, schema, status::MaintenanceWindowStatus, target::Target};

/// What is to be in maintenance, when, and what its callers are told.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "entracte.dev",
    version = "v1alpha1",
    kind = "MaintenanceWindow",
    shortname = "mw",
    namespaced,
    status = "MaintenanceWindowStatus",
    derive = "PartialEq",
    doc = "A MaintenanceWindow answers 503 with a true Retry-After for the targets that it names in its own namespace, from its start until its end, and then gives their routing back.",
    validation = rules::window_name(),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "What the window is doing now."),
    printcolumn(name = "Start", type_ = "string", json_path = ".status.summary.start", description = "The start of the occurrence that is on, or else of the next, or else of the last."),
    printcolumn(name = "End", type_ = "string", json_path = ".status.summary.end", description = "The end of the same occurrence."),
    printcolumn(name = "Targets", type_ = "string", json_path = ".status.summary.targets", description = "Targets held, of all targets."),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.summary.next", description = "The next start."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".status.summary.schedule", priority = 1, description = "The schedule in short."),
    printcolumn(name = "Zone", type_ = "string", json_path = ".status.summary.zone", priority = 1, description = "The time zone in which the schedule is written."),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.summary.message", priority = 1, description = "Why something is not as it should be.")
)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceWindowSpec {
    /// When the targets are in maintenance: exactly one of once, recurring and always.
    pub schedule: Schedule,
    /// What is in maintenance: 1 to 64 Services, Ingresses and HTTPRoutes of this namespace.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = rules::no_target_twice(), merge_strategy = ListMerge::Atomic)]
    pub targets: Vec<Target>,
    /// What callers are told during the window. Absent: a plain notice that gives the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// How the targets are given back when an occurrence ends. Absent: when TargetsReady,
    /// maxOverrun 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// True switches the window off: what it holds is released at once, and held again when
    /// this is false or absent while an occurrence is still on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// When a window is on: exactly one of the three.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::one_schedule())]
pub struct Schedule {
    /// One occurrence, from start until end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Once>,
    /// Occurrences that start whenever a cron expression says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
    /// From the creation of the window until it is deleted or suspended. Write {}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<Always>,
}

/// One occurrence.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::duration_or_end(),
    validation = rules::start_names_its_zone_once(),
    validation = rules::start_names_its_zone(),
    validation = rules::end_is_written_like_start(),
    validation = rules::end_after_start(),
    validation = rules::end_within_a_year(),
)]
pub struct Once {
    /// The first instant of the window: RFC 3339 with an offset
    /// (2026-12-06T02:00:00+01:00) and no timeZone, or a local time (2026-12-06T02:00:00) in
    /// timeZone. Where the clocks skip it, the window starts at the first instant after the gap;
    /// where they show it twice, at the first of the two.
    #[schemars(length(max = 40))]
    #[x_kube(validation = rules::time_form("start"), validation = rules::time_exists("start"))]
    pub start: String,
    /// The IANA name of the time zone in which start and end are local times, such as
    /// Europe/Berlin. Absent: start and end have an offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::time_zone())]
    pub time_zone: Option<String>,
    /// How long the window lasts, in elapsed time (2h, 1h30m, 45s): 1s to 8784h (366 days).
    /// Write this or end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    #[x_kube(
        validation = rules::duration_form("duration"),
        validation = rules::duration_between("duration", "1s", "8784h"),
    )]
    pub duration: Option<String>,
    /// The first instant after the window, written as start is. Write this or duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    #[x_kube(validation = rules::time_form("end"), validation = rules::time_exists("end"))]
    pub end: Option<String>,
}

/// Occurrences that start whenever a cron expression says so.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Recurring {
    /// The starts: five fields (minute, hour, day of month, month, day of week), read in
    /// timeZone. "0 2 * * SUN#1" is 02:00 on the first Sunday of each month, "0 2 L * *" on the
    /// last day; @hourly, @daily, @weekly, @monthly and @yearly may be written too.
    #[schemars(length(max = 128))]
    #[x_kube(validation = rules::cron_form(), validation = rules::cron_restricts_one_day())]
    pub cron: String,
    /// The IANA name of the time zone in which cron is read, such as Europe/Berlin. Write
    /// Etc/UTC where you mean UTC.
    #[schemars(length(max = 64))]
    #[x_kube(validation = rules::time_zone())]
    pub time_zone: String,
    /// How long each occurrence lasts, in elapsed time (2h, 1h30m, 45s): 1s to 8784h. A 2h
    /// window is 2h long on the night the clocks change.
    #[schemars(length(max = 24))]
    #[x_kube(
        validation = rules::duration_form("duration"),
        validation = rules::duration_between("duration", "1s", "8784h"),
    )]
    pub duration: String,
    /// Occurrences that start inside one of these do not happen. At most 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub except: Option<Vec<Except>>,
}

/// A time without occurrences.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::except_end_after_start())]
pub struct Except {
    /// The first instant of the exception: a date (2026-12-20: its midnight in timeZone), a
    /// local time in timeZone (2026-12-20T12:00:00), or RFC 3339 with an offset.
    #[schemars(length(max = 40))]
    #[x_kube(validation = rules::date_or_time_form("start"))]
    pub start: String,
    /// The first instant after the exception, written as start may be.
    #[schemars(length(max = 40))]
    #[x_kube(validation = rules::date_or_time_form("end"))]
    pub end: String,
}

/// On from the creation of the window until it is deleted or suspended.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Always {}

/// How targets are given back when an occurrence ends.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::immediately_has_no_overrun())]
pub struct Restore {
    /// TargetsReady: at the end, or, where the app is not ready then, as soon as it is, and after
    /// maxOverrun at the latest. Immediately: at the end, whatever the app does. Absent:
    /// TargetsReady. Who deletes or suspends a window waits for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<RestoreWhen>,
    /// How long after the end a target may still be held while its app is not ready (10m):
    /// 0s to 24h. Absent: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    #[x_kube(
        validation = rules::duration_form("maxOverrun"),
        validation = rules::duration_between("maxOverrun", "0s", "24h"),
    )]
    pub max_overrun: Option<String>,
}

/// What a release waits for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(transform = schema::described_by_its_field)]
pub enum RestoreWhen {
    /// The app has a ready endpoint, or the overrun is over.
    TargetsReady,
    /// Nothing.
    Immediately,
}
