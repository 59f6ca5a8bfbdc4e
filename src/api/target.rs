//! What a window names or selects.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, with its `pub`, into a function"
)]

use std::{collections::BTreeMap, fmt};

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rules, schema};

/// One object, or several of one kind, of the window's namespace: exactly one of name, selector
/// and all.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::one_way_to_name_a_target(),
    validation = rules::a_service_is_held_itself(),
    validation = rules::group_of_kind(),
)]
pub struct Target {
    /// The API group of kind: "" for Service, networking.k8s.io for Ingress,
    /// gateway.networking.k8s.io for HTTPRoute. Absent: the group of kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub group: Option<String>,
    /// Service, Ingress or HTTPRoute.
    pub kind: TargetKind,
    /// The name of one object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::object_name("name"))]
    pub name: Option<String>,
    /// Every object of this kind whose labels match, at any moment of the window: one that comes to
    /// match is held, one that ceases to is released. One that cannot be held is passed over, and
    /// the status names it. What Entracte made itself is never selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::selector_is_not_empty())]
    pub selector: Option<Selector>,
    /// Every object of this kind that there is, at any moment of the window. Write {}. One that
    /// cannot be held is passed over, and the status names it. What Entracte made itself is never
    /// selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<All>,
    /// How an Ingress or HTTPRoute is held. Route: its rules are patched, so that the public
    /// gets the answer of the window and callers inside the cluster go on as before. Services:
    /// it is left alone and the Services behind it are held, so that callers inside the cluster
    /// get the answer too, and whoever reaches those Services by another way. Absent: Route, but
    /// Services where Argo CD tracks the object, which would undo the patch; the status says so. Of
    /// several entries that reach one object, the one by name decides, then the first by selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldMode>,
}

/// The kinds of objects that can be held.
#[derive(
    JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[schemars(transform = schema::described_by_its_field)]
pub enum TargetKind {
    /// A Service of the core group.
    Service,
    /// An Ingress of `networking.k8s.io`.
    Ingress,
    /// An HTTPRoute of `gateway.networking.k8s.io`.
    HTTPRoute,
}

impl TargetKind {
    /// The kind as it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::HTTPRoute => "HTTPRoute",
        }
    }

    /// The API group of the kind; the core group is the empty string.
    pub fn group(self) -> &'static str {
        match self {
            Self::Service => "",
            Self::Ingress => "networking.k8s.io",
            Self::HTTPRoute => "gateway.networking.k8s.io",
        }
    }

    /// The version of the kind that is read and written.
    pub fn version(self) -> &'static str {
        "v1"
    }

    /// The kind as it stands in a path of the API.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Ingress => "ingresses",
            Self::HTTPRoute => "httproutes",
        }
    }

    /// Whether objects of the kind lead to Services by name, and so to the backend over a bridge.
    pub fn is_route(self) -> bool {
        match self {
            Self::Service => false,
            Self::Ingress | Self::HTTPRoute => true,
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an Ingress or HTTPRoute is held.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(transform = schema::described_by_its_field)]
pub enum HoldMode {
    /// Its rules are patched.
    Route,
    /// The Services behind it are held.
    Services,
}

/// Labels that an object must bear. What is written must all match; an empty selector is
/// refused.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Labels and their values, all of which must be there. At most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::labels")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// Conditions on labels, all of which must be true. At most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub match_expressions: Option<Vec<SelectorRequirement>>,
}

/// A condition on one label.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::values_fit_the_operator())]
pub struct SelectorRequirement {
    /// The label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// In and NotIn compare with values; Exists and DoesNotExist take none.
    pub operator: SelectorOperator,
    /// The values for In and NotIn. At most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub values: Option<Vec<String>>,
}

/// How a label is compared (`metav1.LabelSelectorOperator`).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(transform = schema::described_by_its_field)]
pub enum SelectorOperator {
    /// The label has one of the values.
    In,
    /// The label is absent, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Every object of a kind.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct All {}
