//! What a manifest says about times: local ones, dates, and those with an offset.

use entracte::schedule::{Schedule, parse};
use serde_json::{Value, json};

use crate::helpers::{at, manifest, written};

fn schedule(spec: &Value) -> Schedule {
    parse(&manifest(spec)).unwrap().schedule
}

#[test]
fn a_local_time_names_one_instant_also_on_the_night_the_clocks_change() {
    for (why, zone, start, (field, value), expected) in LOCAL_TIMES {
        let mut once = json!({"start": start, "timeZone": zone});
        once[*field] = json!(value);
        let schedule = schedule(&json!({"once": once}));
        let found = schedule.after(at("2000-01-01T00:00:00Z")).map(written);
        assert_eq!(found.collect::<Vec<_>>(), [*expected], "{why}");
        assert_eq!(schedule.zone(), *zone, "{why}");
    }
}

#[test]
fn a_time_with_an_offset_needs_no_zone() {
    let schedule = schedule(&json!({
        "once": {"start": "2026-12-06T02:00:00+01:00", "end": "2026-12-06T08:45:00+05:45"},
    }));
    let found: Vec<String> = schedule
        .after(at("2026-01-01T00:00:00Z"))
        .map(written)
        .collect();
    assert_eq!(found, ["2026-12-06T01:00:00Z/2026-12-06T03:00:00Z"]);
    assert_eq!(schedule.zone(), "+01:00");
}

#[test]
fn always_is_one_stretch_without_an_end() {
    let schedule = schedule(&json!({"always": {}}));
    let found: Vec<String> = schedule
        .after(at("2027-01-01T00:00:00Z"))
        .map(written)
        .collect();
    assert_eq!(found, ["2026-12-01T09:00:00Z/"]);
}

#[test]
fn what_starts_inside_an_exception_does_not_happen_and_nothing_else_changes() {
    let cases = [
        // why, cron, duration, start and end of the exception, from, expected
        (
            "dates are midnights in the zone: three Sundays are left out",
            ("0 2 * * SUN", "2h"),
            ("2026-12-20", "2027-01-04"),
            "2026-12-13T00:00:00Z",
            [
                "2026-12-13T01:00:00Z/2026-12-13T03:00:00Z",
                "2027-01-10T01:00:00Z/2027-01-10T03:00:00Z",
            ],
        ),
        (
            "the start of an exception is inside, its end is not",
            ("0 0 * * *", "1h"),
            ("2026-12-20", "2026-12-21"),
            "2026-12-18T23:00:00Z",
            [
                "2026-12-18T23:00:00Z/2026-12-19T00:00:00Z",
                "2026-12-20T23:00:00Z/2026-12-21T00:00:00Z",
            ],
        ),
        (
            "what began before an exception goes on",
            ("0 22 * * *", "8h"),
            ("2026-12-20T00:00:00", "2026-12-20T23:00:00"),
            "2026-12-19T12:00:00Z",
            [
                "2026-12-19T21:00:00Z/2026-12-20T05:00:00Z",
                "2026-12-21T21:00:00Z/2026-12-22T05:00:00Z",
            ],
        ),
        (
            "an exception cuts a stretch where it takes an occurrence out of it",
            ("0 1,2,3 * * *", "1h"),
            ("2026-12-20T01:59:00+01:00", "2026-12-20T02:01:00+01:00"),
            "2026-12-20T00:00:00Z",
            [
                "2026-12-20T00:00:00Z/2026-12-20T01:00:00Z",
                "2026-12-20T02:00:00Z/2026-12-20T03:00:00Z",
            ],
        ),
        (
            "what the gap moved to 03:00 starts at 03:00",
            ("30 2 * * *", "1h"),
            ("2026-03-29T03:00:00", "2026-03-29T03:01:00"),
            "2026-03-28T00:00:00Z",
            [
                "2026-03-28T01:30:00Z/2026-03-28T02:30:00Z",
                "2026-03-30T00:30:00Z/2026-03-30T01:30:00Z",
            ],
        ),
        (
            "of an hour that comes twice, an exception by the clock begins with the first",
            ("45 2 * * *", "1h"),
            ("2026-10-25T02:30:00", "2026-10-25T03:00:00"),
            "2026-10-24T00:00:00Z",
            [
                "2026-10-24T00:45:00Z/2026-10-24T01:45:00Z",
                "2026-10-26T01:45:00Z/2026-10-26T02:45:00Z",
            ],
        ),
    ];
    for (why, (cron, duration), (start, end), from, expected) in cases {
        let schedule = schedule(&json!({"recurring": {
            "cron": cron,
            "timeZone": "Europe/Berlin",
            "duration": duration,
            "except": [{"start": start, "end": end}],
        }}));
        let found: Vec<String> = schedule.after(at(from)).take(2).map(written).collect();
        assert_eq!(found, expected, "{why}");
    }
}

