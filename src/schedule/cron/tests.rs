use chrono::NaiveDateTime;

use super::*;

fn at(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

/// The first matches after the beginning of 2026.
fn matches(cron: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(cron).unwrap();
    std::iter::successors(cron.next(at("2026-01-01T00:00:00")), |last| {
        cron.next(*last)
    })
    .take(count)
    .map(|found| found.format("%a %F %R").to_string())
    .collect()
}

fn refusal(cron: &str) -> String {
    Cron::parse(cron).unwrap_err().to_string()
}

#[test]
fn the_dialect_is_that_of_a_cron_job_with_numbered_and_last_days() {
    for (cron, expected) in [
        (
            "*/20 2 * * *",
            ["Thu 2026-01-01 02:00", "Thu 2026-01-01 02:20"],
        ),
        (
            "0 2 * JAN,jul *",
            ["Thu 2026-01-01 02:00", "Fri 2026-01-02 02:00"],
        ),
        (
            "0 2 * * 7",
            ["Sun 2026-01-04 02:00", "Sun 2026-01-11 02:00"],
        ),
        (
            "0 2 * * 5-7",
            ["Fri 2026-01-02 02:00", "Sat 2026-01-03 02:00"],
        ),
        (
            "0 2 * * SUN#1",
            ["Sun 2026-01-04 02:00", "Sun 2026-02-01 02:00"],
        ),
        (
            "0 2 * * FRIL",
            ["Fri 2026-01-30 02:00", "Fri 2026-02-27 02:00"],
        ),
        (
            "0 2 L * *",
            ["Sat 2026-01-31 02:00", "Sat 2026-02-28 02:00"],
        ),
        (
            "0 2 15,L * *",
            ["Thu 2026-01-15 02:00", "Sat 2026-01-31 02:00"],
        ),
        (
            "0 0 29 2 *",
            ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"],
        ),
        (
            "10-30/10 4 * * MON",
            ["Mon 2026-01-05 04:10", "Mon 2026-01-05 04:20"],
        ),
        ("@weekly", ["Sun 2026-01-04 00:00", "Sun 2026-01-11 00:00"]),
        (
            "@midnight",
            ["Fri 2026-01-02 00:00", "Sat 2026-01-03 00:00"],
        ),
        (
            "  0  2 * *   * ",
            ["Thu 2026-01-01 02:00", "Fri 2026-01-02 02:00"],
        ),
    ] {
        assert_eq!(matches(cron, 2), expected, "{cron}");
    }
}

#[test]
fn what_came_before_is_what_comes_next_walked_backwards() {
    for text in [
        "0 2 * * SUN#1",
        "*/7 * L * *",
        "30 1,13 * FEB *",
        "0 0 29 2 *",
    ] {
        let cron = Cron::parse(text).unwrap();
        let first = cron.next(at("2026-01-01T00:00:00")).unwrap();
        let second = cron.next(first).unwrap();
        assert_eq!(cron.previous(second), Some(first), "{text}");
    }
}

#[test]
fn every_slip_has_its_own_sentence() {
    for (cron, expected) in [
        ("0 2 * *", "has 4 fields and needs five"),
        ("0 0 2 * * *", "has 6 fields and needs five"),
        ("", "has 0 fields and needs five"),
        (
            "TZ=UTC 0 2 * * *",
            "remove TZ=UTC and write the zone in timeZone",
        ),
        ("@every 1h", "@every 1h is no nickname"),
        (
            "60 2 * * *",
            "has the minute 60: write minutes from 0 to 59",
        ),
        ("0 24 * * *", "has the hour 24: write hours from 0 to 23"),
        (
            "0 0 32 * *",
            "has the day of month 32: write days from 1 to 31",
        ),
        ("0 0 1 13 *", "has the month 13: write months from 1 to 12"),
        (
            "0 0 * * 8",
            "has the day of week 8: write weekdays from 0 (Sunday) to 6",
        ),
        ("0 0 * * SUN#6", "has the day of week SUN#6"),
        ("0 0 * FOO *", "has the month FOO"),
        ("0 0 * * L", "has the day of week L"),
        (
            "1,,2 0 * * *",
            "has an empty entry in the list of the minute, 1,,2",
        ),
        (
            "0 22-2 * * *",
            "has a range of the hour that runs backwards, 22-2",
        ),
        (
            "*/0 * * * *",
            "has a step of the minute that is not 1 or more, */0",
        ),
        (
            "5/15 * * * *",
            "has a step of the minute without a range, 5/15: write 5-59/15",
        ),
        (
            "0 0 ? * MON",
            "has ? for the day of month, which other dialects know: write * instead",
        ),
        (
            "0 0 15W * *",
            "has 15W for the day of month, which other dialects know",
        ),
        (
            "0 2 1-7 * SUN",
            "restricts both day of month and day of week",
        ),
        ("0 0 30 2 *", "never happens"),
        ("0 0 31 4,6,9,11 *", "never happens"),
        ("99999999999 0 * * *", "has the minute 99999999999"),
        ("-1 0 * * *", "has the minute -1"),
    ] {
        let said = refusal(cron);
        assert!(said.contains(expected), "{cron}: {said}");
    }
}
