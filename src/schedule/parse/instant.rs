//! Instants as the user writes them.

use chrono::{DateTime, Datelike, FixedOffset};

/// A text that is not an instant which this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAnInstant {
    /// A date and a time of day without an offset.
    #[error(
        "is a local time, which this version of Entracte does not honour: add the offset, as in \
         2026-12-06T02:00:00+01:00 or 2026-12-06T01:00:00Z"
    )]
    Local,
    /// Anything else.
    #[error(
        "is not a time that exists in RFC 3339: write one with an offset, such as \
         2026-12-06T02:00:00+01:00 or 2026-12-06T01:00:00Z"
    )]
    Malformed,
    /// A year that is a slip of the finger.
    #[error("is not between the years 2000 and 2999: correct the year")]
    FarOff,
}

/// Reads an RFC 3339 instant with its offset.
///
/// What RFC 3339 §5.6 leaves to taste (`t` and `z`, a space for `T`) and leap seconds are
/// refused, because the API server cannot read them.
pub(super) fn parse(text: &str) -> Result<DateTime<FixedOffset>, NotAnInstant> {
    if is_local(text) {
        return Err(NotAnInstant::Local);
    }
    let instant = DateTime::parse_from_rfc3339(text).map_err(|_| NotAnInstant::Malformed)?;
    if !is_strict(text) {
        return Err(NotAnInstant::Malformed);
    }
    if !(2000..3000).contains(&instant.year()) {
        return Err(NotAnInstant::FarOff);
    }
    Ok(instant)
}

/// Whether a text would be an instant if only it had an offset.
fn is_local(text: &str) -> bool {
    text.len() == "2026-12-06T02:00:00".len()
        && DateTime::parse_from_rfc3339(&format!("{text}Z")).is_ok()
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
    fn an_instant_is_what_the_api_server_reads_too() {
        let cases = [
            ("2026-12-06T02:00:00+01:00", Ok("2026-12-06T01:00:00Z")),
            ("2026-12-06T01:00:00Z", Ok("2026-12-06T01:00:00Z")),
            ("2026-12-06T01:00:00.25Z", Ok("2026-12-06T01:00:00.250Z")),
            ("2028-02-29T23:59:59-11:30", Ok("2028-03-01T11:29:59Z")),
            ("2026-12-06T02:00:00", Err(NotAnInstant::Local)),
            ("2026-02-29T02:00:00Z", Err(NotAnInstant::Malformed)),
            ("2026-12-06T24:00:00Z", Err(NotAnInstant::Malformed)),
            ("2026-12-31T23:59:60Z", Err(NotAnInstant::Malformed)),
            ("2026-12-06 02:00:00Z", Err(NotAnInstant::Malformed)),
            ("2026-12-06t02:00:00z", Err(NotAnInstant::Malformed)),
            ("2026-12-06T02:00Z", Err(NotAnInstant::Malformed)),
            ("2026-12-06T02:00:00+0100", Err(NotAnInstant::Malformed)),
            ("2026-12-06", Err(NotAnInstant::Malformed)),
            ("tomorrow", Err(NotAnInstant::Malformed)),
            ("", Err(NotAnInstant::Malformed)),
            ("1999-12-31T23:59:59Z", Err(NotAnInstant::FarOff)),
            ("3000-01-01T00:00:00Z", Err(NotAnInstant::FarOff)),
        ];
        for (text, expected) in cases {
            let expected =
                expected.map(|text: &str| text.parse::<DateTime<chrono::Utc>>().unwrap());
            assert_eq!(
                parse(text).map(|instant| instant.to_utc()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn the_offset_is_kept_as_it_was_written() {
        let instant = parse("2026-12-06T02:00:00+05:45").unwrap();
        assert_eq!(instant.offset().to_string(), "+05:45");
    }
}
