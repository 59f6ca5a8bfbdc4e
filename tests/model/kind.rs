//! What is different from kind to kind, and the writes of a plan.

use entracte::plan::Leaning;
use entracte::plan::backend::{Endpoint, Pod};

use crate::cluster::state::{Contents, Cover};
use crate::store::Id;

/// A kind of target: the plans that ship, the edits that people make, and what must not be.
pub(crate) trait Kind {
    /// What there is at first, and what the user wants.
    fn start(&mut self) -> (Contents, Id);
    /// The plan that a controller makes of what it read.
    fn plan(&mut self, read: Contents, desired: Cover) -> Planned;
    /// The target after a patch; `None` where it does not fit.
    fn patched(&mut self, target: Id, patch: Id) -> Option<Id>;
    /// What the write that follows a patch makes of the target, where there is one.
    fn given_back(&mut self, target: Id) -> Option<Id>;
    /// The object after a tick.
    fn receded(&mut self, slot: usize, content: Id) -> Id;
    /// Whether what lingers may go, whatever the platform has done.
    fn is_over(&self, server: Contents) -> bool;
    /// What the platform makes of its slot.
    fn platform(&mut self, seen: Contents) -> Option<Id>;
    /// What people and tools may write.
    fn edits(&mut self, server: Contents, truth: Id) -> Vec<UserEdit>;
    /// What is wrong with a state, whoever brought it about.
    fn wrong(&mut self, server: Contents, truth: Id) -> Option<String>;
    /// What is wrong with a step of ours or the platform's.
    fn wrong_step(&mut self, before: Contents, after: Contents) -> Option<String>;
    /// What is wrong with a state in which nobody has anything to do any more.
    fn wrong_at_rest(&mut self, server: Contents, truth: Id, coverage: Cover) -> Option<String>;
    /// A state, for a person.
    fn show(&self, server: Contents) -> String;
}

/// One write of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Write {
    pub(crate) slot: u8,
    pub(crate) verb: Verb,
    /// Whether the API server refuses it where the object is not the one that was read.
    pub(crate) is_guarded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verb {
    Create(Id),
    Put(Id),
    /// The number is the patch's.
    Patch(Id),
    /// What follows a patch that gives leaves back: our marks go, from whatever is there, for where its
    /// guard refuses it is read and written anew.
    GiveBack,
    Delete,
}

/// As many as a plan has at most.
pub(crate) const MOST_WRITES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Planned {
    pub(crate) writes: [Option<Write>; MOST_WRITES],
    /// What is read from the API server before it, because caches of two kinds may not agree.
    pub(crate) leaning: Leaning,
}

/// An edit of a user's or a tool's: what it is called, what there is then, and what the user wants.
pub(crate) struct UserEdit {
    pub(crate) name: &'static str,
    pub(crate) leaves: Contents,
    pub(crate) truth: Id,
}

/// What the backend answers from.
pub(crate) const BACKEND: &str = "10.244.9.1";

/// The backend pod.
pub(crate) fn backend() -> Endpoint {
    Endpoint {
        address: BACKEND.parse().unwrap(),
        pod: Pod {
            namespace: "ops".into(),
            name: "backend-0".into(),
            uid: "b0".into(),
        },
        node: None,
        zone: None,
    }
}
