//! When a Retry-After is true. No I/O and no clock: the times of the exchange are arguments.

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};

/// What a true Retry-After is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// When the maintenance ends, if that is known.
    pub end: Option<DateTime<Utc>>,
    /// How many seconds past the end a Retry-After may point: the window's `jitter`.
    pub jitter: u64,
    /// The least Retry-After, in seconds, and what is said once the end is past: the window's
    /// `minimum`, at least 1.
    pub minimum: u64,
    /// What is said while nobody knows the end, but at least the minimum: the window's `endUnknown`.
    pub end_unknown: u64,
    /// Another end that is as true: of another window, or of the same after an edit.
    pub other_end: Option<DateTime<Utc>>,
    /// Whether the release may wait for the app after the end: nobody knows it then.
    pub may_wait: bool,
    /// Whether the target may be released before the end: what still gets to us then is told the
    /// minimum.
    pub may_be_released: bool,
}

impl Expected {
    /// The true values of a Retry-After that was computed between these two instants.
    ///
    /// Never before the end, as seen at the latest instant that the backend may have computed
    /// it; never later than end and jitter, rounded up, as seen at the earliest; and never less
    /// than the minimum, nor more where the end was past or the target was released. While nobody
    /// knows the end there is one value, and no jitter to it.
    pub fn allowed(
        &self,
        sent: DateTime<Utc>,
        answered: DateTime<Utc>,
    ) -> Vec<RangeInclusive<u64>> {
        let ends = self.end.into_iter().chain(self.other_end);
        let mut allowed: Vec<_> = ends.map(|end| self.until(end, sent, answered)).collect();
        let least = self.least();
        if self.end.is_none() || self.may_wait {
            let unknown = self.end_unknown.max(least);
            allowed.push(unknown..=unknown);
        }
        if self.end.is_none() || self.may_be_released {
            allowed.push(least..=least);
        }
        allowed
    }

    fn until(
        &self,
        end: DateTime<Utc>,
        sent: DateTime<Utc>,
        answered: DateTime<Utc>,
    ) -> RangeInclusive<u64> {
        let at = |seen: DateTime<Utc>, jitter: u64| match whole_seconds_up(end - seen) {
            0 => self.least(),
            left => (left + jitter).max(self.minimum),
        };
        at(answered, 0)..=at(sent, self.jitter)
    }

    fn least(&self) -> u64 {
        self.minimum.max(1)
    }
}

impl Default for Expected {
    /// An unknown end, and what a window means that says nothing about Retry-After.
    fn default() -> Self {
        Self {
            end: None,
            jitter: 30,
            minimum: 5,
            end_unknown: 30,
            other_end: None,
            may_wait: false,
            may_be_released: false,
        }
    }
}

fn whole_seconds_up(span: TimeDelta) -> u64 {
    let whole = span.num_seconds();
    let up = if span > TimeDelta::seconds(whole) {
        whole + 1
    } else {
        whole
    };
    u64::try_from(up).unwrap_or(0)
}

/// `delay-seconds` of RFC 9110 section 10.2.3: digits alone, where Rust's parser takes a sign.
pub(super) fn delay_seconds(value: &str) -> Option<u64> {
    value
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_796_522_400_000 + milliseconds).unwrap()
    }

    fn ending_at(milliseconds: i64) -> Expected {
        Expected {
            end: Some(at(milliseconds)),
            jitter: 0,
            minimum: 1,
            ..Expected::default()
        }
    }

    #[test]
    fn retry_after_is_true_between_the_answer_and_the_request() {
        let jitter = Expected {
            jitter: 30,
            ..ending_at(9_500)
        };
        let minimum = Expected {
            minimum: 5,
            ..ending_at(1_500)
        };
        let by_default = |end| Expected {
            end: Some(at(end)),
            ..Expected::default()
        };
        // Sent at 0 ms, answered at 300 ms.
        let cases: [(Expected, RangeInclusive<u64>); 10] = [
            (ending_at(9_500), 10..=10),
            (ending_at(9_200), 9..=10),
            (ending_at(9_000), 9..=9),
            (ending_at(100), 1..=1),
            (ending_at(-60_000), 1..=1),
            (jitter, 10..=40),
            (minimum, 5..=5),
            (by_default(1_500), 5..=32),
            (by_default(100), 5..=31),
            (by_default(-60_000), 5..=5),
        ];
        for (expected, allowed) in cases {
            let found = expected.allowed(at(0), at(300));
            assert_eq!(found, [allowed], "{expected:?}");
        }
    }

    #[test]
    fn an_end_that_nobody_knows_has_one_wait_until_the_release() {
        let unknown = |end_unknown, minimum| Expected {
            minimum,
            end_unknown,
            ..Expected::default()
        };
        for (expected, wait, released) in [
            (Expected::default(), 30, 5),
            (unknown(7, 1), 7, 1),
            (unknown(7, 60), 60, 60),
            (unknown(1, 0), 1, 1),
        ] {
            let allowed = expected.allowed(at(0), at(300));
            assert_eq!(allowed, [wait..=wait, released..=released], "{expected:?}");
        }
    }

    #[test]
    fn whatever_else_may_happen_to_a_window_is_as_true_as_its_end() {
        let other = Expected {
            other_end: Some(at(99_500)),
            ..ending_at(9_500)
        };
        let waits = Expected {
            may_wait: true,
            ..ending_at(-60_000)
        };
        let released = Expected {
            may_be_released: true,
            ..ending_at(9_500)
        };
        for (expected, allowed) in [
            (other, [10..=10, 100..=100]),
            (waits, [1..=1, 30..=30]),
            (released, [10..=10, 1..=1]),
        ] {
            let found = expected.allowed(at(0), at(300));
            assert_eq!(found, allowed, "{expected:?}");
        }
    }

    #[test]
    fn only_whole_seconds_are_delay_seconds() {
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("", None),
            ("+5", None),
            ("-5", None),
            ("1.5", None),
            ("5 ", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            assert_eq!(delay_seconds(value), expected, "{value:?}");
        }
    }
}
