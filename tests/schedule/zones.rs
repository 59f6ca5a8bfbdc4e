//! The nights on which clocks change.

use crate::helpers::{Row, check};

#[test]
fn a_start_in_a_gap_happens_at_the_first_instant_after_it() {
    check(GAPS);
}

#[test]
fn a_start_in_a_repeated_hour_happens_once_at_the_first_of_the_two() {
    check(FOLDS);
}

#[test]
fn the_clocks_of_ramadan_are_known() {
    check(CASABLANCA);
}

#[test]
fn a_window_across_a_change_is_as_long_as_ever() {
    check(LENGTHS);
}

#[test]
fn the_database_is_this_years() {
    check(NEWS);
}

const GAPS: &[Row] = &[
    (
        "02:00 to 03:00 is missing on 29 March",
        "Europe/Berlin",
        "30 2 * * *",
        "2h",
        "2026-03-27T12:00:00Z",
        &[
            "2026-03-28T01:30:00Z/2026-03-28T03:30:00Z",
            "2026-03-29T01:00:00Z/2026-03-29T03:00:00Z",
            "2026-03-30T00:30:00Z/2026-03-30T02:30:00Z",
        ],
    ),
    (
        "four starts in the gap are one",
        "Europe/Berlin",
        "*/15 2 * * *",
        "10m",
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z/2026-03-29T01:10:00Z",
            "2026-03-30T00:00:00Z/2026-03-30T00:10:00Z",
        ],
    ),
    (
        "02:00 and 03:00 are one instant",
        "Europe/Berlin",
        "0 2,3 * * *",
        "1h",
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z/2026-03-29T02:00:00Z",
            "2026-03-30T00:00:00Z/2026-03-30T02:00:00Z",
        ],
    ),
    (
        "every half-hour goes on every half-hour",
        "Europe/Berlin",
        "*/30 * * * *",
        "10m",
        "2026-03-29T00:15:00Z",
        &[
            "2026-03-29T00:30:00Z/2026-03-29T00:40:00Z",
            "2026-03-29T01:00:00Z/2026-03-29T01:10:00Z",
            "2026-03-29T01:30:00Z/2026-03-29T01:40:00Z",
        ],
    ),
    (
        "02:00 to 03:00 is missing on 8 March",
        "America/New_York",
        "30 2 * * *",
        "45m",
        "2026-03-07T12:00:00Z",
        &[
            "2026-03-08T07:00:00Z/2026-03-08T07:45:00Z",
            "2026-03-09T06:30:00Z/2026-03-09T07:15:00Z",
        ],
    ),
    (
        "01:00 to 02:00 is missing on 29 March",
        "Europe/London",
        "30 1 * * SUN",
        "2h",
        "2026-03-23T00:00:00Z",
        &[
            "2026-03-29T01:00:00Z/2026-03-29T03:00:00Z",
            "2026-04-05T00:30:00Z/2026-04-05T02:30:00Z",
        ],
    ),
    (
        "two hours are missing",
        "Antarctica/Troll",
        "30 1,2 * * *",
        "30m",
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z/2026-03-29T01:30:00Z",
            "2026-03-29T23:30:00Z/2026-03-30T00:00:00Z",
            "2026-03-30T00:30:00Z/2026-03-30T01:00:00Z",
        ],
    ),
];

