//! What there is to say about the end of a window, and when connections close. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::Notice;
use super::reconnect::asks_to_reconnect;

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

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::super::sample::{always, at};
    use super::*;

    fn notice(until: Option<DateTime<Utc>>) -> Notice {
        Notice { until, ..always() }
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
            assert_eq!(outlook(&restoring, at(now)), Outlook::Unknown, "at {now}");
            assert!(!connection_closes(&restoring, at(now)), "at {now}");
            assert!(!is_over(&restoring, at(now)), "at {now}");
        }
        let released = Notice {
            released: true,
            ..restoring
        };
        let now = at("2026-12-06T03:07:00Z");
        assert_eq!(outlook(&released, now), Outlook::AnyMoment);
        assert!(connection_closes(&released, now) && is_over(&released, now));
    }

    #[test]
    fn while_clients_are_to_connect_anew_connections_close_and_the_answer_stays() {
        let until = at("2026-12-06T03:00:00Z");
        let asking = Notice {
            reconnect_until: Some(at("2026-12-06T02:00:00Z")),
            ..notice(Some(until))
        };
        for (now, closes) in [
            ("2026-12-06T01:59:59.999999999Z", true),
            ("2026-12-06T02:00:00Z", false),
        ] {
            assert_eq!(connection_closes(&asking, at(now)), closes, "at {now}");
            assert_eq!(idle_connections_close(&asking, at(now)), closes, "at {now}");
            assert_eq!(outlook(&asking, at(now)), Outlook::At(until), "at {now}");
        }
    }

    #[test]
    fn a_notice_is_over_at_its_end_and_not_before() {
        let notice = notice(Some(at("2026-12-06T03:00:00Z")));
        assert!(!is_over(&notice, at("2026-12-06T02:59:59.999999999Z")));
        assert!(is_over(&notice, at("2026-12-06T03:00:00Z")));
    }
}
