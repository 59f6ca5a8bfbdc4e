//! Breadth-first over every state that a model can reach, and then over the ways on which it stays.
//!
//! A step is the system's (a controller's, the platform's, the passing of time) or an adversary's (a
//! user, a tool, a crash). Every property of a step or a state is looked at when it is found, so the
//! way that is shown is one of the shortest. What has to come true *in the end* is looked at when all
//! states are known, on the system's steps alone:
//!
//! - where it comes to rest, the state has to be right;
//! - where it never does, it has to be for want of fairness: a set of states among which the system
//!   can go round for ever is a livelock, unless some actor could act in each of them, and does so in
//!   none without leaving. (Looked at for whole components; so nothing that is fair is passed over.)

use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::io::Write;
use std::time::Instant;

use fnv::{FnvBuildHasher, FnvHashMap};

/// What is searched.
pub(crate) trait Model {
    type State: Copy + Eq + Hash + Debug;
    type Action: Copy + Debug;

    fn start(&mut self) -> Self::State;
    fn steps(&mut self, state: &Self::State) -> Vec<Step<Self>>;
    /// What is wrong with a state that no system's step leaves.
    fn wrong_at_rest(&mut self, state: &Self::State) -> Option<String>;
    fn show(&self, state: &Self::State) -> String;
}

/// One way to go on.
pub(crate) struct Step<M: Model + ?Sized> {
    /// Who acts, of the system: a small number. `None` is an adversary.
    pub(crate) actor: Option<u8>,
    pub(crate) action: M::Action,
    pub(crate) next: M::State,
    /// What is wrong with going there.
    pub(crate) wrong: Option<String>,
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// The first thing that is wrong, and the way to it.
    pub(crate) flaw: Option<String>,
}

/// Searches all of `model`, up to the first flaw, and prints what it took.
pub(crate) fn search<M: Model>(name: &str, model: &mut M) -> Found {
    let begun = Instant::now();
    let mut graph = Graph::<M>::new();
    let flaw = graph.explore(model).or_else(|| graph.judge_the_end(model));
    let found = Found {
        states: graph.states.len(),
        steps: graph.steps,
        flaw,
    };
    // Not by `println!`, which a test that passes keeps to itself.
    let _ = writeln!(
        std::io::stdout(),
        "model: {name}: {} states, {} steps, {:.1} s",
        found.states,
        found.steps,
        begun.elapsed().as_secs_f64()
    );
    found
}

/// More than this in one model would take longer than a test may.
const MOST: usize = 1_500_000;

struct Graph<M: Model> {
    states: Vec<M::State>,
    /// By hash; a second state of the same hash lies at the next number.
    known: FnvHashMap<u64, u32>,
    hasher: FnvBuildHasher,
    /// How each state was found first.
    from: Vec<Option<(u32, M::Action)>>,
    /// The system's steps: those of state `n` begin at `first[n]`.
    edges: Vec<(u8, u32)>,
    first: Vec<usize>,
    steps: usize,
}

impl<M: Model> Graph<M> {
    fn new() -> Self {
        Self {
            states: Vec::new(),
            known: FnvHashMap::default(),
            hasher: FnvBuildHasher::default(),
            from: Vec::new(),
            edges: Vec::new(),
            first: Vec::new(),
            steps: 0,
        }
    }

    fn explore(&mut self, model: &mut M) -> Option<String> {
        let start = model.start();
        self.number(start, None);
        let mut at = 0;
        while at < self.states.len() {
            self.first.push(self.edges.len());
            let state = self.states[at];
            let here = u32::try_from(at).unwrap();
            for step in model.steps(&state) {
                self.steps += 1;
                if let Some(wrong) = step.wrong {
                    return Some(self.tell(model, here, Some((step.action, step.next)), &wrong));
                }
                let next = self.number(step.next, Some((here, step.action)));
                if let Some(actor) = step.actor {
                    self.edges.push((actor, next));
                }
            }
            assert!(self.states.len() <= MOST, "more than {MOST} states");
            at += 1;
        }
        self.first.push(self.edges.len());
        None
    }

    fn number(&mut self, state: M::State, from: Option<(u32, M::Action)>) -> u32 {
        let mut hash = self.hasher.hash_one(state);
        while let Some(number) = self.known.get(&hash) {
            if self.states[*number as usize] == state {
                return *number;
            }
            hash = hash.wrapping_add(1);
        }
        let number = u32::try_from(self.states.len()).unwrap();
        self.known.insert(hash, number);
        self.states.push(state);
        self.from.push(from);
        number
    }

    fn edges_of(&self, state: u32) -> &[(u8, u32)] {
        let state = state as usize;
        &self.edges[self.first[state]..self.first[state + 1]]
    }

    /// The first component in which the system stays, and that is not as it should be.
    fn judge_the_end(&self, model: &mut M) -> Option<String> {
        let component = self.components();
        let mut members: FnvHashMap<u32, Vec<u32>> = FnvHashMap::default();
        for (state, component) in component.iter().enumerate() {
            let state = u32::try_from(state).unwrap();
            members.entry(*component).or_default().push(state);
        }
        let mut ends: Vec<&Vec<u32>> = members.values().collect();
        ends.sort_by_key(|states| states.iter().min());
        ends.into_iter()
            .find_map(|states| self.judge(model, &component, states))
    }

