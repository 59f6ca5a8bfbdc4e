use serde_json::json;

use super::*;

#[test]
fn every_slip_in_the_targets_is_named_with_what_to_write() {
    let cases = [
        (
            json!([]),
            "spec.targets: is empty: name at least one target",
        ),
        (
            json!([{"kind": "Service"}]),
            "spec.targets[0]: write exactly one of name, selector and all",
        ),
        (
            json!([{"kind": "Service", "name": "web"}, {"kind": "Service", "name": "web"}]),
            "spec.targets[1]: names Service/web a second time: remove one of the two",
        ),
        (
            json!([{"kind": "Service", "all": {}}, {"kind": "Service", "all": {}}]),
            "spec.targets[1]: selects Service --all a second time: remove one of the two",
        ),
        (
            json!([{"kind": "Service", "selector": {"matchLabels": {}}}]),
            "spec.targets[0].selector: is empty: write matchLabels or matchExpressions, or all: {} \
             in place of selector for every object of this kind",
        ),
        (
            json!([{"kind": "Service", "selector": {"matchExpressions": [
                {"key": "tier", "operator": "In"}]}}]),
            "spec.targets[0].selector.matchExpressions[0]: In and NotIn need values; Exists and \
             DoesNotExist take none",
        ),
        (
            json!([{"kind": "Service", "selector": {"matchExpressions": [
                {"key": "tier", "operator": "Exists", "values": ["web"]}]}}]),
            "spec.targets[0].selector.matchExpressions[0]: In and NotIn need values; Exists and \
             DoesNotExist take none",
        ),
        (
            json!([{"kind": "Ingress", "name": "web", "group": "extensions"}]),
            "spec.targets[0].group: the group of Ingress is \"networking.k8s.io\": write that, or \
             remove group",
        ),
        (
            json!([{"kind": "Service", "name": "web", "hold": "Services"}]),
            "spec.targets[0].hold: a Service is held itself: remove hold",
        ),
        (
            json!([{"kind": "Service", "name": "other/web"}]),
            "spec.targets[0].name: must be the name of an object in the window's own namespace: \
             lower-case letters, digits, - and .",
        ),
    ];
    for (targets, expected) in cases {
        assert_eq!(problems(&with(json!({"targets": targets}))), [expected]);
    }

    let many: Vec<_> = (0..65)
        .map(|i| json!({"kind": "Service", "name": format!("web-{i}")}))
        .collect();
    assert_eq!(
        problems(&with(json!({"targets": many}))),
        ["spec.targets: has more than 64 entries: spread them over several windows"],
    );
}
