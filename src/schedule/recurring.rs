//! Occurrences that come again and again.
//!
//! A start is a local time, and a local time is one instant ([`Zone::first_instant`]): no start
//! happens twice where an hour is repeated, and none is lost where an hour is skipped. Every
//! occurrence lasts as long in elapsed time as every other. Those that overlap or touch are one
//! **stretch**, which is what everybody outside of this file calls an occurrence.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::{Cron, Occurrence, Zone};

/// The most occurrences that a stretch may be made of.
const LONGEST_STRETCH: usize = 1000;

/// How many occurrences are joined at most. No window has so many; a schedule that was put
/// together by hand must not be walked along for ever.
const MOST_JOINED: usize = 10 * LONGEST_STRETCH;

/// How many starts are looked at for a stretch that is too long, where that takes looking.
const STARTS_LOOKED_AT: usize = 4000;

const DAY: TimeDelta = TimeDelta::days(1);

/// A schedule by a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurring {
    /// The starts, as local times.
    pub cron: Cron,
    /// Where they are local times.
    pub zone: Zone,
    /// How long each occurrence lasts.
    pub duration: TimeDelta,
    /// Occurrences that start inside one of these do not happen.
    pub except: Vec<Range<DateTime<Utc>>>,
}

impl Recurring {
    /// The stretch that is on.
    pub fn current(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        let start = self.starts_until(now).next()?;
        (now < start + self.duration).then(|| self.stretch(self.first_of(start), start))
    }

    /// The first stretch that starts after `now`.
    pub fn next(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        let mut start = self.starts_after(now).next()?;
        // What is on now ends within a duration. A start that comes later is not joined to it.
        if start <= now + self.duration
            && let Some(current) = self.current(now)
        {
            start = self.starts_after(current.end?).next()?;
        }
        Some(self.stretch(start, start))
    }

    /// The last stretch that is over.
    pub fn last(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        let before = self.current(now).map_or(now, |current| current.start);
        let start = self
            .starts_until(before)
            .find(|start| *start + self.duration <= before)?;
        Some(Occurrence {
            start: self.first_of(start),
            end: Some(start + self.duration),
        })
    }

    /// Whether there is a stretch of more than a thousand occurrences: one that never ends, or not
    /// for so long that nobody meant it. Exceptions are not looked at.
    pub fn is_endless(&self) -> bool {
        let times = self.cron.times_of_day();
        let pauses = times.windows(2).map(|pair| pair[1] - pair[0]);
        let over_night = match (times.first(), times.last()) {
            (Some(first), Some(last)) => DAY - (*last - *first),
            _ => DAY,
        };
        let pauses_daily = pauses
            .chain([over_night])
            .any(|pause| pause > self.duration);
        if pauses_daily && times.len() <= LONGEST_STRETCH {
            return false;
        }
        let mut length = 1;
        let mut before = anchor();
        for _ in 0..STARTS_LOOKED_AT {
            let Some(start) = self.cron.next(before) else {
                return false;
            };
            length = if start - before <= self.duration {
                length + 1
            } else {
                1
            };
            if length > LONGEST_STRETCH {
                return true;
            }
            before = start;
        }
        false
    }

    /// From its first start, through one of its starts, to its end.
    fn stretch(&self, first: DateTime<Utc>, through: DateTime<Utc>) -> Occurrence {
        let mut end = through + self.duration;
        for start in self.starts_after(through).take(MOST_JOINED) {
            if start > end {
                break;
            }
            end = start + self.duration;
        }
        Occurrence {
            start: first,
            end: Some(end),
        }
    }

    /// The first start of the stretch that `start` belongs to.
    fn first_of(&self, start: DateTime<Utc>) -> DateTime<Utc> {
        let mut first = start;
        for before in self.starts_until(start).take(MOST_JOINED) {
            if before + self.duration < first {
                break;
            }
            first = before;
        }
        first
    }

    /// The starts after `after`, in order.
    fn starts_after(&self, after: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let mut local = self.zone.local(after);
        let mut last = after;
        std::iter::from_fn(move || {
            loop {
                local = self.cron.next(local)?;
                let start = self.zone.first_instant(local);
                // Of several starts in a gap the first one is theirs.
                if start <= last {
                    continue;
                }
                last = start;
                match self.exception_at(start) {
                    None => return Some(start),
                    // It may be long: nobody walks through it.
                    Some(exception) => {
                        let end = exception.end - TimeDelta::nanoseconds(1);
                        local = local.max(self.zone.local(end));
                    }
                }
            }
        })
    }

    /// The starts at `until` and before it, the last one first.
    fn starts_until(&self, until: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let beyond = |instant| self.zone.latest_local(instant) + TimeDelta::minutes(1);
        let mut local = beyond(until);
        let mut last = None;
        std::iter::from_fn(move || {
            loop {
                local = self.cron.previous(local)?;
                let start = self.zone.first_instant(local);
                if start > until || last == Some(start) {
                    continue;
                }
                last = Some(start);
                match self.exception_at(start) {
                    None => return Some(start),
                    Some(exception) => local = local.min(beyond(exception.start)),
                }
            }
        })
    }

    fn exception_at(&self, start: DateTime<Utc>) -> Option<&Range<DateTime<Utc>>> {
        self.except
            .iter()
            .find(|exception| exception.contains(&start))
    }
}

/// A Monday, and the first day of a leap year.
fn anchor() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2024, 1, 1)
        .unwrap_or_default()
        .into()
}
