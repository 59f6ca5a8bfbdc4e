use std::time::Duration;

use crate::load::{Answer, Moment, Reason, Verdict as Seen};
use chrono::{DateTime, Utc};

use super::*;
use crate::target::Kind;

fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_796_522_400_000 + milliseconds).unwrap()
}

/// From 0 s to 10 s.
fn occurrence() -> Occurrence {
    Occurrence {
        start: at(0),
        end: at(10_000),
    }
}

fn target() -> Target {
    Target {
        kind: Kind::Ingress,
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
    }
}

/// Answers that came at these milliseconds.
fn answers(letter: char, times: &[i64]) -> Vec<Answer> {
    let verdict = match letter {
        'a' => Seen::App,
        'm' => Seen::Maintenance {
            window: "shop/db-upgrade".to_owned(),
            retry_after: 1,
        },
        _ => Seen::Other(Reason::Connect("refused".to_owned())),
    };
    let moment = |time: i64| Moment {
        elapsed: Duration::from_millis(u64::try_from(time + 60_000).unwrap()),
        wall: at(time),
    };
    let answer = |&time: &i64| Answer {
        sent: moment(time - 2),
        answered: moment(time),
        verdict: verdict.clone(),
    };
    times.iter().map(answer).collect()
}

fn report(app: &[i64], maintenance: &[i64], other: &[i64]) -> Report {
    let answers = [
        answers('a', app),
        answers('m', maintenance),
        answers('x', other),
    ];
    Report {
        answers: answers.concat(),
        retried: 0,
    }
}

fn patch(to: To, sent: i64, written: i64) -> Patch {
    Patch {
        to,
        sent: at(sent),
        written: Some(at(written)),
    }
}

fn on_time() -> [Patch; 2] {
    [patch(To::Hold, 2, 6), patch(To::Release, 10_001, 10_007)]
}

fn faults(report: &Report, patches: &[Patch]) -> Vec<Fault> {
    judge(occurrence(), &target(), report, patches).faults
}

#[test]
fn a_clean_run_has_no_faults_and_four_times_for_each_flip() {
    let report = report(&[-50, 20, 10_100, 10_300], &[45, 5_000, 10_200], &[]);
    let verdict = judge(occurrence(), &target(), &report, &on_time());
    assert_eq!(verdict.faults, []);
    let ms = |milliseconds| Some(TimeDelta::milliseconds(milliseconds));
    assert_eq!(
        verdict.flips,
        [
            Flip {
                to: To::Hold,
                written: ms(6),
                seen: ms(45),
                settled: ms(45)
            },
            Flip {
                to: To::Release,
                written: ms(7),
                seen: ms(100),
                settled: ms(200)
            },
        ]
    );
}

#[test]
fn each_kind_of_fault_is_found() {
    let clean_app = [-50, 20, 10_100];
    let early = [patch(To::Hold, -3, 1), on_time()[1]];
    let refused = [
        Patch {
            written: None,
            ..on_time()[0]
        },
        on_time()[1],
    ];
    let by = TimeDelta::milliseconds(3);
    let first = vec!["asked T+0.028 s, answered T+0.030 s: could not connect: refused".to_owned()];
    let other = Fault::OtherAnswers { count: 1, first };
    let late = |to| Fault::NotSettled { to, count: 1 };
    let cases = [
        (report(&clean_app, &[45], &[30]), &on_time(), other),
        (
            report(&clean_app, &[-1, 45], &[]),
            &on_time(),
            Fault::HeldEarly(1),
        ),
        (
            report(&clean_app, &[45], &[]),
            &early,
            Fault::WrittenEarly { to: To::Hold, by },
        ),
        (
            report(&clean_app, &[45], &[]),
            &refused,
            Fault::NotWritten(To::Hold),
        ),
        (
            report(&clean_app, &[], &[]),
            &on_time(),
            Fault::NotSeen(To::Hold),
        ),
        (
            report(&[-50], &[45], &[]),
            &on_time(),
            Fault::NotSeen(To::Release),
        ),
        (
            report(&[-50, 9_999, 10_100], &[45], &[]),
            &on_time(),
            late(To::Hold),
        ),
        (
            report(&clean_app, &[45, 15_000], &[]),
            &on_time(),
            late(To::Release),
        ),
    ];
    for (report, patches, fault) in cases {
        assert_eq!(faults(&report, patches), [fault]);
    }
}

#[test]
fn a_patch_that_was_refused_and_sent_again_is_written_when_it_was_granted() {
    let report = report(&[-50, 10_100], &[45], &[]);
    let refused = Patch {
        written: None,
        ..on_time()[0]
    };
    let patches = [refused, patch(To::Hold, 8, 12), on_time()[1]];
    let verdict = judge(occurrence(), &target(), &report, &patches);
    assert_eq!(verdict.flips[0].written, Some(TimeDelta::milliseconds(12)));
    assert_eq!(verdict.faults, []);
}

#[test]
fn of_many_wrong_answers_the_first_are_told() {
    let report = report(&[-50, 10_100], &[45], &[30, 31, 32, 33, 34]);
    let [fault] = faults(&report, &on_time()).try_into().unwrap();
    let text = fault.to_string();
    assert_eq!(text.lines().count(), 1 + TOLD + 1, "{text}");
    assert!(text.ends_with("… and 2 more"), "{text}");
}

#[test]
fn the_clock_counts_from_the_start() {
    let clock = |milliseconds, decimals| occurrence().clock(at(milliseconds), decimals);
    assert_eq!(clock(-3_000, 1), "T-3.0 s");
    assert_eq!(clock(41, 3), "T+0.041 s");
    assert_eq!(clock(-1, 3), "T-0.001 s");
    assert_eq!(clock(12_500, 1), "T+12.5 s");
}