const FOLDS: &[Row] = &[
    (
        "02:00 to 03:00 comes twice on 25 October",
        "Europe/Berlin",
        "30 2 * * *",
        "1h",
        "2026-10-24T12:00:00Z",
        &[
            "2026-10-25T00:30:00Z/2026-10-25T01:30:00Z",
            "2026-10-26T01:30:00Z/2026-10-26T02:30:00Z",
        ],
    ),
    (
        "a wildcard hour does not repeat either: no local time happens twice",
        "Europe/Berlin",
        "*/30 * * * *",
        "10m",
        "2026-10-24T23:45:00Z",
        &[
            "2026-10-25T00:00:00Z/2026-10-25T00:10:00Z",
            "2026-10-25T00:30:00Z/2026-10-25T00:40:00Z",
            "2026-10-25T02:00:00Z/2026-10-25T02:10:00Z",
            "2026-10-25T02:30:00Z/2026-10-25T02:40:00Z",
        ],
    ),
    (
        "a controller that comes in the second pass has missed the start, not the end",
        "Europe/Berlin",
        "30 2 * * *",
        "2h",
        "2026-10-25T01:45:00Z",
        &["2026-10-25T00:30:00Z/2026-10-25T02:30:00Z"],
    ),
    (
        "03:00 is the end of the second pass",
        "Europe/Berlin",
        "0 3 * * *",
        "1h",
        "2026-10-24T12:00:00Z",
        &["2026-10-25T02:00:00Z/2026-10-25T03:00:00Z"],
    ),
    (
        "01:00 to 02:00 comes twice on 1 November",
        "America/New_York",
        "30 1 * * *",
        "1h",
        "2026-10-31T12:00:00Z",
        &[
            "2026-11-01T05:30:00Z/2026-11-01T06:30:00Z",
            "2026-11-02T06:30:00Z/2026-11-02T07:30:00Z",
        ],
    ),
    (
        "01:00 to 02:00 comes twice on 25 October",
        "Europe/London",
        "30 1 * * *",
        "1h",
        "2026-10-24T12:00:00Z",
        &[
            "2026-10-25T00:30:00Z/2026-10-25T01:30:00Z",
            "2026-10-26T01:30:00Z/2026-10-26T02:30:00Z",
        ],
    ),
];

/// Morocco put its clocks back for Ramadan.
const CASABLANCA: &[Row] = &[
    (
        "02:00 to 03:00 comes twice on 23 February",
        "Africa/Casablanca",
        "30 2 * * *",
        "1h",
        "2025-02-22T12:00:00Z",
        &[
            "2025-02-23T01:30:00Z/2025-02-23T02:30:00Z",
            "2025-02-24T02:30:00Z/2025-02-24T03:30:00Z",
        ],
    ),
    (
        "02:00 to 03:00 is missing on 22 March",
        "Africa/Casablanca",
        "30 2 * * *",
        "1h",
        "2026-03-21T12:00:00Z",
        &[
            "2026-03-22T02:00:00Z/2026-03-22T03:00:00Z",
            "2026-03-23T01:30:00Z/2026-03-23T02:30:00Z",
        ],
    ),
    (
        "Ramadan is an hour later than the weeks around it",
        "Africa/Casablanca",
        "0 4 * * SUN#2",
        "2h",
        "2026-02-01T00:00:00Z",
        &[
            "2026-02-08T03:00:00Z/2026-02-08T05:00:00Z",
            "2026-03-08T04:00:00Z/2026-03-08T06:00:00Z",
            "2026-04-12T03:00:00Z/2026-04-12T05:00:00Z",
        ],
    ),
];

const LENGTHS: &[Row] = &[
    (
        "from 01:00 until 04:00 by the clock: 2h have gone by",
        "Europe/Berlin",
        "0 1 * * SUN",
        "2h",
        "2026-03-28T12:00:00Z",
        &["2026-03-29T00:00:00Z/2026-03-29T02:00:00Z"],
    ),
    (
        "from 01:30 until 02:30 by the clock: 2h have gone by",
        "Europe/Berlin",
        "30 1 25 10 *",
        "2h",
        "2026-10-01T00:00:00Z",
        &[
            "2026-10-24T23:30:00Z/2026-10-25T01:30:00Z",
            "2027-10-24T23:30:00Z/2027-10-25T01:30:00Z",
        ],
    ),
    (
        "half an hour is skipped, an hour goes by",
        "Australia/Lord_Howe",
        "30 1 4 10 *",
        "1h",
        "2026-10-01T00:00:00Z",
        &["2026-10-03T15:00:00Z/2026-10-03T16:00:00Z"],
    ),
    (
        "a day has 25 hours in autumn, of which 24h leave one",
        "Europe/Berlin",
        "0 0 * * *",
        "24h",
        "2026-10-20T00:00:00Z",
        &[
            "2025-10-26T23:00:00Z/2026-10-25T22:00:00Z",
            "2026-10-25T23:00:00Z/2027-10-31T22:00:00Z",
        ],
    ),
];

/// What databases of 2025 do not know.
const NEWS: &[Row] = &[(
    "British Columbia did not put its clocks back in November 2026",
    "America/Vancouver",
    "0 2 * * SUN#1",
    "2h",
    "2026-12-01T00:00:00Z",
    &["2026-12-06T09:00:00Z/2026-12-06T11:00:00Z"],
)];
