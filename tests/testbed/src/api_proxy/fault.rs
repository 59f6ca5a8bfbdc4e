//! What the proxy does wrong to single requests when it is told to.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use super::path::{RequestInfo, Verb};
use super::record::speaks_of;

/// On which side of the API server's work a fault strikes.
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

/// What the client gets instead of the API server's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The connection is closed.
    Cut,
    /// An answer that the API server did not give.
    Answer {
        /// Its status.
        status: u16,
        /// What its `Retry-After` says, in seconds.
        retry_after: Option<u32>,
    },
    /// Nothing: the connection stays open for as long as the client waits.
    Silence,
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Answer { status, .. } => write!(f, "{status}"),
            Self::Silence => f.write_str("silence"),
        }
    }
}

/// Harms one write, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which write, counted from now; the next one is 1, and so is 0.
    pub nth_write: usize,
    /// Before or after the API server gets it.
    pub side: Side,
    /// What the client gets.
    pub harm: Harm,
    /// Concerns this resource alone, as [`RequestInfo::resource`] has it, so that leases and
    /// events do not count.
    pub resource: Option<String>,
    /// Concerns this namespace alone, and what is written elsewhere and speaks of it.
    pub namespace: Option<String>,
    /// Whether every later request that it concerns, reads too, meets the same harm before the
    /// API server gets it.
    pub for_good: bool,
}

impl Fault {
    /// Closes the connection of the `nth_write` from now without an answer, whatever it writes.
    pub fn cut(nth_write: usize, side: Side) -> Self {
        Self::new(nth_write, side, Harm::Cut)
    }

    /// Answers the `nth_write` from now with `status`, whatever the API server says.
    pub fn answer(nth_write: usize, side: Side, status: u16) -> Self {
        let retry_after = None;
        Self::new(
            nth_write,
            side,
            Harm::Answer {
                status,
                retry_after,
            },
        )
    }

    /// Never answers the `nth_write` from now.
    pub fn silence(nth_write: usize, side: Side) -> Self {
        Self::new(nth_write, side, Harm::Silence)
    }

    /// Does `harm` to the `nth_write` from now.
    pub fn new(nth_write: usize, side: Side, harm: Harm) -> Self {
        Self {
            nth_write,
            side,
            harm,
            resource: None,
            namespace: None,
            for_good: false,
        }
    }

    /// Concerns `namespace` alone, and what is written elsewhere and speaks of it.
    #[must_use]
    pub fn about(self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self
        }
    }

    /// Goes on until the faults are cleared: after a cut it is as if who writes had died of it.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self {
            for_good: true,
            ..self
        }
    }

    /// Concerns `resource` alone.
    #[must_use]
    pub fn of(self, resource: &str) -> Self {
        Self {
            resource: Some(resource.to_owned()),
            ..self
        }
    }

    fn concerns(&self, request: &RequestInfo, body: &[u8]) -> bool {
        let speaks_of = |namespace: &String| {
            request.namespace.as_ref() == Some(namespace) || speaks_of(body, namespace)
        };
        self.resource
            .as_ref()
            .is_none_or(|resource| *resource == request.resource)
            && self.namespace.as_ref().is_none_or(speaks_of)
    }
}

/// The faults that are still to strike, and those that strike for good.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    armed: Vec<Fault>,
    lasting: Vec<Fault>,
    /// What was last written to each object, for a deletion does not say what it deletes.
    written: HashMap<Object, Bytes>,
}

/// Resource, namespace and name.
type Object = (String, Option<String>, String);

impl Faults {
    pub(super) fn arm(&self, fault: Fault) {
        self.lock().armed.push(fault);
    }

    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.armed.clear();
        state.lasting.clear();
    }

    pub(super) fn armed(&self) -> Vec<Fault> {
        self.lock().armed.clone()
    }

    /// Counts the request, and says what is to be done to it. Of several faults that are due at
    /// once the one that was armed first strikes, and the others strike with the next write.
    pub(super) fn strike(&self, request: &RequestInfo, body: &Bytes) -> Option<(Harm, Side)> {
        let mut state = self.lock();
        let body = &state.whole(request, body);
        let mut lasting = state.lasting.iter();
        if let Some(fault) = lasting.find(|fault| fault.concerns(request, body)) {
            return Some((fault.harm, Side::Before));
        }
        if !request.is_write() {
            return None;
        }
        let armed = &mut state.armed;
        for fault in armed.iter_mut().filter(|it| it.concerns(request, body)) {
            fault.nth_write = fault.nth_write.saturating_sub(1);
        }
        let due = armed
            .iter()
            .position(|fault| fault.nth_write == 0 && fault.concerns(request, body))?;
        let fault = armed.remove(due);
        let struck = (fault.harm, fault.side);
        if fault.for_good {
            state.lasting.push(fault);
        }
        Some(struck)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The body of a write; of a deletion, what was last written to what it deletes.
    fn whole(&mut self, request: &RequestInfo, body: &Bytes) -> Bytes {
        let Some(object) = object(request, body) else {
            return body.clone();
        };
        match request.verb {
            Verb::Create | Verb::Update => {
                self.written.insert(object, body.clone());
                body.clone()
            }
            Verb::Delete => self.written.get(&object).unwrap_or(body).clone(),
            _ => body.clone(),
        }
    }
}

