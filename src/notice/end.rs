//! What an answer says about the end of a window. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::Notice;
use super::reconnect::asks_to_reconnect;

/// Retry-After, in seconds, while nobody knows the end (`endUnknown`): of a window that always
/// holds, or of a restore that waits.
const END_UNKNOWN: u64 = 30;

/// How long before a known end connections begin to be closed: long enough for the pools of busy
/// proxies to be empty at the end, short enough not to cost much.
const CLOSING: TimeDelta = TimeDelta::seconds(3);

/// What there is to say about the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// The app is back at this instant, which is still to come.
    At(DateTime<Utc>),
    /// The end is past, and the app is back, or about to be.
    AnyMoment,
    /// Nobody knows.
    Unknown,
}

pub(super) fn outlook(notice: &Notice, now: DateTime<Utc>) -> Outlook {
    match notice.until {
        _ if is_over(notice, now) => Outlook::AnyMoment,
        Some(until) if !notice.restoring => Outlook::At(until),
        _ => Outlook::Unknown,
    }
}

/// The value of Retry-After at `now`: whole seconds to wait (RFC 9110 §10.2.3).
///
/// Guarantees:
/// - at least 1;
/// - while the end is known and to come, never before it, and less than a second after it;
/// - 1 once the notice is released or its end is past: who still gets here was led by a proxy
///   that learns late, and the app is back, or about to be;
/// - 30 while nobody knows the end, or the apps are not ready at it.
pub fn retry_after(notice: &Notice, now: DateTime<Utc>) -> u64 {
    match outlook(notice, now) {
        Outlook::At(until) => seconds_rounded_up(until - now).max(1),
        Outlook::AnyMoment => 1,
        Outlook::Unknown => END_UNKNOWN,
    }
}

/// Whether an answer that is given at `now` asks for its connection to be closed: from 3 s before
/// a known end, not while a restore waits, always once the notice is released, and while clients are
/// to connect anew.
///
/// A connection that was kept alive would keep its proxy on the maintenance page.
pub fn connection_closes(notice: &Notice, now: DateTime<Utc>) -> bool {
    notice.released || ends_within(notice, CLOSING, now) || asks_to_reconnect(notice, now)
}

/// Whether connections that are idle at `now` are closed: the notice is released, its end is past,
/// or clients are to connect anew.
pub fn idle_connections_close(notice: &Notice, now: DateTime<Utc>) -> bool {
    is_over(notice, now) || asks_to_reconnect(notice, now)
}

/// Whether nobody should be here any more at `now`: the notice is released, or its end is past.
fn is_over(notice: &Notice, now: DateTime<Utc>) -> bool {
    notice.released || ends_within(notice, TimeDelta::zero(), now)
}

/// While a restore waits nobody knows its end, and connections may be kept alive.
fn ends_within(notice: &Notice, time: TimeDelta, now: DateTime<Utc>) -> bool {
    !notice.restoring && notice.until.is_some_and(|until| until - now <= time)
}

