//! Pauses before what the API server refused is tried again. Does not touch the cluster.
//!
//! A refusal (a right that is missing, a policy that objects) seldom goes away within a second, and
//! each try writes slices and takes them away again. What only could not be done (a conflict, an API
//! server that is away) is no setback, and a release is never held back.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::Reason;
use crate::schedule::TargetRef;

const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(2);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// The setbacks of all targets, by namespace and target.
#[derive(Debug, Default)]
pub(super) struct Setbacks(Mutex<HashMap<(String, TargetRef), Setback>>);

/// The last refusal of a target's hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setback {
    /// What was said.
    pub(super) reason: Reason,
    /// When to try again.
    pub(super) until: DateTime<Utc>,
    pause: TimeDelta,
}

impl Setbacks {
    /// What keeps the hold of a target from being tried at `now`.
    pub(super) fn of(
        &self,
        namespace: &str,
        target: &TargetRef,
        now: DateTime<Utc>,
    ) -> Option<Setback> {
        let setbacks = self.lock();
        let setback = setbacks.get(&(namespace.to_owned(), target.clone()))?;
        (now < setback.until).then(|| setback.clone())
    }

    /// What was said when it was last refused, though it may be tried again by now.
    pub(super) fn last(&self, namespace: &str, target: &TargetRef) -> Option<Reason> {
        let setbacks = self.lock();
        let setback = setbacks.get(&(namespace.to_owned(), target.clone()))?;
        Some(setback.reason.clone())
    }

    /// A hold was refused: the next try is twice as far away as the last one was, up to half a
    /// minute.
    pub(super) fn refused(
        &self,
        namespace: &str,
        target: &TargetRef,
        reason: Reason,
        now: DateTime<Utc>,
    ) {
        let mut setbacks = self.lock();
        let key = (namespace.to_owned(), target.clone());
        let pause = setbacks.get(&key).map_or(FIRST_PAUSE, |setback| {
            (setback.pause * 2).min(LONGEST_PAUSE)
        });
        let setback = Setback {
            reason,
            until: now + pause,
            pause,
        };
        setbacks.insert(key, setback);
    }

    /// Forgets the setbacks of a namespace but for those targets: one that nothing covers any more
    /// begins anew.
    pub(super) fn keep(&self, namespace: &str, is_kept: impl Fn(&TargetRef) -> bool) {
        let mut setbacks = self.lock();
        setbacks.retain(|(other, target), _| other != namespace || is_kept(target));
    }

    /// A target is as it should be.
    pub(super) fn over(&self, namespace: &str, target: &TargetRef) {
        self.lock().remove(&(namespace.to_owned(), target.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, TargetRef), Setback>> {
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

    #[test]
    fn each_refusal_doubles_the_pause_up_to_half_a_minute() {
        let setbacks = Setbacks::default();
        let target = TargetRef {
            kind: TargetKind::Service,
            name: "web".to_owned(),
        };
        let pauses = [0, 1, 2, 3, 4, 5].map(|_| {
            setbacks.refused("shop", &target, Reason::new("Forbidden", "no"), at(0));
            let setback = setbacks.of("shop", &target, at(0)).unwrap();
            (setback.until - at(0)).num_seconds()
        });
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
        assert_eq!(
            setbacks.of("shop", &target, at(30)),
            None,
            "it may be tried"
        );
        assert_eq!(
            setbacks.of("blog", &target, at(0)),
            None,
            "it is another target"
        );
        setbacks.keep("blog", |_| false);
        assert!(setbacks.of("shop", &target, at(0)).is_some());
        setbacks.keep("shop", |_| false);
        assert_eq!(setbacks.of("shop", &target, at(0)), None);
    }
}
