//! `spec.schedule`: when a window is on.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

use crate::{
    api::window::{self, Once},
    schedule::{
        duration::{self, NotADuration},
        occurrence::{Occurrence, Schedule},
    },
};

use super::{instant, problems::Problems};

const SCHEDULE: &str = "spec.schedule";
const ONCE: &str = "spec.schedule.once";
const START: &str = "spec.schedule.once.start";
const DURATION: &str = "spec.schedule.once.duration";
const END: &str = "spec.schedule.once.end";

/// The shortest window: Retry-After speaks of whole seconds.
const SHORTEST: TimeDelta = TimeDelta::seconds(1);

/// The longest window; what is longer has no end that anybody plans for.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// A length that no window may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BadLength {
    #[error(transparent)]
    Malformed(#[from] NotADuration),
    #[error("must be 1s or longer")]
    TooShort,
    #[error("must be after start")]
    EndsBeforeItStarts,
    #[error("makes the window longer than 366 days: write a shorter one, or use always")]
    TooLong,
}

pub(super) fn parse(
    schedule: &window::Schedule,
    created: Option<DateTime<Utc>>,
    problems: &mut Problems,
) -> Option<Schedule> {
    let window::Schedule {
        once,
        recurring,
        always,
    } = schedule;
    problems.not_honoured(
        "spec.schedule.recurring",
        recurring.as_ref(),
        "write once or always",
    );
    let present = [once.is_some(), recurring.is_some(), always.is_some()];
    if present.into_iter().filter(|present| *present).count() != 1 {
        problems.add(SCHEDULE, "write exactly one of once, recurring and always");
    }
    match (once, always) {
        (Some(once), _) => parse_once(once, problems),
        (None, Some(_)) => created.map(|since| Schedule::Always { since }),
        (None, None) => None,
    }
}

fn parse_once(once: &Once, problems: &mut Problems) -> Option<Schedule> {
    let Once {
        start,
        time_zone,
        duration,
        end,
    } = once;
    problems.not_honoured(
        "spec.schedule.once.timeZone",
        time_zone.as_ref(),
        "leave it out, and write start and end with an offset, as in 2026-12-06T02:00:00+01:00",
    );
    let start = problems.check(START, instant::parse(start));
    let end = match (duration, end) {
        (Some(duration), None) => {
            let length = problems.check(DURATION, length_of(duration))?;
            start? + length
        }
        (None, Some(end)) => {
            let end = problems.check(END, instant::parse(end))?;
            problems.check(END, in_bounds(end - start?, BadLength::EndsBeforeItStarts))?;
            end
        }
        _ => {
            problems.add(ONCE, "write exactly one of duration and end");
            return None;
        }
    };
    start.map(|start| occurrence(start, end))
}

fn occurrence(start: DateTime<FixedOffset>, end: DateTime<FixedOffset>) -> Schedule {
    Schedule::Once {
        occurrence: Occurrence {
            start: start.to_utc(),
            end: Some(end.to_utc()),
        },
        offset: *start.offset(),
    }
}

fn length_of(text: &str) -> Result<TimeDelta, BadLength> {
    in_bounds(duration::parse(text)?, BadLength::TooShort)
}

fn in_bounds(length: TimeDelta, too_short: BadLength) -> Result<TimeDelta, BadLength> {
    if length < SHORTEST {
        Err(too_short)
    } else if length > LONGEST {
        Err(BadLength::TooLong)
    } else {
        Ok(length)
    }
}
