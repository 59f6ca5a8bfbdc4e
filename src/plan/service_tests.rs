use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::plan::backend::Endpoint;
use crate::plan::testing::{edited, endpoints, held, object, only_patch, patched, stored};
use crate::plan::{Desired, OWNED, Reason};

const CART: &str = r"
metadata: {name: cart, namespace: shop, uid: u1, resourceVersion: '5'}
spec:
  clusterIP: 10.96.0.7
  ipFamilies: [IPv4]
  selector: {app: cart}
  ports:
  - {name: http, port: 80, targetPort: 8080, protocol: TCP}
  - {name: admin, port: 81, targetPort: 8081, protocol: TCP, appProtocol: http}
";

pub(super) const LINGER: Linger = Linger {
    unready: TimeDelta::seconds(120),
    longest: TimeDelta::seconds(120),
};

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

pub(super) fn cart() -> Service {
    object(CART)
}

fn with(edit: impl FnOnce(&mut serde_json::Value)) -> Service {
    let mut value = serde_json::to_value(cart()).unwrap();
    edit(&mut value);
    serde_json::from_value(value).unwrap()
}

pub(super) fn with_slices(ours: &[EndpointSlice], platform: &[EndpointSlice]) -> Surroundings {
    let slices = ours.iter().chain(platform).cloned();
    Surroundings {
        slices: slices.map(Arc::new).collect(),
        ..Surroundings::default()
    }
}

fn plan_of(service: &Service, ours: &[EndpointSlice], desired: Desired<'_>, now: i64) -> Plan {
    service.plan(&with_slices(ours, &[]), desired, LINGER, at(now))
}

pub(super) fn held_cart() -> (Service, Vec<EndpointSlice>) {
    let service = cart();
    let edits = plan_of(&service, &[], held("entracte-w", &endpoints()), 0).edits;
    (patched(&service, &edits), stored(&[], &edits))
}

fn app_slice(ready: bool) -> EndpointSlice {
    object(&format!(
        "{{addressType: IPv4, metadata: {{labels: {{kubernetes.io/service-name: cart}}}}, \
         endpoints: [{{addresses: [10.244.0.2], conditions: {{ready: {ready}}}}}], \
         ports: [{{name: http, port: 8080}}, {{name: admin, port: 8081}}]}}"
    ))
}

fn refused(service: &Service) -> Reason {
    let plan = plan_of(service, &[], held("entracte-w", &endpoints()), 0);
    assert_eq!(plan.edits, [], "a target that is refused is not touched");
    match plan.outcome {
        Outcome::Refused(reason) => reason,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn our_slices_stand_before_the_selector_is_changed() {
    let plan = plan_of(&cart(), &[], held("entracte-w", &endpoints()), 0);
    assert!(matches!(plan.edits[0], Edit::CreateSlice(_)));
    assert_eq!(
        only_patch(&plan.edits[1..]),
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "5"},
            {"op": "add", "path": "/spec/selector/entracte.dev~1hold", "value": "u1"},
            {"op": "add", "path": "/metadata/labels", "value": {"entracte.dev/held": "true"}},
            {"op": "add", "path": "/metadata/annotations",
                "value": {"entracte.dev/hold": r#"{"at":"2027-01-15T08:00:00Z"}"#}},
        ])
    );
    assert_eq!(plan.outcome, Outcome::Held);
}

#[test]
fn a_slice_of_ours_bears_every_port_name_and_every_condition() {
    let (_, slices) = held_cart();
    assert_eq!(
        serde_json::to_value(&slices).unwrap(),
        json!([{
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": "cart-entracte-ipv4",
                "namespace": "shop",
                "labels": {
                    "kubernetes.io/service-name": "cart",
                    "endpointslice.kubernetes.io/managed-by": "entracte.dev",
                },
                "annotations": {"entracte.dev/served": ""},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "cart",
                    "uid": "u1", "controller": true}],
            },
            "addressType": "IPv4",
            "endpoints": [{
                "addresses": ["10.244.9.1"],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "nodeName": "node1",
                "targetRef": {"kind": "Pod", "namespace": "ops", "name": "backend-0", "uid": "b0"},
            }],
            "ports": [
                {"name": "http", "port": 20000, "protocol": "TCP"},
                {"name": "admin", "port": 20000, "protocol": "TCP", "appProtocol": "http"},
            ],
        }])
    );
}

