//! When a window is on. PURE: `now` is an argument.
//!
//! [`parse()`] turns a [`MaintenanceWindow`](crate::api::MaintenanceWindow) into a [`Window`] once;
//! from there on it is trusted. What is not understood is a [`Problem`], never ignored.
//!
//! | file | what is in it |
//! |---|---|
//! | `parse` | from a manifest to a window, or to all of its problems at once |
//! | `occurrence` | a schedule, and its occurrences as everybody else sees them |
//! | `recurring` | occurrences that come again and again, joined where they touch |
//! | `page` | where the user's own page is |
//! | `restore` | what a release waits for |
//! | `cron` | which local times match |
//! | `zone` | which instant a local time is |
//! | `targeted` | an entry of `spec.targets`: which objects, and how they are held |
//! | `told` | what callers are told |
//! | [`duration`] | durations as the Gateway API writes them |

pub mod cron;
pub mod duration;
mod occurrence;
mod page;
mod parse;
mod recurring;
mod restore;
mod targeted;
mod told;
mod zone;

pub use cron::Cron;
pub use occurrence::{Occurrence, Schedule, WrittenIn};
pub use page::PageRef;
pub use parse::{Problem, parse};
pub use recurring::Recurring;
pub use restore::Restore;
pub use targeted::{Targeted, Which};
pub use told::Told;
pub use zone::{Change, NotAZone, Zone, database};

use std::fmt;

use chrono::{DateTime, Utc};

use crate::api::target::TargetKind;

/// A window that is understood in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it and all of its targets are.
    pub namespace: String,
    /// Its name: at most 63 characters.
    pub name: String,
    /// Its uid, which no other window ever has.
    pub uid: String,
    /// The generation of the spec that was parsed.
    pub generation: i64,
    /// When it was created: what was over by then is not its past.
    pub created: DateTime<Utc>,
    /// When it is on.
    pub schedule: Schedule,
    /// What it names or selects, without repetition: 1 to 64. [`crate::reach`] finds the objects.
    pub targets: Vec<Targeted>,
    /// What callers are told.
    pub told: Told,
    /// What the release of its targets waits for.
    pub restore: Restore,
    /// Switched off: it covers nothing, whatever the schedule says.
    pub suspended: bool,
    /// On its way out: it covers nothing, whatever the schedule says.
    pub deleting: bool,
}

/// One object in the namespace of a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetRef {
    /// What it is.
    pub kind: TargetKind,
    /// What it is called.
    pub name: String,
}

impl TargetRef {
    /// The Service called `name`.
    pub fn service(name: &str) -> Self {
        Self {
            kind: TargetKind::Service,
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for TargetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Window {
    /// The occurrence that is on: `start <= now < end`.
    pub fn current(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        self.schedule.current(now)
    }

    /// The first occurrence that starts after `now`.
    pub fn next(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        self.schedule.next(now)
    }

    /// The last occurrence that is over (`end <= now`), if any has come since it was created.
    pub fn last(&self, now: DateTime<Utc>) -> Option<Occurrence> {
        let recurs = matches!(self.schedule, Schedule::Recurring(_));
        let last = self.schedule.last(now)?;
        (!recurs || last.end > Some(self.created)).then_some(last)
    }
}
