//! EndpointSlices of ours: those behind a held Service, and those behind a bridge.
//!
//! One for each address family. Every field that a proxy might read is written out (notes of
//! each in KEP-752 and KEP-1672): the three conditions, because some proxies take an absent
//! `ready` for false; `targetRef`, `nodeName` and `zone`, because load balancers of clouds pass
//! over endpoints without them. The platform's controller leaves slices of other managers alone.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{ObjectReference, Service};
use k8s_openapi::api::discovery::v1::{
    Endpoint as SliceEndpoint, EndpointConditions, EndpointPort, EndpointSlice,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

use super::backend::{Endpoint, is_ready};
use super::edit::{Edit, Precondition};
use crate::api::names;

/// An address family, as `spec.ipFamilies` of a Service and `addressType` of a slice spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `IPv4`
    V4,
    /// `IPv6`
    V6,
}

impl Family {
    /// The families of `service`; a Service that names none is IPv4.
    pub fn of(service: &Service) -> Vec<Self> {
        let families = service
            .spec
            .as_ref()
            .and_then(|spec| spec.ip_families.as_deref());
        match families {
            None | Some([]) => vec![Self::V4],
            Some(families) => families
                .iter()
                .map(|family| if family == "IPv6" { Self::V6 } else { Self::V4 })
                .collect(),
        }
    }

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// Whether `slice` is of the family.
    pub fn is_of(self, slice: &EndpointSlice) -> bool {
        slice.address_type == self.as_str()
    }

    /// Whether `address` is of the family.
    pub fn contains(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// The slices of ours that lead `service` to `endpoints` on `port`: for each of its families, and
/// under the name of each of its ports.
pub fn desired(service: &Service, endpoints: &[Endpoint], port: u16) -> Vec<EndpointSlice> {
    Family::of(service)
        .into_iter()
        .map(|family| desired_slice(service, family, endpoints, port))
        .collect()
}

fn desired_slice(
    service: &Service,
    family: Family,
    endpoints: &[Endpoint],
    port: u16,
) -> EndpointSlice {
    let name = service.metadata.name.clone().unwrap_or_default();
    EndpointSlice {
        metadata: ObjectMeta {
            name: Some(slice_name(&name, family)),
            namespace: service.metadata.namespace.clone(),
            labels: Some(BTreeMap::from([
                (names::SERVICE_NAME_LABEL.to_owned(), name.clone()),
                (
                    names::SLICE_MANAGED_BY_LABEL.to_owned(),
                    names::SLICE_MANAGED_BY.to_owned(),
                ),
            ])),
            owner_references: Some(vec![owned_by(service)]),
            ..ObjectMeta::default()
        },
        address_type: family.as_str().to_owned(),
        endpoints: endpoints
            .iter()
            .filter(|endpoint| family.contains(endpoint.address))
            .map(slice_endpoint)
            .collect(),
        ports: Some(slice_ports(service, port)),
    }
}

fn slice_name(service: &str, family: Family) -> String {
    names::derived(
        service,
        &format!("-entracte-{}", family.as_str().to_lowercase()),
        253,
    )
}

pub(super) fn owned_by(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.metadata.name.clone().unwrap_or_default(),
        uid: service.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn slice_endpoint(endpoint: &Endpoint) -> SliceEndpoint {
    SliceEndpoint {
        addresses: vec![endpoint.address.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(true),
            serving: Some(true),
            terminating: Some(false),
        }),
        node_name: endpoint.node.clone(),
        zone: endpoint.zone.clone(),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".to_owned()),
            namespace: Some(endpoint.pod.namespace.clone()),
            name: Some(endpoint.pod.name.clone()),
            uid: Some(endpoint.pod.uid.clone()),
            ..ObjectReference::default()
        }),
        ..SliceEndpoint::default()
    }
}

fn slice_ports(service: &Service, port: u16) -> Vec<EndpointPort> {
    let ports = service
        .spec
        .as_ref()
        .and_then(|spec| spec.ports.as_deref())
        .unwrap_or_default();
    ports
        .iter()
        .map(|service_port| EndpointPort {
            name: Some(service_port.name.clone().unwrap_or_default()),
            port: Some(i32::from(port)),
            protocol: Some("TCP".to_owned()),
            app_protocol: service_port.app_protocol.clone(),
        })
        .collect()
}

/// What the labels of our slices match.
pub const OURS: &str = "endpointslice.kubernetes.io/managed-by=entracte.dev";

/// What the labels of the slices of a Service match, whoever wrote them.
pub fn of_service(name: &str) -> String {
    format!("{}={name}", names::SERVICE_NAME_LABEL)
}

/// Whether `slice` is ours.
pub fn is_ours(slice: &EndpointSlice) -> bool {
    managed_by(slice) == Some(names::SLICE_MANAGED_BY)
}

/// Who writes `slice`, as it says.
pub fn managed_by(slice: &EndpointSlice) -> Option<&str> {
    label(slice, names::SLICE_MANAGED_BY_LABEL)
}

/// The name of the Service that `slice` belongs to.
pub fn service_name(slice: &EndpointSlice) -> Option<&str> {
    label(slice, names::SERVICE_NAME_LABEL)
}

