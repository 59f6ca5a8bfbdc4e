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
}

impl Cut {
    /// Cuts the `nth_write` from now, whatever it writes.
    pub fn new(nth_write: usize, side: Side) -> Self {
        Self {
            nth_write,
            side,
            resource: None,
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

    fn concerns(&self, request: &RequestInfo) -> bool {
        self.resource
            .as_ref()
            .is_none_or(|resource| *resource == request.resource)
    }
}

/// What is to be done to a request instead of passing it and its answer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Cut(Side),
}

/// The faults that are still to strike.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Cut>>);

impl Faults {
    pub(super) fn arm(&self, cut: Cut) {
        self.lock().push(cut);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn armed(&self) -> usize {
        self.lock().len()
    }

    /// Counts the request, and says what is to be done to it. Of several faults that are due at
    /// once the one that was armed first strikes, and the others strike with the next write.
    pub(super) fn strike(&self, request: &RequestInfo) -> Option<Fault> {
        if !request.is_write() {
            return None;
        }
        let mut cuts = self.lock();
        for cut in cuts.iter_mut().filter(|cut| cut.concerns(request)) {
            cut.nth_write = cut.nth_write.saturating_sub(1);
        }
        let due = cuts
            .iter()
            .position(|cut| cut.nth_write == 0 && cut.concerns(request))?;
        Some(Fault::Cut(cuts.remove(due).side))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Cut>> {
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
            .map(|request| faults.strike(request))
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
        assert_eq!(faults.strike(&write_to("services")), None);
    }
}
