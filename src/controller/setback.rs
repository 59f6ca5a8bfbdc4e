//! Step 2, continued: pauses before what the API server refused is tried again. Does not touch the
//! cluster.
//!
//! A refusal (a right that is missing, a policy that objects) seldom goes away within a second, and
//! each try of a hold writes slices and takes them away again. What only could not be done (a
//! conflict, an API server that is away) is no setback.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::memory::Memory;
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

/// The setbacks of all targets, by what was refused.
#[derive(Debug, Default)]
pub(super) struct Setbacks(Memory<(TargetRef, Flip), Setback>);

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
        let setback = self.last(namespace, target, flip)?;
        // A clock that was set back makes no pause longer.
        let waits = now < setback.until && setback.until <= now + setback.pause;
        waits.then_some(setback)
    }

    /// The last refusal, though it may be tried again by now.
    pub(super) fn last(&self, namespace: &str, target: &TargetRef, flip: Flip) -> Option<Setback> {
        self.0.of(namespace, &(target.clone(), flip))
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
        let (first, longest) = flip.pauses();
        let key = (target.clone(), flip);
        self.0.change(namespace, |setbacks| {
            let last = setbacks.get(&key);
            let pause = last.map_or(first, |setback| (setback.pause * 2).min(longest));
            let setback = Setback {
                reason,
                until: now + pause,
                pause,
            };
            setbacks.insert(key, setback);
        });
    }

    /// Forgets the setbacks of a namespace but for those flips: one that is not wanted any more
    /// begins anew.
    pub(super) fn keep(&self, namespace: &str, is_kept: impl Fn(&TargetRef, Flip) -> bool) {
        self.0
            .keep(namespace, |(target, flip)| is_kept(target, *flip));
    }

    /// Forgets the setbacks of any other namespace.
    pub(super) fn keep_namespaces(&self, namespaces: &HashSet<String>) {
        self.0.keep_namespaces(namespaces);
    }

    /// A target is as it should be.
    pub(super) fn over(&self, namespace: &str, target: &TargetRef) {
        self.0.keep(namespace, |(other, _)| other != target);
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
