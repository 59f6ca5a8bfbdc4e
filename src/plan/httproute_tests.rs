use std::sync::Arc;

use serde_json::{Value, json};

use super::route::backends;
use super::*;
use crate::api::names;
use crate::plan::holdable::{Behind, Surroundings};
use crate::plan::testing::{
    edited, endpoints, held, hold_on, object, only_patch, plan_of, released,
};
use crate::plan::{BACKEND_UNAVAILABLE, Desired, Holdable, ORIGINAL_UNKNOWN, OWNED, Outcome, Plan};

const SHOP: &str = r"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop, resourceVersion: '7', labels: {team: web}}
spec:
  parentRefs: [{name: public, sectionName: web}]
  hostnames: [shop.test]
  rules:
  - matches: [{path: {type: PathPrefix, value: /api}}, {path: {type: Exact, value: /v2}}]
    filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 80}}}
    - {type: URLRewrite, urlRewrite: {hostname: api.test}}
    - {type: RequestMirror, requestMirror: {backendRef: {name: audit, port: 80}, percent: 5}}
    backendRefs:
    - {group: '', kind: Service, name: api, port: 8080, weight: 90}
    - group: ''
      kind: Service
      name: canary
      port: 8080
      weight: 10
      filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [cookie]}}]
    timeouts: {request: 5s}
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /}}}]
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs:
    - {group: '', kind: Service, name: front, port: 80, weight: 1}
    - {group: example.com, kind: Bucket, name: assets, weight: 1}
    - {group: '', kind: Service, name: entracte-w, namespace: other, port: 80, weight: 0}
";

fn shop() -> HttpRoute {
    object(SHOP)
}

/// An edit of the rules of `route`.
fn ruled(route: &HttpRoute, edit: impl FnOnce(&mut Vec<Value>)) -> HttpRoute {
    edited(route, |value| {
        edit(value["spec"]["rules"].as_array_mut().unwrap());
    })
}

fn rule(path: &str, backend: &str) -> Value {
    json!({
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [
            {"group": "", "kind": "Service", "name": backend, "port": 80, "weight": 1},
        ],
    })
}

fn of_rules(rules: Vec<Value>) -> HttpRoute {
    ruled(&shop(), |all| *all = rules)
}

#[test]
fn a_hold_is_one_patch_with_version_leaves_label_and_annotation() {
    let mut mirrored = rule("/", "web");
    let mirror = json!({"type": "RequestMirror"});
    mirrored["filters"] = json!([mirror]);
    let route: HttpRoute = object(
        &json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "web", "resourceVersion": "3"},
            "spec": {"rules": [mirrored]},
        })
        .to_string(),
    );
    let edits = plan_of(&route, held("entracte-w", &endpoints())).edits;
    let record = json!({
        "bridge": "entracte-w",
        "backends": [{
            "matches": mirrored["matches"],
            "backendRefs": mirrored["backendRefs"],
            "mirrors": [{"at": 0, "filter": mirror}],
        }],
    });
    assert_eq!(
        only_patch(&edits),
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "3"},
            {"op": "replace", "path": "/spec/rules/0/backendRefs", "value": [
                {"group": "", "kind": "Service", "name": "entracte-w", "port": 80, "weight": 1}]},
            {"op": "remove", "path": "/spec/rules/0/filters"},
            {"op": "add", "path": "/metadata/labels", "value": {"entracte.dev/held": "true"}},
            {"op": "add", "path": "/metadata/annotations",
             "value": {"entracte.dev/hold": record.to_string()}},
        ])
    );
}

#[test]
fn every_rule_with_backends_leads_to_the_bridge_and_all_come_back() {
    let held = hold_on(&shop(), "entracte-w");
    assert_eq!(backends(&held), ["entracte-w"; 2]);
    assert_eq!(released(&held), shop());
}

#[test]
fn no_copy_of_a_request_is_sent_while_a_route_is_held() {
    let held = hold_on(&shop(), "entracte-w");
    let filters = held.spec.rules[0].filters.clone().unwrap();
    assert_eq!(
        filters,
        [json!({"type": "URLRewrite", "urlRewrite": {"hostname": "api.test"}})]
    );
}

#[test]
fn redirects_parents_and_host_names_are_not_touched() {
    let held = hold_on(&shop(), "entracte-w");
    assert_eq!(held.spec.rules[1], shop().spec.rules[1]);
    assert_eq!(held.spec.rest, shop().spec.rest);
    assert_eq!(held.spec.rules[0].rest, shop().spec.rules[0].rest);
}