/// Whether the owner of `slice` is `service` itself, and not one of the same name before it.
pub fn is_owned_by(slice: &EndpointSlice, service: &Service) -> bool {
    let owners = slice
        .metadata
        .owner_references
        .as_deref()
        .unwrap_or_default();
    owners
        .iter()
        .any(|owner| Some(&owner.uid) == service.metadata.uid.as_ref())
}

fn label<'a>(slice: &'a EndpointSlice, key: &str) -> Option<&'a str> {
    slice.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The edits that make the slices of ours which were `read` those that are `wanted`.
pub fn edits<'a>(
    read: impl IntoIterator<Item = &'a EndpointSlice>,
    wanted: Vec<EndpointSlice>,
) -> Vec<Edit> {
    let mut read: BTreeMap<&str, &EndpointSlice> = read
        .into_iter()
        .map(|slice| (slice.metadata.name.as_deref().unwrap_or(""), slice))
        .collect();
    let mut edits = Vec::new();
    for slice in wanted {
        match read.remove(slice.metadata.name.as_deref().unwrap_or("")) {
            None => edits.push(Edit::CreateSlice(Box::new(slice))),
            Some(present) if says_the_same(present, &slice) => {}
            Some(present) => edits.push(Edit::ReplaceSlice(Box::new(over(present, slice)))),
        }
    }
    edits.extend(
        read.into_values()
            .map(|slice| Edit::DeleteSlice(Precondition::of(&slice.metadata))),
    );
    edits
}

/// Whether all that is ours is as it should be. What a webhook or a person adds is theirs.
fn says_the_same(present: &EndpointSlice, wanted: &EndpointSlice) -> bool {
    let owners =
        |slice: &EndpointSlice| slice.metadata.owner_references.clone().unwrap_or_default();
    let mut labels = wanted.metadata.labels.iter().flatten();
    let has = |key: &str, value: &str| label(present, key) == Some(value);
    present.endpoints == wanted.endpoints
        && present.ports == wanted.ports
        && present.address_type == wanted.address_type
        && labels.all(|(key, value)| has(key, value))
        && owners(present) == owners(wanted)
        && our_annotations(present).eq(our_annotations(wanted))
}

fn our_annotations(slice: &EndpointSlice) -> impl Iterator<Item = (&String, &String)> {
    let annotations = slice.metadata.annotations.iter().flatten();
    annotations.filter(|(key, _)| names::is_our_key(key))
}

/// What is wanted, over what is present.
fn over(present: &EndpointSlice, mut wanted: EndpointSlice) -> EndpointSlice {
    let metadata = present.metadata.clone();
    let mut labels = metadata.labels.unwrap_or_default();
    labels.extend(wanted.metadata.labels.unwrap_or_default());
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.retain(|key, _| !names::is_our_key(key));
    annotations.extend(wanted.metadata.annotations.unwrap_or_default());
    wanted.metadata.labels = Some(labels);
    wanted.metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    wanted.metadata.resource_version = metadata.resource_version;
    wanted.metadata.uid = metadata.uid;
    wanted
}

/// The ports of `slice` (one of ours) for which `platform` (the platform's slices of the same
/// Service) has no ready endpoint of its family.
pub fn uncovered<'a>(
    slice: &EndpointSlice,
    platform: impl IntoIterator<Item = &'a EndpointSlice>,
) -> Vec<EndpointPort> {
    let ready: Vec<&EndpointSlice> = platform
        .into_iter()
        .filter(|other| other.address_type == slice.address_type)
        .filter(|other| other.endpoints.iter().any(is_ready))
        .collect();
    let covered = |port: &&EndpointPort| {
        let name = port.name.as_deref().unwrap_or_default();
        ready.iter().any(|other| has_port(other, name))
    };
    let ports = slice.ports.iter().flatten();
    ports.filter(|port| !covered(port)).cloned().collect()
}

/// Whether the endpoints of `slice` have the port called `name`.
pub(super) fn has_port(slice: &EndpointSlice, name: &str) -> bool {
    let ports = slice.ports.as_deref().unwrap_or_default();
    ports
        .iter()
        .any(|port| port.name.as_deref().unwrap_or_default() == name && port.port.is_some())
}

/// Whether `address` is one of the endpoints of `slice`.
pub fn leads_to(slice: &EndpointSlice, address: IpAddr) -> bool {
    let mut addresses = slice.endpoints.iter().flat_map(|it| &it.addresses);
    addresses.any(|other| other.parse() == Ok(address))
}

/// Whether `slice` leads to `port` of its endpoints.
pub fn leads_to_port(slice: &EndpointSlice, port: u16) -> bool {
    ports(slice).any(|led_to| led_to == port)
}

/// The ports of its endpoints to which `slice` leads.
pub fn ports(slice: &EndpointSlice) -> impl Iterator<Item = u16> {
    let ports = slice.ports.as_deref().unwrap_or_default();
    ports
        .iter()
        .filter_map(|slice_port| u16::try_from(slice_port.port?).ok())
}
