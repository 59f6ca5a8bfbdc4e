//! Instants as others write them: the only boundary between chrono, which our types use, and jiff,
//! which `k8s-openapi` uses; and RFC 3339.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

/// An instant as the platform's own types hold it. An instant beyond the year 9999, which
/// Kubernetes cannot write, becomes the last one that it can.
pub fn to_kubernetes(instant: DateTime<Utc>) -> Time {
    let nanoseconds = i32::try_from(instant.timestamp_subsec_nanos()).unwrap_or_default();
    let beyond = if instant.timestamp() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Time(Timestamp::new(instant.timestamp(), nanoseconds).unwrap_or(beyond))
}

/// An instant of the platform's own types.
pub fn from_kubernetes(time: &Time) -> DateTime<Utc> {
    let nanoseconds = time.0.as_nanosecond();
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).unwrap_or_default();
    let rest = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or_default();
    DateTime::from_timestamp(seconds, rest).unwrap_or_default()
}

/// Cuts an instant from a clock to whole milliseconds, which is how a status writes it.
pub fn to_milliseconds(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.trunc_subsecs(3)
}

/// RFC 3339 in UTC, with fractions of a second only where there are any.
pub fn to_text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// An instant that was written as RFC 3339; `None` where it was not.
pub fn from_text(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_instant_survives_the_boundary(
            seconds in -60_000_000_000_i64..250_000_000_000,
            nanoseconds in 0_u32..1_000_000_000,
        ) {
            let instant = DateTime::from_timestamp(seconds, nanoseconds).unwrap();
            prop_assert_eq!(from_kubernetes(&to_kubernetes(instant)), instant);
        }
    }

    #[test]
    fn an_instant_that_kubernetes_cannot_write_becomes_the_last_that_it_can() {
        assert_eq!(to_kubernetes(DateTime::<Utc>::MAX_UTC).0, Timestamp::MAX);
        assert_eq!(to_kubernetes(DateTime::<Utc>::MIN_UTC).0, Timestamp::MIN);
    }

    #[test]
    fn a_status_reads_back_what_it_wrote() {
        let clock: DateTime<Utc> = "2026-12-06T02:00:00.123456789Z".parse().unwrap();
        let written = serde_json::to_string(&to_milliseconds(clock)).unwrap();
        assert_eq!(written, "\"2026-12-06T02:00:00.123Z\"");
        let read: DateTime<Utc> = serde_json::from_str(&written).unwrap();
        assert_eq!(read, to_milliseconds(clock));
    }

    #[test]
    fn an_instant_is_written_in_utc() {
        let written = |text: &str| to_text(from_text(text).unwrap());
        assert_eq!(
            written("2026-12-06T03:00:00.120+01:00"),
            "2026-12-06T02:00:00.120Z"
        );
        assert_eq!(written("2026-12-06T02:00:00Z"), "2026-12-06T02:00:00Z");
        assert_eq!(from_text("2026-12-06 02:00"), None);
    }
}
