//! An oracle that is too slow to be used, and too simple to be wrong: it walks over the minutes
//! of the world and looks at a clock on the wall.
//!
//! It shares nothing with what it judges but the time zone database and the numbers of a day.

use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};

const MINUTE: i64 = 60_000;

/// A minute that the clock on the wall showed, or passed over.
struct Shown {
    /// The instant at which it was first shown or passed over, in milliseconds.
    at: i64,
    /// Its day, as an index.
    day: usize,
    hour: usize,
    minute: usize,
}

/// Some days before a clock on a wall, from minute to minute.
pub(crate) struct Walk {
    /// The first instant, in milliseconds.
    pub(crate) from: i64,
    /// The first instant after it.
    pub(crate) until: i64,
    days: Vec<civil::Date>,
    shown: Vec<Shown>,
}

impl Walk {
    /// Both instants are whole minutes, in seconds.
    pub(crate) fn new(zone: &TimeZone, from: i64, until: i64) -> Self {
        let clock = |second| zone.to_datetime(Timestamp::from_second(second).unwrap());
        // Of an hour that comes twice the walk may see the second pass only: what the clock has
        // shown before must not count.
        let mut latest = (1..=1440).map(|ago| clock(from - 60 * ago)).max().unwrap();
        let mut days = Vec::new();
        let mut shown = Vec::new();
        for step in 0..(until - from) / 60 {
            let second = from + 60 * step;
            let now = clock(second);
            while latest < now {
                latest = latest.checked_add(1.minute()).unwrap();
                if days.last() != Some(&latest.date()) {
                    days.push(latest.date());
                }
                shown.push(Shown {
                    at: second * 1000,
                    day: days.len() - 1,
                    hour: usize::try_from(latest.hour()).unwrap(),
                    minute: usize::try_from(latest.minute()).unwrap(),
                });
            }
        }
        Self {
            from: from * 1000,
            until: until * 1000,
            days,
            shown,
        }
    }

    /// The instants at which an expression starts something, in milliseconds.
    pub(crate) fn starts(&self, expression: &str) -> Vec<i64> {
        let fields: Vec<&str> = expression.split(' ').collect();
        let minutes: Vec<bool> = (0..60).map(|n| names(fields[0], n, 0..60)).collect();
        let hours: Vec<bool> = (0..24).map(|n| names(fields[1], n, 0..24)).collect();
        let is_day = |date: &civil::Date| {
            names(fields[3], i64::from(date.month()), 1..13)
                && names_day(fields[2], *date)
                && names_weekday(fields[4], *date)
        };
        let days: Vec<bool> = self.days.iter().map(is_day).collect();
        let mut starts: Vec<i64> = self
            .shown
            .iter()
            .filter(|shown| minutes[shown.minute] && hours[shown.hour] && days[shown.day])
            .map(|shown| shown.at)
            .collect();
        starts.dedup();
        starts
    }
}

/// A stretch: its start, its end and the number of its occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) count: usize,
}

/// The stretches that come of starts.
pub(crate) fn stretches(starts: &[i64], length: i64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for &start in starts {
        let end = start + length;
        match stretches.last_mut() {
            Some(last) if start <= last.end => {
                last.end = end;
                last.count += 1;
            }
            _ => stretches.push(Stretch {
                start,
                end,
                count: 1,
            }),
        }
    }
    stretches
}

/// Whether a field of the form `1,3-5,*/7` names a number; one of `bounds`, if it is a `*`.
fn names(field: &str, number: i64, bounds: std::ops::Range<i64>) -> bool {
    field.split(',').any(|item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (value(first), value(last)),
            None if range == "*" => (bounds.start, bounds.end - 1),
            None => (value(range), value(range)),
        };
        first <= number && number <= last && (number - first) % value(step) == 0
    })
}

fn names_day(field: &str, date: civil::Date) -> bool {
    let is_last = date.day() == date.days_in_month();
    let (last, others) = split(field, |item| item == "L");
    (!last.is_empty() && is_last)
        || (!others.is_empty() && names(&others.join(","), i64::from(date.day()), 1..32))
}

fn names_weekday(field: &str, date: civil::Date) -> bool {
    let is = |text: &str| value(text) % 7 == i64::from(date.weekday().to_sunday_zero_offset());
    let (special, others) = split(field, |item| item.contains('#') || item.ends_with('L'));
    let is_special = |item: &&str| match item.split_once('#') {
        Some((weekday, nth)) => is(weekday) && i64::from((date.day() + 6) / 7) == value(nth),
        None => is(item.trim_end_matches('L')) && date.day() + 7 > date.days_in_month(),
    };
    // A Sunday is both ends of the week.
    let is_other = || (0..8).any(|n| is(&n.to_string()) && names(&others.join(","), n, 0..8));
    special.iter().any(is_special) || (!others.is_empty() && is_other())
}

/// The items of a list that are so, and the others.
fn split(field: &str, is_so: impl Fn(&str) -> bool) -> (Vec<&str>, Vec<&str>) {
    field.split(',').partition(|&item| is_so(item))
}

/// A number, or the name of a month or of a weekday.
fn value(text: &str) -> i64 {
    const MONTHS: &str = "janfebmaraprmayjunjulaugsepoctnovdec";
    const WEEKDAYS: &str = "sunmontuewedthufrisat";
    let lower = text.to_lowercase();
    let place = |names: &str| {
        let place = names.find(&lower).unwrap();
        i64::try_from(place / 3).unwrap()
    };
    match text.parse() {
        Ok(number) => number,
        Err(_) if MONTHS.contains(&lower) => place(MONTHS) + 1,
        Err(_) => place(WEEKDAYS),
    }
}

#[test]
fn the_walk_sees_a_clock_skip_an_hour_and_repeat_one() {
    let berlin = jiff::tz::TimeZoneDatabase::bundled()
        .get("Europe/Berlin")
        .unwrap();
    let starts = |from: &str, expression: &str| {
        let from: Timestamp = from.parse().unwrap();
        let walk = Walk::new(&berlin, from.as_second(), from.as_second() + 4 * 3600);
        let since = |at: i64| (at - walk.from) / MINUTE;
        let starts = walk.starts(expression);
        starts.into_iter().map(since).collect::<Vec<_>>()
    };
    let skips = "2026-03-29T00:00:00Z";
    assert_eq!(starts(skips, "30 2 * * *"), [60]);
    assert_eq!(starts(skips, "*/20 2-3 * 3 SUNL"), [60, 80, 100]);
    let repeats = "2026-10-25T00:00:00Z";
    assert_eq!(starts(repeats, "30 * 25 * *"), [30, 150, 210]);
    let second_pass = "2026-10-25T01:00:00Z";
    assert_eq!(starts(second_pass, "30 2 25 * *"), [0; 0]);
}
