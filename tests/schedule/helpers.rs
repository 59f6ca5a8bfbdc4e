//! What the tables share.

use chrono::{DateTime, SecondsFormat, Utc};
use entracte::{
    api::MaintenanceWindow,
    schedule::{Cron, Occurrence, Recurring, Schedule, Zone, duration},
};
use serde_json::{Value, json};

/// One row: why it is there, zone, cron, duration, from when on, and the stretches that end
/// after that, each as `start/end` in UTC.
pub(crate) type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Compares the first stretches of each row with those that are expected.
pub(crate) fn check(rows: &[Row]) {
    for (why, zone, cron, duration, from, expected) in rows {
        let schedule = recurring(zone, cron, duration);
        let found: Vec<String> = schedule
            .after(at(from))
            .take(expected.len())
            .map(written)
            .collect();
        assert_eq!(found, *expected, "{why}: {cron} for {duration} in {zone}");
    }
}

/// An instant.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A recurring schedule without exceptions.
pub(crate) fn recurring(zone: &str, cron: &str, length: &str) -> Schedule {
    Schedule::Recurring(Recurring {
        cron: Cron::parse(cron).unwrap(),
        zone: Zone::parse(zone).unwrap(),
        duration: duration::parse(length).unwrap(),
        except: Vec::new(),
    })
}

/// A whole manifest in which everything but the schedule is well.
pub(crate) fn manifest(schedule: &Value) -> MaintenanceWindow {
    serde_json::from_value(json!({
        "apiVersion": "entracte.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {
            "namespace": "shop",
            "name": "db-upgrade",
            "uid": "8b2c",
            "generation": 1,
            "creationTimestamp": "2026-12-01T09:00:00Z",
        },
        "spec": {
            "schedule": schedule,
            "targets": [{"kind": "Ingress", "name": "web"}],
        },
    }))
    .unwrap()
}

/// `start/end` in UTC; `start/` where no end is known.
pub(crate) fn written(occurrence: Occurrence) -> String {
    let instant = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let end = occurrence.end.map(instant).unwrap_or_default();
    format!("{}/{end}", instant(occurrence.start))
}