#[test]
fn a_plan_that_was_applied_is_empty_when_it_is_made_again() {
    let once = hold_on(&shop(), "entracte-w");
    let again = plan_of(&once, held("entracte-w", &endpoints()));
    assert_eq!(again, Plan::nothing(Outcome::Held));
    assert_eq!(
        plan_of(&released(&once), Desired::Released),
        Plan::nothing(Outcome::Serving)
    );
}

#[test]
fn another_leading_window_moves_the_bridge_and_keeps_the_originals() {
    let moved = hold_on(&hold_on(&shop(), "entracte-a"), "entracte-b");
    assert_eq!(backends(&moved), ["entracte-b"; 2]);
    assert_eq!(released(&moved), shop());
}

#[test]
fn a_manifest_applied_again_in_the_window_is_the_new_original() {
    let applied = ruled(&hold_on(&shop(), "entracte-w"), |rules| {
        *rules = vec![rule("/api", "api2"), rule("/", "front2")];
    });
    let wanted = applied.spec.clone();
    let held_again = hold_on(&applied, "entracte-w");
    assert_eq!(backends(&held_again), ["entracte-w"; 2]);
    assert_eq!(released(&held_again).spec, wanted);
}

#[test]
fn a_rule_inserted_before_the_held_ones_misplaces_nothing() {
    let insert = |rules: &mut Vec<Value>| rules.insert(0, rule("/new", "new"));
    let inserted = ruled(&hold_on(&shop(), "entracte-w"), insert);
    let wanted = ruled(&shop(), insert);
    assert_eq!(released(&inserted), wanted);
    assert_eq!(released(&hold_on(&inserted, "entracte-w")), wanted);
}

#[test]
fn a_rule_whose_backends_somebody_wrote_is_theirs() {
    let rewritten = ruled(&hold_on(&shop(), "entracte-w"), |rules| {
        rules[2]["backendRefs"] = json!([{"name": "mine", "port": 80}]);
    });
    let wanted = ruled(&shop(), |rules| {
        rules[2]["backendRefs"] = json!([{"name": "mine", "port": 80}]);
    });
    assert_eq!(released(&rewritten), wanted);
}

#[test]
fn what_was_put_beside_the_bridge_stays_beside_what_it_stood_for() {
    let canary = json!({"name": "canary2", "port": 80});
    let add = |rules: &mut Vec<Value>| {
        rules[2]["backendRefs"].as_array_mut().unwrap().push(canary);
    };
    let added = ruled(&hold_on(&shop(), "entracte-w"), add.clone());
    let held_again = hold_on(&added, "entracte-w");
    assert_eq!(backends(&held_again), ["entracte-w"; 2]);
    assert_eq!(released(&held_again), ruled(&shop(), add.clone()));
    assert_eq!(released(&added), ruled(&shop(), add));
}

