//! What holds for every Ingress.
//!
//! Each backend of the user's is another Service, so that no two can be taken for each other. Paths
//! may stand more than once (a controller takes the first, or refuses them); where such twins change
//! their places among each other, nobody can say which was which, and that is not asked for.

use std::collections::BTreeMap;

use entracte::api::names::HELD_LABEL;
use entracte::plan::{Holdable, ORIGINAL_UNKNOWN, Outcome};
use k8s_openapi::api::networking::v1::Ingress;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::server::{BRIDGES, Stored, edited, spoil};

/// Host, path and path type.
type Place = (Option<String>, Option<String>, String);

fn places() -> impl Strategy<Value = (Option<&'static str>, &'static str)> {
    let paths = option::weighted(0.9, select(vec!["/", "/api", "/api/v2"]));
    (
        paths,
        select(vec!["Prefix", "Exact", "ImplementationSpecific"]),
    )
}

fn hosts() -> impl Strategy<Value = Option<&'static str>> {
    option::weighted(0.8, select(vec!["a.test", "b.test", "c.test"]))
}

/// Rules without backends, which get theirs by [`number`].
fn rules() -> impl Strategy<Value = Vec<Value>> {
    let rule = (hosts(), option::weighted(0.9, vec(places(), 1..4)));
    vec(rule.prop_map(|(host, paths)| rule_of(host, paths)), 0..4)
}

fn rule_of(host: Option<&str>, paths: Option<Vec<(Option<&str>, &str)>>) -> Value {
    let mut rule = json!({});
    if let Some(host) = host {
        rule["host"] = json!(host);
    }
    if let Some(paths) = paths {
        let paths: Vec<Value> = paths.into_iter().map(path_of).collect();
        rule["http"]["paths"] = json!(paths);
    }
    rule
}

fn path_of((path, path_type): (Option<&str>, &str)) -> Value {
    let mut value = json!({"pathType": path_type, "backend": null});
    if let Some(path) = path {
        value["path"] = json!(path);
    }
    value
}

fn backend(name: &str) -> Value {
    let port = if name.len().is_multiple_of(2) {
        json!({"number": 80})
    } else {
        json!({"name": "http"})
    };
    json!({"service": {"name": name, "port": port}})
}

/// Gives each backend that has none a Service of its own.
fn number(spec: &mut Value, prefix: &str) {
    let mut count = 0;
    let mut fill = |backend_value: &mut Value| {
        if backend_value.is_null() {
            *backend_value = backend(&format!("{prefix}{count}"));
        }
        count += 1;
    };
    if let Some(default) = spec.get_mut("defaultBackend") {
        fill(default);
    }
    for rule in spec["rules"].as_array_mut().into_iter().flatten() {
        if let Some(http) = rule.get_mut("http") {
            let paths = http["paths"].as_array_mut().unwrap();
            for path in paths {
                fill(&mut path["backend"]);
            }
        }
    }
}

fn specs(prefix: &'static str) -> impl Strategy<Value = Value> {
    (any::<bool>(), rules()).prop_map(move |(has_default, rules)| {
        let mut spec = json!({"ingressClassName": "web", "rules": rules});
        if has_default || rules.iter().all(|rule| rule.get("http").is_none()) {
            spec["defaultBackend"] = Value::Null;
        }
        number(&mut spec, prefix);
        spec
    })
}

fn ingresses() -> impl Strategy<Value = Ingress> {
    let maps = option::of(select(vec!["web", "ops"]));
    (specs("s"), maps).prop_map(|(spec, team)| {
        let mut ingress = json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
            "spec": spec,
        });
        if let Some(team) = team {
            ingress["metadata"]["labels"] = json!({"team": team});
            ingress["metadata"]["annotations"] = json!({"team": team});
        }
        serde_json::from_value(ingress).unwrap()
    })
}

