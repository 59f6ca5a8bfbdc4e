//! An HTTPRoute: what stands in its manifest, and what people write into it.
//!
//! One rule has weights and a mirror, one a filter on its backend, and one is a redirect, which leads
//! nowhere.

use entracte::api::httproute::HttpRoute;
use entracte::api::target::TargetKind;
use serde_json::{Value, json};

use super::{InPlace, Route, list};

impl Route for HttpRoute {
    const KIND: TargetKind = TargetKind::HTTPRoute;

    const EDITS: &'static [InPlace] = &[
        ("inserts a rule before the others", |value| {
            rules(value).insert(0, rule("/new", &json!([backend("new", 1)])));
        }),
        ("changes the backends of a rule", |value| {
            if let Some(api) = rule_of(value, "/api") {
                api["backendRefs"] = json!([backend("api2", 1)]);
            }
        }),
        ("puts a backend beside", |value| {
            if let Some(api) = rule_of(value, "/api") {
                put(api, "backendRefs", backend("canary", 1));
            }
        }),
        ("adds a mirror", |value| {
            if let Some(front) = rule_of(value, "/") {
                put(front, "filters", mirror("second"));
            }
        }),
        ("removes a rule", |value| {
            rules(value).retain(|rule| *path_of(rule) != "/");
        }),
        ("turns the rules around", |value| rules(value).reverse()),
        ("copies a rule for a header", |value| {
            if let Some(front) = rule_of(value, "/") {
                let mut copy = front.clone();
                copy["matches"][0]["headers"] = json!([{"name": "beta", "value": "1"}]);
                rules(value).retain(|rule| rule["matches"][0]["headers"].is_null());
                rules(value).push(copy);
            }
        }),
    ];

    fn manifest() -> Value {
        let mut front = rule("/", &json!([backend("front", 9), backend("next", 1)]));
        front["filters"] = json!([mirror("shadow")]);
        let mut api = rule("/api", &json!([backend("api", 1)]));
        api["backendRefs"][0]["filters"] = json!([{"type": "RequestHeaderModifier",
            "requestHeaderModifier": {"remove": ["cookie"]}}]);
        let mut old = rule("/old", &Value::Null);
        old["filters"] = json!([{"type": "RequestRedirect", "requestRedirect": {"port": 443}}]);
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "storefront", "namespace": "shop", "uid": "u1",
                "annotations": {"team": "web"}},
            "spec": {
                "parentRefs": [{"name": "public"}],
                "hostnames": ["shop.test"],
                "rules": [front, api, old],
            },
        })
    }

    fn leads_to(&self) -> Vec<Vec<String>> {
        let name = |of: &Value| of["name"].as_str().map(str::to_owned);
        let leaves = self.spec.rules.iter().map(|rule| {
            let backends = rule.backend_refs.iter().flatten().filter_map(name);
            let filters = rule.filters.iter().flatten();
            let mirrors = filters.filter_map(|filter| name(&filter["requestMirror"]["backendRef"]));
            backends.chain(mirrors).collect()
        });
        leaves.filter(|leaf: &Vec<_>| !leaf.is_empty()).collect()
    }
}

fn backend(service: &str, weight: u32) -> Value {
    json!({"name": service, "port": 80, "weight": weight})
}

fn mirror(service: &str) -> Value {
    json!({"type": "RequestMirror",
        "requestMirror": {"backendRef": {"name": service, "port": 80}}})
}

fn rule(path: &str, backends: &Value) -> Value {
    let mut rule = json!({"matches": [{"path": {"type": "PathPrefix", "value": path}}]});
    if !backends.is_null() {
        rule["backendRefs"] = backends.clone();
    }
    rule
}

fn rules(value: &mut Value) -> &mut Vec<Value> {
    list(value, "/spec/rules")
}

fn path_of(rule: &Value) -> &Value {
    &rule["matches"][0]["path"]["value"]
}

/// The first rule of a path.
fn rule_of<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    rules(value).iter_mut().find(|rule| *path_of(rule) == path)
}

/// Adds to a list what is not in it.
fn put(rule: &mut Value, list: &str, item: Value) {
    if rule[list].is_null() {
        rule[list] = json!([]);
    }
    let list = rule[list].as_array_mut().unwrap();
    if !list.contains(&item) {
        list.push(item);
    }
}
