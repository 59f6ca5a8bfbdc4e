use chrono::TimeDelta;
use serde_json::json;

use super::*;

#[test]
fn a_restore_waits_for_the_targets_for_ten_minutes_unless_it_says_otherwise() {
    let ready = |minutes| Restore::TargetsReady {
        max_overrun: TimeDelta::minutes(minutes),
    };
    let cases = [
        (json!({}), ready(10)),
        (json!({"restore": {}}), ready(10)),
        (json!({"restore": {"when": "TargetsReady"}}), ready(10)),
        (json!({"restore": {"maxOverrun": "1h30m"}}), ready(90)),
        (json!({"restore": {"maxOverrun": "0s"}}), ready(0)),
        (
            json!({"restore": {"when": "Immediately"}}),
            Restore::Immediately,
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            parse(&with(changes.clone())).unwrap().restore,
            expected,
            "{changes}"
        );
    }
}

#[test]
fn an_overrun_that_nobody_can_keep_is_refused() {
    let cases = [
        (
            json!({"maxOverrun": "24h1s"}),
            "spec.restore.maxOverrun: must be from 0s to 24h: for more, move the end of the window",
        ),
        (
            json!({"when": "Immediately", "maxOverrun": "10m"}),
            "spec.restore.maxOverrun: says how long TargetsReady waits, and Immediately waits for \
             nothing: remove one of the two",
        ),
    ];
    for (restore, expected) in cases {
        assert_eq!(problems(&with(json!({"restore": restore}))), [expected]);
    }
}
