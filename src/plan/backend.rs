//! The backend pods, as the platform's own EndpointSlices of the backend's Service show them.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::discovery::v1::EndpointSlice;

/// One address of a backend pod. A dual-stack pod has two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Where the pod is reached.
    pub address: IpAddr,
    /// The pod itself; proxies of clouds pass over endpoints without one.
    pub pod: Pod,
    /// The node that it runs on.
    pub node: Option<String>,
    /// The zone of that node.
    pub zone: Option<String>,
}

/// What names a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pod {
    /// Its namespace: the operator's, not the target's.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// The ready endpoints in `slices` that are pods, without duplicates, in a stable order.
pub fn ready_endpoints<'a>(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = slices
        .into_iter()
        .flat_map(|slice| &slice.endpoints)
        .filter(|endpoint| is_ready(endpoint))
        .flat_map(|endpoint| {
            let pod = endpoint.target_ref.as_ref().and_then(pod);
            endpoint.addresses.iter().filter_map(move |address| {
                Some(Endpoint {
                    address: address.parse().ok()?,
                    pod: pod.clone()?,
                    node: endpoint.node_name.clone(),
                    zone: endpoint.zone.clone(),
                })
            })
        })
        .collect();
    endpoints.sort();
    endpoints.dedup();
    endpoints
}

/// Whether an endpoint takes new connections. An absent condition means ready
/// (`discovery/v1` `EndpointConditions`).
pub fn is_ready(endpoint: &k8s_openapi::api::discovery::v1::Endpoint) -> bool {
    endpoint
        .conditions
        .as_ref()
        .and_then(|conditions| conditions.ready)
        .unwrap_or(true)
}

fn pod(reference: &ObjectReference) -> Option<Pod> {
    if reference.kind.as_deref() != Some("Pod") {
        return None;
    }
    Some(Pod {
        namespace: reference.namespace.clone()?,
        name: reference.name.clone()?,
        uid: reference.uid.clone()?,
    })
}
