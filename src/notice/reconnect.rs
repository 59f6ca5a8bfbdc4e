//! Until when the clients of a port are asked to connect anew. Pure.
//!
//! A port answers for everything that its window leads, and cannot tell for which Service somebody
//! has connected. Who came through a ClusterIP stays with whom he once reached, for nothing but the
//! node could cut his connection. So where one Service is given back, or led by another window, while
//! the port still answers for others, everybody is asked to connect anew: most come back at once, and
//! the others reach whoever answers for them now.

use chrono::{DateTime, TimeDelta, Utc};

use super::Notice;

/// How long clients are asked for after the last slice that led them astray has gone: longer than
/// proxies need to follow (kube-proxy 1 s, its `minSyncPeriod`).
const FOLLOWED: TimeDelta = TimeDelta::seconds(3);

/// What [`Notice::reconnect_until`] should say, where it says `said` at `now`.
///
/// `astray` is whether slices still lead to the port for a Service for which it does not answer any
/// more; `longest` is how long they can. Guarantees:
/// - while they do, it is more than 3 s away;
/// - when they do not, at most 3 s;
/// - it does not change while neither changes, but for once in each `longest`.
pub fn reconnect_until(
    said: Option<DateTime<Utc>>,
    astray: bool,
    longest: TimeDelta,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let followed = now + FOLLOWED;
    if astray {
        let stands = said.filter(|until| *until > followed);
        return Some(stands.unwrap_or(followed + longest));
    }
    said.map(|until| until.min(followed))
}

/// Whether clients are asked to connect anew at `now`.
pub(super) fn asks_to_reconnect(notice: &Notice, now: DateTime<Utc>) -> bool {
    notice.reconnect_until.is_some_and(|until| now < until)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    const LONGEST: TimeDelta = TimeDelta::minutes(2);

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_796_522_400_000 + milliseconds).unwrap()
    }

    #[test]
    fn clients_are_asked_while_something_leads_astray_and_three_seconds_longer() {
        let led_astray = reconnect_until(None, true, LONGEST, at(0));
        assert_eq!(led_astray, Some(at(123_000)));
        let still = reconnect_until(led_astray, true, LONGEST, at(700));
        assert_eq!(still, led_astray);
        let over = reconnect_until(still, false, LONGEST, at(1000));
        assert_eq!(over, Some(at(4000)));
        for later in [1001, 4000, 1_000_000] {
            let said = reconnect_until(over, false, LONGEST, at(later));
            assert_eq!(said, over, "after {later} ms");
        }
    }

    #[test]
    fn another_that_is_given_back_begins_it_again() {
        for now in [3999, 60_000] {
            let said = reconnect_until(Some(at(4000)), true, LONGEST, at(now));
            assert_eq!(said, Some(at(now + 123_000)));
        }
    }

    #[test]
    fn who_was_never_led_astray_is_left_alone() {
        assert_eq!(reconnect_until(None, false, LONGEST, at(0)), None);
    }

    proptest! {
        #[test]
        fn what_it_should_say_it_then_says(
            said in proptest::option::of(-1_000_000_i64..1_000_000),
            astray: bool,
            longest in 0_i64..1_000_000,
        ) {
            let longest = TimeDelta::milliseconds(longest);
            let once = reconnect_until(said.map(at), astray, longest, at(0));
            let asked = once.is_some_and(|until| until >= at(3000));
            prop_assert!(asked || !astray);
            prop_assert!(astray || once.is_none_or(|until| until <= at(3000)));
            if longest > TimeDelta::zero() {
                prop_assert_eq!(reconnect_until(once, astray, longest, at(0)), once);
            }
        }
    }
}
