//! A window's bridge: a Service without a selector in the window's namespace, which leads to the
//! backend.
//!
//! PURE. It is selectorless from birth, so that the platform's controllers never write behind
//! it. It has no owner: were it owned by the window, it would go a few milliseconds after a
//! deletion, and proxies that learn late would lead nowhere. It lingers instead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::ObjectMeta;

use super::backend::Endpoint;
use super::edit::{Edit, Precondition};
use super::{Outcome, Plan, Reason, slices};
use crate::api::names;

/// The port of every bridge. Not 443, and not named `https…`: Traefik takes those for TLS.
pub const PORT: i32 = 80;

/// A Service that is not ours has the name of the bridge.
pub const NAME_TAKEN: &str = "BridgeNameTaken";

/// The name of the bridge of the window called `window`: a DNS label, as a Service's has to be.
pub fn name(window: &str) -> String {
    if window.contains('.') {
        let plain = window.replace('.', "-");
        return names::derived(&format!("entracte-{plain}-{}", names::hash(window)), "", 63);
    }
    names::derived(&format!("entracte-{window}"), "", 63)
}

/// Whether `service` is a bridge.
pub fn is_bridge(service: &Service) -> bool {
    names::is_ours_with(&service.metadata, names::WINDOW_LABEL)
}

/// The names of the bridges among `services`.
pub fn names_of<'a>(services: impl IntoIterator<Item = &'a Service>) -> BTreeSet<String> {
    let bridges = services.into_iter().filter(|service| is_bridge(service));
    bridges
        .filter_map(|bridge| bridge.metadata.name.clone())
        .collect()
}

/// What a bridge is needed for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Need<'a> {
    /// A window is active or about to be: lead to these pods on this port.
    Stand {
        /// The window's name.
        window: &'a str,
        /// The window's port on the backend.
        port: u16,
        /// The pods that answered on it.
        endpoints: &'a [Endpoint],
    },
    /// Nothing refers to it any more: stay until `until`, for proxies that learn late.
    Linger {
        /// When it may go, where nothing is written on it yet.
        until: DateTime<Utc>,
    },
}

/// The plan that gives the bridge called `name` in `namespace` what it is needed for.
///
/// While no pod has answered, slices that stand are left as they are: an address that may work
/// is better than none.
pub fn plan(
    namespace: &str,
    name: &str,
    read: Option<&Service>,
    slices: &[&EndpointSlice],
    need: Need<'_>,
    now: DateTime<Utc>,
) -> Plan {
    match (need, read) {
        (_, Some(service)) if !is_bridge(service) => Plan::nothing(Outcome::Waiting(Reason::new(
            NAME_TAKEN,
            format!(
                "the Service {name} is in the way: the window needs that name for its bridge; \
                 rename the Service or the window"
            ),
        ))),
        (Need::Stand { window, .. }, None) => {
            let bridge = Box::new(service(namespace, name, window));
            Plan::new(vec![Edit::CreateBridge(bridge)], Outcome::Serving)
        }
        (
            Need::Stand {
                port, endpoints, ..
            },
            Some(bridge),
        ) => {
            let mut edits = stay(bridge);
            if !endpoints.is_empty() {
                let wanted = slices::desired(bridge, endpoints, port);
                edits.extend(slices::edits(slices.iter().copied(), wanted));
            }
            Plan::new(edits, Outcome::Serving)
        }
        (Need::Linger { .. }, None) => Plan::nothing(Outcome::Serving),
        (Need::Linger { until }, Some(bridge)) => linger(bridge, until, now),
    }
}

fn service(namespace: &str, name: &str, window: &str) -> Service {
    Service {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(BTreeMap::from([
                (
                    names::MANAGED_BY_LABEL.to_owned(),
                    names::MANAGED_BY.to_owned(),
                ),
                (names::WINDOW_LABEL.to_owned(), window.to_owned()),
            ])),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            ip_family_policy: Some("PreferDualStack".to_owned()),
            ports: Some(vec![ServicePort {
                name: Some("http".to_owned()),
                port: PORT,
                target_port: Some(IntOrString::Int(PORT)),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// A bridge that was on its way out is needed again.
fn stay(bridge: &Service) -> Vec<Edit> {
    if names::instant(&bridge.metadata, names::LINGER_ANNOTATION).is_none() {
        return Vec::new();
    }
    let mut bridge = bridge.clone();
    if let Some(annotations) = &mut bridge.metadata.annotations {
        annotations.remove(names::LINGER_ANNOTATION);
    }
    vec![Edit::ReplaceBridge(Box::new(bridge))]
}

fn linger(bridge: &Service, until: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
    match names::instant(&bridge.metadata, names::LINGER_ANNOTATION) {
        None => {
            let mut bridge = bridge.clone();
            bridge
                .metadata
                .annotations
                .get_or_insert_default()
                .insert(names::LINGER_ANNOTATION.to_owned(), names::annotated(until));
            let edits = vec![Edit::ReplaceBridge(Box::new(bridge))];
            Plan::new(edits, Outcome::Releasing { until }).again(until)
        }
        Some(until) if now < until => Plan::nothing(Outcome::Releasing { until }).again(until),
        Some(_) => {
            let bridge = Precondition::of(&bridge.metadata);
            Plan::new(vec![Edit::DeleteBridge(bridge)], Outcome::Serving)
        }
    }
}

#[cfg(test)]
#[path = "bridge_tests.rs"]
mod tests;
