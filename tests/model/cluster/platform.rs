//! The platform's controller of slices, and time.
//!
//! It plans from a cache of the target that is as old as it likes, and from its slice, and writes a
//! while later, where the slice is still the one that it read: so it may fill a slice that was emptied
//! for it, and empty one behind a target that was given back.

use super::Cluster;
use super::state::{Action, Job, PLATFORM, Platform, Slots, State, TARGET, Work, contents};
use crate::kind::{Kind, Verb};
use crate::store::Id;

impl<K: Kind> Cluster<K> {
    /// What the platform may do next.
    pub(super) fn of_the_platform(&mut self, state: &State) -> Vec<(u8, Action, State)> {
        let mut steps = Vec::new();
        if lags(state) {
            let cache = state.server[TARGET].map(|target| target.content);
            let platform = Platform {
                cache,
                ..state.platform
            };
            steps.push((7, Action::PlatformSees, State { platform, ..*state }));
        }
        if let Some(next) = self.plans_of_the_platform(state) {
            steps.push((8, Action::PlatformPlans, next));
        }
        if let Some(job) = state.platform.job {
            let is_the_one = state.server[PLATFORM].map(|slice| slice.version) == job.version;
            let mut next = *state;
            if is_the_one {
                next = state.stored(PLATFORM, Some(job.content));
            }
            next.platform.job = None;
            steps.push((9, Action::PlatformWrites, next));
        }
        steps
    }

    fn plans_of_the_platform(&mut self, state: &State) -> Option<State> {
        let Platform { cache, job } = state.platform;
        if job.is_some() {
            return None;
        }
        let slice = state.server[PLATFORM]?;
        let seen = [Some(cache?), None, Some(slice.content)];
        let kind = &mut self.kind;
        let wanted = self.platform.entry(seen);
        let wanted = *wanted.or_insert_with(|| kind.platform(seen));
        let content = wanted.filter(|wanted| *wanted != slice.content)?;
        let version = Some(slice.version);
        let mut next = *state;
        next.platform.job = Some(Job { content, version });
        Some(next)
    }

    /// What lies behind recedes, for everybody at once.
    pub(super) fn time_passes(&mut self, state: &State) -> Option<State> {
        let is_busy = state.platform.job.is_some()
            || lags(state)
            || state.controllers.iter().any(|c| c.work != Work::Idle);
        if self.is_punctual && is_busy {
            return None;
        }
        let mut next = *state;
        self.recede(&mut next);
        let is_over = self.kind.is_over(contents(&next.server));
        if self.is_punctual && is_over && self.plans_of_the_platform(state).is_some() {
            return None;
        }
        (next != *state).then_some(next)
    }

    fn recede(&mut self, state: &mut State) {
        let mut change = |slot: usize, content: &mut Id| {
            let kind = &mut self.kind;
            let key = (slot, *content);
            let receded = self.receded.entry(key);
            *content = *receded.or_insert_with(|| kind.receded(slot, key.1));
        };
        let mut all = |slots: &mut Slots| {
            for (slot, object) in slots.iter_mut().enumerate() {
                if let Some(object) = object {
                    change(slot, &mut object.content);
                }
            }
        };
        all(&mut state.server);
        for controller in &mut state.controllers {
            all(&mut controller.cache);
            match &mut controller.work {
                Work::Reading { read, .. } | Work::Read { read, .. } => all(read),
                Work::Idle | Work::Writing { .. } => {}
            }
        }
        for controller in &mut state.controllers {
            if let Work::Writing { plan, .. } = &mut controller.work {
                for write in plan.writes.iter_mut().flatten() {
                    if let Verb::Create(content) | Verb::Put(content) = &mut write.verb {
                        change(usize::from(write.slot), content);
                    }
                }
            }
        }
        if let Some(seen) = &mut state.platform.cache {
            change(TARGET, seen);
        }
        if let Some(job) = &mut state.platform.job {
            change(PLATFORM, &mut job.content);
        }
    }
}

/// Whether the platform's cache is behind.
fn lags(state: &State) -> bool {
    let target = state.server[TARGET].map(|target| target.content);
    state.server[PLATFORM].is_some() && state.platform.cache != target
}
