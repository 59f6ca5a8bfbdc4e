//! The rehearsal of an HTTPRoute.
//!
//! It has the parents and the host names of its target, because a listener may take no other ones,
//! and exact paths below 128 random bits that nobody guesses. Who finds one is answered by the window
//! as ever: in each of its rules a bridge has all of the weight, and whatever else it refers to has
//! none ("If weight is set to 0, no traffic should be forwarded for this entry", `BackendRef.weight`).
//!
//! Of the parents it has those alone that are known to need it: a rule more at a load balancer in a
//! cloud may take minutes, and be one too many.

use std::collections::BTreeSet;
use std::slice;

use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::{Rehearsable, Serving};
use crate::api::httproute::{HttpRoute, HttpRouteSpec, Rule};
use crate::api::target::TargetKind;
use crate::plan::controllers::{self, of_gateway_class};
use crate::plan::edit::Rehearsal;
use crate::plan::{bridge, httproute, route};

/// The most rules that an HTTPRoute may have, and the most backends that a rule may have
/// (`HTTPRouteSpec.rules`, `HTTPRouteRule.backendRefs`).
const MOST_RULES: usize = 16;
const MOST_BACKENDS: usize = 16;

/// What the paths of a rehearsal begin with.
const BELOW: &str = "/.entracte/";

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// Where that is not the namespace of the route.
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) port: u64,
}

impl From<HttpRoute> for Rehearsal {
    fn from(rehearsal: HttpRoute) -> Self {
        Self::HttpRoute(Box::new(rehearsal))
    }
}

impl Rehearsable for HttpRoute {
    const KIND: TargetKind = TargetKind::HTTPRoute;

    /// Each rule begins with the same bridge.
    const MOST: usize = MOST_RULES * (MOST_BACKENDS - 1) + 1;

    type Backend = Backend;

    /// As the status says, which names controllers by what their GatewayClasses name
    /// ([`controller_name`](crate::api::httproute::ParentStatus::controller_name)).
    fn served_by(&self, _: &dyn Fn(&str) -> Option<String>) -> Vec<Serving> {
        let served: Vec<Serving> = parents(self)
            .flat_map(|parent| taken(self, parent))
            .collect();
        if served.is_empty() {
            let why = "the HTTPRoute has no parents";
            return vec![Err(why.to_owned())];
        }
        served
    }

    fn originals(&self, bridges: &BTreeSet<String>) -> Vec<Backend> {
        let originals = httproute::originals(self, bridges);
        distinct(originals.iter().filter_map(|backend| read(self, backend)))
    }

    fn to_bridge(name: &str) -> Backend {
        Backend {
            namespace: None,
            name: name.to_owned(),
            port: bridge::PORT.unsigned_abs().into(),
        }
    }

    fn leads_only_to(&self, bridge: &str) -> bool {
        route::leads_only_to(self, bridge)
    }

    fn known(&self) -> Vec<Backend> {
        let rules = self.spec.rules.iter();
        let backends = rules.flat_map(|rule| rule.backend_refs.iter().flatten());
        distinct(backends.filter_map(|backend| read(self, backend)))
    }

    fn secret(&self) -> Option<&str> {
        let matches = self.spec.rules.first()?.matches.as_ref()?;
        let path = matches.first()?["path"]["value"].as_str()?;
        let (secret, _) = path.strip_prefix(BELOW)?.split_once('/')?;
        Some(secret)
    }

    fn served_at(&self) -> Value {
        let field = |field: &str| self.spec.rest.get(field).cloned();
        json!({"parentRefs": field("parentRefs"), "hostnames": field("hostnames")})
    }

