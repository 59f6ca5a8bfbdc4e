//! The versions of objects. Only which of two is newer means anything, so the numbers stay small, and
//! states that differ in nothing else are one.

use super::state::{Object, PLATFORM, SLOTS, State, Work};
use crate::store::Id;

impl State {
    /// The server with a new version of what is in a slot.
    pub(crate) fn stored(&self, slot: usize, content: Option<Id>) -> Self {
        let mut next = *self;
        let mut version = 0;
        each_version(&mut next, slot, &mut |known| {
            version = version.max(*known + 1);
        });
        next.server[slot] = content.map(|content| Object { content, version });
        next
    }

    /// With the smallest numbers that say the same.
    pub(crate) fn canonical(mut self) -> Self {
        for slot in 0..SLOTS {
            let mut known = 0_u64;
            each_version(&mut self, slot, &mut |version| known |= 1 << *version);
            if known & (known + 1) != 0 {
                each_version(&mut self, slot, &mut |version| {
                    let older = known & ((1 << *version) - 1);
                    *version = u8::try_from(older.count_ones()).unwrap();
                });
            }
        }
        self
    }

    /// With no version 0: it is free for what was before everything that anybody remembers.
    pub(crate) fn with_a_past(mut self) -> Self {
        for slot in 0..SLOTS {
            each_version(&mut self, slot, &mut |version| *version += 1);
        }
        self
    }
}

/// Every version of what is in a slot that anybody remembers.
fn each_version(state: &mut State, slot: usize, look: &mut impl FnMut(&mut u8)) {
    let mut of = |object: &mut Option<Object>| {
        if let Some(object) = object {
            look(&mut object.version);
        }
    };
    of(&mut state.server[slot]);
    for controller in &mut state.controllers {
        of(&mut controller.cache[slot]);
        match &mut controller.work {
            Work::Reading { read, .. } | Work::Read { read, .. } | Work::Writing { read, .. } => {
                of(&mut read[slot]);
            }
            Work::Idle => {}
        }
    }
    if slot == PLATFORM
        && let Some(job) = &mut state.platform.job
        && let Some(version) = &mut job.version
    {
        look(version);
    }
}
