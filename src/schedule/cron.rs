//! Cron expressions: which local times match.
//!
//! The dialect is the five fields of a Kubernetes CronJob, with `#` (the first Sunday) and `L` (the
//! last day, the last Friday), and without what maintenance must not leave to chance: day of month
//! and day of week both restricted, which cron reads as "or" and people as "and". What is written
//! is checked here, so that each slip has its own sentence; `croner` does the matching.
//!
//! Nothing here knows a time zone: which instant a local time is, is for [`super::Zone`] to say.

mod dialect;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use croner::parser::{CronParser, Seconds, Year};

pub use dialect::{Field, NotACron};

/// The first year that no schedule reaches.
const LAST_YEAR: i32 = 3000;

/// An expression that was understood, and that matches now and then.
#[derive(Clone, Debug)]
pub struct Cron {
    written: String,
    matcher: Arc<croner::Cron>,
}

impl Cron {
    /// Reads an expression.
    ///
    /// ```
    /// use chrono::NaiveDate;
    /// use entracte::schedule::Cron;
    ///
    /// let first_sunday = Cron::parse("0 2 * * SUN#1").unwrap();
    /// let december = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap().into();
    /// let next = first_sunday.next(december).unwrap();
    /// assert_eq!(next.to_string(), "2026-12-06 02:00:00");
    ///
    /// let error = Cron::parse("0 25 * * *").unwrap_err();
    /// assert_eq!(error.to_string(), "has the hour 25: write hours from 0 to 23");
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write instead; also for an expression that never matches.
    pub fn parse(text: &str) -> Result<Self, NotACron> {
        let plain = dialect::to_plain_cron(text)?;
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let matcher = parser
            .parse(&plain)
            .map_err(|error| NotACron::NotMatchable(error.to_string()))?;
        let cron = Self {
            written: text.to_owned(),
            matcher: Arc::new(matcher),
        };
        // Leap days come every eight years at least, and on each weekday every forty.
        match cron.next(NaiveDate::default().into()) {
            Some(_) => Ok(cron),
            None => Err(NotACron::Never),
        }
    }

    /// The first match after `after`; `None` where there is none before the year 3000.
    pub fn next(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let found = self.matcher.find_next_occurrence(&after.and_utc(), false);
        found
            .ok()
            .map(|found| found.naive_utc())
            .filter(|found| found.year() < LAST_YEAR)
    }

    /// The times of a day that match, since midnight and in order.
    pub(super) fn times_of_day(&self) -> Vec<TimeDelta> {
        let pattern = &self.matcher.pattern;
        let minutes = pattern.minutes.values();
        let of_hour = |hour: u16| {
            let of_minute = move |minute: &u16| {
                TimeDelta::hours(hour.into()) + TimeDelta::minutes((*minute).into())
            };
            minutes.iter().map(of_minute).collect::<Vec<_>>()
        };
        pattern
            .hours
            .values()
            .into_iter()
            .flat_map(of_hour)
            .collect()
    }

    /// The last match before `before`.
    pub fn previous(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let found = self
            .matcher
            .find_previous_occurrence(&before.and_utc(), false);
        found.ok().map(|found| found.naive_utc())
    }
}

/// As it was written.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Two ways to write the same are not equal.
impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Cron {}
