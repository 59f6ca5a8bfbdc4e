//! A schedule and its occurrences.

use chrono::{DateTime, FixedOffset, Offset, SecondsFormat, Utc};

use crate::api::status::OccurrenceStatus;

use super::{Recurring, Zone, duration};

/// One start and end of a window; identified by its scheduled start, never by now.
///
/// Half open: the start is inside, the end is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Occurrence {
    /// The first instant inside.
    pub start: DateTime<Utc>,
    /// The first instant after it; `None` where no end is known.
    pub end: Option<DateTime<Utc>>,
}

impl Occurrence {
    /// Whether it is on: `start <= now < end`.
    pub fn contains(&self, now: DateTime<Utc>) -> bool {
        self.start <= now && !self.is_over(now)
    }

    /// Whether it is over: `end <= now`.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.end.is_some_and(|end| end <= now)
    }
}

/// When a window is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// One occurrence.
    Once {
        /// Its start and its end.
        occurrence: Occurrence,
        /// Where the user meant the time of day.
        written_in: WrittenIn,
    },
    /// Occurrences that come again and again.
    Recurring(Recurring),
    /// From the creation of the window on.
    Always {
        /// When the window was created.
        since: DateTime<Utc>,
    },
}

/// Where the times of a schedule are times of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenIn {
    /// At this offset, written with each time.
    Offset(FixedOffset),
    /// In this zone.
    Zone(Zone),
}

impl From<Occurrence> for OccurrenceStatus {
    fn from(Occurrence { start, end }: Occurrence) -> Self {
        Self { start, end }
    }
}

impl Schedule {
    /// The occurrence that is on: `start <= now < end`.
    pub fn current(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        match self {
            Self::Recurring(recurring) => recurring.current(now),
            _ => self.only().filter(|only| only.contains(now)),
        }
    }

    /// The first occurrence that starts after `now`.
    pub fn next(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        match self {
            Self::Recurring(recurring) => recurring.next(now),
            _ => self.only().filter(|only| now < only.start),
        }
    }

    /// The last occurrence that is over: `end <= now`.
    pub fn last(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        match self {
            Self::Recurring(recurring) => recurring.last(now),
            _ => self.only().filter(|only| only.is_over(now)),
        }
    }

    /// The occurrences that end after `now`, in order. There may be no last one.
    ///
    /// ```
    /// use chrono::TimeDelta;
    /// use entracte::schedule::{Cron, Recurring, Schedule, Zone};
    ///
    /// let schedule = Schedule::Recurring(Recurring {
    ///     cron: Cron::parse("0 2 * * SUN#1").unwrap(),
    ///     zone: Zone::parse("Europe/Berlin").unwrap(),
    ///     duration: TimeDelta::hours(2),
    ///     except: Vec::new(),
    /// });
    /// let now = "2026-12-01T00:00:00Z".parse().unwrap();
    /// let starts: Vec<String> = schedule
    ///     .after(now)
    ///     .take(2)
    ///     .map(|occurrence| schedule.write_instant(occurrence.start))
    ///     .collect();
    /// assert_eq!(starts, ["2026-12-06T02:00:00+01:00", "2027-01-03T02:00:00+01:00"]);
    /// ```
    pub fn after(&self, now: DateTime<Utc>) -> impl Iterator<Item = Occurrence> {
        let first = self.current(now).or_else(|| self.next(now));
        std::iter::successors(first, |occurrence| self.next(occurrence.end?))
    }

    /// The schedule in short, for people: `once for 2h`, `0 2 * * SUN#1 for 2h`, `always`.
    pub fn summary(&self) -> String {
        match self {
            Self::Once {
                occurrence:
                    Occurrence {
                        start,
                        end: Some(end),
                    },
                ..
            } => {
                format!("once for {}", duration::format(*end - start))
            }
            Self::Once { .. } => "once".to_owned(),
            Self::Recurring(recurring) => {
                let length = duration::format(recurring.duration);
                format!("{} for {length}", recurring.cron)
            }
            Self::Always { .. } => "always".to_owned(),
        }
    }

