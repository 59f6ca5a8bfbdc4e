//! Each slip is refused with its own sentence, at its own field.

use std::collections::BTreeMap;

use entracte::schedule::parse;
use serde_json::{Value, json};

use crate::{
    bad_lists::{CRONS, DURATIONS, EXCEPTIONS, ONCE, ZONES},
    helpers::manifest,
};

/// A schedule that is to be refused.
struct Bad {
    /// What went wrong. Rows of the same slip may be told the same.
    slip: &'static str,
    schedule: Value,
    /// The field that is to be blamed.
    field: String,
    /// What the sentence must contain.
    fragments: &'static [&'static str],
}

/// A recurring schedule in which everything is well but for one field.
fn recurring(field: &str, value: &Value) -> Value {
    let mut recurring = json!({
        "cron": "0 2 * * SUN#1",
        "timeZone": "Europe/Berlin",
        "duration": "2h",
    });
    recurring[field] = value.clone();
    json!({ "recurring": recurring })
}

fn rows() -> Vec<Bad> {
    let mut rows = Vec::new();
    let lists = [
        ("cron", CRONS),
        ("timeZone", ZONES),
        ("duration", DURATIONS),
    ];
    for (field, list) in lists {
        for &(slip, text, fragments) in list {
            rows.push(Bad {
                slip,
                schedule: recurring(field, &json!(text)),
                field: format!("spec.schedule.recurring.{field}"),
                fragments,
            });
        }
    }
    for &(slip, start, end, field, fragments) in EXCEPTIONS {
        let good = json!({"start": "2026-12-20", "end": "2027-01-04"});
        let bad = json!({"start": start, "end": end});
        rows.push(Bad {
            slip,
            schedule: recurring("except", &json!([good, bad])),
            field: format!("spec.schedule.recurring.except[1].{field}"),
            fragments,
        });
    }
    for &(slip, members, field, fragments) in ONCE {
        let once: BTreeMap<&str, &str> = members.iter().copied().collect();
        rows.push(Bad {
            slip,
            schedule: json!({ "once": once }),
            field: format!("spec.schedule.once{field}"),
            fragments,
        });
    }
    rows.extend(rest());
    rows
}

fn bad(
    slip: &'static str,
    schedule: Value,
    field: &str,
    fragments: &'static [&'static str],
) -> Bad {
    Bad {
        slip,
        schedule,
        field: format!("spec.schedule{field}"),
        fragments,
    }
}

/// What fits into no list.
fn rest() -> [Bad; 6] {
    let once = json!({"start": "2026-12-06T02:00:00Z", "duration": "2h"});
    let often = json!({"cron": "*/5 * * * *", "timeZone": "Etc/UTC", "duration": "5m"});
    let daily = json!({"cron": "@daily", "timeZone": "Etc/UTC", "duration": "24h"});
    [
        bad("not one of the three", json!({}), "", &["exactly one of"]),
        bad(
            "not one of the three",
            json!({"once": once, "always": {}}),
            "",
            &["exactly one of"],
        ),
        bad(
            "never off",
            json!({"recurring": often}),
            ".recurring",
            &["always"],
        ),
        bad(
            "never off",
            json!({"recurring": daily}),
            ".recurring",
            &["always"],
        ),
        bad(
            "no exception in the list",
            recurring("except", &json!([])),
            ".recurring.except",
            &["empty"],
        ),
        bad(
            "too many exceptions",
            recurring(
                "except",
                &json!(vec![
                    json!({"start": "2026-12-20", "end": "2027-01-04"});
                    65
                ]),
            ),
            ".recurring.except",
            &["64"],
        ),
    ]
}

#[test]
fn each_slip_is_refused_at_its_field_with_what_to_write() {
    let rows = rows();
    assert!(rows.len() >= 45, "only {} bad schedules", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let text = row.schedule.to_string();
        let Err(told) = parse(&manifest(&row.schedule)) else {
            wrong.push(format!("{}: {text} is accepted", row.slip));
            continue;
        };
        let [problem] = &told[..] else {
            wrong.push(format!(
                "{}: {text} is told several times: {told:?}",
                row.slip
            ));
            continue;
        };
        if problem.field != row.field {
            wrong.push(format!(
                "{}: {text} blames {} and not {}",
                row.slip, problem.field, row.field
            ));
        }
        for fragment in row.fragments {
            if !problem.message.contains(fragment) {
                wrong.push(format!(
                    "{}: {text} does not say {fragment:?}: {}",
                    row.slip, problem.message
                ));
            }
        }
    }
    // All of them at once: whoever changes a sentence wants to see what else says it.
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_slips_are_told_in_the_same_words() {
    let mut slips: BTreeMap<String, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows() {
        for problem in parse(&manifest(&row.schedule)).err().unwrap_or_default() {
            let sentence = format!("{}: {}", problem.field, problem.message);
            match slips.insert(sentence.clone(), row.slip) {
                Some(other) if other != row.slip => {
                    wrong.push(format!("{other} and {}: {sentence}", row.slip));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_problems_of_all_fields_are_told_at_once() {
    let schedule = json!({"recurring": {
        "cron": "60 2 * * *",
        "timeZone": "Europe/Berln",
        "duration": "1d",
        "except": [{"start": "Christmas", "end": "2027-01-04"}],
    }});
    let problems = parse(&manifest(&schedule)).unwrap_err();
    let mut fields: Vec<&str> = problems.iter().map(|p| p.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "spec.schedule.recurring.cron",
            "spec.schedule.recurring.duration",
            "spec.schedule.recurring.except[0].start",
            "spec.schedule.recurring.timeZone",
        ]
    );
}
