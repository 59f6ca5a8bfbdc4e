//! A small cluster: one target and what belongs to it, an API server, a controller that leads and one
//! that did before, each with a cache of its own, the platform, and people and tools that write when
//! they like.

use fnv::FnvHashMap;

use crate::kind::{Kind, Planned};
use crate::search::{Model, Step};
use crate::store::Id;

mod adversaries;
mod controllers;
mod platform;
pub(crate) mod state;
mod versions;

use state::{
    Action, Budget, Contents, Controller, Cover, DEPOSED, LEADER, NOBODY, OURS, Object, PLATFORM,
    Platform, SLOTS, Slots, State, TARGET, Watch, Work, contents,
};

/// Two controllers, the platform, and so many adversaries.
pub(crate) struct Cluster<K> {
    pub(crate) kind: K,
    pub(crate) budget: Budget,
    /// Whether calls are over before `STALE_VIEW` has passed, and so is what the platform does once it
    /// has begun; whether its cache is no further behind; and whether it begins before the linger is
    /// over.
    pub(crate) is_punctual: bool,
    /// How many windows there are: one, or two of which one may take the lead.
    pub(crate) windows: usize,
    /// Whether window A is on from the start, and all has come to rest.
    pub(crate) begins_held: bool,
    /// A mistake that a search has to find.
    pub(crate) mistake: Option<Mistake>,
    /// What there was at first.
    first: Slots,
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
            begins_held: false,
            mistake: None,
            first: [None; SLOTS],
            plans: FnvHashMap::default(),
            platform: FnvHashMap::default(),
            receded: FnvHashMap::default(),
            patched: FnvHashMap::default(),
            given_back: FnvHashMap::default(),
        }
    }

    fn of_the_system(&mut self, state: &State) -> Vec<(u8, Action, State)> {
        let mut steps = watched(state);
        if let Some(next) = self.works(state, LEADER) {
            steps.push((3, Action::Works, next));
        }
        if let Some(next) = self.deposed_works(state) {
            steps.push((4, Action::DeposedWorks, next));
        }
        steps.extend(self.of_the_platform(state));
        if let Some(next) = self.time_passes(state) {
            steps.push((10, Action::TimePasses, next));
        }
        steps
    }

    /// It goes on with what it has begun, and begins so many plans.
    fn deposed_works(&mut self, state: &State) -> Option<State> {
        let begins = state.controllers[DEPOSED].work == Work::Idle;
        if begins && state.left == 0 {
            return None;
        }
        let mut next = self.works(state, DEPOSED)?;
        next.left -= u8::from(begins);
        if next.left == 0 && next.controllers[DEPOSED].work == Work::Idle {
            next.controllers[DEPOSED] = NOBODY;
        }
        Some(next)
    }

    /// Where it comes to without an adversary.
    fn at_rest(&mut self, state: State) -> State {
        let mut next = state;
        while let Some((_, _, further)) = self.of_the_system(&next).into_iter().next() {
            next = further.canonical();
        }
        next
    }

    fn step(
        &mut self,
        state: &State,
        actor: Option<u8>,
        action: Action,
        next: State,
    ) -> Step<Self> {
        let next = next.canonical();
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

/// What the watches of the leader may bring it: each kind by itself, in any order.
fn watched(state: &State) -> Vec<(u8, Action, State)> {
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
    steps
}

impl<K: Kind> Model for Cluster<K> {
    type State = State;
    type Action = Action;

    fn start(&mut self) -> State {
        let (contents, truth) = self.kind.start();
        self.first = contents.map(|content| {
            content.map(|content| Object {
                content,
                version: 0,
            })
        });
        let server = self.first;
        let has_slices = server[PLATFORM].is_some();
        let state = State {
            server,
            coverage: Cover::Nothing,
            truth,
            controllers: [Controller::that_listed(server, Cover::Nothing), NOBODY],
            left: 0,
            platform: Platform {
                cache: contents[TARGET].filter(|_| has_slices),
                job: None,
            },
            budget: self.budget,
        };
        if self.begins_held {
            let coverage = Cover::A;
            return self.at_rest(State { coverage, ..state });
        }
        state
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
        let platform = state.platform.job;
        format!("{:?} {server} {work:?} {platform:?}", state.coverage)
    }
}
