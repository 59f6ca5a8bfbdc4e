//! Windows × target × now → what covers the target, and when that can next change.
//!
//! PURE. Overlapping windows are a union: a target is held until the last of them ends, and the
//! window that ends last (the *leading* one) answers for it. Nothing is remembered but the specs.

mod overrun;

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

pub use self::overrun::{Overrun, overrun};
use crate::schedule::{Occurrence, TargetRef, Window};

/// How long before a start the notice, the port and the bridge are made, so that at the start
/// itself only the target has to be written.
pub const PREPARATION: TimeDelta = TimeDelta::seconds(30);

/// The windows that cover a target now. Never empty: no coverage is `None` where this is returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage<'w> {
    /// The window whose notice answers for the target.
    pub leading: &'w Window,
    /// When the leading window ends; `None` where nothing ends it but a person.
    pub until: Option<DateTime<Utc>>,
}

/// Where a window stands in its own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of the window needs to stand.
    Idle,
    /// Its start is less than [`PREPARATION`] away.
    Preparing(Occurrence),
    /// An occurrence is on.
    On(Occurrence),
}

impl Stage {
    /// Whether the notice, the port and the bridge of the window have to stand.
    pub fn needs_backend(self) -> bool {
        self != Self::Idle
    }

    /// The occurrence that is prepared or on.
    pub fn occurrence(self) -> Option<Occurrence> {
        match self {
            Self::Idle => None,
            Self::Preparing(occurrence) | Self::On(occurrence) => Some(occurrence),
        }
    }
}

/// The stage of `window` at `now`. A window that is suspended or being deleted is idle.
pub fn stage(window: &Window, now: DateTime<Utc>) -> Stage {
    if window.suspended || window.deleting {
        return Stage::Idle;
    }
    if let Some(occurrence) = window.current(now) {
        return Stage::On(occurrence);
    }
    match window.next(now) {
        Some(next) if next.start - now <= PREPARATION => Stage::Preparing(next),
        _ => Stage::Idle,
    }
}

/// What covers each target at `now`, from the windows and what each of them reaches. A target that
/// no window covers is not among them.
///
/// Guarantees: the leading window is the one that ends last (an unknown end is later than any
/// known one), and of those that end together the one whose name comes first, so that the choice
/// does not depend on the order of `windows`. Each window is asked once where it stands, however
/// much it reaches.
pub fn coverages<'w, 't>(
    windows: impl IntoIterator<Item = (&'w Window, &'t BTreeSet<TargetRef>)>,
    now: DateTime<Utc>,
) -> HashMap<&'t TargetRef, Coverage<'w>> {
    let mut coverages: HashMap<&TargetRef, Coverage<'_>> = HashMap::new();
    for (window, reached) in windows {
        let Stage::On(occurrence) = stage(window, now) else {
            continue;
        };
        let coverage = Coverage {
            leading: window,
            until: occurrence.end,
        };
        for target in reached {
            let known = coverages.entry(target).or_insert_with(|| coverage.clone());
            if leads(&coverage, known) {
                *known = coverage.clone();
            }
        }
    }
    coverages
}

fn leads(a: &Coverage<'_>, b: &Coverage<'_>) -> bool {
    let order = later_end(a.until, b.until).then(b.leading.name.cmp(&a.leading.name));
    order == Ordering::Greater
}

/// The next instant after `now` at which the stage of any of `windows` can change by itself.
pub fn next_change(windows: &[Window], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    windows
        .iter()
        .filter_map(|window| next_change_of(window, now))
        .min()
}

fn next_change_of(window: &Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if window.suspended || window.deleting {
        return None;
    }
    let end = window.current(now).and_then(|current| current.end);
    let start = window.next(now).map(|next| next.start);
    let preparation = start
        .map(|start| start - PREPARATION)
        .filter(|at| *at > now);
    [end, start, preparation].into_iter().flatten().min()
}

