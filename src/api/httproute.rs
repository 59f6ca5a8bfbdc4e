//! The part of an HTTPRoute that is read here, and everything else as it came.
//!
//! The Gateway API's own types for Rust come late after each release of `kube`, and a type that
//! knows every field drops those of the next version. This one knows the few fields that a hold
//! changes or looks at, and keeps the rest.

use kube::CustomResource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `spec` of an HTTPRoute (`gateway.networking.k8s.io/v1`).
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "HTTPRoute",
    root = "HttpRoute",
    plural = "httproutes",
    status = "HttpRouteStatus",
    doc = "A route of the Gateway API.",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// The rules, in the order in which they were written: an atomic list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// `parentRefs`, `hostnames`, and whatever else there is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One rule. Absent lists and empty ones are told apart.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its name, which no other rule of the route has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<Value>>,
    /// What is done to a request before it is sent on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<Value>>,
    /// Where it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_refs: Option<Vec<Value>>,
    /// Whatever else there is.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// As much of the `status` of an HTTPRoute as is read. Nothing here writes it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
pub struct HttpRouteStatus {
    /// What its parents make of it, each as its controller says.
    #[serde(default)]
    pub parents: Vec<ParentStatus>,
}

/// What one parent makes of a route (`RouteParentStatus`).
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
#[serde(rename_all = "camelCase")]
pub struct ParentStatus {
    /// Which of the `parentRefs` of the spec it is about.
    #[serde(default)]
    pub parent_ref: Value,
    /// The controller that wrote this, by the name that its GatewayClass has for it: "This
    /// corresponds with the controllerName field on GatewayClass. […] Controllers MUST populate this
    /// field when writing status" (`RouteParentStatus.controllerName`, gateway-api
    /// `apis/v1/shared_types.go`).
    #[serde(default)]
    pub controller_name: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_survives_being_read_and_written() {
        let manifest = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "web"},
            "spec": {
                "parentRefs": [{"name": "public"}],
                "hostnames": ["shop.test"],
                "rules": [
                    {"name": "all", "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                     "filters": [], "backendRefs": [{"name": "web", "port": 80, "new": true}],
                     "timeouts": {"request": "1s"}},
                    {"retry": {"attempts": 2}},
                ],
                "useDefaultGateways": "All",
            },
        });
        let route: HttpRoute = serde_json::from_value(manifest.clone()).unwrap();
        assert_eq!(serde_json::to_value(route).unwrap(), manifest);
    }

    #[test]
    fn a_status_says_which_controller_serves_which_parent() {
        let route: HttpRoute = serde_json::from_value(json!({
            "metadata": {"name": "web"},
            "spec": {},
            "status": {"parents": [{
                "parentRef": {"name": "public"},
                "controllerName": "example.net/gateway-controller",
                "conditions": [{"type": "Accepted"}],
            }]},
        }))
        .unwrap();
        assert_eq!(
            route.status.unwrap().parents,
            [ParentStatus {
                parent_ref: json!({"name": "public"}),
                controller_name: "example.net/gateway-controller".to_owned(),
            }]
        );
    }
}
