use std::collections::BTreeSet;

use proptest::prelude::*;
use similar_asserts::assert_eq;

use super::super::RetryAfterRule;
use super::super::sample::{always, at};
use super::*;

const END: &str = "2026-12-06T03:00:00Z";

fn notice(until: Option<&str>) -> Notice {
    Notice {
        until: until.map(at),
        ..always()
    }
}

fn with(notice: Notice, change: impl FnOnce(&mut RetryAfterRule)) -> Notice {
    let mut retry_after = notice.retry_after;
    change(&mut retry_after);
    Notice {
        retry_after,
        ..notice
    }
}

/// Neither jitter nor minimum.
fn bare(until: Option<&str>) -> Notice {
    with(notice(until), |rule| {
        rule.jitter = 0;
        rule.minimum = 0;
    })
}

fn seconds(notice: &Notice, now: &str, turn: u32) -> u64 {
    RetryAfter::at(notice, at(now), turn).seconds
}

fn field(notice: &Notice, now: &str, turn: u32) -> String {
    let field = RetryAfter::at(notice, at(now), turn).field();
    field.to_str().unwrap().to_owned()
}

fn dated(notice: Notice) -> Notice {
    with(notice, |rule| rule.format = RetryAfterFormat::HttpDate)
}

#[test]
fn seconds_are_rounded_up() {
    let notice = bare(Some(END));
    for (now, waits) in [
        ("2026-12-06T01:00:00Z", 7200),
        ("2026-12-06T02:59:57.999999999Z", 3),
        ("2026-12-06T02:59:58Z", 2),
        ("2026-12-06T02:59:58.000000001Z", 2),
        ("2026-12-06T02:59:58.999999999Z", 2),
        ("2026-12-06T02:59:59Z", 1),
        ("2026-12-06T02:59:59.999999999Z", 1),
        ("2026-12-06T03:00:00Z", 1),
    ] {
        assert_eq!(seconds(&notice, now, 0), waits, "at {now}");
        assert_eq!(field(&notice, now, 0), waits.to_string(), "at {now}");
    }
}

