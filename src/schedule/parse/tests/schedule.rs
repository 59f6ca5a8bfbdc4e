use serde_json::{Value, json};

use super::*;
use crate::schedule::Zone;

fn once(once: &Value) -> Value {
    json!({"schedule": {"once": once}})
}

/// A schedule by cron, with these fields changed.
fn recurring(changes: &Value) -> Value {
    let mut recurring = json!({"cron": "0 2 * * *", "timeZone": "Europe/Berlin", "duration": "2h"});
    for (field, value) in changes.as_object().unwrap() {
        recurring[field] = value.clone();
    }
    json!({"schedule": {"recurring": recurring}})
}

#[test]
fn an_end_may_be_written_with_another_offset_than_the_start() {
    let window = parse(&with(once(&json!({
        "start": "2026-12-06T02:00:00+01:00",
        "end": "2026-12-06T02:00:00Z",
    }))));
    let occurrence = window.unwrap().current(at("2026-12-06T01:30:00Z")).unwrap();
    assert_eq!(occurrence.end, Some(at("2026-12-06T02:00:00Z")));
}

#[test]
fn local_times_are_read_in_the_zone() {
    let local = json!({"once": {"start": "2026-12-06T02:00:00", "end": "2026-12-06T04:00:00",
        "timeZone": "Europe/Berlin"}});
    let window = parse(&with(json!({"schedule": local}))).unwrap();
    let expected = Schedule::Once {
        occurrence: Occurrence {
            start: at("2026-12-06T01:00:00Z"),
            end: Some(at("2026-12-06T03:00:00Z")),
        },
        written_in: WrittenIn::Zone(Zone::parse("Europe/Berlin").unwrap()),
    };
    assert_eq!(window.schedule, expected);
}

#[test]
fn exceptions_are_dates_local_times_or_instants() {
    let recurring = json!({"cron": "0 2 * * *", "timeZone": "Europe/Berlin", "duration": "2h",
    "except": [
        {"start": "2026-12-20", "end": "2027-01-04"},
        {"start": "2027-02-01T12:00:00", "end": "2027-02-01T13:00:00Z"},
    ]});
    let window = parse(&with(json!({"schedule": {"recurring": recurring}}))).unwrap();
    let Schedule::Recurring(recurring) = window.schedule else {
        panic!("{:?}", window.schedule)
    };
    let expected = [
        at("2026-12-19T23:00:00Z")..at("2027-01-03T23:00:00Z"),
        at("2027-02-01T11:00:00Z")..at("2027-02-01T13:00:00Z"),
    ];
    assert_eq!(recurring.except, expected);
}

#[test]
fn always_begins_at_the_creation_of_the_window() {
    let window = parse(&with(json!({"schedule": {"always": {}}}))).unwrap();
    let since = at("2026-12-01T09:00:00Z");
    assert_eq!(window.schedule, Schedule::Always { since });
}

#[test]
fn every_slip_in_a_schedule_is_named_with_what_to_write() {
    let start = "2026-12-06T02:00:00Z";
    let one_schedule = "spec.schedule: write exactly one of once, recurring and always";
    let one_end = "spec.schedule.once: write exactly one of duration and end";
    let too_long = "makes the window longer than 366 days: write a shorter one, or use always";
    let cases = [
        (json!({"schedule": {}}), one_schedule.to_owned()),
        (
            json!({"schedule": {"once": {"start": start, "duration": "2h"}, "always": {}}}),
            one_schedule.to_owned(),
        ),
        (once(&json!({"start": start})), one_end.to_owned()),
        (
            once(&json!({"start": start, "duration": "2h", "end": "2026-12-06T04:00:00Z"})),
            one_end.to_owned(),
        ),
        (
            once(&json!({"start": "2026-12-06T02:00:00", "duration": "2h"})),
            "spec.schedule.once.start: does not say in which time zone it is: add an offset, as in \
             2026-12-06T02:00:00+01:00, or a timeZone such as Europe/Berlin"
                .to_owned(),
        ),
        (
            once(&json!({"start": "Sunday", "duration": "2h"})),
            "spec.schedule.once.start: is not a time that exists, \"Sunday\": write RFC 3339 \
             with an offset, such as 2026-12-06T02:00:00+01:00 or 2026-12-06T01:00:00Z, or a local time such as \
             2026-12-06T02:00:00 beside a timeZone"
                .to_owned(),
        ),
        (
            once(&json!({"start": "2062-02-01T02:00:00Z", "end": "3026-02-01T02:00:00Z"})),
            "spec.schedule.once.end: is not between the years 2000 and 2999, but in 3026: correct the year"
                .to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "2 hours"})),
            "spec.schedule.once.duration: \"2 hours\" is not a duration: write one such as 2h, \
             1h30m or 45s, whole numbers of at most five digits, each with its unit h, m, s or ms"
                .to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "0s"})),
            "spec.schedule.once.duration: must be 1s or longer".to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "999ms"})),
            "spec.schedule.once.duration: must be 1s or longer".to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "8785h"})),
            format!("spec.schedule.once.duration: {too_long}"),
        ),
        (
            once(&json!({"start": start, "end": start})),
            "spec.schedule.once.end: must be after start".to_owned(),
        ),
        (
            once(&json!({"start": start, "end": "2026-12-06T02:30:00+01:00"})),
            "spec.schedule.once.end: must be after start".to_owned(),
        ),
        (
            once(&json!({"start": start, "end": "2027-12-07T02:00:01Z"})),
            format!("spec.schedule.once.end: {too_long}"),
        ),
        (
            once(&json!({"start": start, "duration": "2h", "timeZone": "Europe/Berlin"})),
            "spec.schedule.once.timeZone: start has an offset and needs no timeZone: remove \
             timeZone, or write start as a local time such as 2026-12-06T02:00:00"
                .to_owned(),
        ),
        (
            once(&json!({"start": start, "end": "2026-12-06T04:00:00"})),
            "spec.schedule.once.end: is not written as start is: write both with an offset, or \
             both as local times in timeZone"
                .to_owned(),
        ),
        (
            recurring(&json!({"cron": "*/5 * * * *", "duration": "10m"})),
            "spec.schedule.recurring: has more than 1,000 occurrences in a row that touch or \
             overlap: shorten duration, or use always"
                .to_owned(),
        ),
        (
            recurring(&json!({"except": [{"start": "2026-12-20", "end": "2026-12-20"}]})),
            "spec.schedule.recurring.except[0].end: must be after start: the end of 2026-12-20 as \
             a whole day is 2026-12-21"
                .to_owned(),
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(problems(&with(changes)), [expected]);
    }
}
