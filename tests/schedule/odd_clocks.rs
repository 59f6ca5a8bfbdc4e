//! Clocks that change at midnight, by half an hour, or by a whole day.

use crate::helpers::{Row, check};

#[test]
fn a_gap_at_midnight_moves_the_start_and_not_the_day() {
    check(MIDNIGHTS);
}

#[test]
fn a_clock_may_change_by_half_an_hour_or_at_a_quarter_to() {
    check(ODD_CLOCKS);
}

#[test]
fn a_day_that_did_not_exist_starts_when_the_next_one_does() {
    check(APIA);
}

const MIDNIGHTS: &[Row] = &[
    (
        "00:00 to 01:00 is missing on 6 September",
        "America/Santiago",
        "0 0 * * *",
        "1h",
        "2026-09-04T12:00:00Z",
        &[
            "2026-09-05T04:00:00Z/2026-09-05T05:00:00Z",
            "2026-09-06T04:00:00Z/2026-09-06T05:00:00Z",
            "2026-09-07T03:00:00Z/2026-09-07T04:00:00Z",
        ],
    ),
    (
        "it is that Sunday all the same",
        "America/Santiago",
        "30 0 * * SUN#1",
        "1h",
        "2026-09-01T00:00:00Z",
        &[
            "2026-09-06T04:00:00Z/2026-09-06T05:00:00Z",
            "2026-10-04T03:30:00Z/2026-10-04T04:30:00Z",
        ],
    ),
    (
        "23:00 to 24:00 comes twice on 4 April",
        "America/Santiago",
        "30 23 * * *",
        "1h",
        "2026-04-04T12:00:00Z",
        &[
            "2026-04-05T02:30:00Z/2026-04-05T03:30:00Z",
            "2026-04-06T03:30:00Z/2026-04-06T04:30:00Z",
        ],
    ),
    (
        "midnight comes once, after the second 23:00",
        "America/Santiago",
        "0 0 * * *",
        "1h",
        "2026-04-04T12:00:00Z",
        &[
            "2026-04-05T04:00:00Z/2026-04-05T05:00:00Z",
            "2026-04-06T04:00:00Z/2026-04-06T05:00:00Z",
        ],
    ),
    (
        "00:00 to 01:00 is missing on 8 March",
        "America/Havana",
        "@daily",
        "30m",
        "2026-03-06T12:00:00Z",
        &[
            "2026-03-07T05:00:00Z/2026-03-07T05:30:00Z",
            "2026-03-08T05:00:00Z/2026-03-08T05:30:00Z",
            "2026-03-09T04:00:00Z/2026-03-09T04:30:00Z",
        ],
    ),
    (
        "00:00 to 01:00 comes twice on 2 November",
        "America/Havana",
        "0,30 0 * * *",
        "10m",
        "2025-11-01T12:00:00Z",
        &[
            "2025-11-02T04:00:00Z/2025-11-02T04:10:00Z",
            "2025-11-02T04:30:00Z/2025-11-02T04:40:00Z",
            "2025-11-03T05:00:00Z/2025-11-03T05:10:00Z",
        ],
    ),
    (
        "the gap is the last hour of a Saturday: its start falls on the Sunday",
        "America/Nuuk",
        "30 23 * * SAT",
        "1h",
        "2026-03-22T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z/2026-03-29T02:00:00Z",
            "2026-04-05T00:30:00Z/2026-04-05T01:30:00Z",
        ],
    ),
];

const ODD_CLOCKS: &[Row] = &[
    (
        "02:00 to 02:30 is missing on 4 October",
        "Australia/Lord_Howe",
        "15 2 * * *",
        "1h",
        "2026-10-02T12:00:00Z",
        &[
            "2026-10-02T15:45:00Z/2026-10-02T16:45:00Z",
            "2026-10-03T15:30:00Z/2026-10-03T16:30:00Z",
            "2026-10-04T15:15:00Z/2026-10-04T16:15:00Z",
        ],
    ),
    (
        "01:30 to 02:00 comes twice on 5 April",
        "Australia/Lord_Howe",
        "45 1 * * *",
        "1h",
        "2026-04-04T12:00:00Z",
        &[
            "2026-04-04T14:45:00Z/2026-04-04T15:45:00Z",
            "2026-04-05T15:15:00Z/2026-04-05T16:15:00Z",
        ],
    ),
    (
        "02:45 to 03:45 is missing on 27 September",
        "Pacific/Chatham",
        "0 3 * * *",
        "1h",
        "2026-09-25T12:00:00Z",
        &[
            "2026-09-25T14:15:00Z/2026-09-25T15:15:00Z",
            "2026-09-26T14:00:00Z/2026-09-26T15:00:00Z",
            "2026-09-27T13:15:00Z/2026-09-27T14:15:00Z",
        ],
    ),
    (
        "02:45 to 03:45 comes twice on 5 April",
        "Pacific/Chatham",
        "0 3 * * *",
        "1h",
        "2026-04-04T12:00:00Z",
        &[
            "2026-04-04T13:15:00Z/2026-04-04T14:15:00Z",
            "2026-04-05T14:15:00Z/2026-04-05T15:15:00Z",
        ],
    ),
    (
        "clocks never change, and stand a quarter of an hour off",
        "Asia/Kathmandu",
        "0 2 * * SUN#1",
        "2h",
        "2026-12-01T00:00:00Z",
        &[
            "2026-12-05T20:15:00Z/2026-12-05T22:15:00Z",
            "2027-01-02T20:15:00Z/2027-01-02T22:15:00Z",
        ],
    ),
];

/// Samoa went from the 29th to the 31st of December 2011.
const APIA: &[Row] = &[
    (
        "noon of the 30th is the midnight that follows the 29th",
        "Pacific/Apia",
        "0 12 * * *",
        "4h",
        "2011-12-29T12:00:00Z",
        &[
            "2011-12-29T22:00:00Z/2011-12-30T02:00:00Z",
            "2011-12-30T10:00:00Z/2011-12-30T14:00:00Z",
            "2011-12-30T22:00:00Z/2011-12-31T02:00:00Z",
        ],
    ),
    (
        "the midnights of the 30th and the 31st are one",
        "Pacific/Apia",
        "0 0 * * *",
        "1h",
        "2011-12-29T12:00:00Z",
        &[
            "2011-12-30T10:00:00Z/2011-12-30T11:00:00Z",
            "2011-12-31T10:00:00Z/2011-12-31T11:00:00Z",
        ],
    ),
    (
        "96 starts are one",
        "Pacific/Apia",
        "*/15 * 30 12 *",
        "5m",
        "2011-12-01T00:00:00Z",
        &[
            "2011-12-30T10:00:00Z/2011-12-30T10:05:00Z",
            "2012-12-29T10:00:00Z/2012-12-29T10:05:00Z",
        ],
    ),
    (
        "it would have been a Friday",
        "Pacific/Apia",
        "0 18 * * FRI",
        "1h",
        "2011-12-26T00:00:00Z",
        &[
            "2011-12-30T10:00:00Z/2011-12-30T11:00:00Z",
            "2012-01-06T04:00:00Z/2012-01-06T05:00:00Z",
        ],
    ),
];