    fn judge(&self, model: &mut M, component: &[u32], states: &[u32]) -> Option<String> {
        let here = component[states[0] as usize];
        if let [state] = states
            && self.edges_of(*state).is_empty()
        {
            let wrong = model.wrong_at_rest(&self.states[*state as usize])?;
            return Some(self.tell(model, *state, None, &format!("at rest: {wrong}")));
        }
        let mut stays = 0_u64;
        let mut always = u64::MAX;
        for state in states {
            let mut able = 0;
            for (actor, next) in self.edges_of(*state) {
                able |= 1 << actor;
                if component[*next as usize] == here {
                    stays |= 1 << actor;
                }
            }
            always &= able;
        }
        let is_fair = always & !stays == 0;
        let first = states.iter().min()?;
        (stays != 0 && is_fair).then(|| {
            self.tell(
                model,
                *first,
                None,
                "livelock: the system can go round for ever",
            )
        })
    }

    /// The strongly connected component of each state (Tarjan 1972, without recursion).
    fn components(&self) -> Vec<u32> {
        const NEW: u32 = u32::MAX;
        let count = self.states.len();
        let (mut index, mut low) = (vec![NEW; count], vec![NEW; count]);
        let mut component = vec![NEW; count];
        let (mut stack, mut next, mut found) = (Vec::new(), 0, 0);
        for root in 0..u32::try_from(count).unwrap() {
            if index[root as usize] != NEW {
                continue;
            }
            let mut calls = vec![(root, 0)];
            while let Some((state, edge)) = calls.pop() {
                let at = state as usize;
                if edge == 0 {
                    (index[at], low[at]) = (next, next);
                    next += 1;
                    stack.push(state);
                }
                if let Some((_, to)) = self.edges_of(state).get(edge) {
                    calls.push((state, edge + 1));
                    let other = *to as usize;
                    if index[other] == NEW {
                        calls.push((*to, 0));
                    } else if component[other] == NEW {
                        low[at] = low[at].min(index[other]);
                    }
                    continue;
                }
                if low[at] == index[at] {
                    while let Some(member) = stack.pop() {
                        component[member as usize] = found;
                        if member == state {
                            break;
                        }
                    }
                    found += 1;
                }
                if let Some((caller, _)) = calls.last() {
                    let caller = *caller as usize;
                    low[caller] = low[caller].min(low[at]);
                }
            }
        }
        component
    }

    fn tell(
        &self,
        model: &M,
        state: u32,
        last: Option<(M::Action, M::State)>,
        wrong: &str,
    ) -> String {
        let mut way = Vec::new();
        let mut at = state;
        while let Some((before, action)) = self.from[at as usize] {
            way.push((action, self.states[at as usize]));
            at = before;
        }
        way.reverse();
        way.extend(last);
        let mut text = format!("{wrong}\n  {}", model.show(&self.states[at as usize]));
        for (action, state) in way {
            text.push_str(&format_args!("\n- {action:?}\n  {}", model.show(&state)).to_string());
        }
        text
    }
}

/// Numbers from 0, each with the steps that a table gives it: who acts (0 is an adversary), and
/// where to.
struct Table(&'static [&'static [(u8, u8)]]);

impl Model for Table {
    type State = u8;
    type Action = u8;

    fn start(&mut self) -> u8 {
        0
    }

    fn steps(&mut self, state: &u8) -> Vec<Step<Self>> {
        let steps = self.0[usize::from(*state)].iter();
        steps
            .map(|(actor, next)| Step {
                actor: Some(*actor).filter(|actor| *actor > 0),
                action: *next,
                next: *next,
                wrong: (*next == 13).then(|| "unlucky".to_owned()),
            })
            .collect()
    }

    fn wrong_at_rest(&mut self, state: &u8) -> Option<String> {
        (*state == 7).then(|| "not the end".to_owned())
    }

    fn show(&self, state: &u8) -> String {
        state.to_string()
    }
}

fn flaw(table: &'static [&'static [(u8, u8)]]) -> Option<String> {
    search("a table", &mut Table(table)).flaw
}

#[test]
fn a_search_finds_what_is_wrong() {
    assert_eq!(
        flaw(&[&[(1, 1)], &[(0, 0)]]),
        None,
        "an adversary may go round"
    );
    let wrong = flaw(&[&[(1, 1)], &[(0, 2)], &[(1, 13)]]).unwrap();
    assert_eq!(wrong, "unlucky\n  0\n- 1\n  1\n- 2\n  2\n- 13\n  13");
    let round = flaw(&[&[(1, 1)], &[(1, 0)]]).unwrap();
    assert!(round.starts_with("livelock"), "{round}");
    let unfair = flaw(&[&[(1, 1), (2, 2)], &[(1, 0), (2, 2)], &[]]);
    assert_eq!(unfair, None, "2 can always leave");
    let seldom = flaw(&[&[(1, 1), (2, 2)], &[(1, 0)], &[]]).unwrap();
    assert!(
        seldom.starts_with("livelock"),
        "2 can leave now and then: {seldom}"
    );
}
