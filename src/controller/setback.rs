//! Step 2, continued: pauses before what the API server refused is tried again. Does not touch the
//! cluster.
//!
//! A refusal (a right that is missing, a policy that objects) seldom goes away within a second, and
//! each try of a hold writes slices and takes them away again. What only could not be done (a
//! conflict, an API server that is away) is no setback.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::Reason;
use crate::schedule::TargetRef;

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Flip {
    Hold,
    Release,
}

impl Flip {
    /// An app in maintenance is waited for: its release is tried again sooner.
    fn pauses(self) -> (TimeDelta, TimeDelta) {
        match self {
            Self::Hold => (TimeDelta::seconds(2), TimeDelta::seconds(30)),
            Self::Release => (TimeDelta::seconds(1), TimeDelta::seconds(8)),
        }
    }
}

/// The setbacks of all targets, by namespace, target and what was refused.
#[derive(Debug, Default)]
pub(super) struct Setbacks(Mutex<HashMap<(String, TargetRef, Flip), Setback>>);

/// The last refusal of a flip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setback {
    /// What was said.
    pub(super) reason: Reason,
    /// When to try again.
    pub(super) until: DateTime<Utc>,
    pause: TimeDelta,
}

impl Setbacks {
    /// What keeps a flip of a target from being tried at `now`.
    pub(super) fn of(
        &self,
        namespace: &str,
        target: &TargetRef,
        flip: Flip,
        now: DateTime<Utc>,
    ) -> Option<Setback> {
        let setbacks = self.lock();
        let setback = setbacks.get(&(namespace.to_owned(), target.clone(), flip))?;
        (now < setback.until).then(|| setback.clone())
    }

    /// What was said when it was last refused, though it may be tried again by now.
    pub(super) fn last(&self, namespace: &str, target: &TargetRef, flip: Flip) -> Option<Reason> {
        let setbacks = self.lock();
        let setback = setbacks.get(&(namespace.to_owned(), target.clone(), flip))?;
        Some(setback.reason.clone())
    }

    /// A flip was refused: the next try is twice as far away as the last one was, up to half a
    /// minute for a hold, and 8 s for a release.
    pub(super) fn refused(
        &self,
        namespace: &str,
        target: &TargetRef,
        flip: Flip,
        reason: Reason,
        now: DateTime<Utc>,
    ) {
        let mut setbacks = self.lock();
        let key = (namespace.to_owned(), target.clone(), flip);
        let (first, longest) = flip.pauses();
        let pause = setbacks
            .get(&key)
            .map_or(first, |setback| (setback.pause * 2).min(longest));
        let setback = Setback {
            reason,
            until: now + pause,
            pause,
        };
        setbacks.insert(key, setback);
    }

    /// Forgets the setbacks of a namespace but for those flips: one that is not wanted any more
    /// begins anew.
    pub(super) fn keep(&self, namespace: &str, is_kept: impl Fn(&TargetRef, Flip) -> bool) {
        let mut setbacks = self.lock();
        setbacks.retain(|(other, target, flip), _| other != namespace || is_kept(target, *flip));
    }

    /// A target is as it should be.
    pub(super) fn over(&self, namespace: &str, target: &TargetRef) {
        let mut setbacks = self.lock();
        for flip in [Flip::Hold, Flip::Release] {
            setbacks.remove(&(namespace.to_owned(), target.clone(), flip));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, TargetRef, Flip), Setback>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::target::TargetKind;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn web() -> TargetRef {
        TargetRef {
            kind: TargetKind::Service,
            name: "web".to_owned(),
        }
    }

    fn pauses(setbacks: &Setbacks, flip: Flip) -> [i64; 6] {
        [0, 1, 2, 3, 4, 5].map(|_| {
            let reason = Reason::new("Forbidden", "no");
            setbacks.refused("shop", &web(), flip, reason, at(0));
            let setback = setbacks.of("shop", &web(), flip, at(0)).unwrap();
            (setback.until - at(0)).num_seconds()
        })
    }

    #[test]
    fn each_refusal_doubles_the_pause_up_to_half_a_minute_or_to_eight_seconds() {
        let setbacks = Setbacks::default();
        assert_eq!(pauses(&setbacks, Flip::Hold), [2, 4, 8, 16, 30, 30]);
        assert_eq!(pauses(&setbacks, Flip::Release), [1, 2, 4, 8, 8, 8]);
        let hold_at = |namespace, now| setbacks.of(namespace, &web(), Flip::Hold, now);
        assert_eq!(hold_at("shop", at(30)), None, "it may be tried");
        assert_eq!(hold_at("blog", at(0)), None, "it is another target");
    }

    #[test]
    fn a_flip_that_is_not_wanted_any_more_begins_anew() {
        let setbacks = Setbacks::default();
        pauses(&setbacks, Flip::Hold);
        setbacks.keep("blog", |_, _| false);
        assert!(setbacks.of("shop", &web(), Flip::Hold, at(0)).is_some());
        setbacks.keep("shop", |_, flip| flip == Flip::Release);
        assert_eq!(setbacks.of("shop", &web(), Flip::Hold, at(0)), None);
        pauses(&setbacks, Flip::Release);
        setbacks.over("shop", &web());
        assert_eq!(setbacks.of("shop", &web(), Flip::Release, at(0)), None);
    }
}
