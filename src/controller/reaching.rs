//! Step 1, continued: what the windows reach among what is there. Does not touch the cluster.

use super::observe::Observed;
use crate::plan::slices;
use crate::reach::{Objects, Reach, Seen, reach};
use crate::schedule::TargetRef;

/// What each window of the namespace reaches, in the order of the windows.
pub(super) fn reached(observed: &Observed) -> Vec<Reach> {
    if observed.windows.is_empty() {
        return Vec::new();
    }
    reach(&observed.windows, &seen(observed))
}

fn seen(observed: &Observed) -> Objects<'_> {
    let objects = observed.objects.iter();
    objects
        .map(|(target, object)| {
            let seen = Seen::of(&**object, &observed.around(target));
            let led_by = led_by(observed, target).filter(|_| seen.is_held);
            (target, Seen { led_by, ..seen })
        })
        .collect()
}

/// The window to whose port our slices behind a Service lead.
fn led_by<'o>(observed: &'o Observed, target: &TargetRef) -> Option<&'o str> {
    if target.kind.is_route() {
        return None;
    }
    let ours = observed.our_slices(&target.name);
    let leads = |port| ours.iter().any(|slice| slices::leads_to_port(slice, port));
    let mut notices = observed.notices.iter();
    let standing = notices.find(|standing| leads(standing.notice.port))?;
    Some(&standing.notice.uid)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::DeserializeGuard;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use crate::api::MaintenanceWindow;
    use crate::controller::Caches;
    use crate::controller::cache::Cache;
    use crate::controller::installed::Installed;
    use crate::controller::observe::observe;

    /// Far more than it takes, and far less than anything quadratic would.
    const LIMIT: Duration = Duration::from_millis(500);

    fn cached<K>(objects: impl Iterator<Item = Value>) -> Cache<K>
    where
        K: DeserializeOwned + kube::Resource<DynamicType = ()>,
    {
        let cache = Cache::default();
        for object in objects {
            cache.learn(serde_json::from_value(object).unwrap(), None);
        }
        cache
    }

    #[test]
    fn a_namespace_with_a_thousand_of_each_kind_is_observed_at_once() {
        let metadata = |i: usize| {
            json!({"namespace": "shop", "name": format!("a-{i}"), "uid": format!("u-{i}"),
                "labels": {"tier": format!("t-{}", i % 64)}})
        };
        let services = cached((0..1000).map(|i| {
            json!({"metadata": metadata(i), "spec": {"selector": {"app": "x"}, "clusterIP": "10.0.0.1"}})
        }));
        let path = |name: &str| {
            json!({"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": name, "port": {"number": 80}}}})
        };
        let ingresses = cached((0..1000).map(|i| {
            let paths = [path("a-0"), path(&format!("a-{i}"))];
            json!({"metadata": metadata(i), "spec": {"rules": [{"http": {"paths": paths}}]}})
        }));
        let slices = cached((0..1000).map(|i| {
            json!({"metadata": {"namespace": "shop", "name": format!("a-{i}-x"),
                    "labels": {"kubernetes.io/service-name": format!("a-{i}")}},
                "addressType": "IPv4", "endpoints": []})
        }));
        let selector = |i: usize| json!({"kind": "Service", "selector": {"matchLabels": {"tier": format!("t-{i}")}}});
        let targets: Vec<Value> = (0..63)
            .map(selector)
            .chain([json!({"kind": "Ingress", "all": {}, "hold": "Services"})])
            .collect();
        let window: MaintenanceWindow = serde_json::from_value(json!({
            "apiVersion": "entracte.dev/v1alpha1", "kind": "MaintenanceWindow",
            "metadata": {"namespace": "shop", "name": "w", "uid": "w", "generation": 1,
                "creationTimestamp": "2026-12-01T09:00:00Z"},
            "spec": {"schedule": {"always": {}}, "targets": targets},
        }))
        .unwrap();
        let windows = Cache::default();
        windows.learn(DeserializeGuard(Ok(window)), None);
        let caches = Caches {
            operator_namespace: "ops".to_owned(),
            backend_service: "backend".to_owned(),
            windows,
            services,
            ingresses,
            routes: Cache::default(),
            ingress_classes: Cache::default(),
            policies: Cache::default(),
            slices,
            notices: Cache::<ConfigMap>::default(),
            windows_installed: tokio::sync::watch::channel(Installed::Served).1,
            routes_installed: tokio::sync::watch::channel(Installed::Absent).1,
        };
        let began = Instant::now();
        let observed = observe(&caches, "shop");
        let took = began.elapsed();
        let (_, reach) = observed.reached().next().unwrap();
        // One tier in 64 is not selected, but an Ingress leads to each of its Services.
        assert_eq!((reach.lines.len(), reach.holds.len()), (985 + 1000, 1000));
        assert!(took < LIMIT, "{took:?}");
        println!("observed in {took:?}");
    }
}