/// Why, zone, start, what follows (a duration or an end), and the occurrence.
type LocalTime = (
    &'static str,
    &'static str,
    &'static str,
    (&'static str, &'static str),
    &'static str,
);

const LOCAL_TIMES: &[LocalTime] = &[
    (
        "an ordinary night",
        "Europe/Berlin",
        "2026-12-06T02:00:00",
        ("duration", "2h"),
        "2026-12-06T01:00:00Z/2026-12-06T03:00:00Z",
    ),
    (
        "an ordinary night with an end",
        "Asia/Kathmandu",
        "2028-02-29T23:30:00",
        ("end", "2028-03-01T01:00:00"),
        "2028-02-29T17:45:00Z/2028-02-29T19:15:00Z",
    ),
    (
        "a start in the gap is the first instant after it, and the length stays",
        "Europe/Berlin",
        "2026-03-29T02:30:00",
        ("duration", "2h"),
        "2026-03-29T01:00:00Z/2026-03-29T03:00:00Z",
    ),
    (
        "an end in the gap is the first instant after it",
        "Europe/Berlin",
        "2026-03-29T01:00:00",
        ("end", "2026-03-29T02:30:00"),
        "2026-03-29T00:00:00Z/2026-03-29T01:00:00Z",
    ),
    (
        "a start that comes twice is the first of the two",
        "Europe/Berlin",
        "2026-10-25T02:30:00",
        ("duration", "2h"),
        "2026-10-25T00:30:00Z/2026-10-25T02:30:00Z",
    ),
    (
        "an end that comes twice is the first of the two",
        "Europe/Berlin",
        "2026-10-25T01:00:00",
        ("end", "2026-10-25T02:30:00"),
        "2026-10-24T23:00:00Z/2026-10-25T00:30:00Z",
    ),
    (
        "three hours by the clock are four in autumn",
        "Europe/Berlin",
        "2026-10-25T01:00:00",
        ("end", "2026-10-25T04:00:00"),
        "2026-10-24T23:00:00Z/2026-10-25T03:00:00Z",
    ),
    (
        "three hours by the clock are two in spring",
        "America/New_York",
        "2026-03-08T01:00:00",
        ("end", "2026-03-08T04:00:00"),
        "2026-03-08T06:00:00Z/2026-03-08T08:00:00Z",
    ),
    (
        "a day that did not exist starts when the next one does",
        "Pacific/Apia",
        "2011-12-30T12:00:00",
        ("duration", "1h"),
        "2011-12-30T10:00:00Z/2011-12-30T11:00:00Z",
    ),
    (
        "across a day that did not exist",
        "Pacific/Apia",
        "2011-12-29T20:00:00",
        ("end", "2011-12-31T06:00:00"),
        "2011-12-30T06:00:00Z/2011-12-30T16:00:00Z",
    ),
    (
        "a gap at midnight",
        "America/Santiago",
        "2026-09-06T00:00:00",
        ("end", "2026-09-06T02:00:00"),
        "2026-09-06T04:00:00Z/2026-09-06T05:00:00Z",
    ),
];

#[test]
fn an_exception_for_ever_costs_no_walk_through_it() {
    let schedule = json!({"recurring": {
        "cron": "* * * * *", "timeZone": "Europe/Berlin", "duration": "1s",
        "except": [{"start": "2000-01-01", "end": "2026-11-01"},
                   {"start": "2026-12-20", "end": "2999-12-31"}],
    }});
    let window = parse(&manifest(&schedule)).unwrap();
    let began = std::time::Instant::now();
    let now = at("2027-06-01T00:00:00Z");
    let last = window.schedule.last(now).map(written);
    assert_eq!(
        last.as_deref(),
        Some("2026-12-19T22:59:00Z/2026-12-19T22:59:01Z")
    );
    let next = window.schedule.next(now).map(|next| next.start);
    assert_eq!(next, Some(at("2999-12-30T23:00:00Z")));
    assert_eq!(window.schedule.current(now), None);
    assert!(
        began.elapsed() < std::time::Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}
