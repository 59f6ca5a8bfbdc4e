//! `spec.schedule`: when a window is on.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    api::window::{self, Except, Once},
    schedule::{
        Cron, Occurrence, Recurring, Schedule, WrittenIn, Zone,
        duration::{self, NotADuration},
    },
};

use super::{
    instant::{self, Time},
    problems::Problems,
};

const SCHEDULE: &str = "spec.schedule";
const ONCE: &str = "spec.schedule.once";
const START: &str = "spec.schedule.once.start";
const ONCE_ZONE: &str = "spec.schedule.once.timeZone";
const DURATION: &str = "spec.schedule.once.duration";
const END: &str = "spec.schedule.once.end";
const RECURRING: &str = "spec.schedule.recurring";
const CRON: &str = "spec.schedule.recurring.cron";
const ZONE: &str = "spec.schedule.recurring.timeZone";
const LENGTH: &str = "spec.schedule.recurring.duration";
const EXCEPT: &str = "spec.schedule.recurring.except";

/// The most exceptions that a schedule may have.
const MAX_EXCEPTIONS: usize = 64;

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
    match (once, recurring, always) {
        (Some(once), None, None) => parse_once(once, problems),
        (None, Some(recurring), None) => {
            parse_recurring(recurring, problems).map(Schedule::Recurring)
        }
        (None, None, Some(_)) => created.map(|since| Schedule::Always { since }),
        _ => {
            problems.add(SCHEDULE, "write exactly one of once, recurring and always");
            None
        }
    }
}

fn parse_once(once: &Once, problems: &mut Problems) -> Option<Schedule> {
    let Once {
        start,
        time_zone,
        duration,
        end,
    } = once;
    let start = problems.check(START, instant::parse(start));
    let zone = time_zone
        .as_ref()
        .map(|name| problems.check(ONCE_ZONE, Zone::parse(name)));
    let written_in = match (start, zone) {
        (Some(start), None) => written_in(start, None, problems),
        (Some(start), Some(Some(zone))) => written_in(start, Some(zone), problems),
        _ => None,
    };
    let start = start
        .zip(written_in.as_ref())
        .map(|(start, written_in)| in_zone(start, written_in));
    let end = match (duration, end) {
        (Some(duration), None) => {
            let length = problems.check(DURATION, length_of(duration));
            start.zip(length).map(|(start, length)| start + length)
        }
        (None, Some(end)) => parse_end(end, start, written_in.as_ref(), problems),
        _ => {
            problems.add(ONCE, "write exactly one of duration and end");
            None
        }
    };
    Some(Schedule::Once {
        occurrence: Occurrence {
            start: start?,
            end: Some(end?),
        },
        written_in: written_in?,
    })
}

fn parse_end(
    end: &str,
    start: Option<DateTime<Utc>>,
    written_in: Option<&WrittenIn>,
    problems: &mut Problems,
) -> Option<DateTime<Utc>> {
    let end = problems.check(END, instant::parse(end))?;
    let end = written_alike(end, written_in?, problems)?;
    let length = in_bounds(end - start?, BadLength::EndsBeforeItStarts);
    problems.check(END, length).map(|_| end)
}

/// Where a start is a time of day: at its own offset or in the zone, and not in both.
fn written_in(start: Time, zone: Option<Zone>, problems: &mut Problems) -> Option<WrittenIn> {
    match (start, zone) {
        (Time::Instant(start), None) => Some(WrittenIn::Offset(*start.offset())),
        (Time::Local(_), Some(zone)) => Some(WrittenIn::Zone(zone)),
        (Time::Instant(_), Some(_)) => {
            problems.add(
                ONCE_ZONE,
                "start has an offset and needs no timeZone: remove timeZone, or write start as a \
                 local time such as 2026-12-06T02:00:00",
            );
            None
        }
        (Time::Local(_), None) => {
            problems.add(
                START,
                "does not say in which time zone it is: add an offset, as in \
                 2026-12-06T02:00:00+01:00, or a timeZone such as Europe/Berlin",
            );
            None
        }
    }
}

fn in_zone(time: Time, written_in: &WrittenIn) -> DateTime<Utc> {
    match (time, written_in) {
        (Time::Instant(instant), _) => instant.to_utc(),
        (Time::Local(local), WrittenIn::Zone(zone)) => zone.first_instant(local),
        (Time::Local(local), WrittenIn::Offset(offset)) => {
            local.and_utc() - TimeDelta::seconds(offset.local_minus_utc().into())
        }
    }
}

fn written_alike(
    end: Time,
    written_in: &WrittenIn,
    problems: &mut Problems,
) -> Option<DateTime<Utc>> {
    let is_alike = matches!(
        (end, written_in),
        (Time::Instant(_), WrittenIn::Offset(_)) | (Time::Local(_), WrittenIn::Zone(_))
    );
    if !is_alike {
        problems.add(
            END,
            "is not written as start is: write both with an offset, or both as local times in \
             timeZone",
        );
        return None;
    }
    Some(in_zone(end, written_in))
}

fn parse_recurring(recurring: &window::Recurring, problems: &mut Problems) -> Option<Recurring> {
    let window::Recurring {
        cron,
        time_zone,
        duration,
        except,
    } = recurring;
    let cron = problems.check(CRON, Cron::parse(cron));
    let zone = problems.check(ZONE, Zone::parse(time_zone));
    let duration = problems.check(LENGTH, length_of(duration));
    let except = parse_exceptions(except.as_deref(), zone.as_ref(), problems);
    let recurring = Recurring {
        cron: cron?,
        zone: zone?,
        duration: duration?,
        except,
    };
    if recurring.is_endless() {
        problems.add(
            RECURRING,
            "has more than 1,000 occurrences in a row that touch or overlap: shorten duration, or \
             use always",
        );
    }
    Some(recurring)
}

fn parse_exceptions(
    except: Option<&[Except]>,
    zone: Option<&Zone>,
    problems: &mut Problems,
) -> Vec<Range<DateTime<Utc>>> {
    let except = match except {
        None => return Vec::new(),
        Some([]) => {
            problems.add(EXCEPT, "is empty: write an exception, or remove except");
            return Vec::new();
        }
        Some(except) => except,
    };
    if except.len() > MAX_EXCEPTIONS {
        problems.add(EXCEPT, "has more than 64 entries: join some of them");
    }
    let mut parsed = Vec::with_capacity(except.len());
    for (index, Except { start, end }) in except.iter().enumerate() {
        let path = format!("{EXCEPT}[{index}]");
        let start = problems.check(&format!("{path}.start"), instant::parse_date_or_time(start));
        let end = problems.check(&format!("{path}.end"), instant::parse_date_or_time(end));
        let (Some(start), Some(end), Some(zone)) = (start, end, zone) else {
            continue;
        };
        let exception = start.in_zone(zone)..end.in_zone(zone);
        if exception.is_empty() {
            problems.add(
                format!("{path}.end"),
                "must be after start: the end of 2026-12-20 as a whole day is 2026-12-21",
            );
        }
        parsed.push(exception);
    }
    parsed
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
