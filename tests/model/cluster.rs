//! A small cluster: one target and what belongs to it, an API server, a controller that leads and one
//! that did before, each with a cache of its own, the platform, and people and tools that write when
//! they like.
//!
//! A controller does what `controller::target::converge` does, with the plans that ship: it plans
//! from its cache, reads the API server first where the plan leans on two kinds, makes one write after
//! the other, each guarded by the version that its plan was made from, and reads and plans anew where
//! a guard refuses. A plan is made no earlier than its first write, because a cache may be as old as it
//! likes, and so may what was read.

use std::fmt::Debug;

use fnv::FnvHashMap;

use crate::search::{Model, Step};
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
    version: u8,
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

const GIVE_BACK: Write = Write {
    slot: 0,
    verb: Verb::GiveBack,
    is_guarded: false,
};

/// As many as a plan has at most.
pub(crate) const MOST_WRITES: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Planned {
    pub(crate) writes: [Option<Write>; MOST_WRITES],
    /// Whether the API server is read before it, because caches of two kinds may not agree.
    pub(crate) leans: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Work {
    Idle,
    /// What belongs to the target was read, and the target will be.
    Reading {
        desired: Cover,
        read: Slots,
    },
    /// Read, and about to plan.
    Read {
        desired: Cover,
        read: Slots,
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
    cache: Slots,
    coverage: Cover,
    pub(crate) work: Work,
}

/// There is no controller that led before.
const NOBODY: Controller = Controller {
    cache: [None; SLOTS],
    coverage: Cover::Nothing,
    work: Work::Idle,
};

const LEADER: usize = 0;
/// It leads no more and does not know it: no watch tells it anything, and what it writes still comes
/// through.
const DEPOSED: usize = 1;

/// What the platform is about to write, from what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    content: Id,
    version: Option<u8>,
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
        match given[..] {
            [coverage, edits, crashes] => Self {
                coverage,
                edits,
                crashes,
            },
            _ => Self {
                coverage,
                edits,
                crashes,
            },
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
    left: u8,
    pub(crate) job: Option<Job>,
    pub(crate) budget: Budget,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A watch brings what the API server has now: of the target, of the rest, of windows.
    Sees(Watch),
    /// A controller reads or writes.
    Works,
    DeposedWorks,
    PlatformPlans,
    PlatformWrites,
    TimePasses,
    WindowsChange(Cover),
    Edits(&'static str),
    Crashes,
    AnotherLeads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Target,
    Rest,
    Windows,
}

/// An edit of a user's or a tool's: what it is called, what it leaves, and what the user wants then.
pub(crate) struct UserEdit {
    pub(crate) name: &'static str,
    /// `None` leaves a slot as it is.
    pub(crate) put: [Option<Id>; SLOTS],
    pub(crate) truth: Id,
}

/// What is different from kind to kind.
pub(crate) trait Kind {
    fn start(&mut self) -> (Contents, Id);
    fn plan(&mut self, read: Contents, desired: Cover) -> Planned;
    fn patched(&mut self, target: Id, patch: Id) -> Option<Id>;
    /// What the write that follows a patch makes of the target, where there is one.
    fn given_back(&mut self, target: Id) -> Option<Id>;
    fn receded(&mut self, slot: usize, content: Id) -> Id;
    /// Whether what lingers may go, whatever the platform has done.
    fn is_over(&self, server: Contents) -> bool;
    /// What the platform makes of its slot.
    fn platform(&mut self, server: Contents) -> Option<Id>;
    fn edits(&mut self, server: Contents, truth: Id) -> Vec<UserEdit>;
    /// What is wrong with a state, whoever brought it about.
    fn wrong(&mut self, server: Contents, truth: Id) -> Option<String>;
    /// What is wrong with a step of ours or the platform's.
    fn wrong_step(&mut self, before: Contents, after: Contents) -> Option<String>;
    fn wrong_at_rest(&mut self, server: Contents, truth: Id, coverage: Cover) -> Option<String>;
    fn show(&self, server: Contents) -> String;
}

/// Two controllers, the platform, and so many adversaries.
pub(crate) struct Cluster<K> {
    pub(crate) kind: K,
    pub(crate) budget: Budget,
    /// Whether calls are over before `STALE_VIEW` has passed, and so is what the platform does once it
    /// has begun; and whether it begins before the linger is over.
    pub(crate) is_punctual: bool,
    /// How many windows there are: one, or two of which one may take the lead.
    pub(crate) windows: usize,
    /// A mistake that a search has to find.
    pub(crate) mistake: Option<Mistake>,
    plans: FnvHashMap<(Contents, Cover), Planned>,
    platform: FnvHashMap<Contents, Option<Id>>,
    receded: FnvHashMap<(usize, Id), Id>,
    patched: FnvHashMap<(Id, Id), Option<Id>>,
    given_back: FnvHashMap<Id, Option<Id>>,
}

/// What somebody who builds such a controller might do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Write whatever the version is.
    NoGuards,
    /// Rely on caches of two kinds at once.
    NoReading,
    /// Make the writes of a plan in the opposite order.
    Backwards,
}

impl<K: Kind> Cluster<K> {
    pub(crate) fn new(kind: K, budget: Budget) -> Self {
        Self {
            kind,
            budget,
            is_punctual: true,
            windows: 1,
            mistake: None,
            plans: FnvHashMap::default(),
            platform: FnvHashMap::default(),
            receded: FnvHashMap::default(),
            patched: FnvHashMap::default(),
            given_back: FnvHashMap::default(),
        }
    }

    fn plan(&mut self, read: &Slots, desired: Cover) -> Planned {
        let key = (contents(read), desired);
        if let Some(plan) = self.plans.get(&key) {
            return *plan;
        }
        let mut plan = self.kind.plan(key.0, desired);
        match self.mistake {
            Some(Mistake::NoReading) => plan.leans = false,
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

    fn works(&mut self, state: &State, which: usize) -> Option<State> {
        let controller = state.controllers[which];
        let work = match controller.work {
            Work::Idle => {
                let desired = controller.coverage;
                let plan = self.plan(&controller.cache, desired);
                plan.writes[0]?;
                if plan.leans {
                    reading(state, desired)
                } else {
                    return Some(self.write(state, which, desired, controller.cache, plan));
                }
            }
            Work::Reading { desired, read } => Work::Read {
                desired,
                read: [state.server[TARGET], read[OURS], read[PLATFORM]],
            },
            Work::Read { desired, read } => {
                let plan = self.plan(&read, desired);
                if plan.writes[0].is_some() {
                    return Some(self.write(state, which, desired, read, plan));
                }
                Work::Idle
            }
            Work::Writing {
                desired,
                read,
                plan,
            } => {
                return Some(self.write(state, which, desired, read, plan));
            }
        };
        Some(working(state, which, work))
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
            return working(state, which, Work::Idle);
        };
        let Some(mut next) = self.written(state, &read, write) else {
            return working(state, which, reading(state, desired));
        };
        plan.writes.rotate_left(1);
        plan.writes[MOST_WRITES - 1] = None;
        if self.gives_back(&next, write) {
            plan.writes.rotate_right(1);
            plan.writes[0] = Some(GIVE_BACK);
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

    /// Whether a write is followed by one that takes our marks away.
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
        Some(stored(state, slot, content))
    }

    fn platform_plans(&mut self, state: &State) -> Option<State> {
        if state.job.is_some() {
            return None;
        }
        let server = contents(&state.server);
        let kind = &mut self.kind;
        let wanted = *self
            .platform
            .entry(server)
            .or_insert_with(|| kind.platform(server));
        let job = Job {
            content: wanted.filter(|wanted| Some(*wanted) != server[PLATFORM])?,
            version: state.server[PLATFORM].map(|slice| slice.version),
        };
        Some(State {
            job: Some(job),
            ..*state
        })
    }

    fn time_passes(&mut self, state: &State) -> Option<State> {
        let is_busy = state.job.is_some() || state.controllers.iter().any(|c| c.work != Work::Idle);
        if self.is_punctual && is_busy {
            return None;
        }
        let mut next = *state;
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
        all(&mut next.server);
        for controller in &mut next.controllers {
            all(&mut controller.cache);
            match &mut controller.work {
                Work::Reading { read, .. } | Work::Read { read, .. } => all(read),
                Work::Idle | Work::Writing { .. } => {}
            }
        }
        for controller in &mut next.controllers {
            if let Work::Writing { plan, .. } = &mut controller.work {
                for write in plan.writes.iter_mut().flatten() {
                    if let Verb::Create(content) | Verb::Put(content) = &mut write.verb {
                        change(usize::from(write.slot), content);
                    }
                }
            }
        }
        if let Some(job) = &mut next.job {
            change(PLATFORM, &mut job.content);
        }
        let is_over = self.kind.is_over(contents(&next.server));
        if self.is_punctual && is_over && self.platform_plans(state).is_some() {
            return None;
        }
        (next != *state).then_some(next)
    }

    fn of_the_system(&mut self, state: &State) -> Vec<(u8, Action, State)> {
        let mut steps = Vec::new();
        let leader = state.controllers[LEADER];
        let mut sees = |watch: Watch, controller: Controller| {
            let mut next = *state;
            next.controllers[LEADER] = controller;
            steps.push((watch as u8, Action::Sees(watch), next));
        };
        let server = state.server;
        let [target, ours, platform] = leader.cache;
        if target != server[TARGET] {
            let cache = [server[TARGET], ours, platform];
            sees(Watch::Target, Controller { cache, ..leader });
        }
        if [ours, platform] != server[1..] {
            let cache = [target, server[OURS], server[PLATFORM]];
            sees(Watch::Rest, Controller { cache, ..leader });
        }
        if leader.coverage != state.coverage {
            let coverage = state.coverage;
            sees(Watch::Windows, Controller { coverage, ..leader });
        }
        if let Some(next) = self.works(state, LEADER) {
            steps.push((3, Action::Works, next));
        }
        let begins = state.controllers[DEPOSED].work == Work::Idle;
        if (!begins || state.left > 0)
            && let Some(mut next) = self.works(state, DEPOSED)
        {
            next.left -= u8::from(begins);
            if next.left == 0 && next.controllers[DEPOSED].work == Work::Idle {
                next.controllers[DEPOSED] = NOBODY;
            }
            steps.push((4, Action::DeposedWorks, next));
        }
        if let Some(next) = self.platform_plans(state) {
            steps.push((8, Action::PlatformPlans, next));
        }
        if let Some(job) = state.job {
            let is_the_one = state.server[PLATFORM].map(|slice| slice.version) == job.version;
            let mut next = *state;
            if is_the_one {
                next = stored(state, PLATFORM, Some(job.content));
            }
            next.job = None;
            steps.push((9, Action::PlatformWrites, next));
        }
        if let Some(next) = self.time_passes(state) {
            steps.push((10, Action::TimePasses, next));
        }
        steps
    }

    fn of_adversaries(&mut self, state: &State) -> Vec<(Action, State)> {
        let mut steps = Vec::new();
        let budget = state.budget;
        if budget.coverage > 0 {
            let others = [Cover::Nothing, Cover::A, Cover::B]
                .into_iter()
                .take(1 + self.windows);
            for coverage in others.filter(|other| *other != state.coverage) {
                let mut next = State { coverage, ..*state };
                next.budget.coverage -= 1;
                steps.push((Action::WindowsChange(coverage), next));
            }
        }
        if budget.edits > 0 {
            for edit in self.kind.edits(contents(&state.server), state.truth) {
                let mut next = *state;
                for (slot, content) in edit.put.into_iter().enumerate() {
                    if content.is_some() {
                        next = stored(&next, slot, content);
                    }
                }
                next.truth = edit.truth;
                next.budget.edits -= 1;
                steps.push((Action::Edits(edit.name), next));
            }
        }
        if budget.crashes > 0 {
            let mut next = working(state, LEADER, Work::Idle);
            next.budget.crashes -= 1;
            if state.controllers[LEADER].work != Work::Idle {
                steps.push((Action::Crashes, next));
            }
            if state.controllers[DEPOSED] == NOBODY {
                next.controllers[DEPOSED] = state.controllers[LEADER];
                next.left = 1;
                steps.push((Action::AnotherLeads, next));
            }
        }
        steps
    }

    fn step(
        &mut self,
        state: &State,
        actor: Option<u8>,
        action: Action,
        next: State,
    ) -> Step<Self> {
        let next = canonical(next);
        let (before, after) = (contents(&state.server), contents(&next.server));
        let mut wrong = None;
        if before != after || state.truth != next.truth {
            wrong = self.kind.wrong(after, next.truth);
            if actor.is_some() && action != Action::TimePasses {
                wrong = wrong.or_else(|| self.kind.wrong_step(before, after));
            }
        }
        Step {
            actor,
            action,
            next,
            wrong,
        }
    }
}

impl<K: Kind> Model for Cluster<K> {
    type State = State;
    type Action = Action;

    fn start(&mut self) -> State {
        let (contents, truth) = self.kind.start();
        let server = contents.map(|content| {
            content.map(|content| Object {
                content,
                version: 0,
            })
        });
        let controller = Controller {
            cache: server,
            coverage: Cover::Nothing,
            work: Work::Idle,
        };
        State {
            server,
            coverage: Cover::Nothing,
            truth,
            controllers: [controller, NOBODY],
            left: 0,
            job: None,
            budget: self.budget,
        }
    }

    fn steps(&mut self, state: &State) -> Vec<Step<Self>> {
        let system = self.of_the_system(state).into_iter();
        let system = system.map(|(actor, action, next)| (Some(actor), action, next));
        let adversaries = self.of_adversaries(state).into_iter();
        let adversaries = adversaries.map(|(action, next)| (None, action, next));
        let all: Vec<_> = system.chain(adversaries).collect();
        all.into_iter()
            .map(|(actor, action, next)| self.step(state, actor, action, next))
            .collect()
    }

    fn wrong_at_rest(&mut self, state: &State) -> Option<String> {
        let server = contents(&state.server);
        self.kind.wrong_at_rest(server, state.truth, state.coverage)
    }

    fn show(&self, state: &State) -> String {
        let work = state.controllers.map(|controller| controller.work);
        let server = self.kind.show(contents(&state.server));
        format!("{:?} {server} {work:?} {:?}", state.coverage, state.job)
    }
}

/// Begins to read, which is never too early: what comes in between might have come before.
fn reading(state: &State, desired: Cover) -> Work {
    Work::Reading {
        desired,
        read: [None, state.server[OURS], state.server[PLATFORM]],
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

fn working(state: &State, which: usize, work: Work) -> State {
    let mut next = *state;
    next.controllers[which].work = work;
    next
}

/// The server with a new version of what is in a slot.
fn stored(state: &State, slot: usize, content: Option<Id>) -> State {
    let mut next = *state;
    let mut version = 0;
    each_version(&mut next, slot, &mut |known| {
        version = version.max(*known + 1);
    });
    next.server[slot] = content.map(|content| Object { content, version });
    next
}

/// Only which of two versions is newer means anything: the smallest numbers will do.
fn canonical(mut state: State) -> State {
    for slot in 0..SLOTS {
        let mut known = 0_u64;
        each_version(&mut state, slot, &mut |version| known |= 1 << *version);
        if known & (known + 1) != 0 {
            each_version(&mut state, slot, &mut |version| {
                let older = known & ((1 << *version) - 1);
                *version = u8::try_from(older.count_ones()).unwrap();
            });
        }
    }
    state
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
        && let Some(job) = &mut state.job
        && let Some(version) = &mut job.version
    {
        look(version);
    }
}
