//! What holds for every schedule, every instant and every text.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use entracte::schedule::{Cron, Occurrence, Schedule, Zone, duration, parse};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    helpers::manifest,
    random::{DURATIONS, Random, expression},
};

const ZONES: [&str; 10] = [
    "Etc/UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Nuuk",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
];

/// How far to look: far enough to see merging, near enough to be quick.
const SOME: usize = 12;

/// Expressions that happen.
fn expressions() -> impl Strategy<Value = String> {
    any::<u64>().prop_map(|seed| expression(&mut Random::new(seed), 15, 6))
}

fn zones() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&ZONES[..])
}

/// Schedules that are accepted: those whose stretches never end are not.
fn schedules() -> impl Strategy<Value = Schedule> {
    let durations = proptest::sample::select(&DURATIONS[..]);
    let parts = (expressions(), zones(), durations);
    parts.prop_filter_map("refused: use always", |(cron, zone, duration)| {
        let recurring = json!({"cron": cron, "timeZone": zone, "duration": duration});
        let window = parse(&manifest(&json!({"recurring": recurring})));
        window.ok().map(|window| window.schedule)
    })
}

/// Instants from 2000 until 2099, to the millisecond.
fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    (946_684_800_000_i64..4_102_444_800_000)
        .prop_map(|milliseconds| DateTime::from_timestamp_millis(milliseconds).unwrap())
}

/// Local times of the same years, to the minute, as a schedule has them.
fn local_times() -> impl Strategy<Value = NaiveDateTime> {
    (15_778_080_i64..68_374_080).prop_map(|minutes| {
        DateTime::from_timestamp(minutes * 60, 0)
            .unwrap()
            .naive_utc()
    })
}

/// What looks a little like an expression.
fn nearly_cron() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9A-Za-z*,/#@?+ -]{0,40}",
        "([0-9*]{1,3}[/,#L-]?[0-9]{0,2} ){4}[0-9*SUNFRIL#]{1,6}",
        "@[a-z]{0,10}",
    ]
}

fn end_of(occurrence: Occurrence) -> DateTime<Utc> {
    occurrence.end.unwrap()
}

