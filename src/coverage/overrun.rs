//! A window that is over and whose targets are not ready yet.
//!
//! PURE. Nothing is remembered but the specs and what is held: a target is in the overrun of the
//! window that leads it, for as long as that window ended a short time ago. So a controller that
//! was down in between goes on, or releases, as one that was not.

use chrono::{DateTime, Utc};

use crate::schedule::{Occurrence, Window};

/// How long a target may stay held though the window that leads it is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overrun<'w> {
    /// The window; its notice answers.
    pub window: &'w Window,
    /// Its occurrence that is over.
    pub occurrence: Occurrence,
    /// When the target is released at the latest.
    pub until: DateTime<Utc>,
}

/// The overrun of `window` at `now`, or `None` where there is none.
///
/// Guarantees: an overrun begins at the end of an occurrence and lasts for `maxOverrun`, the end
/// inside, its own end not. A window that is on has none; nor has one that is suspended or being
/// deleted, because that is how a person says "now"; nor one that an edit has put into the past.
pub fn overrun(window: &Window, now: DateTime<Utc>) -> Option<Overrun<'_>> {
    if window.suspended || window.deleting || window.current(now).is_some() {
        return None;
    }
    let occurrence = window.last(now)?;
    let until = occurrence.end? + window.restore.max_overrun();
    (now < until).then_some(Overrun {
        window,
        occurrence,
        until,
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::tests::{at, once, window};
    use super::*;
    use crate::schedule::{Restore, Schedule};

    fn until(window: &Window, now: i64) -> Option<DateTime<Utc>> {
        overrun(window, at(now)).map(|overrun| overrun.until)
    }

    #[test]
    fn an_overrun_begins_at_the_end_and_is_over_after_its_time() {
        let window = once("w", 100, 200);
        let cases = [(199, None), (200, Some(800)), (799, Some(800)), (800, None)];
        for (now, expected) in cases {
            assert_eq!(until(&window, now), expected.map(at), "at {now}");
        }
    }

    #[test]
    fn a_window_that_waits_for_nothing_has_none() {
        let restores = [
            Restore::Immediately,
            Restore::TargetsReady {
                max_overrun: TimeDelta::zero(),
            },
        ];
        for restore in restores {
            let window = Window {
                restore,
                ..once("w", 100, 200)
            };
            assert_eq!(until(&window, 200), None, "{restore:?}");
        }
    }

    #[test]
    fn who_suspends_or_deletes_a_window_waits_for_nobody() {
        let suspended = Window {
            suspended: true,
            ..once("w", 100, 200)
        };
        let deleting = Window {
            deleting: true,
            ..once("w", 100, 200)
        };
        assert_eq!(until(&suspended, 300), None);
        assert_eq!(until(&deleting, 300), None);
    }

    #[test]
    fn a_window_without_an_end_has_none() {
        let always = window("always", Schedule::Always { since: at(0) });
        assert_eq!(until(&always, 100), None);
    }
}
