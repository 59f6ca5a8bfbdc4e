//! What the proxy does wrong when it is told to.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::path::RequestInfo;

/// On which side of the API server's work a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The API server never gets the request.
    Before,
    /// The API server has answered, so the write took effect, and nobody is told.
    After,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// Closes the connection of one write without an answer. It strikes once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which write, counted from now; the next one is 1, and so is 0.
    pub nth_write: usize,
    /// Before or after the API server gets it.
    pub side: Side,
    /// Counts the writes to this resource alone, as [`RequestInfo::resource`] has it, so that
    /// leases and events do not count.
    pub resource: Option<String>,
    /// Counts the writes in this namespace alone, and those elsewhere that speak of it.
    pub namespace: Option<String>,
    /// Lets nothing pass any more afterwards, as if who writes had died of it.
    pub for_good: bool,
}

impl Cut {
    /// Cuts the `nth_write` from now, whatever it writes.
    pub fn new(nth_write: usize, side: Side) -> Self {
        Self {
            nth_write,
            side,
            resource: None,
            namespace: None,
            for_good: false,
        }
    }

    /// Counts the writes in `namespace` alone, and those elsewhere whose bodies speak of it.
    #[must_use]
    pub fn about(self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self
        }
    }

    /// Lets nothing pass any more after it, until the faults are cleared.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self {
            for_good: true,
            ..self
        }
    }

    /// Counts the writes to `resource` alone.
    #[must_use]
    pub fn of(self, resource: &str) -> Self {
        Self {
            resource: Some(resource.to_owned()),
            ..self
        }
    }

    fn concerns(&self, request: &RequestInfo, body: &[u8]) -> bool {
        let speaks_of = |namespace: &String| {
            request.namespace.as_ref() == Some(namespace)
                || String::from_utf8_lossy(body).contains(namespace)
        };
        self.resource
            .as_ref()
            .is_none_or(|resource| *resource == request.resource)
            && self.namespace.as_ref().is_none_or(speaks_of)
    }
}

/// What is to be done to a request instead of passing it and its answer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Cut(Side),
}

/// The faults that are still to strike.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    cuts: Vec<Cut>,
    /// A cut for good has struck.
    severed: bool,
}

impl Faults {
    pub(super) fn arm(&self, cut: Cut) {
        self.lock().cuts.push(cut);
    }

    pub(super) fn clear(&self) {
        *self.lock() = State::default();
    }

    pub(super) fn armed(&self) -> usize {
        self.lock().cuts.len()
    }

    /// Counts the request, and says what is to be done to it. Of several faults that are due at
    /// once the one that was armed first strikes, and the others strike with the next write.
    pub(super) fn strike(&self, request: &RequestInfo, body: &[u8]) -> Option<Fault> {
        let mut state = self.lock();
        if state.severed {
            return Some(Fault::Cut(Side::Before));
        }
        if !request.is_write() {
            return None;
        }
        let cuts = &mut state.cuts;
        for cut in cuts.iter_mut().filter(|cut| cut.concerns(request, body)) {
            cut.nth_write = cut.nth_write.saturating_sub(1);
        }
        let due = cuts
            .iter()
            .position(|cut| cut.nth_write == 0 && cut.concerns(request, body))?;
        let cut = cuts.remove(due);
        state.severed = cut.for_good;
        Some(Fault::Cut(cut.side))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> RequestInfo {
        let (method, uri) = line.split_once(' ').unwrap();
        RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap())
    }

    fn write_to(resource: &str) -> RequestInfo {
        request(&format!("PATCH /api/v1/namespaces/shop/{resource}/web"))
    }

    fn strikes(faults: &Faults, requests: &[RequestInfo]) -> Vec<Option<Fault>> {
        requests
            .iter()
            .map(|request| faults.strike(request, b""))
            .collect()
    }

    const BEFORE: Option<Fault> = Some(Fault::Cut(Side::Before));
    const AFTER: Option<Fault> = Some(Fault::Cut(Side::After));

    #[test]
    fn a_cut_strikes_the_kth_write_once() {
        let faults = Faults::default();
        faults.arm(Cut::new(2, Side::After));
        let requests = vec![write_to("services"); 5];
        assert_eq!(strikes(&faults, &requests), [None, AFTER, None, None, None]);
        assert_eq!(faults.armed(), 0);
    }

    #[test]
    fn reads_do_not_count() {
        let faults = Faults::default();
        faults.arm(Cut::new(1, Side::Before));
        let requests = [request("GET /api/v1/services"), write_to("services")];
        assert_eq!(strikes(&faults, &requests), [None, BEFORE]);
    }

    #[test]
    fn writes_to_another_resource_do_not_count_where_one_is_named() {
        let faults = Faults::default();
        faults.arm(Cut::new(2, Side::Before).of("services"));
        let requests = ["services", "endpoints", "endpoints", "services"].map(write_to);
        assert_eq!(strikes(&faults, &requests), [None, None, None, BEFORE]);
    }

    #[test]
    fn two_cuts_strike_two_writes() {
        let faults = Faults::default();
        faults.arm(Cut::new(1, Side::Before));
        faults.arm(Cut::new(1, Side::After));
        let requests = vec![write_to("services"); 3];
        assert_eq!(strikes(&faults, &requests), [BEFORE, AFTER, None]);
    }

    #[test]
    fn cleared_faults_do_not_strike() {
        let faults = Faults::default();
        faults.arm(Cut::new(1, Side::Before));
        faults.clear();
        assert_eq!(faults.strike(&write_to("services"), b""), None);
    }

    #[test]
    fn writes_that_speak_of_another_namespace_do_not_count_where_one_is_named() {
        let faults = Faults::default();
        faults.arm(Cut::new(2, Side::Before).about("shop"));
        let elsewhere = request("POST /api/v1/namespaces/ops/configmaps");
        assert_eq!(faults.strike(&elsewhere, b"of the window blog/w"), None);
        assert_eq!(faults.strike(&elsewhere, b"of the window shop/w"), None);
        assert_eq!(faults.strike(&write_to("services"), b""), BEFORE);
    }

    #[test]
    fn after_a_cut_for_good_nothing_passes_until_it_is_cleared() {
        let faults = Faults::default();
        faults.arm(Cut::new(1, Side::After).for_good());
        let read = request("GET /api/v1/services");
        let requests = [write_to("services"), read.clone(), write_to("endpoints")];
        assert_eq!(strikes(&faults, &requests), [AFTER, BEFORE, BEFORE]);
        faults.clear();
        assert_eq!(faults.strike(&read, b""), None);
    }
}