fn list(schedule: &Schedule, from: DateTime<Utc>) -> Vec<Occurrence> {
    schedule.after(from).take(SOME).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn occurrences_ascend_and_neither_overlap_nor_touch_after_merging(
        schedule in schedules(), now in instants(),
    ) {
        let list = list(&schedule, now);
        prop_assert!(list.iter().all(|one| one.start < end_of(*one)));
        prop_assert!(list.iter().all(|one| now < end_of(*one)));
        for pair in list.windows(2) {
            prop_assert!(end_of(pair[0]) < pair[1].start, "{pair:?}");
        }
    }

    #[test]
    fn current_and_next_are_the_first_of_the_list(schedule in schedules(), now in instants()) {
        let list = list(&schedule, now);
        let current = list.iter().copied().find(|one| one.start <= now);
        prop_assert_eq!(schedule.current(now), current);
        let next = list.iter().copied().find(|one| now < one.start);
        prop_assert_eq!(schedule.next(now), next);
    }

    #[test]
    fn next_starts_after_now_also_where_now_is_a_start_or_an_end(
        schedule in schedules(), now in instants(),
    ) {
        for one in list(&schedule, now) {
            for now in [one.start, end_of(one)] {
                let next = schedule.next(now);
                prop_assert!(next.is_none_or(|next| now < next.start), "{next:?} after {now}");
            }
        }
    }

    #[test]
    fn last_is_over_and_nothing_ends_between_it_and_now(
        schedule in schedules(), now in instants(),
    ) {
        if let Some(last) = schedule.last(now) {
            prop_assert!(end_of(last) <= now);
            let following = schedule.after(end_of(last)).next();
            prop_assert_eq!(following, schedule.after(now).next());
        }
    }

    #[test]
    fn one_that_is_over_is_the_last_until_the_next_is_over(
        schedule in schedules(), now in instants(),
    ) {
        for pair in list(&schedule, now).windows(2) {
            prop_assert_eq!(schedule.last(end_of(pair[0])), Some(pair[0]));
            prop_assert_eq!(schedule.last(pair[1].start), Some(pair[0]));
            let moment = TimeDelta::nanoseconds(1);
            prop_assert_eq!(schedule.last(end_of(pair[1]) - moment), Some(pair[0]));
        }
    }

    #[test]
    fn shifting_now_inside_an_occurrence_changes_nothing(
        schedule in schedules(), now in instants(), thousandths in 0..1000_i32,
    ) {
        for one in list(&schedule, now).into_iter().take(3) {
            let now = one.start + (end_of(one) - one.start) / 1000 * thousandths;
            prop_assert_eq!(schedule.current(now), Some(one));
            prop_assert_eq!(schedule.next(now), schedule.next(one.start));
            prop_assert_eq!(schedule.last(now), schedule.last(one.start));
            prop_assert_eq!(list(&schedule, now), list(&schedule, one.start));
        }
    }

    #[test]
    fn a_list_goes_on_where_another_one_ends(schedule in schedules(), now in instants()) {
        let all = list(&schedule, now);
        let middle = all.len() / 2;
        if let Some(before) = all[..middle].last() {
            let rest: Vec<_> = schedule.after(end_of(*before)).take(all.len() - middle).collect();
            prop_assert_eq!(&all[middle..], &rest[..]);
        }
    }

    #[test]
    fn an_instant_is_written_in_the_zone_and_read_back(
        schedule in schedules(), now in instants(),
    ) {
        let written = schedule.write_instant(now);
        let read = DateTime::parse_from_rfc3339(&written).unwrap();
        prop_assert_eq!(read.to_utc(), now);
        prop_assert_eq!(*read.offset(), schedule.offset_at(now));
    }

    #[test]
    fn a_local_time_is_the_first_instant_at_which_the_clock_shows_it_or_anything_later(
        zone in zones(), local in local_times(),
    ) {
        let zone = Zone::parse(zone).unwrap();
        let instant = zone.first_instant(local);
        prop_assert!(zone.local(instant) >= local);
        for seconds in [1, 60, 1800, 3600, 7200] {
            let before = instant - TimeDelta::seconds(seconds);
            prop_assert!(zone.local(before) < local, "{before} shows it already");
        }
    }

    #[test]
    fn the_local_time_of_an_instant_is_its_offset_from_utc(
        zone in zones(), instant in instants(),
    ) {
        let zone = Zone::parse(zone).unwrap();
        let local = instant.with_timezone(&zone.offset(instant)).naive_local();
        prop_assert_eq!(zone.local(instant), local);
        prop_assert!(zone.first_instant(local) <= instant);
    }

    #[test]
    fn an_expression_that_is_printed_and_read_again_is_the_same(text in expressions()) {
        let cron = Cron::parse(&text).unwrap();
        prop_assert_eq!(cron.to_string(), text);
        let again = Cron::parse(&cron.to_string()).unwrap();
        prop_assert_eq!(again, cron);
    }

    #[test]
    fn a_zone_that_is_printed_and_read_again_is_the_same(name in zones()) {
        let zone = Zone::parse(name).unwrap();
        prop_assert_eq!(zone.name(), name);
        let again = Zone::parse(zone.name()).unwrap();
        prop_assert_eq!(again, zone);
    }

    #[test]
    fn a_duration_that_is_written_and_read_again_is_the_same(
        milliseconds in 0_i64..359_996_400_000,
    ) {
        let length = TimeDelta::milliseconds(milliseconds);
        prop_assert_eq!(duration::parse(&duration::format(length)), Ok(length));
    }

    #[test]
    fn no_match_of_an_expression_lies_between_a_match_and_the_next(
        text in expressions(), local in local_times(),
    ) {
        let cron = Cron::parse(&text).unwrap();
        if let Some(next) = cron.next(local) {
            prop_assert!(local < next);
            prop_assert_eq!(cron.next(next - TimeDelta::minutes(1)), Some(next));
            if let Some(previous) = cron.previous(next) {
                prop_assert!(previous <= local);
                prop_assert_eq!(cron.next(previous), Some(next));
            }
        }
    }

    #[test]
    fn whatever_is_read_as_an_expression_nothing_panics(
        text in prop_oneof![any::<String>(), nearly_cron()], local in local_times(),
    ) {
        if let Ok(cron) = Cron::parse(&text) {
            let next = cron.next(local);
            let previous = cron.previous(local);
            prop_assert!(next.is_none_or(|next| local < next));
            prop_assert!(previous.is_none_or(|previous| previous < local));
            prop_assert!(next.is_some() || previous.is_some(), "it never happens");
        }
    }

    #[test]
    fn whatever_is_read_as_a_zone_or_a_duration_nothing_panics(
        text in prop_oneof![
            any::<String>(), "[A-Za-z/_+:0-9.-]{0,24}", "([0-9]{1,6}[dhms]{1,2}){0,5}",
        ],
    ) {
        if let Ok(zone) = Zone::parse(&text) {
            prop_assert_eq!(zone.name(), text.as_str());
        }
        if let Ok(length) = duration::parse(&text) {
            prop_assert!(length >= TimeDelta::zero());
        }
    }

    #[test]
    fn whatever_stands_in_a_manifest_nothing_panics(
        cron in prop_oneof![any::<String>(), nearly_cron(), expressions()],
        zone in prop_oneof![any::<String>(), zones().prop_map(str::to_owned)],
        length in prop_oneof![any::<String>(), "[0-9]{1,6}[dhms]{1,2}"],
        start in prop_oneof![any::<String>(), "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.+Z-]{0,20})?"],
        end in prop_oneof![any::<String>(), "2[0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00"],
    ) {
        let recurring = json!({"recurring": {
            "cron": cron,
            "timeZone": zone,
            "duration": length,
            "except": [{"start": start, "end": end}],
        }});
        let once = json!({"once": {"start": start, "timeZone": zone, "end": end}});
        for schedule in [recurring, once] {
            match parse(&manifest(&schedule)) {
                Ok(window) => {
                    let list = list(&window.schedule, DateTime::UNIX_EPOCH);
                    prop_assert!(list.iter().all(|one| one.start < end_of(*one)));
                }
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }
    }
}
