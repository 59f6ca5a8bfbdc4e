//! Durations as the Gateway API writes them (GEP-2257): `2h`, `1h30m`, `45s`, `250ms`.

use chrono::TimeDelta;

/// The most characters that a duration may have in a manifest.
pub const MAX_LENGTH: usize = 24;

const UNITS: [(&str, i64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a duration: write one such as 2h, 1h30m or 45s, whole numbers of at most five \
     digits, each with its unit h, m, s or ms"
)]
pub struct NotADuration(String);

/// Reads a duration: one to four whole numbers of one to five digits, each with its unit, which
/// are added up.
///
/// ```
/// use chrono::TimeDelta;
/// use entracte::schedule::duration;
///
/// assert_eq!(duration::parse("1h30m"), Ok(TimeDelta::minutes(90)));
/// assert!(duration::parse("1.5h").is_err());
/// ```
pub fn parse(text: &str) -> Result<TimeDelta, NotADuration> {
    milliseconds(text)
        .map(TimeDelta::milliseconds)
        .ok_or_else(|| NotADuration(text.chars().take(MAX_LENGTH).collect()))
}

fn milliseconds(text: &str) -> Option<i64> {
    let mut sum = 0;
    let mut rest = text;
    for part in 0.. {
        if rest.is_empty() {
            return (part > 0).then_some(sum);
        }
        if part == 4 {
            return None;
        }
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_where(after, |c| c.is_ascii_digit());
        if number.len() > 5 {
            return None;
        }
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        sum += number.parse::<i64>().ok()? * scale;
        rest = after;
    }
    None
}

/// Splits a text before the first character that is so.
fn split_where(text: &str, is_so: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_so).unwrap_or(text.len()))
}

/// Writes a duration in its shortest form; one that is not positive as `0s`.
///
/// ```
/// use chrono::TimeDelta;
/// use entracte::schedule::duration;
///
/// assert_eq!(duration::format(TimeDelta::minutes(90)), "1h30m");
/// assert_eq!(duration::format(TimeDelta::zero()), "0s");
/// ```
pub fn format(duration: TimeDelta) -> String {
    let mut rest = duration.num_milliseconds();
    let mut text = String::new();
    for (unit, scale) in UNITS {
        let number = rest / scale;
        if number > 0 {
            text.push_str(&number.to_string());
            text.push_str(unit);
            rest %= scale;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_and_written_as_gep_2257_has_it() {
        let cases = [
            ("2h", 7_200_000, "2h"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("45s", 45_000, "45s"),
            ("250ms", 250, "250ms"),
            ("1h1m1s1ms", 3_661_001, "1h1m1s1ms"),
            ("1m1h", 3_660_000, "1h1m"),
            ("10m10m", 1_200_000, "20m"),
            ("00002h", 7_200_000, "2h"),
            ("0s", 0, "0s"),
            ("99999h", 359_996_400_000, "99999h"),
        ];
        for (text, milliseconds, written) in cases {
            let duration = TimeDelta::milliseconds(milliseconds);
            assert_eq!(parse(text), Ok(duration), "{text}");
            assert_eq!(format(duration), written, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        let cases = [
            "",
            "2",
            "h",
            "2d",
            "1.5h",
            "-5m",
            "+5m",
            "2 h",
            "2h ",
            "2H",
            "100000h",
            "1us",
            "1ns",
            "1h1h1h1h1h",
            "1h30",
            "ms",
            "\u{0661}h",
            "PT2H",
        ];
        for text in cases {
            assert_eq!(parse(text), Err(NotADuration(text.to_owned())), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0_i64..359_996_400_000) {
            let duration = TimeDelta::milliseconds(milliseconds);
            proptest::prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
