//! What a controller does: what `controller::target::converge` does, with the plans that ship.
//!
//! It plans from its cache, reads the API server first where the plan leans on two kinds (the target
//! alone, where that is enough), makes one write after the other, each guarded by the version that its
//! plan was made from, and reads and plans anew where a guard refuses. What was borrowed it gives back
//! last. A plan is made no earlier than its first write, because a cache may be as old as it likes, and
//! so may what was read.

use entracte::plan::Leaning;

use super::state::{Cover, OURS, Object, PLATFORM, SLOTS, Slots, State, TARGET, Work, contents};
use super::{Cluster, Mistake};
use crate::kind::{Kind, MOST_WRITES, Planned, Verb, Write};
use crate::store::Id;

const GIVE_BACK: Write = Write {
    slot: 0,
    verb: Verb::GiveBack,
    is_guarded: false,
};

impl<K: Kind> Cluster<K> {
    /// The next step of a controller, where it has anything to do.
    pub(super) fn works(&mut self, state: &State, which: usize) -> Option<State> {
        let controller = state.controllers[which];
        let work = match controller.work {
            Work::Idle => {
                let desired = controller.coverage;
                let plan = self.plan(&controller.cache, desired);
                plan.writes[0]?;
                match plan.leaning {
                    Leaning::Both => reading(state, desired),
                    Leaning::Target => target_read(state, desired, controller.cache, false),
                    Leaning::Nothing => {
                        return Some(self.write(state, which, desired, controller.cache, plan));
                    }
                }
            }
            Work::Reading { desired, read } => target_read(state, desired, read, true),
            Work::Read {
                desired,
                read,
                is_all,
            } => {
                let plan = self.plan(&read, desired);
                if plan.writes[0].is_none() {
                    Work::Idle
                } else if plan.leaning == Leaning::Both && !is_all {
                    reading(state, desired)
                } else {
                    return Some(self.write(state, which, desired, read, plan));
                }
            }
            Work::Writing {
                desired,
                read,
                plan,
            } => {
                return Some(self.write(state, which, desired, read, plan));
            }
        };
        Some(state.working(which, work))
    }

    fn plan(&mut self, read: &Slots, desired: Cover) -> Planned {
        let key = (contents(read), desired);
        if let Some(plan) = self.plans.get(&key) {
            return *plan;
        }
        let mut plan = self.kind.plan(key.0, desired);
        match self.mistake {
            Some(Mistake::NoReading) => plan.leaning = Leaning::Nothing,
            Some(Mistake::NoGuards) => {
                let writes = plan.writes.iter_mut().flatten();
                writes.for_each(|write| write.is_guarded = false);
            }
            Some(Mistake::Backwards) => {
                let count = plan.writes.iter().flatten().count();
                plan.writes[..count].reverse();
            }
            None => {}
        }
        self.plans.insert(key, plan);
        plan
    }

    /// Makes the first write of `plan`.
    fn write(
        &mut self,
        state: &State,
        which: usize,
        desired: Cover,
        read: Slots,
        mut plan: Planned,
    ) -> State {
        let Some(write) = plan.writes[0] else {
            return state.working(which, Work::Idle);
        };
        let Some(mut next) = self.written(state, &read, write) else {
            return state.working(which, reading(state, desired));
        };
        plan.writes.rotate_left(1);
        plan.writes[MOST_WRITES - 1] = None;
        if self.gives_back(&next, write)
            && let Some(free) = plan.writes.iter_mut().find(|write| write.is_none())
        {
            *free = Some(GIVE_BACK);
        }
        next.controllers[which].work = if plan.writes[0].is_none() {
            Work::Idle
        } else {
            Work::Writing {
                desired,
                read: guards(read, &plan),
                plan,
            }
        };
        next
    }

    /// Whether a write is followed by one that takes our marks away, after all that has an effect.
    fn gives_back(&mut self, next: &State, write: Write) -> bool {
        let target = next.server[TARGET].map(|target| target.content);
        matches!(write.verb, Verb::Patch(_)) && target.and_then(|id| self.given_back(id)).is_some()
    }

    fn given_back(&mut self, target: Id) -> Option<Id> {
        let kind = &mut self.kind;
        let given_back = self.given_back.entry(target);
        *given_back.or_insert_with(|| kind.given_back(target))
    }

    /// What the API server makes of a write; `None` where it refuses.
    fn written(&mut self, state: &State, read: &Slots, write: Write) -> Option<State> {
        let slot = usize::from(write.slot);
        let there = state.server[slot];
        let is_the_one =
            there.is_some() && there.map(|o| o.version) == read[slot].map(|o| o.version);
        let content = match write.verb {
            Verb::Create(_) if there.is_some() => return None,
            Verb::Create(content) => Some(content),
            Verb::Delete if there.is_none() => None,
            Verb::GiveBack => match there.and_then(|there| self.given_back(there.content)) {
                Some(content) => Some(content),
                None => return Some(*state),
            },
            _ if write.is_guarded && !is_the_one => return None,
            Verb::Delete => None,
            Verb::Put(content) => {
                there?;
                Some(content)
            }
            Verb::Patch(patch) => {
                let key = (there?.content, patch);
                let kind = &mut self.kind;
                let patched = self.patched.entry(key);
                Some((*patched.or_insert_with(|| kind.patched(key.0, key.1)))?)
            }
        };
        Some(state.stored(slot, content))
    }
}

/// Begins to read, which is never too early: what comes in between might have come before.
fn reading(state: &State, desired: Cover) -> Work {
    Work::Reading {
        desired,
        read: [None, state.server[OURS], state.server[PLATFORM]],
    }
}

/// Reads the target, after what was `read` before, or seen.
fn target_read(state: &State, desired: Cover, read: Slots, is_all: bool) -> Work {
    let read = [state.server[TARGET], read[OURS], read[PLATFORM]];
    Work::Read {
        desired,
        read,
        is_all,
    }
}

/// In the middle of a plan nothing counts of what was read but the versions that guard its writes.
fn guards(read: Slots, plan: &Planned) -> Slots {
    let mut guards = [None; SLOTS];
    let guarded = plan.writes.iter().flatten();
    for write in guarded.filter(|write| write.is_guarded) {
        let slot = usize::from(write.slot);
        guards[slot] = read[slot].map(|object| Object {
            content: 0,
            ..object
        });
    }
    guards
}
