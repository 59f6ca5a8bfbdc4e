//! One state of a cluster, in small values that can be compared and hashed.

use crate::kind::Planned;
use crate::store::Id;

/// The target, what stands behind it that is ours, and what stands behind it that is the platform's.
pub(crate) const SLOTS: usize = 3;
pub(crate) const TARGET: usize = 0;
pub(crate) const OURS: usize = 1;
pub(crate) const PLATFORM: usize = 2;

/// An object as somebody saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Object {
    pub(crate) content: Id,
    /// Grows with each write; only which of two is newer means anything.
    pub(crate) version: u8,
}

pub(crate) type Slots = [Option<Object>; SLOTS];
/// What is in each slot.
pub(crate) type Contents = [Option<Id>; SLOTS];

pub(crate) fn contents(slots: &Slots) -> Contents {
    slots.map(|object| object.map(|object| object.content))
}

/// The window that leads, where any is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cover {
    Nothing,
    A,
    B,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Work {
    Idle,
    /// What belongs to the target was read, and the target will be.
    Reading {
        desired: Cover,
        read: Slots,
    },
    /// Read, and about to plan; perhaps the target alone.
    Read {
        desired: Cover,
        read: Slots,
        is_all: bool,
    },
    /// In the middle of a plan.
    Writing {
        desired: Cover,
        read: Slots,
        plan: Planned,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Controller {
    pub(crate) cache: Slots,
    pub(crate) coverage: Cover,
    pub(crate) work: Work,
}

impl Controller {
    /// One that has just listed what there was.
    pub(crate) fn that_listed(cache: Slots, coverage: Cover) -> Self {
        Self {
            cache,
            coverage,
            work: Work::Idle,
        }
    }
}

/// There is no controller that led before.
pub(crate) const NOBODY: Controller = Controller {
    cache: [None; SLOTS],
    coverage: Cover::Nothing,
    work: Work::Idle,
};

pub(crate) const LEADER: usize = 0;
/// It leads no more and does not know it: no watch tells it anything, and what it writes still comes
/// through.
pub(crate) const DEPOSED: usize = 1;

/// The platform's controller of slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Platform {
    /// The target, as its cache has it; `None` where it writes nothing of the kind.
    pub(crate) cache: Option<Id>,
    /// What it is about to write.
    pub(crate) job: Option<Job>,
}

/// What the platform is about to write, from what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) content: Id,
    pub(crate) version: Option<u8>,
}

/// How often adversaries may still act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// A window that starts, ends, or takes the lead.
    pub(crate) coverage: u8,
    /// A write of a user's or a tool's.
    pub(crate) edits: u8,
    /// A controller that dies, that does not hear the answer to its write, or that is deposed.
    pub(crate) crashes: u8,
}

impl Budget {
    /// So many; or as many as the environment says, for a search that goes further.
    pub(crate) fn new(coverage: u8, edits: u8, crashes: u8) -> Self {
        let given = std::env::var("ENTRACTE_MODEL").unwrap_or_default();
        let given: Vec<u8> = given.split(',').filter_map(|n| n.parse().ok()).collect();
        let [coverage, edits, crashes] = given[..].try_into().unwrap_or([coverage, edits, crashes]);
        Self {
            coverage,
            edits,
            crashes,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) server: Slots,
    pub(crate) coverage: Cover,
    /// What the user last wrote.
    pub(crate) truth: Id,
    /// Who leads, and who did before.
    pub(crate) controllers: [Controller; 2],
    /// How many plans the one that led before may still begin.
    pub(crate) left: u8,
    pub(crate) platform: Platform,
    pub(crate) budget: Budget,
}

impl State {
    /// The same, with other work for a controller.
    pub(crate) fn working(&self, which: usize, work: Work) -> Self {
        let mut next = *self;
        next.controllers[which].work = work;
        next
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A watch brings what the API server has now: of the target, of the rest, of windows.
    Sees(Watch),
    /// A controller reads or writes.
    Works,
    DeposedWorks,
    /// A watch brings the target to the platform's controller.
    PlatformSees,
    PlatformPlans,
    PlatformWrites,
    TimePasses,
    WindowsChange(Cover),
    Edits(&'static str),
    /// A controller dies and starts again, or does not hear the answer to its write.
    Crashes,
    /// A controller dies and starts again, and lists what there was at first.
    ListsAnOlderState,
    AnotherLeads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Target,
    Rest,
    Windows,
}