fn seconds_rounded_up(wait: TimeDelta) -> u64 {
    let started = i64::from(wait.subsec_nanos() > 0);
    u64::try_from(wait.num_seconds() + started).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::super::WindowRef;
    use super::*;

    fn at(instant: &str) -> DateTime<Utc> {
        instant.parse().unwrap()
    }

    fn notice(until: Option<DateTime<Utc>>) -> Notice {
        let window = WindowRef {
            namespace: "shop".into(),
            name: "db-upgrade".into(),
        };
        Notice {
            until,
            ..Notice::new(window, "1".into(), 20_001)
        }
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        let notice = notice(Some(at("2026-12-06T03:00:00Z")));
        for (now, seconds) in [
            ("2026-12-06T01:00:00Z", 7200),
            ("2026-12-06T02:59:57.999999999Z", 3),
            ("2026-12-06T02:59:58Z", 2),
            ("2026-12-06T02:59:58.000000001Z", 2),
            ("2026-12-06T02:59:58.999999999Z", 2),
            ("2026-12-06T02:59:59Z", 1),
            ("2026-12-06T02:59:59.999999999Z", 1),
        ] {
            assert_eq!(retry_after(&notice, at(now)), seconds, "at {now}");
        }
    }

    #[test]
    fn late_clients_come_back_at_once() {
        let notice = notice(Some(at("2026-12-06T03:00:00Z")));
        for now in [
            "2026-12-06T03:00:00Z",
            "2026-12-06T03:00:00.000000001Z",
            "2027-01-01T00:00:00Z",
        ] {
            assert_eq!(retry_after(&notice, at(now)), 1, "at {now}");
        }
        let released = Notice {
            released: true,
            ..notice
        };
        assert_eq!(retry_after(&released, at("2026-12-06T01:00:00Z")), 1);
    }

    #[test]
    fn an_unknown_end_means_thirty_seconds() {
        assert_eq!(retry_after(&notice(None), at("2026-12-06T01:00:00Z")), 30);
        let released = Notice {
            released: true,
            ..notice(None)
        };
        assert_eq!(retry_after(&released, at("2026-12-06T01:00:00Z")), 1);
    }

    #[test]
    fn connections_close_from_three_seconds_before_the_end() {
        let notice = notice(Some(at("2026-12-06T03:00:00Z")));
        for (now, closes) in [
            ("2026-12-06T02:00:00Z", false),
            ("2026-12-06T02:59:56.999999999Z", false),
            ("2026-12-06T02:59:57Z", true),
            ("2026-12-06T03:00:00Z", true),
            ("2026-12-06T04:00:00Z", true),
        ] {
            assert_eq!(connection_closes(&notice, at(now)), closes, "at {now}");
        }
    }

    #[test]
    fn connections_stay_open_while_nobody_knows_the_end_and_close_once_released() {
        let now = at("2026-12-06T02:00:00Z");
        assert!(!connection_closes(&notice(None), now));
        assert!(connection_closes(
            &Notice {
                released: true,
                ..notice(None)
            },
            now
        ));
    }

    #[test]
    fn while_a_restore_waits_nobody_knows_the_end() {
        let restoring = Notice {
            restoring: true,
            ..notice(Some(at("2026-12-06T03:00:00Z")))
        };
        for now in ["2026-12-06T02:59:59Z", "2026-12-06T03:07:00Z"] {
            assert_eq!(retry_after(&restoring, at(now)), 30, "at {now}");
            assert!(!connection_closes(&restoring, at(now)), "at {now}");
            assert!(!is_over(&restoring, at(now)), "at {now}");
        }
        let released = Notice {
            released: true,
            ..restoring
        };
        let now = at("2026-12-06T03:07:00Z");
        assert_eq!(retry_after(&released, now), 1);
        assert!(connection_closes(&released, now) && is_over(&released, now));
    }

    #[test]
    fn while_clients_are_to_connect_anew_connections_close_and_the_answer_stays() {
        let asking = Notice {
            reconnect_until: Some(at("2026-12-06T02:00:00Z")),
            ..notice(Some(at("2026-12-06T03:00:00Z")))
        };
        for (now, closes) in [
            ("2026-12-06T01:59:59.999999999Z", true),
            ("2026-12-06T02:00:00Z", false),
        ] {
            assert_eq!(connection_closes(&asking, at(now)), closes, "at {now}");
            assert_eq!(idle_connections_close(&asking, at(now)), closes, "at {now}");
            assert!((3600..=3601).contains(&retry_after(&asking, at(now))));
        }
    }

    #[test]
    fn a_notice_is_over_at_its_end_and_not_before() {
        let notice = notice(Some(at("2026-12-06T03:00:00Z")));
        assert!(!is_over(&notice, at("2026-12-06T02:59:59.999999999Z")));
        assert!(is_over(&notice, at("2026-12-06T03:00:00Z")));
    }

    proptest! {
        #[test]
        fn retry_after_is_never_before_the_end_and_less_than_a_second_after_it(
            now in 0_i64..4_000_000_000,
            now_nanos in 0_u32..1_000_000_000,
            wait in 1_i64..3_000_000_000_000_000_000,
        ) {
            let now = DateTime::from_timestamp(now, now_nanos).unwrap();
            let until = now + TimeDelta::nanoseconds(wait);
            let seconds = retry_after(&notice(Some(until)), now);
            let back = now + TimeDelta::seconds(i64::try_from(seconds).unwrap());
            prop_assert!(back >= until, "{back} is before {until}");
            prop_assert!(back - until < TimeDelta::seconds(1), "{back} is long after {until}");
        }
    }
}
