//! Whether a process can do its work, and what it waits for when it cannot.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The named conditions under which a process is ready: it is while none of them is missing.
///
/// Clones share the conditions.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<String, State>>>,
}

/// One condition. It counts until it is dropped.
#[derive(Debug)]
pub struct Condition {
    name: String,
    readiness: Readiness,
}

#[derive(Clone, Debug)]
enum State {
    Met(String),
    Missing(String),
}

/// What there is to say about a process's readiness. Displayed as lines of text: when ready,
/// every condition with what there is to know about it; else only what is missing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing is missing.
    pub ready: bool,
    lines: Vec<String>,
}

impl Readiness {
    /// Adds a condition that is missing so far, and says `why`. A name is in use once at a time.
    pub fn missing(&self, name: impl Into<String>, why: impl Into<String>) -> Condition {
        self.add(name.into(), State::Missing(why.into()))
    }

    /// Adds a condition that is met already; `detail` is shown while the process is ready. A name
    /// is in use once at a time.
    pub fn met(&self, name: impl Into<String>, detail: impl Into<String>) -> Condition {
        self.add(name.into(), State::Met(detail.into()))
    }

    /// How things stand now.
    pub fn report(&self) -> Report {
        let conditions = self.conditions();
        let ready = conditions
            .values()
            .all(|state| matches!(state, State::Met(_)));
        let lines = conditions.iter().filter_map(|(name, state)| match state {
            State::Met(detail) => ready.then(|| format!("{name}: {detail}")),
            State::Missing(why) => Some(format!("{name}: {why}")),
        });
        Report {
            ready,
            lines: lines.collect(),
        }
    }

    fn add(&self, name: String, state: State) -> Condition {
        let condition = Condition {
            name,
            readiness: self.clone(),
        };
        condition.set(state);
        condition
    }

    fn conditions(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// The condition is met; `detail` is shown while the process is ready.
    pub fn met(&self, detail: impl Into<String>) {
        self.set(State::Met(detail.into()));
    }

    /// The condition is missing; `why` is shown.
    pub fn missing(&self, why: impl Into<String>) {
        self.set(State::Missing(why.into()));
    }

    fn set(&self, state: State) {
        self.readiness.conditions().insert(self.name.clone(), state);
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        self.readiness.conditions().remove(&self.name);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.ready { "ready" } else { "not ready" })?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn a_process_that_waits_for_nothing_is_ready() {
        assert_eq!(Readiness::default().report().to_string(), "ready\n");
    }

    #[test]
    fn what_is_missing_is_named_and_what_is_met_is_not() {
        let readiness = Readiness::default();
        let notices = readiness.missing("notices", "the first list has not arrived");
        let _port = readiness.missing("port 20001", "the address is in use");
        let _other = readiness.met("port 20002", "shop/db-upgrade");
        notices.met("1");
        let report = readiness.report();
        assert_eq!(
            report.to_string(),
            "not ready\nport 20001: the address is in use\n"
        );
        assert!(!report.ready);
    }

    #[test]
    fn a_ready_process_shows_every_condition() {
        let readiness = Readiness::default();
        let port = readiness.missing("port 20001", "not listening yet");
        let notices = readiness.missing("notices", "the first list has not arrived");
        port.met("shop/db-upgrade");
        notices.met("1");
        let report = readiness.report();
        assert_eq!(
            report.to_string(),
            "ready\nnotices: 1\nport 20001: shop/db-upgrade\n"
        );
        assert!(report.ready);
    }

    #[test]
    fn a_condition_that_nobody_holds_any_more_does_not_count() {
        let readiness = Readiness::default();
        drop(readiness.missing("port 20001", "not listening yet"));
        assert!(readiness.report().ready);
    }
}
