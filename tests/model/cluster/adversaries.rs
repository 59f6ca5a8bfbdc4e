//! Who may come in between: windows that change, people and tools that write, a controller that dies,
//! and another one that leads.

use super::Cluster;
use super::state::{
    Action, Budget, Controller, Cover, DEPOSED, LEADER, NOBODY, State, Work, contents,
};
use crate::kind::Kind;

impl<K: Kind> Cluster<K> {
    /// What adversaries may do next.
    pub(super) fn of_adversaries(&mut self, state: &State) -> Vec<(Action, State)> {
        let Budget {
            coverage,
            edits,
            crashes,
        } = state.budget;
        let mut steps = Vec::new();
        if coverage > 0 {
            steps.extend(self.windows_change(state));
        }
        if edits > 0 {
            steps.extend(self.somebody_writes(state));
        }
        if crashes > 0 {
            steps.extend(self.a_controller_goes(state));
        }
        steps
    }

    fn windows_change(&self, state: &State) -> Vec<(Action, State)> {
        let covers = [Cover::Nothing, Cover::A, Cover::B];
        let others = covers[..=self.windows].iter().copied();
        others
            .filter(|other| *other != state.coverage)
            .map(|coverage| {
                let mut next = State { coverage, ..*state };
                next.budget.coverage -= 1;
                (Action::WindowsChange(coverage), next)
            })
            .collect()
    }

    fn somebody_writes(&mut self, state: &State) -> Vec<(Action, State)> {
        let server = contents(&state.server);
        let mut edits = self.kind.edits(server, state.truth);
        edits.retain(|edit| edit.leaves != server);
        edits
            .into_iter()
            .map(|edit| {
                let mut next = *state;
                for (slot, content) in edit.leaves.into_iter().enumerate() {
                    if content != server[slot] {
                        next = next.stored(slot, content);
                    }
                }
                next.truth = edit.truth;
                next.budget.edits -= 1;
                (Action::Edits(edit.name), next)
            })
            .collect()
    }

    /// It starts again from what it knew, or from the list of a server that is far behind; or another
    /// one does, and it goes on.
    fn a_controller_goes(&self, state: &State) -> Vec<(Action, State)> {
        let mut steps = Vec::new();
        let mut spent = *state;
        spent.budget.crashes -= 1;
        if state.controllers[LEADER].work != Work::Idle {
            steps.push((Action::Crashes, spent.working(LEADER, Work::Idle)));
        }
        let mut restarted = spent.with_a_past();
        restarted.controllers[LEADER] = Controller::that_listed(self.first, Cover::Nothing);
        steps.push((Action::ListsAnOlderState, restarted));
        if state.controllers[DEPOSED] == NOBODY {
            let mut succeeded = spent.working(LEADER, Work::Idle);
            succeeded.controllers[DEPOSED] = state.controllers[LEADER];
            succeeded.left = 1;
            steps.push((Action::AnotherLeads, succeeded));
        }
        steps
    }
}
