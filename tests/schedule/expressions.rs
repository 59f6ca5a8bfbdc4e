//! What expressions may look like, and the stretches that come of them.

use crate::helpers::{Row, at, check, recurring, written};

#[test]
fn the_short_forms_are_those_of_a_cron_job() {
    check(SHORT_FORMS);
}

#[test]
fn lists_ranges_and_steps_name_what_they_name_in_a_cron_job() {
    check(LISTS);
}

#[test]
fn occurrences_that_overlap_or_touch_are_one_stretch() {
    check(STRETCHES);
}

#[test]
fn the_start_is_inside_and_the_end_is_not() {
    let schedule = recurring("Europe/Berlin", "0 2 * * SUN#1", "2h");
    let november = "2026-11-01T01:00:00Z/2026-11-01T03:00:00Z";
    let december = "2026-12-06T01:00:00Z/2026-12-06T03:00:00Z";
    let january = "2027-01-03T01:00:00Z/2027-01-03T03:00:00Z";
    let cases = [
        // now, current, next, last
        ("2026-12-06T00:59:59.999Z", None, december, november),
        ("2026-12-06T01:00:00Z", Some(december), january, november),
        (
            "2026-12-06T02:59:59.999999999Z",
            Some(december),
            january,
            november,
        ),
        ("2026-12-06T03:00:00Z", None, january, december),
        ("2027-01-01T00:00:00Z", None, january, december),
    ];
    for (now, current, next, last) in cases {
        let instant = at(now);
        let found = [
            schedule.current(instant).map(written),
            schedule.next(instant).map(written),
            schedule.last(instant).map(written),
        ];
        let expected = [current, Some(next), Some(last)].map(|text| text.map(str::to_owned));
        assert_eq!(found, expected, "current, next and last at {now}");
    }
}

#[test]
fn a_schedule_is_shown_as_it_was_written() {
    let schedule = recurring("Europe/Berlin", "0 2 * * sun#1", "120m");
    assert_eq!(schedule.summary(), "0 2 * * sun#1 for 2h");
    assert_eq!(schedule.zone(), "Europe/Berlin");
    let summer = at("2026-07-01T00:00:00Z");
    assert_eq!(schedule.offset_at(summer).local_minus_utc(), 7200);
    assert_eq!(schedule.write_instant(summer), "2026-07-01T02:00:00+02:00");
    let winter = at("2026-12-01T00:00:00Z");
    assert_eq!(schedule.offset_at(winter).local_minus_utc(), 3600);
    assert_eq!(schedule.write_instant(winter), "2026-12-01T01:00:00+01:00");
}

const SHORT_FORMS: &[Row] = &[
    (
        "each hour",
        "Asia/Kathmandu",
        "@hourly",
        "10m",
        "2026-12-31T22:30:00Z",
        &[
            "2026-12-31T23:15:00Z/2026-12-31T23:25:00Z",
            "2027-01-01T00:15:00Z/2027-01-01T00:25:00Z",
        ],
    ),
    (
        "each midnight",
        "America/New_York",
        "@daily",
        "1h",
        "2026-12-01T12:00:00Z",
        &[
            "2026-12-02T05:00:00Z/2026-12-02T06:00:00Z",
            "2026-12-03T05:00:00Z/2026-12-03T06:00:00Z",
        ],
    ),
    (
        "each midnight, said otherwise",
        "America/New_York",
        "@midnight",
        "1h",
        "2026-12-01T12:00:00Z",
        &["2026-12-02T05:00:00Z/2026-12-02T06:00:00Z"],
    ),
    (
        "a week begins with Sunday",
        "Etc/UTC",
        "@weekly",
        "1h",
        "2026-12-01T00:00:00Z",
        &[
            "2026-12-06T00:00:00Z/2026-12-06T01:00:00Z",
            "2026-12-13T00:00:00Z/2026-12-13T01:00:00Z",
        ],
    ),
    (
        "each first of the month",
        "Europe/Berlin",
        "@monthly",
        "1h",
        "2026-03-15T00:00:00Z",
        &[
            "2026-03-31T22:00:00Z/2026-03-31T23:00:00Z",
            "2026-04-30T22:00:00Z/2026-04-30T23:00:00Z",
        ],
    ),
    (
        "each first of January",
        "Europe/Berlin",
        "@yearly",
        "1h",
        "2026-03-15T00:00:00Z",
        &[
            "2026-12-31T23:00:00Z/2027-01-01T00:00:00Z",
            "2027-12-31T23:00:00Z/2028-01-01T00:00:00Z",
        ],
    ),
    (
        "each first of January, said otherwise",
        "Europe/Berlin",
        "@annually",
        "1h",
        "2026-03-15T00:00:00Z",
        &["2026-12-31T23:00:00Z/2027-01-01T00:00:00Z"],
    ),
];

