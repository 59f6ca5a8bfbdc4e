//! Step 2, continued: who undoes a hold again and again. Does not touch the cluster.
//!
//! A hold that somebody undid is put back at once: most often it was one upgrade, and windows are
//! made for upgrades. A tool that heals itself undoes it each time, and neither would ever give
//! way. So from the fourth time on the hold is put back after a pause that doubles, the app answers
//! in it, and the status says who it is. Kept in memory only: a controller that was started anew
//! begins anew.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::memory::Memory;
use crate::api::target::TargetKind;
use crate::plan::Reason;
use crate::schedule::TargetRef;

/// What a status calls it.
pub(super) const CONTENDED: &str = "Contended";

/// How often in a row a hold is put back at once.
const AT_ONCE: u32 = 3;
/// A hold that stood for so long is at peace: what undoes it then begins to be counted anew.
const PEACE: TimeDelta = TimeDelta::minutes(1);
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(2);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// What became of the holds of all targets.
#[derive(Debug, Default)]
pub(super) struct Contentions(Memory<TargetRef, Contention>);

/// What became of the hold of one target.
#[derive(Debug, Clone, Default)]
struct Contention {
    /// Since when it stands, as far as was seen.
    held: Option<DateTime<Utc>>,
    /// How often in a row it was undone.
    undone: u32,
    /// Who did it last.
    by: Option<String>,
    /// The pause that is kept before it is put back, and when that is over.
    pause: Option<(TimeDelta, DateTime<Utc>)>,
}

/// What there is to say of a target whose hold is undone again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contended {
    /// Who does it, and what helps.
    pub(super) reason: Reason,
    /// When to look again: the pause is over, or it is peace.
    pub(super) until: DateTime<Utc>,
}

impl Contentions {
    /// A hold stands; it was put there, or was there already.
    pub(super) fn held(&self, namespace: &str, target: &TargetRef, now: DateTime<Utc>) {
        self.0.change(namespace, |contentions| {
            let contention = contentions.entry(target.clone()).or_default();
            contention.held.get_or_insert(now);
        });
    }

    /// No hold stands that anybody could undo.
    pub(super) fn not_held(&self, namespace: &str, target: &TargetRef) {
        self.0.change(namespace, |contentions| {
            if let Some(contention) = contentions.get_mut(target) {
                contention.held = None;
            }
        });
    }

    /// Whether a hold stood when the target was last looked at.
    pub(super) fn was_held(&self, namespace: &str, target: &TargetRef) -> bool {
        let contention = self.0.of(namespace, target);
        contention.is_some_and(|contention| contention.held.is_some())
    }

    /// A hold that stood is gone, and nobody was asked to release it.
    pub(super) fn undone(
        &self,
        namespace: &str,
        target: &TargetRef,
        by: Option<&str>,
        now: DateTime<Utc>,
    ) {
        self.0.change(namespace, |contentions| {
            let contention = contentions.entry(target.clone()).or_default();
            contention.undone(by, now);
        });
    }

    /// What keeps a hold from being put back at `now`.
    pub(super) fn pause(
        &self,
        namespace: &str,
        target: &TargetRef,
        now: DateTime<Utc>,
    ) -> Option<Contended> {
        self.contended(namespace, target, now, |contention, until| {
            let (pause, _) = contention.pause?;
            // A clock that was set back makes no pause longer.
            let waits = contention.held.is_none() && until <= now + pause;
            waits.then_some(until)
        })
    }

    /// What there is to say of a hold that stands, and was undone again and again until a moment
    /// ago.
    pub(super) fn unrest(
        &self,
        namespace: &str,
        target: &TargetRef,
        now: DateTime<Utc>,
    ) -> Option<Contended> {
        self.contended(namespace, target, now, |contention, _| {
            Some(contention.held? + PEACE)
        })
    }

    /// What there is to say of a target that had to pause, as long as `until` (of the contention, and of
    /// the end of its last pause) is to come.
    fn contended(
        &self,
        namespace: &str,
        target: &TargetRef,
        now: DateTime<Utc>,
        until: impl Fn(&Contention, DateTime<Utc>) -> Option<DateTime<Utc>>,
    ) -> Option<Contended> {
        let contention = self.0.of(namespace, target)?;
        let (pause, over) = contention.pause?;
        let until = until(&contention, over)?;
        (now < until).then(|| Contended {
            reason: contention.reason(target.kind, pause),
            until,
        })
    }

    /// Forgets the targets of a namespace but for those: one that nothing covers any more begins
    /// anew.
    pub(super) fn keep(&self, namespace: &str, is_kept: impl Fn(&TargetRef) -> bool) {
        self.0.keep(namespace, is_kept);
    }

    /// Forgets the targets of any other namespace.
    pub(super) fn keep_namespaces(&self, namespaces: &HashSet<String>) {
        self.0.keep_namespaces(namespaces);
    }
}

