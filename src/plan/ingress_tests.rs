use std::collections::BTreeSet;

use super::route::backends;
use super::*;
use crate::api::names;
use crate::plan::served;
use crate::plan::testing::{
    edited, endpoints, held, hold_on, object, only_patch, patched, plan_of, released,
};
use crate::plan::{
    Answering, BACKEND_UNAVAILABLE, Desired, ORIGINAL_UNKNOWN, OWNED, Outcome, Plan,
};

const SHOP: &str = r"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: storefront, namespace: shop, resourceVersion: '7', labels: {team: web}}
spec:
  defaultBackend: {service: {name: fallback, port: {number: 80}}}
  rules:
  - host: shop.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: front, port: {name: http}}}}
      - {path: /api, pathType: Prefix, backend: {service: {name: api, port: {number: 8080}}}}
  - host: blog.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: blog, port: {number: 80}}}}
";

fn shop() -> Ingress {
    object(SHOP)
}

#[test]
fn a_hold_is_one_patch_with_version_leaves_label_and_annotation() {
    let ingress: Ingress = object(
        "{metadata: {name: web, resourceVersion: '3'}, spec: {rules: [{host: a.test, http: {paths: \
         [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}}",
    );
    let edits = plan_of(&ingress, held("entracte-w", &endpoints())).edits;
    assert_eq!(
        only_patch(&edits),
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "3"},
            {"op": "replace", "path": "/spec/rules/0/http/paths/0/backend",
             "value": {"service": {"name": "entracte-w", "port": {"number": 80}}}},
            {"op": "add", "path": "/metadata/labels", "value": {"entracte.dev/held": "true"}},
            {"op": "add", "path": "/metadata/annotations", "value": {"entracte.dev/hold":
                "{\"backends\":[{\"backend\":{\"service\":{\"name\":\"web\",\"port\":\
                 {\"number\":80}}},\"host\":\"a.test\",\"path\":\"/\",\"pathType\":\"Prefix\"}],\
                 \"bridge\":\"entracte-w\"}"}},
        ])
    );
}

#[test]
fn every_backend_leads_to_the_bridge_and_all_come_back() {
    let held = hold_on(&shop(), "entracte-w");
    assert_eq!(backends(&held), ["entracte-w"; 4]);
    assert_eq!(released(&held), shop());
}

#[test]
fn a_plan_that_was_applied_is_empty_when_it_is_made_again() {
    let once = hold_on(&shop(), "entracte-w");
    let again = plan_of(&once, held("entracte-w", &endpoints()));
    assert_eq!(again, Plan::nothing(Outcome::Held));
    let released = released(&once);
    assert_eq!(
        plan_of(&released, Desired::Released),
        Plan::nothing(Outcome::Serving)
    );
}

#[test]
fn another_leading_window_moves_the_bridge_and_keeps_the_originals() {
    let moved = hold_on(&hold_on(&shop(), "entracte-a"), "entracte-b");
    assert_eq!(backends(&moved), ["entracte-b"; 4]);
    assert_eq!(released(&moved), shop());
}

#[test]
fn until_the_bridge_of_another_leading_window_is_known_the_first_one_answers() {
    let endpoints = endpoints();
    let Desired::Held(answering) = held("entracte-b", &endpoints) else {
        panic!("held means held");
    };
    let not_yet = Desired::Held(Answering {
        bridge_ready: false,
        ..answering
    });
    let first = hold_on(&shop(), "entracte-a");
    assert_eq!(plan_of(&first, not_yet), Plan::nothing(Outcome::Held));

    let one_rewritten = edited(&first, |ingress| {
        ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] =
            json!("front");
    });
    for beside in [shop(), one_rewritten] {
        let plan = plan_of(&beside, not_yet);
        assert!(matches!(plan.outcome, Outcome::Waiting(_)), "{plan:?}");
        assert_eq!(plan.edits, []);
    }
}