    /// The time zone in which the user wrote the schedule, for people: `Europe/Berlin`, `+01:00`,
    /// `UTC`.
    pub fn zone(&self) -> String {
        match self {
            Self::Once {
                written_in: WrittenIn::Zone(zone),
                ..
            }
            | Self::Recurring(Recurring { zone, .. }) => zone.name().to_owned(),
            Self::Once {
                written_in: WrittenIn::Offset(offset),
                ..
            } if offset.local_minus_utc() != 0 => offset.to_string(),
            Self::Once { .. } | Self::Always { .. } => "UTC".to_owned(),
        }
    }

    /// An instant as the user would have written it: RFC 3339 in the zone of the schedule.
    ///
    /// ```
    /// use chrono::{DateTime, FixedOffset};
    /// use entracte::schedule::{Occurrence, Schedule, WrittenIn};
    ///
    /// let start: DateTime<FixedOffset> = "2026-12-06T02:00:00+01:00".parse().unwrap();
    /// let schedule = Schedule::Once {
    ///     occurrence: Occurrence { start: start.to_utc(), end: None },
    ///     written_in: WrittenIn::Offset(*start.offset()),
    /// };
    /// let later = "2026-12-06T03:00:00Z".parse().unwrap();
    /// assert_eq!(schedule.write_instant(later), "2026-12-06T04:00:00+01:00");
    /// ```
    pub fn write_instant(&self, instant: DateTime<Utc>) -> String {
        instant
            .with_timezone(&self.offset_at(instant))
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    /// By how much the clocks of the schedule's zone are ahead of UTC.
    pub fn offset_at(&self, instant: DateTime<Utc>) -> FixedOffset {
        match self {
            Self::Once {
                written_in: WrittenIn::Zone(zone),
                ..
            }
            | Self::Recurring(Recurring { zone, .. }) => zone.offset(instant),
            Self::Once {
                written_in: WrittenIn::Offset(offset),
                ..
            } => *offset,
            Self::Always { .. } => Utc.fix(),
        }
    }

    /// The occurrence of a schedule that has just one.
    fn only(&self) -> Option<Occurrence> {
        match *self {
            Self::Once { occurrence, .. } => Some(occurrence),
            Self::Recurring(_) => None,
            Self::Always { since } => Some(Occurrence {
                start: since,
                end: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn night() -> Occurrence {
        Occurrence {
            start: at("2026-12-06T01:00:00Z"),
            end: Some(at("2026-12-06T03:00:00Z")),
        }
    }

    fn once() -> Schedule {
        Schedule::Once {
            occurrence: night(),
            written_in: WrittenIn::Offset(FixedOffset::east_opt(3600).unwrap()),
        }
    }

    #[test]
    fn the_start_is_inside_and_the_end_is_not() {
        let cases = [
            // now, current, next, last
            ("2026-12-06T00:59:59.999Z", false, true, false),
            ("2026-12-06T01:00:00Z", true, false, false),
            ("2026-12-06T02:59:59.999999999Z", true, false, false),
            ("2026-12-06T03:00:00Z", false, false, true),
            ("2027-01-01T00:00:00Z", false, false, true),
        ];
        for (now, current, next, last) in cases {
            let now = at(now);
            let answer = |is: bool| is.then(night);
            assert_eq!(once().current(now), answer(current), "current at {now}");
            assert_eq!(once().next(now), answer(next), "next at {now}");
            assert_eq!(once().last(now), answer(last), "last at {now}");
        }
    }

    #[test]
    fn always_begins_and_never_ends() {
        let since = at("2026-12-01T09:00:00Z");
        let always = Schedule::Always { since };
        let occurrence = Some(Occurrence {
            start: since,
            end: None,
        });

        // The clock of the API server may be ahead of ours.
        let before = at("2026-12-01T08:59:59Z");
        assert_eq!(always.current(before), None);
        assert_eq!(always.next(before), occurrence);

        for now in [since, at("2999-12-31T00:00:00Z")] {
            assert_eq!(always.current(now), occurrence);
            assert_eq!(always.last(now), None);
            assert_eq!(always.next(now), None);
        }
    }

    #[test]
    fn a_schedule_is_shown_as_it_was_written() {
        assert_eq!(once().summary(), "once for 2h");
        assert_eq!(once().zone(), "+01:00");
        let always = Schedule::Always {
            since: at("2026-12-01T09:00:00Z"),
        };
        assert_eq!(always.summary(), "always");
        assert_eq!(always.zone(), "UTC");
        assert_eq!(
            always.write_instant(at("2026-12-01T09:00:00Z")),
            "2026-12-01T09:00:00Z"
        );
    }
}