fn later_end(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::target::TargetKind;
    use crate::schedule::{Restore, Schedule, WrittenIn};

    pub(super) fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn target(name: &str) -> TargetRef {
        TargetRef {
            kind: TargetKind::Service,
            name: name.to_owned(),
        }
    }

    /// A window over the Service `cart`.
    pub(super) fn window(name: &str, schedule: Schedule) -> Window {
        Window {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            generation: 1,
            created: at(-1000),
            schedule,
            targets: vec![target("cart").into()],
            message: None,
            page: None,
            restore: Restore::default(),
            suspended: false,
            deleting: false,
        }
    }

    pub(super) fn once(name: &str, start: i64, end: i64) -> Window {
        let occurrence = Occurrence {
            start: at(start),
            end: Some(at(end)),
        };
        let written_in = WrittenIn::Offset(chrono::FixedOffset::east_opt(0).unwrap());
        window(
            name,
            Schedule::Once {
                occurrence,
                written_in,
            },
        )
    }

    fn leading(windows: &[Window], now: i64) -> Option<(&str, Option<DateTime<Utc>>)> {
        let reached = BTreeSet::from([target("cart")]);
        let coverages = coverages(windows.iter().map(|window| (window, &reached)), at(now));
        let coverage = coverages.get(&target("cart"))?;
        Some((coverage.leading.name.as_str(), coverage.until))
    }

    #[test]
    fn the_start_is_inside_and_the_end_is_not() {
        let windows = [once("w", 100, 200)];
        assert_eq!(leading(&windows, 99), None);
        assert_eq!(leading(&windows, 100), Some(("w", Some(at(200)))));
        assert_eq!(leading(&windows, 199), Some(("w", Some(at(200)))));
        assert_eq!(leading(&windows, 200), None);
    }

    #[test]
    fn of_overlapping_windows_the_one_that_ends_last_leads() {
        let windows = [once("early", 100, 200), once("late", 150, 300)];
        assert_eq!(leading(&windows, 120), Some(("early", Some(at(200)))));
        assert_eq!(leading(&windows, 160), Some(("late", Some(at(300)))));
        assert_eq!(leading(&windows, 250), Some(("late", Some(at(300)))));
        assert_eq!(leading(&windows, 300), None);
    }

    #[test]
    fn a_window_without_an_end_leads_before_any_other() {
        let always = window("always", Schedule::Always { since: at(0) });
        let windows = [once("late", 100, 300), always];
        assert_eq!(leading(&windows, 150), Some(("always", None)));
    }

    #[test]
    fn of_windows_that_end_together_the_first_name_leads_in_any_order() {
        let (a, b) = (once("a", 100, 200), once("b", 50, 200));
        assert_eq!(leading(&[a.clone(), b.clone()], 150), leading(&[b, a], 150));
    }

    #[test]
    fn a_window_that_is_suspended_or_deleted_does_not_cover() {
        let suspended = Window {
            suspended: true,
            ..once("s", 100, 200)
        };
        let deleting = Window {
            deleting: true,
            ..once("d", 100, 200)
        };
        assert_eq!(leading(&[suspended, deleting], 150), None);
    }

    #[test]
    fn a_window_covers_what_it_reaches_and_nothing_else() {
        let (one, other) = (once("one", 100, 200), once("other", 100, 300));
        let reached = BTreeSet::from([target("cart")]);
        let nothing = BTreeSet::new();
        let coverages = coverages([(&one, &reached), (&other, &nothing)], at(150));
        let leading = coverages
            .into_iter()
            .map(|(target, coverage)| (target.name.as_str(), coverage.leading.name.as_str()));
        assert_eq!(leading.collect::<Vec<_>>(), [("cart", "one")]);
    }

    #[test]
    fn a_window_is_prepared_half_a_minute_ahead() {
        let window = once("w", 100, 200);
        assert_eq!(stage(&window, at(69)), Stage::Idle);
        assert!(matches!(stage(&window, at(70)), Stage::Preparing(_)));
        assert!(matches!(stage(&window, at(100)), Stage::On(_)));
        assert_eq!(stage(&window, at(200)), Stage::Idle);
    }

    #[test]
    fn the_next_change_is_the_preparation_then_the_start_then_the_end() {
        let windows = [once("w", 100, 200)];
        assert_eq!(next_change(&windows, at(0)), Some(at(70)));
        assert_eq!(next_change(&windows, at(70)), Some(at(100)));
        assert_eq!(next_change(&windows, at(100)), Some(at(200)));
        assert_eq!(next_change(&windows, at(200)), None);
    }
}