#[test]
fn a_plan_that_was_applied_is_empty_when_it_is_made_again() {
    let (service, slices) = held_cart();
    let again = plan_of(&service, &slices, held("entracte-w", &endpoints()), 9);
    assert_eq!(again, Plan::nothing(Outcome::Held));
}

#[test]
fn a_release_gives_the_service_back_as_it_was() {
    let (service, slices) = held_cart();
    let plan = plan_of(&service, &slices, Desired::Released, 9);
    assert_eq!(patched(&service, &plan.edits), cart());
}

#[test]
fn a_selector_that_was_edited_in_the_window_is_kept_by_the_release() {
    let (service, slices) = held_cart();
    let mut edited = service;
    edited
        .spec
        .as_mut()
        .unwrap()
        .selector
        .as_mut()
        .unwrap()
        .insert("app".into(), "cart2".into());
    let released = patched(
        &edited,
        &plan_of(&edited, &slices, Desired::Released, 9).edits,
    );
    assert_eq!(
        serde_json::to_value(released.spec.unwrap().selector).unwrap(),
        json!({"app": "cart2"})
    );
}

#[test]
fn our_slices_outlive_the_release_until_the_app_is_ready() {
    let (service, slices) = held_cart();
    let edits = plan_of(&service, &slices, Desired::Released, 0).edits;
    assert!(
        matches!(edits[..], [Edit::ReplaceSlice(_), Edit::Patch { .. }]),
        "our slices say when, and then the selector is given back"
    );
    let (service, slices) = (patched(&service, &edits), stored(&slices, &edits));
    let look = |platform: EndpointSlice, now| {
        let around = with_slices(&slices, &[platform]);
        service.plan(&around, Desired::Released, LINGER, at(now))
    };
    let waiting = look(app_slice(false), 60);
    assert!(waiting.edits.is_empty());
    assert_eq!(waiting.outcome, Outcome::Releasing { until: at(120) });
    assert_eq!(waiting.again, Some(at(120)));
    let fresh = look(app_slice(true), 0);
    assert!(
        fresh.edits.is_empty(),
        "slices that look ready may be those from before the hold"
    );
    let ready = look(app_slice(true), 1);
    assert!(matches!(ready.edits[..], [Edit::DeleteSlice(_)]));
    assert_eq!(ready.outcome, Outcome::Serving);
    assert!(matches!(
        look(app_slice(false), 120).edits[..],
        [Edit::DeleteSlice(_)]
    ));
}

#[test]
fn a_service_held_again_in_its_linger_keeps_its_slices() {
    let (service, slices) = held_cart();
    let edits = plan_of(&service, &slices, Desired::Released, 0).edits;
    let (service, slices) = (patched(&service, &edits), stored(&slices, &edits));
    let plan = plan_of(&service, &slices, held("entracte-w", &endpoints()), 2);
    let again = stored(&slices, &plan.edits);
    assert_eq!(again, held_cart().1);
    assert!(patched(&service, &plan.edits).is_marked());
}

#[test]
fn slices_of_a_service_that_was_made_anew_are_taken_away() {
    let (_, slices) = held_cart();
    let anew = with(|value| value["metadata"]["uid"] = json!("u2"));
    let plan = plan_of(&anew, &slices, Desired::Released, 9);
    assert!(matches!(plan.edits[..], [Edit::DeleteSlice(_)]));
    assert_eq!(plan.outcome, Outcome::Serving);
}

#[test]
fn a_backend_pod_that_comes_changes_the_slices_and_nothing_else() {
    let (service, slices) = held_cart();
    let mut two = endpoints();
    two.push(Endpoint {
        address: "10.244.9.2".parse().unwrap(),
        ..two[0].clone()
    });
    let plan = plan_of(&service, &slices, held("entracte-w", &two), 9);
    assert!(matches!(plan.edits[..], [Edit::ReplaceSlice(_)]));
}

#[test]
fn slices_stay_as_they_are_while_no_backend_pod_answers() {
    let (service, slices) = held_cart();
    let plan = plan_of(&service, &slices, held("entracte-w", &[]), 9);
    assert_eq!(plan.edits, []);
}

