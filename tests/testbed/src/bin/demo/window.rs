//! The window of the demo. PURE.

use std::fmt::Write as _;

use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};

use entracte_testbed::{target::Target, verdict::Occurrence};

/// The name of the window.
pub(crate) const NAME: &str = "db-upgrade";

/// How long before its start the window is applied, at least.
const LEAD: TimeDelta = TimeDelta::seconds(6);

const DURATION: TimeDelta = TimeDelta::seconds(10);

/// A window of ten seconds that starts on the first whole second that is far enough away.
pub(crate) fn starting_soon(now: DateTime<Utc>) -> Occurrence {
    let second = TimeDelta::seconds(1);
    // Only a date beyond the year 2262 cannot be rounded.
    let start = (now + LEAD).duration_round_up(second).unwrap_or(now + LEAD);
    Occurrence {
        start,
        end: start + DURATION,
    }
}

/// What a user writes for it.
pub(crate) fn manifest(occurrence: Occurrence, namespace: &str, targets: &[Target]) -> String {
    let start = occurrence.start.to_rfc3339_opts(SecondsFormat::Secs, true);
    let duration = (occurrence.end - occurrence.start).num_seconds();
    let mut manifest = format!(
        "apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {{name: {NAME}, namespace: {namespace}}}
spec:
  schedule:
    once:
      start: \"{start}\"
      duration: {duration}s
  targets:
"
    );
    for Target { kind, name, .. } in targets {
        let kind = kind.as_str();
        // Writing to a string does not fail.
        let _ = writeln!(manifest, "  - {{kind: {kind}, name: {name}}}");
    }
    manifest + "  response:\n    message: We are upgrading our database.\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use entracte_testbed::target::Kind;

    fn at(instant: &str) -> DateTime<Utc> {
        instant.parse().unwrap()
    }

    fn occurrence() -> Occurrence {
        Occurrence {
            start: at("2026-12-06T01:00:00Z"),
            end: at("2026-12-06T01:00:10Z"),
        }
    }

    #[test]
    fn a_window_starts_on_a_whole_second_and_not_too_soon() {
        for (now, start) in [
            ("2026-12-06T00:59:54Z", "2026-12-06T01:00:00Z"),
            ("2026-12-06T00:59:53.001Z", "2026-12-06T01:00:00Z"),
            ("2026-12-06T00:59:54.001Z", "2026-12-06T01:00:01Z"),
        ] {
            assert_eq!(starting_soon(at(now)).start, at(start), "{now}");
        }
    }

    #[test]
    fn the_manifest_is_what_a_user_would_write() {
        let target = |kind, name: &str| Target {
            kind,
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        };
        let targets = [target(Kind::Ingress, "web"), target(Kind::Service, "api")];
        assert_eq!(
            manifest(occurrence(), "shop", &targets),
            r#"apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: db-upgrade, namespace: shop}
spec:
  schedule:
    once:
      start: "2026-12-06T01:00:00Z"
      duration: 10s
  targets:
  - {kind: Ingress, name: web}
  - {kind: Service, name: api}
  response:
    message: We are upgrading our database.
"#
        );
    }
}