impl Contention {
    fn is_at_peace(&self, now: DateTime<Utc>) -> bool {
        self.held.is_some_and(|since| since + PEACE <= now)
    }

    fn undone(&mut self, by: Option<&str>, now: DateTime<Utc>) {
        if self.is_at_peace(now) {
            *self = Self::default();
        }
        self.held = None;
        self.undone += 1;
        self.by = by.map(str::to_owned);
        if self.undone > AT_ONCE {
            let pause = self
                .pause
                .map_or(FIRST_PAUSE, |(pause, _)| (pause * 2).min(LONGEST_PAUSE));
            self.pause = Some((pause, now + pause));
        }
    }

    fn reason(&self, kind: TargetKind, pause: TimeDelta) -> Reason {
        let who = match &self.by {
            Some(manager) => format!("the field manager {manager}"),
            None => "somebody".to_owned(),
        };
        let advice = match kind {
            TargetKind::Service => "install deploy/policy/, or let it ignore the difference",
            TargetKind::Ingress | TargetKind::HTTPRoute => {
                "write hold: Services on this target, or let it ignore the difference"
            }
        };
        Reason::new(
            CONTENDED,
            format!(
                "{who} undoes the hold each time that it is put back; the app answers for {} s \
                 before the next try; {advice} (docs/gitops.md)",
                pause.num_seconds()
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn target(kind: TargetKind) -> TargetRef {
        TargetRef {
            kind,
            name: "web".to_owned(),
        }
    }

    /// The pause after a hold that was put back at `held` was undone a second later.
    fn undone(contentions: &Contentions, target: &TargetRef, held: i64) -> Option<i64> {
        contentions.held("shop", target, at(held));
        assert!(contentions.was_held("shop", target));
        contentions.undone("shop", target, Some("argocd-controller"), at(held + 1));
        assert!(!contentions.was_held("shop", target));
        let pause = contentions.pause("shop", target, at(held + 1))?;
        Some((pause.until - at(held + 1)).num_seconds())
    }

    #[test]
    fn what_is_undone_is_put_back_at_once_three_times_and_then_after_pauses_that_grow() {
        let contentions = Contentions::default();
        let target = target(TargetKind::Service);
        let found =
            [0, 2, 4, 6, 10, 15, 25, 45, 80].map(|held| undone(&contentions, &target, held));
        let pauses = [
            None,
            None,
            None,
            Some(2),
            Some(4),
            Some(8),
            Some(16),
            Some(30),
            Some(30),
        ];
        assert_eq!(found, pauses);
        assert_eq!(
            contentions.pause("shop", &target, at(81 + 30)),
            None,
            "it may be tried"
        );
    }

    #[test]
    fn a_hold_that_stood_for_a_minute_is_at_peace() {
        let contentions = Contentions::default();
        let target = target(TargetKind::Service);
        for held in [0, 2, 4, 6] {
            undone(&contentions, &target, held);
        }
        contentions.held("shop", &target, at(10));
        let unrest = contentions.unrest("shop", &target, at(11)).unwrap();
        assert_eq!(unrest.until, at(70));
        assert_eq!(contentions.unrest("shop", &target, at(70)), None);
        contentions.undone("shop", &target, None, at(70));
        assert_eq!(contentions.pause("shop", &target, at(70)), None);
    }

    #[test]
    fn a_hold_that_was_undone_once_is_nothing_to_speak_of() {
        let contentions = Contentions::default();
        let target = target(TargetKind::Service);
        undone(&contentions, &target, 0);
        contentions.held("shop", &target, at(1));
        assert_eq!(contentions.unrest("shop", &target, at(1)), None);
    }

    #[test]
    fn who_does_it_is_named_and_what_helps() {
        let said = |kind| {
            let contentions = Contentions::default();
            let target = target(kind);
            for held in [0, 2, 4, 6] {
                undone(&contentions, &target, held);
            }
            let pause = contentions.pause("shop", &target, at(7)).unwrap();
            pause.reason.message
        };
        assert_eq!(
            said(TargetKind::Ingress),
            "the field manager argocd-controller undoes the hold each time that it is put back; \
             the app answers for 2 s before the next try; write hold: Services on this target, or \
             let it ignore the difference (docs/gitops.md)"
        );
        assert!(said(TargetKind::Service).contains("install deploy/policy/"));
    }

    #[test]
    fn a_target_that_nothing_covers_any_more_begins_anew() {
        let contentions = Contentions::default();
        let target = target(TargetKind::Service);
        for held in [0, 2, 4, 6] {
            undone(&contentions, &target, held);
        }
        contentions.keep("blog", |_| false);
        assert!(contentions.pause("shop", &target, at(7)).is_some());
        contentions.keep("shop", |_| false);
        assert_eq!(contentions.pause("shop", &target, at(7)), None);
    }
}