#[test]
fn a_manifest_applied_again_in_the_window_is_the_new_original() {
    let held = hold_on(&shop(), "entracte-w");
    let applied = edited(&held, |value| {
        value["spec"] = serde_json::to_value(shop().spec).unwrap();
        value["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] =
            json!("front2");
    });
    let held_again = hold_on(&applied, "entracte-w");
    assert_eq!(backends(&held_again), ["entracte-w"; 4]);
    assert_eq!(
        backends(&released(&held_again)),
        ["fallback", "front2", "api", "blog"]
    );
}

#[test]
fn a_rule_inserted_before_the_held_ones_misplaces_nothing() {
    let held = hold_on(&shop(), "entracte-w");
    let inserted = edited(&held, |value| {
        let rule = json!({"host": "new.test", "http": {"paths": [{"path": "/", "pathType": "Exact",
            "backend": {"service": {"name": "new", "port": {"number": 80}}}}]}});
        value["spec"]["rules"]
            .as_array_mut()
            .unwrap()
            .insert(0, rule);
    });
    assert_eq!(
        backends(&released(&inserted)),
        ["fallback", "new", "front", "api", "blog"]
    );
    let held_again = hold_on(&inserted, "entracte-w");
    assert_eq!(backends(&held_again), ["entracte-w"; 5]);
    assert_eq!(
        backends(&released(&held_again)),
        ["fallback", "new", "front", "api", "blog"]
    );
}

#[test]
fn a_held_rule_that_was_moved_to_another_host_keeps_its_original() {
    let held = hold_on(&shop(), "entracte-w");
    let moved = edited(&held, |value| {
        value["spec"]["rules"][1]["host"] = json!("news.test");
    });
    assert_eq!(
        backends(&released(&moved)),
        ["fallback", "front", "api", "blog"]
    );
}

#[test]
fn a_held_rule_that_was_copied_leads_where_the_first_one_did() {
    let held = hold_on(&shop(), "entracte-w");
    let copied = edited(&held, |value| {
        let mut rule = value["spec"]["rules"][0].clone();
        rule["host"] = json!("www.shop.test");
        value["spec"]["rules"].as_array_mut().unwrap().push(rule);
    });
    assert_eq!(
        backends(&released(&copied)),
        ["fallback", "front", "api", "blog", "front", "api"]
    );
}

#[test]
fn duplicates_of_one_path_are_told_apart() {
    let twice = edited(&shop(), |value| {
        let paths = value["spec"]["rules"][0]["http"]["paths"]
            .as_array_mut()
            .unwrap();
        let mut copy = paths[0].clone();
        copy["backend"]["service"]["name"] = json!("shadowed");
        paths.insert(1, copy);
    });
    let names = ["fallback", "front", "shadowed", "api", "blog"];
    assert_eq!(backends(&released(&hold_on(&twice, "entracte-w"))), names);
}

#[test]
fn a_duplicate_that_is_inserted_before_duplicates_misplaces_nothing() {
    let duplicate = |ingress: &Ingress, name: &str| {
        edited(ingress, |value| {
            let paths = &mut value["spec"]["rules"][0]["http"]["paths"];
            let mut copy = paths[0].clone();
            copy["backend"]["service"]["name"] = json!(name);
            paths.as_array_mut().unwrap().insert(0, copy);
        })
    };
    let twice = duplicate(&shop(), "shadowing");
    let inserted = duplicate(&hold_on(&twice, "entracte-w"), "new");
    let names = ["fallback", "new", "shadowing", "front", "api", "blog"];
    assert_eq!(backends(&released(&inserted)), names);
    assert_eq!(
        backends(&released(&hold_on(&inserted, "entracte-w"))),
        names
    );
}

#[test]
fn labels_and_annotations_of_others_that_came_in_the_window_stay() {
    let held = hold_on(&shop(), "entracte-w");
    let labelled = edited(&held, |value| {
        value["metadata"]["labels"]["tier"] = json!("gold");
    });
    let labels = released(&labelled).metadata.labels.unwrap();
    assert_eq!(labels.keys().collect::<Vec<_>>(), ["team", "tier"]);
}

#[test]
fn a_backend_of_ours_whose_original_nobody_knows_is_reported_and_stays_marked() {
    let held = hold_on(&shop(), "entracte-w");
    let forgotten = edited(&held, |value| {
        value["metadata"]["annotations"][names::HOLD_ANNOTATION] =
            json!(r#"{"bridge": "entracte-w", "backends": []}"#);
    });
    let plan = plan_of(&forgotten, Desired::Released);
    assert!(plan.edits.is_empty());
    let Outcome::Waiting(reason) = plan.outcome else {
        panic!("{:?}", plan.outcome)
    };
    assert_eq!(reason.word, ORIGINAL_UNKNOWN);
    assert!(
        reason.message.contains("the backend of shop.test/api"),
        "{}",
        reason.message
    );
}

#[test]
fn an_ingress_with_a_resource_backend_is_refused_and_not_touched() {
    let ingress = edited(&shop(), |value| {
        value["spec"]["rules"][0]["http"]["paths"][1]["backend"] =
            json!({"resource": {"kind": "Bucket", "name": "assets"}});
    });
    let plan = plan_of(&ingress, held("entracte-w", &endpoints()));
    assert!(plan.edits.is_empty());
    let Outcome::Refused(reason) = plan.outcome else {
        panic!("{:?}", plan.outcome)
    };
    assert!(
        reason.message.starts_with("the backend of shop.test/api"),
        "{}",
        reason.message
    );
}

#[test]
fn an_ingress_that_a_controller_owns_is_refused() {
    let ingress = edited(&shop(), |value| {
        value["metadata"]["ownerReferences"] = json!([{"apiVersion": "flagger.app/v1beta1",
            "kind": "Canary", "name": "front", "uid": "c", "controller": true}]);
    });
    let plan = plan_of(&ingress, held("entracte-w", &endpoints()));
    assert!(matches!(
        plan.outcome,
        Outcome::Refused(Reason { word: OWNED, .. })
    ));
    assert!(plan.edits.is_empty());
}

#[test]
fn nothing_is_held_before_a_backend_pod_has_answered() {
    let plan = plan_of(&shop(), held("entracte-w", &[]));
    assert!(plan.edits.is_empty());
    assert!(matches!(
        plan.outcome,
        Outcome::Waiting(Reason {
            word: BACKEND_UNAVAILABLE,
            ..
        })
    ));
}

#[test]
fn a_held_ingress_stays_held_while_no_backend_pod_answers() {
    let held_before = hold_on(&shop(), "entracte-w");
    let plan = plan_of(&held_before, held("entracte-w", &[]));
    assert!(plan.edits.is_empty());
}

#[test]
fn a_bridge_written_back_after_the_release_is_reported_and_left_alone() {
    // The manifest was opened in an editor while it was held, and saved after the release.
    let held = hold_on(&shop(), "entracte-w");
    let saved = edited(&released(&held), |value| {
        value["spec"] = serde_json::to_value(&held.spec).unwrap();
    });
    let plan = plan_of(&saved, Desired::Released);
    assert_eq!(plan.edits, []);
    assert!(matches!(
        plan.outcome,
        Outcome::Waiting(Reason {
            word: ORIGINAL_UNKNOWN,
            ..
        })
    ));
}

#[test]
fn the_bridge_of_another_window_is_never_taken_for_the_original() {
    // The manifest was opened while one window led, and saved while the next one did.
    let first = hold_on(&shop(), "entracte-a");
    let saved = edited(&hold_on(&first, "entracte-b"), |value| {
        value["spec"] = serde_json::to_value(&first.spec).unwrap();
    });
    let held = hold_on(&saved, "entracte-b");
    assert_eq!(backends(&held), ["entracte-b"; 4]);
    assert_eq!(released(&held), shop());
}

#[test]
fn marks_that_nobody_can_read_stay_where_they_are() {
    let unreadable = edited(&hold_on(&shop(), "entracte-w"), |value| {
        value["metadata"]["annotations"][names::HOLD_ANNOTATION] = json!("{");
    });
    let plan = plan_of(&unreadable, Desired::Released);
    assert_eq!(plan.edits, []);
    assert!(matches!(plan.outcome, Outcome::Waiting(_)));
}

#[test]
fn a_hold_remembers_what_was_at_zero_behind_it_and_never_again() {
    let idle = |said: &str| BTreeSet::from([said.to_owned()]);
    let hold = |ingress: &Ingress, idle: &BTreeSet<String>| {
        let endpoints = endpoints();
        let Desired::Held(answering) = held("entracte-w", &endpoints) else {
            panic!("held")
        };
        let desired = Desired::Held(Answering { idle, ..answering });
        patched(ingress, &plan_of(ingress, desired).edits)
    };
    let first = hold(&shop(), &idle("blog:80/IPv4"));
    assert_eq!(served::idle(&first.metadata), idle("blog:80/IPv4"));
    let again = hold(&first, &idle("api:8080/IPv4"));
    assert_eq!(again, first, "what is held shows nothing of its app");
    assert_eq!(released(&again), shop());
}