#[test]
fn a_hold_that_was_undone_while_every_backend_pod_is_gone_leaves_no_dead_endpoints() {
    let (service, slices) = held_cart();
    let undone: Service = edited(&service, |service| {
        let selector = service["spec"]["selector"].as_object_mut().unwrap();
        selector.remove("entracte.dev/hold");
    });
    let plan = plan_of(&undone, &slices, held("entracte-w", &[]), 9);
    assert_eq!(
        plan.edits,
        [Edit::DeleteSlice(Precondition::of(&slices[0].metadata))]
    );

    let pods = endpoints();
    let Desired::Held(answering) = held("entracte-w", &pods) else {
        panic!("held means held");
    };
    let not_on_this_port_yet = Desired::Held(Answering {
        endpoints: &[],
        ..answering
    });
    let plan = plan_of(&undone, &slices, not_on_this_port_yet, 9);
    assert_eq!(plan.edits, [], "the pods may answer on another port");
}

#[test]
fn what_others_write_on_our_slices_is_theirs() {
    let (service, mut slices) = held_cart();
    let theirs = |key: &str| (key.to_owned(), "theirs".to_owned());
    let metadata = &mut slices[0].metadata;
    metadata
        .labels
        .get_or_insert_default()
        .extend([theirs("cost-centre")]);
    metadata
        .annotations
        .get_or_insert_default()
        .extend([theirs("example.com/seen")]);
    let plan = plan_of(&service, &slices, held("entracte-w", &endpoints()), 9);
    assert_eq!(plan.edits, []);

    let metadata = &mut slices[0].metadata;
    metadata
        .annotations
        .get_or_insert_default()
        .extend([theirs("entracte.dev/released-at")]);
    let plan = plan_of(&service, &slices, held("entracte-w", &endpoints()), 9);
    let [Edit::ReplaceSlice(replaced)] = &plan.edits[..] else {
        panic!("{plan:?}")
    };
    let labels = replaced.metadata.labels.as_ref().unwrap();
    assert_eq!(labels["cost-centre"], "theirs");
    let annotations = replaced.metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations["example.com/seen"], "theirs");
    assert_eq!(annotations.get("entracte.dev/released-at"), None);
}

#[test]
fn a_release_that_was_written_by_a_clock_ahead_of_ours_is_said_anew() {
    let (service, slices) = held_cart();
    let edits = plan_of(&service, &slices, Desired::Released, 60).edits;
    let (service, slices) = (patched(&service, &edits), stored(&slices, &edits));
    let plan = plan_of(&service, &slices, Desired::Released, 10);
    let [Edit::ReplaceSlice(said), ..] = &plan.edits[..] else {
        panic!("{plan:?}")
    };
    let since = names::instant(&said.metadata, names::RELEASED_ANNOTATION);
    assert_eq!(since, Some(at(10)));
}

#[test]
fn what_cannot_be_held_is_refused_with_what_to_do() {
    let spec = |key: &'static str, value: serde_json::Value| {
        refused(&with(|service| service["spec"][key] = value)).message
    };
    let says = |message: String, part: &str| assert!(message.contains(part), "{message}");
    says(spec("type", json!("ExternalName")), "ExternalName");
    says(spec("clusterIP", json!("None")), "headless");
    says(spec("selector", json!(null)), "no selector");
    says(
        spec("internalTrafficPolicy", json!("Local")),
        "internalTrafficPolicy: Local",
    );
    says(
        spec("externalTrafficPolicy", json!("Local")),
        "externalTrafficPolicy: Local",
    );
    says(
        spec("ports", json!([{"port": 53, "protocol": "UDP"}])),
        "port 53 of the Service is UDP",
    );
    says(
        spec("ports", json!([{"port": 443, "appProtocol": "https"}])),
        "appProtocol: https",
    );
    says(
        spec("ipFamilies", json!(["IPv4", "IPv6"])),
        "no backend pod has an IPv6 address",
    );
    let owned = refused(&with(|service| {
        service["metadata"]["ownerReferences"] = json!([{"apiVersion": "serving.knative.dev/v1",
            "kind": "Route", "name": "cart", "uid": "r", "controller": true}]);
    }));
    assert_eq!(owned.word, OWNED);
}