#[test]
fn filters_of_the_user_that_came_in_the_window_stay_and_a_mirror_waits() {
    let header = json!({"type": "RequestHeaderModifier"});
    let mirror = json!({"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "x"}}});
    let held = ruled(&hold_on(&shop(), "entracte-w"), |rules| {
        let filters = rules[0]["filters"].as_array_mut().unwrap();
        filters.extend([header.clone(), mirror.clone()]);
    });
    let held_again = hold_on(&held, "entracte-w");
    assert_eq!(held_again.spec.rules[0].filters.as_ref().unwrap().len(), 2);
    let filters = released(&held_again).spec.rules[0].filters.clone().unwrap();
    let originals = shop().spec.rules[0].filters.clone().unwrap();
    assert_eq!(filters[..3], originals);
    assert_eq!(filters[3..], [header, mirror]);
}

#[test]
fn duplicates_of_the_same_matches_are_told_apart() {
    let twice = of_rules(vec![rule("/", "first"), rule("/", "second")]);
    let held = hold_on(&twice, "entracte-w");
    assert_eq!(released(&held), twice);
    // One more before them, which its own backend shows not to be one of ours.
    let insert = |rules: &mut Vec<Value>| rules.insert(0, rule("/", "new"));
    assert_eq!(released(&ruled(&held, insert)), ruled(&twice, insert));
    // The first of them led elsewhere by a person: the other is the second still.
    let rewrite = |rules: &mut Vec<Value>| rules[0] = rule("/", "mine");
    assert_eq!(released(&ruled(&held, rewrite)), ruled(&twice, rewrite));
}

#[test]
fn a_rule_with_a_name_is_known_by_it() {
    let named = |name: &str, path: &str, backend: &str| {
        let mut rule = rule(path, backend);
        rule["name"] = json!(name);
        rule
    };
    let route = of_rules(vec![named("a", "/", "one"), named("b", "/", "two")]);
    let change = |rules: &mut Vec<Value>| {
        rules.reverse();
        rules[0]["matches"] = json!([{"path": {"type": "Exact", "value": "/elsewhere"}}]);
    };
    let held = ruled(&hold_on(&route, "entracte-w"), change);
    assert_eq!(released(&held), ruled(&route, change));
}

#[test]
fn a_rule_whose_matches_were_edited_keeps_its_original() {
    let more = |rules: &mut Vec<Value>| {
        let matches = rules[2]["matches"].as_array_mut().unwrap();
        matches.push(json!({"path": {"type": "PathPrefix", "value": "/more"}}));
    };
    let held = ruled(&hold_on(&shop(), "entracte-w"), more);
    assert_eq!(released(&held), ruled(&shop(), more));
}

#[test]
fn a_held_rule_that_was_copied_leads_where_the_first_one_did() {
    let copy = |rules: &mut Vec<Value>| {
        let mut copy = rules[2].clone();
        copy["matches"][0]["method"] = json!("POST");
        rules.push(copy);
    };
    let held = ruled(&hold_on(&shop(), "entracte-w"), copy);
    assert_eq!(released(&held), ruled(&shop(), copy));
}

#[test]
fn a_rule_of_ours_whose_original_nobody_knows_is_reported_and_stays_marked() {
    let forgotten = edited(&hold_on(&shop(), "entracte-w"), |value| {
        value["metadata"]["annotations"][names::HOLD_ANNOTATION] =
            json!(r#"{"bridge": "entracte-w", "backends": []}"#);
    });
    let plan = plan_of(&forgotten, Desired::Released);
    assert_eq!(plan.edits, []);
    let Outcome::Waiting(reason) = plan.outcome else {
        panic!("{:?}", plan.outcome)
    };
    assert_eq!(reason.word, ORIGINAL_UNKNOWN);
    assert!(
        reason
            .message
            .starts_with("the rule of /api, the rule of / "),
        "{}",
        reason.message
    );
}

#[test]
fn the_bridge_of_another_window_is_never_taken_for_the_original() {
    let first = hold_on(&shop(), "entracte-a");
    let saved = edited(&hold_on(&first, "entracte-b"), |value| {
        value["spec"] = serde_json::to_value(&first.spec).unwrap();
    });
    let held = hold_on(&saved, "entracte-b");
    assert_eq!(backends(&held), ["entracte-b"; 2]);
    assert_eq!(released(&held), shop());
}

#[test]
fn a_held_route_says_what_answers_for_it_otherwise() {
    let around = Surroundings {
        bridges: Arc::new(["entracte-w".to_owned()].into()),
        ..Surroundings::default()
    };
    let held = hold_on(&shop(), "entracte-w");
    for route in [shop(), held] {
        let Behind { services, but } = route.behind(&around);
        assert_eq!(
            services.into_iter().collect::<Vec<_>>(),
            ["api", "canary", "front"]
        );
        let message = but.unwrap().message;
        assert!(
            message.starts_with("the rule of / of the HTTPRoute leads to"),
            "{message}"
        );
    }
}

fn refused(route: &HttpRoute) -> Reason {
    let plan = plan_of(route, held("entracte-w", &endpoints()));
    assert_eq!(plan.edits, [], "a target that is refused is not touched");
    let before = plan_of(route, Desired::Released).unfit;
    let Outcome::Refused(reason) = plan.outcome else {
        panic!("{:?}", plan.outcome)
    };
    assert_eq!(
        before.as_ref(),
        Some(&reason),
        "it is known before the start"
    );
    reason
}

#[test]
fn a_route_that_leads_nowhere_is_refused() {
    let redirect = shop().spec.rules[1].clone();
    let route = of_rules(vec![json!(redirect), json!({"backendRefs": []})]);
    assert!(
        refused(&route)
            .message
            .contains("the HTTPRoute has no backend")
    );
}

#[test]
fn a_route_that_a_controller_owns_is_refused() {
    let route = edited(&shop(), |value| {
        value["metadata"]["ownerReferences"] = json!([{"apiVersion": "flagger.app/v1beta1",
            "kind": "Canary", "name": "front", "uid": "c", "controller": true}]);
    });
    assert_eq!(refused(&route).word, OWNED);
}

#[test]
fn a_route_that_cannot_be_written_down_is_refused() {
    let long = ruled(&shop(), |rules| {
        rules[2]["backendRefs"][0]["name"] = json!("x".repeat(256 * 1024));
    });
    assert!(refused(&long).message.contains("256 KiB"));
}

#[test]
fn nothing_is_held_before_a_backend_pod_has_answered() {
    let plan = plan_of(&shop(), held("entracte-w", &[]));
    assert_eq!(plan.edits, []);
    assert!(matches!(
        plan.outcome,
        Outcome::Waiting(Reason {
            word: BACKEND_UNAVAILABLE,
            ..
        })
    ));
}