/// What somebody writes. A number means the rule or the path there, counted round.
#[derive(Debug, Clone)]
enum Edit {
    InsertPath(usize, usize, (Option<&'static str>, &'static str)),
    RemovePath(usize, usize),
    SetBackend(usize, usize),
    InsertRule(usize, Value),
    RemoveRule(usize),
    TurnRulesRound,
    TurnPathsRound(usize),
    SetDefault,
    RemoveDefault,
    Label(&'static str),
    /// Our label is written over, or taken away; the record is needed.
    Spoil(Option<&'static str>),
    /// As a forced apply does: the marks stay.
    PutSpec(Value),
    /// As a tool replaces a manifest: the marks go.
    Replace(Value),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = || 0..8_usize;
    let rule = (hosts(), vec(places(), 1..3));
    let rule = rule.prop_map(|(host, paths)| rule_of(host, Some(paths)));
    let edit = prop_oneof![
        (at(), at(), places()).prop_map(|(rule, path, place)| Edit::InsertPath(rule, path, place)),
        (at(), at()).prop_map(|(rule, path)| Edit::RemovePath(rule, path)),
        (at(), at()).prop_map(|(rule, path)| Edit::SetBackend(rule, path)),
        (at(), rule).prop_map(|(at, rule)| Edit::InsertRule(at, rule)),
        at().prop_map(Edit::RemoveRule),
        Just(Edit::TurnRulesRound),
        at().prop_map(Edit::TurnPathsRound),
        Just(Edit::SetDefault),
        Just(Edit::RemoveDefault),
        select(vec!["x", "y"]).prop_map(Edit::Label),
        select(vec![None, Some("false")]).prop_map(Edit::Spoil),
        specs("p").prop_map(Edit::PutSpec),
        specs("r").prop_map(Edit::Replace),
    ];
    vec(edit, 0..5)
}

fn write(edits: &[Edit], value: &mut Value) {
    for (number_of_edit, edit) in edits.iter().enumerate() {
        write_one(edit, value);
        number(&mut value["spec"], &format!("n{number_of_edit}-"));
    }
}

fn write_one(edit: &Edit, value: &mut Value) {
    match edit {
        Edit::Label(label) => value["metadata"]["labels"]["note"] = json!(label),
        Edit::Spoil(with) => spoil(["metadata", "labels"], HELD_LABEL, *with, value),
        Edit::PutSpec(spec) => value["spec"] = spec.clone(),
        Edit::Replace(spec) => {
            value["spec"] = spec.clone();
            let metadata = value["metadata"].as_object_mut().unwrap();
            metadata.retain(|field, _| field != "labels" && field != "annotations");
        }
        Edit::SetDefault => value["spec"]["defaultBackend"] = Value::Null,
        Edit::RemoveDefault => {
            value["spec"]
                .as_object_mut()
                .unwrap()
                .remove("defaultBackend");
        }
        _ => {
            if let Some(rules) = value["spec"].get_mut("rules").and_then(Value::as_array_mut) {
                write_rules(edit, rules);
            }
        }
    }
}

fn write_rules(edit: &Edit, rules: &mut Vec<Value>) {
    match edit {
        Edit::InsertRule(at, rule) => rules.insert(at % (rules.len() + 1), rule.clone()),
        Edit::TurnRulesRound => rules.reverse(),
        _ if rules.is_empty() => {}
        Edit::RemoveRule(at) => {
            rules.remove(at % rules.len());
        }
        Edit::InsertPath(rule, at, place) => {
            if let Some(paths) = paths(rules, *rule) {
                paths.insert(at % (paths.len() + 1), path_of(*place));
            }
        }
        Edit::RemovePath(rule, at) => {
            // The API server takes no rule with an empty list of paths.
            if let Some(paths) = paths(rules, *rule).filter(|paths| paths.len() > 1) {
                paths.remove(at % paths.len());
            }
        }
        Edit::SetBackend(rule, at) => {
            if let Some(paths) = paths(rules, *rule) {
                let at = at % paths.len();
                paths[at]["backend"] = Value::Null;
            }
        }
        Edit::TurnPathsRound(rule) => {
            if let Some(paths) = paths(rules, *rule) {
                paths.reverse();
            }
        }
        _ => {}
    }
}

fn paths(rules: &mut [Value], rule: usize) -> Option<&mut Vec<Value>> {
    let rule = rule % rules.len();
    rules[rule].get_mut("http")?["paths"].as_array_mut()
}

/// The Services at each place, in their order.
fn by_place(ingress: &Ingress) -> BTreeMap<Place, Vec<String>> {
    let mut found: BTreeMap<Place, Vec<String>> = BTreeMap::new();
    let spec = ingress.spec.as_ref().unwrap();
    for rule in spec.rules.iter().flatten() {
        for path in rule.http.iter().flat_map(|http| &http.paths) {
            let place = (rule.host.clone(), path.path.clone(), path.path_type.clone());
            let name = path.backend.service.as_ref().unwrap().name.clone();
            found.entry(place).or_default().push(name);
        }
    }
    found
}

/// Whether it can be told which backend of `after` is which of `before`: at each place they are the
/// first of those that were there, in their order, and then new ones; or there was one only.
fn can_be_told_apart(before: &Ingress, after: &Ingress) -> bool {
    let before = by_place(before);
    by_place(after).into_iter().all(|(place, now)| {
        let Some(then) = before.get(&place) else {
            return true;
        };
        let old: Vec<usize> = (0..now.len())
            .filter(|at| then.contains(&now[*at]))
            .collect();
        then.len() == 1 || old.iter().all(|at| then.get(*at) == now.get(*at))
    })
}

fn names(ingress: &Ingress) -> Vec<String> {
    ingress.backends()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn a_release_leaves_what_was_written_while_it_was_held(
        ingress in ingresses(), edits in edits(), bridge in select(&BRIDGES[..]),
    ) {
        let wanted = edited(&ingress, |value| write(&edits, value));
        prop_assume!(can_be_told_apart(&ingress, &wanted));
        let held = Stored::new(&ingress).held_by(bridge);
        prop_assert!(names(&held.object).iter().all(|name| *name == bridge));
        let released = held.edited(|value| write(&edits, value)).released();
        prop_assert_eq!(released.object, wanted);
    }

    #[test]
    fn a_hold_that_is_put_back_is_released_to_what_was_written(
        ingress in ingresses(), edits in edits(),
    ) {
        let wanted = edited(&ingress, |value| write(&edits, value));
        prop_assume!(can_be_told_apart(&ingress, &wanted));
        prop_assume!(!names(&wanted).is_empty());
        let held = Stored::new(&ingress).held_by(BRIDGES[0]);
        let again = held.edited(|value| write(&edits, value)).held_by(BRIDGES[1]);
        prop_assert!(names(&again.object).iter().all(|name| *name == BRIDGES[1]));
        prop_assert_eq!(again.plan_to_hold(BRIDGES[1]).edits, []);
        prop_assert_eq!(again.released().object, wanted);
    }

    /// Twins that cannot be told apart may be mixed up among each other; everything else is right.
    #[test]
    fn whatever_was_written_no_backend_of_ours_is_left_and_what_a_user_wrote_stays(
        ingress in ingresses(), edits in edits(),
    ) {
        let wanted = edited(&ingress, |value| write(&edits, value));
        let held = Stored::new(&ingress).held_by(BRIDGES[0]);
        let edited = held.edited(|value| write(&edits, value));
        let plan = edited.plan_to_release(crate::server::now());
        let released = edited.made(&plan);
        let is_unknown = matches!(&plan.outcome,
            Outcome::Waiting(reason) if reason.word == ORIGINAL_UNKNOWN);
        prop_assert_eq!(released.plan_to_release(crate::server::now()).edits, []);
        for (name, wanted) in names(&released.object).into_iter().zip(names(&wanted)) {
            prop_assert!(!BRIDGES.contains(&name.as_str()) || is_unknown, "{}", name);
            prop_assert!(name == wanted || wanted.starts_with('s'), "{} is {}", wanted, name);
        }
    }

    #[test]
    fn a_plan_that_was_made_is_empty(ingress in ingresses()) {
        let held = Stored::new(&ingress).held_by(BRIDGES[0]);
        prop_assert_eq!(held.plan_to_hold(BRIDGES[0]).edits, []);
        let moved = held.held_by(BRIDGES[1]);
        prop_assert_eq!(moved.plan_to_hold(BRIDGES[1]).edits, []);
        let released = moved.released();
        prop_assert_eq!(&released.object, &ingress);
        prop_assert_eq!(released.plan_to_release(crate::server::now()).edits, []);
    }
}