#[test]
fn a_service_that_becomes_unfit_while_it_is_held_is_given_back() {
    let (service, slices) = held_cart();
    let mut unfit = service;
    unfit.spec.as_mut().unwrap().internal_traffic_policy = Some("Local".into());
    let plan = plan_of(&unfit, &slices, held("entracte-w", &endpoints()), 9);
    assert!(matches!(plan.outcome, Outcome::Refused(_)));
    assert!(!patched(&unfit, &plan.edits).is_marked());
}

#[test]
fn a_service_that_becomes_unfit_is_looked_at_again_when_its_app_may_be_ready() {
    let (service, slices) = held_cart();
    let mut unfit = service;
    unfit.spec.as_mut().unwrap().internal_traffic_policy = Some("Local".into());
    let plan = plan_of(&unfit, &slices, held("entracte-w", &endpoints()), 9);
    assert_eq!(plan.again, Some(at(9) + STALE_VIEW));
}

#[test]
fn after_a_release_each_port_is_given_back_when_the_app_serves_it() {
    let (service, slices) = held_cart();
    let edits = plan_of(&service, &slices, Desired::Released, 0).edits;
    let (service, slices) = (patched(&service, &edits), stored(&slices, &edits));
    // No pod declares the port that `admin` names: the platform leaves it out.
    let mut platform = app_slice(true);
    platform.ports.as_mut().unwrap().truncate(1);
    let look = |slices: &[EndpointSlice]| {
        let around = with_slices(slices, std::slice::from_ref(&platform));
        service.plan(&around, Desired::Released, LINGER, at(1))
    };
    let first = look(&slices);
    let narrowed = stored(&slices, &first.edits);
    let names: Vec<_> = narrowed[0]
        .ports
        .iter()
        .flatten()
        .map(|port| port.name.as_deref())
        .collect();
    assert_eq!(names, [Some("admin")]);
    assert_eq!(
        look(&narrowed).edits,
        [],
        "a plan that was applied is empty"
    );
}

fn dual_stack() -> Service {
    with(|value| value["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]))
}

fn both_families() -> Vec<Endpoint> {
    let v6 = Endpoint {
        address: "fd00::9".parse().unwrap(),
        ..endpoints()[0].clone()
    };
    [endpoints(), vec![v6]].concat()
}

#[test]
fn a_dual_stack_service_is_held_when_pods_have_answered_over_both_families() {
    let all = both_families();
    let answered = |count: usize| {
        let answering = Answering {
            bridge: "entracte-w",
            bridge_ready: true,
            port: Some(20_000),
            endpoints: &all[..count],
            backend: &all,
            is_kept: false,
            idle: &BTreeSet::new(),
        };
        plan_of(&dual_stack(), &[], Desired::Held(answering), 0)
    };
    assert!(matches!(answered(1).outcome, Outcome::Waiting(_)));
    assert_eq!(answered(1).edits, []);
    assert_eq!(answered(2).outcome, Outcome::Held);
}

#[test]
fn a_held_dual_stack_service_stays_held_while_one_family_is_silent() {
    let service = dual_stack();
    let edits = plan_of(&service, &[], held("entracte-w", &both_families()), 0).edits;
    let (service, slices) = (patched(&service, &edits), stored(&[], &edits));
    let plan = plan_of(&service, &slices, held("entracte-w", &endpoints()), 9);
    assert_eq!(plan, Plan::nothing(Outcome::Held));
}

#[test]
fn a_service_of_ours_is_nobodys_target() {
    for label in ["entracte.dev/window", "entracte.dev/origin"] {
        let ours = with(|value| {
            value["metadata"]["labels"] =
                json!({"app.kubernetes.io/managed-by": "entracte", label: "w"});
        });
        let (_, slices) = held_cart();
        for desired in [held("entracte-v", &endpoints()), Desired::Released] {
            let plan = plan_of(&ours, &slices, desired, 0);
            assert_eq!(plan.edits, []);
            assert!(matches!(plan.outcome, Outcome::Refused(_)));
        }
    }
}
