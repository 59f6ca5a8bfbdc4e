//! Times as the user writes them.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Utc};

use crate::schedule::Zone;

/// The years that a schedule may speak of; others are a slip of the finger.
const YEARS: std::ops::Range<i32> = 2000..3000;

/// A time: an instant, or what a clock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// With an offset.
    Instant(DateTime<FixedOffset>),
    /// Without one.
    Local(NaiveDateTime),
}

impl Time {
    /// The instant; of a local time, its first one in `zone`.
    pub(super) fn in_zone(self, zone: &Zone) -> DateTime<Utc> {
        match self {
            Self::Instant(instant) => instant.to_utc(),
            Self::Local(local) => zone.first_instant(local),
        }
    }
}

/// A text that is not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotATime {
    /// Neither of the two ways to write one.
    #[error(
        "is not a time that exists, {0:?}: write RFC 3339 with an offset, such as \
         2026-12-06T02:00:00+01:00 or 2026-12-06T01:00:00Z, or a local time such as \
         2026-12-06T02:00:00 beside a timeZone"
    )]
    Malformed(String),
    /// None of the three ways to write the bound of an exception.
    #[error(
        "is not a date or a time that exists, {0:?}: write a date such as 2026-12-20, a local time such \
         as 2026-12-20T12:00:00, or RFC 3339 with an offset, such as 2026-12-20T12:00:00+01:00"
    )]
    MalformedDate(String),
    /// A year that is a slip of the finger.
    #[error("is not between the years 2000 and 2999, but in {0}: correct the year")]
    FarOff(i32),
}

/// Reads a local time, or an RFC 3339 instant with its offset.
///
/// What RFC 3339 §5.6 leaves to taste (`t` and `z`, a space for `T`) and leap seconds are
/// refused, because the API server cannot read them.
pub(super) fn parse(text: &str) -> Result<Time, NotATime> {
    let time = local(text)
        .map(Time::Local)
        .or_else(|| instant(text).map(Time::Instant))
        .ok_or_else(|| NotATime::Malformed(text.to_owned()))?;
    let year = match time {
        Time::Instant(instant) => instant.year(),
        Time::Local(local) => local.year(),
    };
    if YEARS.contains(&year) {
        Ok(time)
    } else {
        Err(NotATime::FarOff(year))
    }
}

/// Reads what [`parse`] reads, or a date, which is its midnight.
pub(super) fn parse_date_or_time(text: &str) -> Result<Time, NotATime> {
    let midnight = format!("{text}T00:00:00");
    let is_date = text.len() == "2026-12-20".len() && local(&midnight).is_some();
    let result = if is_date {
        parse(&midnight)
    } else {
        parse(text)
    };
    result.map_err(|error| match error {
        NotATime::Malformed(_) => NotATime::MalformedDate(text.to_owned()),
        other => other,
    })
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let has_form = text.len() == "2026-12-06T02:00:00".len() && is_strict(text);
    let (date, time) = text.split_once('T').filter(|_| has_form)?;
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    Some(date.and_time(time.parse().ok()?))
}

fn instant(text: &str) -> Option<DateTime<FixedOffset>> {
    let instant = DateTime::parse_from_rfc3339(text).ok()?;
    is_strict(text).then_some(instant)
}

fn is_strict(text: &str) -> bool {
    let leap_second = text.get(17..19) == Some("60");
    let marks_only = |c: char| c.is_ascii_digit() || "-:.+TZ".contains(c);
    !leap_second && text.chars().all(marks_only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_what_the_api_server_reads_too() {
        let malformed = |text: &str| NotATime::Malformed(text.to_owned());
        let cases = [
            ("2026-12-06T02:00:00+01:00", Ok("2026-12-06T01:00:00Z")),
            ("2026-12-06T01:00:00Z", Ok("2026-12-06T01:00:00Z")),
            ("2026-12-06T01:00:00.25Z", Ok("2026-12-06T01:00:00.250Z")),
            ("2028-02-29T23:59:59-11:30", Ok("2028-03-01T11:29:59Z")),
            ("2026-12-06T02:00:00", Ok("2026-12-06T01:00:00Z")),
            (
                "2026-02-29T02:00:00Z",
                Err(malformed("2026-02-29T02:00:00Z")),
            ),
            ("2026-02-29T02:00:00", Err(malformed("2026-02-29T02:00:00"))),
            (
                "2026-12-06T24:00:00Z",
                Err(malformed("2026-12-06T24:00:00Z")),
            ),
            ("2026-12-06T24:00:00", Err(malformed("2026-12-06T24:00:00"))),
            (
                "2026-12-31T23:59:60Z",
                Err(malformed("2026-12-31T23:59:60Z")),
            ),
            ("2026-12-31T23:59:60", Err(malformed("2026-12-31T23:59:60"))),
            (
                "2026-12-06 02:00:00Z",
                Err(malformed("2026-12-06 02:00:00Z")),
            ),
            (
                "2026-12-06t02:00:00z",
                Err(malformed("2026-12-06t02:00:00z")),
            ),
            ("2026-12-06T02:00Z", Err(malformed("2026-12-06T02:00Z"))),
            (
                "2026-12-06T02:00:00+0100",
                Err(malformed("2026-12-06T02:00:00+0100")),
            ),
            ("2026-12-06T02:00", Err(malformed("2026-12-06T02:00"))),
            ("2026-12-06", Err(malformed("2026-12-06"))),
            ("tomorrow", Err(malformed("tomorrow"))),
            ("", Err(malformed(""))),
            ("1999-12-31T23:59:59Z", Err(NotATime::FarOff(1999))),
            ("3000-01-01T00:00:00Z", Err(NotATime::FarOff(3000))),
            ("3000-01-01T00:00:00", Err(NotATime::FarOff(3000))),
        ];
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        for (text, expected) in cases {
            let expected = expected.map(|text: &str| text.parse::<DateTime<Utc>>().unwrap());
            assert_eq!(
                parse(text).map(|time| time.in_zone(&berlin)),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_date_is_its_midnight() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let at = |text| parse_date_or_time(text).map(|time| time.in_zone(&berlin).to_rfc3339());
        assert_eq!(at("2026-12-20"), Ok("2026-12-19T23:00:00+00:00".to_owned()));
        assert_eq!(
            at("2026-12-20T12:00:00"),
            Ok("2026-12-20T11:00:00+00:00".to_owned())
        );
        assert_eq!(
            at("2026-02-30"),
            Err(NotATime::MalformedDate("2026-02-30".to_owned()))
        );
        assert_eq!(
            at("20.12.2026"),
            Err(NotATime::MalformedDate("20.12.2026".to_owned()))
        );
        assert_eq!(at("3026-12-20"), Err(NotATime::FarOff(3026)));
    }

    #[test]
    fn the_offset_is_kept_as_it_was_written() {
        let Ok(Time::Instant(instant)) = parse("2026-12-06T02:00:00+05:45") else {
            panic!("it has an offset");
        };
        assert_eq!(instant.offset().to_string(), "+05:45");
    }
}