    fn annotations(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn rehearsed(
        &self,
        metadata: ObjectMeta,
        secret: &str,
        backends: &[Backend],
        bridge: &Backend,
    ) -> Self {
        let others: Vec<Value> = backends
            .iter()
            .filter(|backend| *backend != bridge)
            .map(|backend| written(backend, 0))
            .collect();
        let bridge = written(bridge, 1);
        // A route without rules would be given one that matches everything.
        let mut of_rules: Vec<&[Value]> = others.chunks(MOST_BACKENDS - 1).collect();
        if of_rules.is_empty() {
            of_rules.push(&[]);
        }
        let rules = of_rules.into_iter().enumerate().map(|(number, others)| {
            let path = format!("{BELOW}{secret}/{number}");
            Rule {
                matches: Some(vec![json!({"path": {"type": "Exact", "value": path}})]),
                backend_refs: Some([slice::from_ref(&bridge), others].concat()),
                ..Rule::default()
            }
        });
        let parents: Vec<&Value> = parents(self).filter(|it| needs_one(self, it)).collect();
        let mut rest = Map::from_iter([("parentRefs".to_owned(), json!(parents))]);
        if let Some(hostnames) = self.spec.rest.get("hostnames") {
            rest.insert("hostnames".to_owned(), hostnames.clone());
        }
        let spec = HttpRouteSpec {
            rules: rules.collect(),
            rest,
        };
        Self {
            metadata,
            spec,
            status: None,
        }
    }
}

/// The parents that a route names.
fn parents(route: &HttpRoute) -> impl Iterator<Item = &Value> {
    let parents = route.spec.rest.get("parentRefs").and_then(Value::as_array);
    parents.into_iter().flatten()
}

/// Who serves a route at one of its parents.
fn taken(route: &HttpRoute, parent: &Value) -> Vec<Serving> {
    let served: Vec<Serving> = controllers_at(route, parent)
        .map(|controller| {
            let known = of_gateway_class(controller);
            known.ok_or_else(|| format!("nothing is known of {controller}, which serves it"))
        })
        .collect();
    if served.is_empty() {
        let name = parent["name"].as_str().unwrap_or_default();
        let why = format!(
            "the status of the HTTPRoute does not say which controller serves it at {name}"
        );
        return vec![Err(why)];
    }
    served
}

/// Whether a rehearsal is needed at a parent.
fn needs_one(route: &HttpRoute, parent: &Value) -> bool {
    controllers_at(route, parent)
        .filter_map(of_gateway_class)
        .any(|known| known.rehearsal == controllers::Rehearsal::Needed)
}

/// The controllers that say in the status what they make of a route at a parent. What the status says
/// of parents that the route had once does not count.
fn controllers_at<'r>(route: &'r HttpRoute, parent: &'r Value) -> impl Iterator<Item = &'r str> {
    let said = route.status.iter().flat_map(|status| &status.parents);
    let said = said.filter(move |said| is_same(route, &said.parent_ref, parent));
    said.map(|said| said.controller_name.as_str())
}

/// Whether two references of a route are to one parent (`ParentReference`, with its defaults).
fn is_same(route: &HttpRoute, one: &Value, other: &Value) -> bool {
    let text = |parent: &Value, field: &str, default: Option<&str>| {
        let said = parent[field].as_str().or(default);
        said.map(str::to_owned)
    };
    let namespace = route.metadata.namespace.as_deref();
    let fields = [
        ("group", Some(TargetKind::HTTPRoute.group())),
        ("kind", Some("Gateway")),
        ("namespace", namespace),
        ("name", None),
        ("sectionName", None),
    ];
    let mut fields = fields.into_iter();
    one["port"] == other["port"]
        && fields.all(|(field, default)| text(one, field, default) == text(other, field, default))
}

/// The Service that a backend of a route is, if it is one.
fn read(route: &HttpRoute, backend: &Value) -> Option<Backend> {
    if !httproute::is_service(backend) {
        return None;
    }
    let own = route.metadata.namespace.as_deref();
    let namespace = backend["namespace"].as_str();
    let namespace = namespace.filter(|namespace| Some(*namespace) != own);
    Some(Backend {
        namespace: namespace.map(str::to_owned),
        name: backend["name"].as_str()?.to_owned(),
        port: backend["port"].as_u64()?,
    })
}

/// With what the API server would write into it.
fn written(backend: &Backend, weight: u32) -> Value {
    let Backend {
        namespace,
        name,
        port,
    } = backend;
    let mut written = json!({
        "group": "",
        "kind": "Service",
        "name": name,
        "port": port,
        "weight": weight,
    });
    if let Some(namespace) = namespace {
        written["namespace"] = json!(namespace);
    }
    written
}

fn distinct(backends: impl Iterator<Item = Backend>) -> Vec<Backend> {
    let mut distinct = Vec::new();
    for backend in backends {
        if !distinct.contains(&backend) {
            distinct.push(backend);
        }
    }
    distinct
}

#[cfg(test)]
#[path = "httproute_tests.rs"]
mod tests;