#[test]
fn a_date_is_rounded_up() {
    for (until, date) in [
        (END, "Sun, 06 Dec 2026 03:00:00 GMT"),
        (
            "2026-12-06T02:59:59.000000001Z",
            "Sun, 06 Dec 2026 03:00:00 GMT",
        ),
        ("2026-12-31T23:59:59.5Z", "Fri, 01 Jan 2027 00:00:00 GMT"),
        ("2028-02-29T09:07:05Z", "Tue, 29 Feb 2028 09:07:05 GMT"),
        ("+10000-01-01T00:00:00Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        let notice = dated(bare(Some(until)));
        assert_eq!(
            field(&notice, "2026-12-06T02:00:00.25Z", 0),
            date,
            "{until}"
        );
    }
}

#[test]
fn the_minimum_is_a_floor_of_both_forms() {
    let least = with(notice(Some(END)), |rule| {
        rule.jitter = 0;
        rule.minimum = 60;
    });
    for (now, waits, date) in [
        ("2026-12-06T02:58:59Z", 61, "Sun, 06 Dec 2026 03:00:00 GMT"),
        ("2026-12-06T02:59:00Z", 60, "Sun, 06 Dec 2026 03:00:01 GMT"),
        (
            "2026-12-06T02:59:59.5Z",
            60,
            "Sun, 06 Dec 2026 03:01:00 GMT",
        ),
        ("2026-12-06T03:00:00Z", 60, "Sun, 06 Dec 2026 03:01:01 GMT"),
    ] {
        assert_eq!(seconds(&least, now, 0), waits, "at {now}");
        assert_eq!(field(&dated(least.clone()), now, 0), date, "at {now}");
    }
}

#[test]
fn who_is_late_waits_for_the_minimum_and_at_least_a_second() {
    let late = "2026-12-06T03:00:00.000000001Z";
    let released = Notice {
        released: true,
        ..notice(None)
    };
    for turn in 0..TURNS {
        assert_eq!(seconds(&notice(Some(END)), late, turn), 5);
        assert_eq!(seconds(&released, late, turn), 5);
        assert_eq!(seconds(&bare(Some(END)), late, turn), 1);
    }
}

#[test]
fn an_end_that_nobody_knows_has_a_wait_of_its_own() {
    let restoring = Notice {
        restoring: true,
        ..notice(Some(END))
    };
    for unknown in [notice(None), restoring] {
        for now in ["2026-12-06T01:00:00Z", "2026-12-06T03:07:00.5Z"] {
            for turn in 0..TURNS {
                assert_eq!(seconds(&unknown, now, turn), 30, "at {now}");
            }
        }
        let patient = with(unknown.clone(), |rule| rule.end_unknown = 3600);
        assert_eq!(seconds(&patient, END, 7), 3600);
        let date = field(&dated(patient), "2026-12-06T03:07:00.5Z", 7);
        assert_eq!(date, "Sun, 06 Dec 2026 04:07:01 GMT");
        let least = with(unknown, |rule| rule.minimum = 45);
        assert_eq!(seconds(&least, END, 7), 45);
    }
}

#[test]
fn the_turns_of_an_instant_are_spread_over_the_jitter() {
    for (jitter, least, most) in [
        (0, 1, 1),
        (1, 2, 2),
        (30, 30, 31),
        (31, 32, 32),
        (86400, 32, 32),
    ] {
        let notice = with(notice(Some(END)), |rule| rule.jitter = jitter);
        let waits: BTreeSet<u64> = (0..TURNS)
            .map(|turn| seconds(&notice, "2026-12-06T02:00:00Z", turn) - 3600)
            .collect();
        assert!((least..=most).contains(&waits.len()), "{jitter}: {waits:?}");
        let part = u64::from(jitter).div_ceil(TURNS.into());
        assert!(waits.first().unwrap() <= &part, "{jitter}: {waits:?}");
        assert!(
            waits.last().unwrap() >= &(u64::from(jitter) - part),
            "{jitter}: {waits:?}"
        );
    }
}

#[test]
fn the_answers_of_an_hour_fill_a_long_jitter_evenly() {
    const JITTER: u32 = 3600;
    let notice = with(notice(Some(END)), |rule| rule.jitter = JITTER);
    let start = at("2026-12-06T01:00:00Z");
    let mut returns = vec![0_u32; usize::try_from(JITTER).unwrap() + 1];
    for second in 0..3600 {
        for turn in 0..TURNS {
            let now = start + TimeDelta::seconds(second);
            let wait = RetryAfter::at(&notice, now, turn).seconds;
            let after_end = wait - u64::try_from((at(END) - now).num_seconds()).unwrap();
            returns[usize::try_from(after_end).unwrap()] += 1;
        }
    }
    let (least, most) = (returns.iter().min().unwrap(), returns.iter().max().unwrap());
    assert!(
        (24..=40).contains(least) && (24..=40).contains(most),
        "{least} to {most}"
    );
}

#[test]
fn a_call_that_would_wait_for_longer_than_it_can_say_is_asked_back_earlier() {
    let far = bare(Some("2027-12-06T03:00:00Z"));
    let pushback = RetryAfter::at(&far, at(END), 0).pushback();
    assert_eq!(pushback, i32::MAX);
    let near = RetryAfter::at(&far, at("2027-12-06T02:59:30.5Z"), 0);
    assert_eq!(near.pushback(), 30_000);
}

#[test]
fn an_answer_is_good_until_the_next_second_of_the_clock_or_of_the_wait() {
    for (until, now, good) in [
        (Some(END), "2026-12-06T01:00:00Z", "2026-12-06T01:00:01Z"),
        (Some(END), "2026-12-06T01:00:00.25Z", "2026-12-06T01:00:01Z"),
        (
            Some("2026-12-06T03:00:00.7Z"),
            "2026-12-06T01:00:00.25Z",
            "2026-12-06T01:00:00.7Z",
        ),
        (
            Some("2026-12-06T03:00:00.7Z"),
            "2026-12-06T01:00:00.7Z",
            "2026-12-06T01:00:01Z",
        ),
        (
            Some("2026-12-06T03:00:00.7Z"),
            "2026-12-06T04:00:00.1Z",
            "2026-12-06T04:00:01Z",
        ),
        (None, "2026-12-06T04:00:00.1Z", "2026-12-06T04:00:01Z"),
    ] {
        assert_eq!(
            good_until(&notice(until), at(now)),
            at(good),
            "{until:?} at {now}"
        );
    }
}

fn rule() -> impl Strategy<Value = RetryAfterRule> {
    let seconds = || prop_oneof![0_u32..100, 0_u32..=86_400, any::<u32>()];
    let format = prop_oneof![
        Just(RetryAfterFormat::Seconds),
        Just(RetryAfterFormat::HttpDate)
    ];
    (format, seconds(), seconds(), seconds()).prop_map(|(format, jitter, minimum, end_unknown)| {
        RetryAfterRule {
            format,
            jitter,
            minimum,
            end_unknown,
        }
    })
}

proptest! {
    #[test]
    fn the_wait_is_never_before_the_end_and_never_above_end_and_jitter_or_the_minimum(
        rule in rule(),
        now in 0_i64..4_000_000_000,
        nanos in 0_u32..1_000_000_000,
        wait in prop_oneof![1_i64..100_000_000_000, 1_i64..3_000_000_000_000_000_000],
        turn: u32,
    ) {
        let now = DateTime::from_timestamp(now, nanos).unwrap();
        let until = now + TimeDelta::nanoseconds(wait);
        let notice = Notice { until: Some(until), retry_after: rule, ..notice(None) };
        let retry = RetryAfter::at(&notice, now, turn);

        let earliest = until.max(now + TimeDelta::seconds(rule.minimum.max(1).into()));
        let latest = (until + TimeDelta::seconds(rule.jitter.into())).max(earliest);
        let back = now + TimeDelta::seconds(i64::try_from(retry.seconds).unwrap());
        for back in [back, retry.date] {
            prop_assert!(back >= earliest, "{back} is before {earliest}");
            prop_assert!(back - latest <= SECOND, "{back} is long after {latest}");
        }
        prop_assert!(back - latest < SECOND);
        prop_assert_eq!(retry.date.timestamp_subsec_nanos(), 0);
    }

    #[test]
    fn an_answer_that_is_still_good_is_the_one_that_would_be_given(
        rule in rule(),
        now in 0_i64..4_000_000_000,
        nanos in 0_u32..1_000_000_000,
        wait in -10_000_000_000_i64..100_000_000_000,
        known: bool,
        later in 0.0..1.0,
        turn: u32,
    ) {
        let now = DateTime::from_timestamp(now, nanos).unwrap();
        let until = known.then(|| now + TimeDelta::nanoseconds(wait));
        let notice = Notice { until, retry_after: rule, ..notice(None) };
        let good = good_until(&notice, now);
        prop_assert!(good > now && good - now <= SECOND);
        let left = (good - now).num_nanoseconds().unwrap() - 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share")]
        let sent = now + TimeDelta::nanoseconds((left as f64 * later) as i64);
        prop_assert_eq!(
            RetryAfter::at(&notice, sent, turn),
            RetryAfter::at(&notice, now, turn)
        );
    }
}