/// What a write is about. The name of what is created stands in the body alone.
fn object(request: &RequestInfo, body: &[u8]) -> Option<Object> {
    let in_body = || {
        let body: Value = serde_json::from_slice(body).ok()?;
        Some(body["metadata"]["name"].as_str()?.to_owned())
    };
    let name = request.name.clone().or_else(in_body)?;
    Some((request.resource.clone(), request.namespace.clone(), name))
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

    fn strike(faults: &Faults, request: &RequestInfo, body: &'static str) -> Option<(Harm, Side)> {
        faults.strike(request, &Bytes::from(body))
    }

    fn strikes(faults: &Faults, requests: &[RequestInfo]) -> Vec<Option<(Harm, Side)>> {
        requests
            .iter()
            .map(|request| strike(faults, request, ""))
            .collect()
    }

    const BEFORE: Option<(Harm, Side)> = Some((Harm::Cut, Side::Before));
    const AFTER: Option<(Harm, Side)> = Some((Harm::Cut, Side::After));

    #[test]
    fn a_fault_strikes_the_kth_write_once() {
        let faults = Faults::default();
        faults.arm(Fault::cut(2, Side::After));
        let requests = vec![write_to("services"); 5];
        assert_eq!(strikes(&faults, &requests), [None, AFTER, None, None, None]);
        assert_eq!(faults.armed(), []);
    }

    #[test]
    fn reads_do_not_count() {
        let faults = Faults::default();
        faults.arm(Fault::cut(1, Side::Before));
        let requests = [request("GET /api/v1/services"), write_to("services")];
        assert_eq!(strikes(&faults, &requests), [None, BEFORE]);
    }

    #[test]
    fn writes_to_another_resource_do_not_count_where_one_is_named() {
        let faults = Faults::default();
        faults.arm(Fault::cut(2, Side::Before).of("services"));
        let requests = ["services", "endpoints", "endpoints", "services"].map(write_to);
        assert_eq!(strikes(&faults, &requests), [None, None, None, BEFORE]);
    }

    #[test]
    fn two_faults_strike_two_writes() {
        let faults = Faults::default();
        faults.arm(Fault::cut(1, Side::Before));
        faults.arm(Fault::silence(1, Side::After));
        let requests = vec![write_to("services"); 3];
        let silence = Some((Harm::Silence, Side::After));
        assert_eq!(strikes(&faults, &requests), [BEFORE, silence, None]);
    }

    #[test]
    fn cleared_faults_do_not_strike() {
        let faults = Faults::default();
        faults.arm(Fault::cut(1, Side::Before));
        faults.clear();
        assert_eq!(strike(&faults, &write_to("services"), ""), None);
    }

    #[test]
    fn writes_that_speak_of_another_namespace_do_not_count_where_one_is_named() {
        let faults = Faults::default();
        faults.arm(Fault::cut(2, Side::Before).about("shop"));
        let elsewhere = request("POST /api/v1/namespaces/ops/configmaps");
        assert_eq!(strike(&faults, &elsewhere, "of the window blog/w"), None);
        assert_eq!(strike(&faults, &elsewhere, "of the window shop-2/w"), None);
        assert_eq!(strike(&faults, &elsewhere, "of the window shop/w"), None);
        assert_eq!(strike(&faults, &write_to("services"), ""), BEFORE);
    }

    #[test]
    fn a_deletion_speaks_of_what_was_last_written() {
        let faults = Faults::default();
        let create = request("POST /api/v1/namespaces/ops/configmaps");
        let update = request("PUT /api/v1/namespaces/ops/configmaps/a");
        let delete = request("DELETE /api/v1/namespaces/ops/configmaps/a");
        let of_shop = r#"{"metadata": {"name": "a", "labels": {"window": "shop"}}}"#;
        let of_blog = r#"{"metadata": {"name": "a", "labels": {"window": "blog"}}}"#;
        strike(&faults, &create, of_shop);
        faults.arm(Fault::cut(1, Side::Before).about("shop"));
        assert_eq!(strike(&faults, &delete, "{}"), BEFORE);
        faults.arm(Fault::cut(1, Side::Before).about("shop"));
        strike(&faults, &update, of_blog);
        assert_eq!(strike(&faults, &delete, "{}"), None);
    }

    #[test]
    fn after_a_cut_for_good_nothing_passes_until_it_is_cleared() {
        let faults = Faults::default();
        faults.arm(Fault::cut(1, Side::After).for_good());
        let read = request("GET /api/v1/services");
        let requests = [write_to("services"), read.clone(), write_to("endpoints")];
        assert_eq!(strikes(&faults, &requests), [AFTER, BEFORE, BEFORE]);
        faults.clear();
        assert_eq!(strike(&faults, &read, ""), None);
    }

    #[test]
    fn what_is_for_good_in_one_namespace_leaves_the_others_alone() {
        let faults = Faults::default();
        faults.arm(Fault::answer(1, Side::Before, 429).about("shop").for_good());
        let busy = Harm::Answer {
            status: 429,
            retry_after: None,
        };
        let requests = [
            write_to("services"),
            request("GET /api/v1/namespaces/shop/services/web"),
            request("GET /api/v1/services"),
            request("PATCH /api/v1/namespaces/blog/services/web"),
        ];
        let busy = Some((busy, Side::Before));
        assert_eq!(strikes(&faults, &requests), [busy, busy, None, None]);
    }
}