const LISTS: &[Row] = &[
    (
        "a step over a range starts at the range's start",
        "Etc/UTC",
        "10-50/20 4 * * *",
        "5m",
        "2026-12-01T00:00:00Z",
        &[
            "2026-12-01T04:10:00Z/2026-12-01T04:15:00Z",
            "2026-12-01T04:30:00Z/2026-12-01T04:35:00Z",
            "2026-12-01T04:50:00Z/2026-12-01T04:55:00Z",
            "2026-12-02T04:10:00Z/2026-12-02T04:15:00Z",
        ],
    ),
    (
        "a step starts anew in each hour",
        "Etc/UTC",
        "*/25 * * * *",
        "5m",
        "2026-12-01T00:20:00Z",
        &[
            "2026-12-01T00:25:00Z/2026-12-01T00:30:00Z",
            "2026-12-01T00:50:00Z/2026-12-01T00:55:00Z",
            "2026-12-01T01:00:00Z/2026-12-01T01:05:00Z",
        ],
    ),
    (
        "names in any case, in lists and ranges",
        "Etc/UTC",
        "0 2 * jan,MAR-Apr Mon-tue",
        "1h",
        "2026-12-01T00:00:00Z",
        &[
            "2027-01-04T02:00:00Z/2027-01-04T03:00:00Z",
            "2027-01-05T02:00:00Z/2027-01-05T03:00:00Z",
            "2027-01-11T02:00:00Z/2027-01-11T03:00:00Z",
        ],
    ),
];

const STRETCHES: &[Row] = &[
    (
        "two that touch",
        "Etc/UTC",
        "0 1,2 * * *",
        "1h",
        "2026-12-01T00:00:00Z",
        &[
            "2026-12-01T01:00:00Z/2026-12-01T03:00:00Z",
            "2026-12-02T01:00:00Z/2026-12-02T03:00:00Z",
        ],
    ),
    (
        "two that nearly touch",
        "Etc/UTC",
        "0 1,2 * * *",
        "59m59s999ms",
        "2026-12-01T00:00:00Z",
        &[
            "2026-12-01T01:00:00Z/2026-12-01T01:59:59.999Z",
            "2026-12-01T02:00:00Z/2026-12-01T02:59:59.999Z",
        ],
    ),
    (
        "a weekend, from within its Sunday",
        "Europe/Berlin",
        "0 0 * * SAT,SUN",
        "24h",
        "2026-12-06T12:00:00Z",
        &[
            "2026-12-04T23:00:00Z/2026-12-06T23:00:00Z",
            "2026-12-11T23:00:00Z/2026-12-13T23:00:00Z",
        ],
    ),
    (
        "a night in quarters of an hour that overlap",
        "America/New_York",
        "*/15 22-23 31 12 *",
        "20m",
        "2026-12-01T00:00:00Z",
        &["2027-01-01T03:00:00Z/2027-01-01T05:05:00Z"],
    ),
];
