//! An Ingress: what stands in its manifest, and what people write into it.

use entracte::api::target::TargetKind;
use entracte::plan::Holdable;
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};

use super::{InPlace, Route, list};

impl Route for Ingress {
    const KIND: TargetKind = TargetKind::Ingress;

    const EDITS: &'static [InPlace] = &[
        ("inserts a path before the others", |value| {
            paths(value).insert(0, path("/new", "new"));
        }),
        ("changes a backend", |value| {
            if let Some(api) = paths(value).iter_mut().find(|p| p["path"] == "/api") {
                api["backend"] = backend("api2");
            }
        }),
        ("removes a path", |value| {
            paths(value).retain(|path| path["path"] != "/");
        }),
        ("turns the paths around", |value| paths(value).reverse()),
        ("copies a rule to another host", |value| {
            let rules = list(value, "/spec/rules");
            let mut copy = rules[0].clone();
            copy["host"] = json!("copy.test");
            rules.truncate(1);
            rules.push(copy);
        }),
    ];

    fn manifest() -> Value {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "storefront", "namespace": "shop", "uid": "u1",
                "annotations": {"team": "web"}},
            "spec": {
                "defaultBackend": backend("fallback"),
                "rules": [{"host": "shop.test", "http": {"paths": [
                    path("/", "front"),
                    path("/api", "api"),
                ]}}],
            },
        })
    }

    fn leads_to(&self) -> Vec<Vec<String>> {
        let backends = self.backends().into_iter();
        backends.map(|backend| vec![backend]).collect()
    }
}

fn backend(service: &str) -> Value {
    json!({"service": {"name": service, "port": {"number": 80}}})
}

fn path(path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": "Prefix", "backend": backend(service)})
}

fn paths(value: &mut Value) -> &mut Vec<Value> {
    list(value, "/spec/rules/0/http/paths")
}
