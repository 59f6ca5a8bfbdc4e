//! What holds for every HTTPRoute.
//!
//! As for Ingresses: each backend of the user's is another Service, and rules with the same matches
//! that change their places among each other are not asked for.

use std::collections::BTreeMap;

use entracte::api::httproute::{HttpRoute, Rule};
use entracte::api::names::HELD_LABEL;
use entracte::plan::{ORIGINAL_UNKNOWN, Outcome};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::server::{BRIDGES, Stored, edited, spoil};

fn matches() -> impl Strategy<Value = Option<Value>> {
    let matches = select(vec![
        json!([{"path": {"type": "PathPrefix", "value": "/"}}]),
        json!([{"path": {"type": "PathPrefix", "value": "/api"}}]),
        json!([{"path": {"type": "PathPrefix", "value": "/api"}, "method": "GET"}]),
        json!([{"headers": [{"name": "canary", "value": "1"}]},
            {"path": {"type": "Exact", "value": "/canary"}}]),
    ]);
    option::weighted(0.9, matches)
}

fn mirror() -> Value {
    mirror_to("shadow")
}

fn mirror_to(name: &str) -> Value {
    json!({"type": "RequestMirror", "requestMirror": {"backendRef": {"name": name, "port": 80}}})
}

fn filters() -> impl Strategy<Value = Option<Value>> {
    let header = |name: &str| {
        json!({"type": "RequestHeaderModifier", "requestHeaderModifier":
            {"set": [{"name": name, "value": "1"}]}})
    };
    option::weighted(
        0.5,
        select(vec![
            json!([header("a")]),
            json!([mirror()]),
            json!([header("a"), mirror(), header("b")]),
            json!([mirror(), header("a"), mirror()]),
        ]),
    )
}

/// Without backends, which it gets by [`number`]; a redirect has none.
fn rules() -> impl Strategy<Value = Value> {
    let leads = (matches(), filters(), vec(0..3_u32, 1..3));
    let leads = leads.prop_map(|(matches, filters, weights)| {
        let backends: Vec<Value> = weights
            .into_iter()
            .map(|weight| json!({"name": null, "port": 80, "weight": weight}))
            .collect();
        let mut rule = json!({"backendRefs": backends, "timeouts": {"request": "10s"}});
        for (field, value) in [("matches", matches), ("filters", filters)] {
            if let Some(value) = value {
                rule[field] = value;
            }
        }
        rule
    });
    let redirects = matches().prop_map(|matches| {
        let mut rule = json!({"filters": [{"type": "RequestRedirect",
            "requestRedirect": {"scheme": "https"}}]});
        if let Some(matches) = matches {
            rule["matches"] = matches;
        }
        rule
    });
    prop_oneof![9 => leads, 1 => redirects]
}

/// Gives each backend that has none a Service of its own.
fn number(spec: &mut Value, prefix: &str) {
    let rules = spec.get_mut("rules").and_then(Value::as_array_mut);
    let backends = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.get_mut("backendRefs")?.as_array_mut())
        .flatten();
    let nameless = backends.filter(|backend| backend["name"].is_null());
    for (count, backend) in nameless.enumerate() {
        backend["name"] = json!(format!("{prefix}{count}"));
    }
}

fn specs(prefix: &'static str) -> impl Strategy<Value = Value> {
    let rules = (vec(rules(), 1..5), any::<bool>());
    rules.prop_map(move |(mut rules, are_named)| {
        for (number, rule) in rules.iter_mut().enumerate().filter(|_| are_named) {
            rule["name"] = json!(format!("{prefix}-rule-{number}"));
        }
        let mut spec = json!({"parentRefs": [{"name": "web"}], "hostnames": ["a.test"],
            "rules": rules});
        number(&mut spec, prefix);
        spec
    })
}

/// Routes of which one rule leads somewhere at least.
fn routes() -> impl Strategy<Value = HttpRoute> {
    specs("s").prop_filter_map("leads nowhere", |spec| {
        let mut rules = spec["rules"].as_array()?.iter();
        rules.find(|rule| rule.get("backendRefs").is_some())?;
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
            "spec": spec,
        });
        serde_json::from_value(route).ok()
    })
}

/// What somebody writes. A number means the rule there, counted round.
#[derive(Debug, Clone)]
enum Edit {
    Insert(usize, Value),
    Remove(usize),
    /// Backends, and with them the mirrors, which are one with them here.
    SetBackends(usize),
    /// A backend beside those of a rule, or beside the bridge that stands for them.
    AddBackend(usize),
    AddFilter(usize),
    AddMirror(usize),
    SetTimeout(usize),
    TurnRound,
    SetHostname(&'static str),
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
    let edit = prop_oneof![
        (at(), rules()).prop_map(|(at, rule)| Edit::Insert(at, rule)),
        at().prop_map(Edit::Remove),
        at().prop_map(Edit::SetBackends),
        at().prop_map(Edit::AddBackend),
        at().prop_map(Edit::AddFilter),
        at().prop_map(Edit::AddMirror),
        at().prop_map(Edit::SetTimeout),
        Just(Edit::TurnRound),
        select(vec!["b.test", "c.test"]).prop_map(Edit::SetHostname),
        select(vec!["x", "y"]).prop_map(Edit::Label),
        select(vec![None, Some("false")]).prop_map(Edit::Spoil),
        specs("p").prop_map(Edit::PutSpec),
        specs("r").prop_map(Edit::Replace),
    ];
    vec(edit, 0..5)
}

fn write(edits: &[Edit], value: &mut Value) {
    for (number_of_edit, edit) in edits.iter().enumerate() {
        match edit {
            Edit::PutSpec(spec) => value["spec"] = spec.clone(),
            Edit::Replace(spec) => {
                value["spec"] = spec.clone();
                let metadata = value["metadata"].as_object_mut().unwrap();
                metadata.retain(|field, _| field != "labels" && field != "annotations");
            }
            Edit::Label(label) => value["metadata"]["labels"]["note"] = json!(label),
            Edit::Spoil(with) => spoil(["metadata", "labels"], HELD_LABEL, *with, value),
            Edit::SetHostname(name) => value["spec"]["hostnames"] = json!([name]),
            _ => {
                let rules = value
                    .pointer_mut("/spec/rules")
                    .and_then(Value::as_array_mut);
                if let Some(rules) = rules {
                    write_rules(edit, rules);
                }
            }
        }
        number(&mut value["spec"], &format!("n{number_of_edit}-"));
    }
}

fn write_rules(edit: &Edit, rules: &mut Vec<Value>) {
    let count = rules.len();
    match edit {
        Edit::Insert(at, rule) => rules.insert(at % (count + 1), rule.clone()),
        Edit::TurnRound => rules.reverse(),
        Edit::Remove(at) if count > 1 => {
            rules.remove(at % count);
        }
        Edit::SetTimeout(at) => rules[at % count]["timeouts"] = json!({"request": "20s"}),
        Edit::SetBackends(at) if leads(&rules[at % count]) => {
            let rule = &mut rules[at % count];
            rule["backendRefs"] = json!([{"name": null, "port": 80, "weight": 1}]);
            let filters = rule.get_mut("filters").and_then(Value::as_array_mut);
            if let Some(filters) = filters {
                filters.retain(|filter| filter["type"] != "RequestMirror");
                if filters.is_empty() {
                    rule.as_object_mut().unwrap().remove("filters");
                }
            }
        }
        Edit::AddFilter(at) if leads(&rules[at % count]) => {
            let filter = json!({"type": "ResponseHeaderModifier",
                "responseHeaderModifier": {"remove": ["server"]}});
            add_filter(&mut rules[at % count], filter);
        }
        Edit::AddMirror(at) if leads(&rules[at % count]) => {
            add_filter(&mut rules[at % count], mirror_to("second"));
        }
        Edit::AddBackend(at) if leads(&rules[at % count]) => {
            let backends = rules[at % count]["backendRefs"].as_array_mut().unwrap();
            backends.push(json!({"name": null, "port": 80, "weight": 1}));
        }
        _ => {}
    }
}

fn add_filter(rule: &mut Value, filter: Value) {
    match rule.get_mut("filters").and_then(Value::as_array_mut) {
        Some(filters) => filters.push(filter),
        None => rule["filters"] = json!([filter]),
    }
}

fn leads(rule: &Value) -> bool {
    rule.get("backendRefs").is_some()
}

/// The first Service of each rule that leads somewhere, by what names the rule, in their order.
fn by_place(route: &HttpRoute) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in &route.spec.rules {
        if let Some(backends) = &rule.backend_refs {
            let place = match &rule.name {
                Some(name) => name.clone(),
                None => json!(rule.matches.clone().unwrap_or_default()).to_string(),
            };
            let name = backends[0]["name"].as_str().unwrap_or_default();
            found.entry(place).or_default().push(name.to_owned());
        }
    }
    found
}

/// Whether it can be told which rule of `after` is which of `before`.
fn can_be_told_apart(before: &HttpRoute, after: &HttpRoute) -> bool {
    let before = by_place(before);
    by_place(after).into_iter().all(|(place, now)| {
        let Some(then) = before.get(&place) else {
            return true;
        };
        let mut old = (0..now.len()).filter(|at| then.contains(&now[*at]));
        then.len() == 1 || old.all(|at| then.get(at) == now.get(at))
    })
}

/// The names of the backends of a rule that were written while the route was held.
fn of_the_edits(rule: &Rule) -> Vec<&str> {
    let backends = rule.backend_refs.iter().flatten();
    let names = backends.filter_map(|backend| backend["name"].as_str());
    names
        .filter(|name| !name.starts_with('s') && !BRIDGES.contains(name))
        .collect()
}

/// The names of the backends of every rule.
fn names(route: &HttpRoute) -> Vec<&str> {
    let backends = route
        .spec
        .rules
        .iter()
        .filter_map(|rule| rule.backend_refs.as_ref());
    backends
        .flatten()
        .filter_map(|backend| backend["name"].as_str())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 8_192, ..ProptestConfig::with_cases(1_024) })]

    #[test]
    fn a_release_leaves_what_was_written_while_it_was_held(
        route in routes(), edits in edits(), bridge in select(&BRIDGES[..]),
    ) {
        let wanted = edited(&route, |value| write(&edits, value));
        prop_assume!(can_be_told_apart(&route, &wanted));
        let held = Stored::new(&route).held_by(bridge);
        prop_assert!(names(&held.object).iter().all(|name| *name == bridge));
        prop_assert!(!json!(held.object).to_string().contains("\"RequestMirror\""));
        let released = held.edited(|value| write(&edits, value)).released();
        prop_assert_eq!(json!(released.object), json!(wanted));
    }

    #[test]
    fn a_hold_that_is_put_back_is_released_to_what_was_written(
        route in routes(), edits in edits(),
    ) {
        let wanted = edited(&route, |value| write(&edits, value));
        prop_assume!(can_be_told_apart(&route, &wanted));
        prop_assume!(!names(&wanted).is_empty());
        let held = Stored::new(&route).held_by(BRIDGES[0]);
        let again = held.edited(|value| write(&edits, value)).held_by(BRIDGES[1]);
        prop_assert!(names(&again.object).iter().all(|name| *name == BRIDGES[1]));
        prop_assert_eq!(again.plan_to_hold(BRIDGES[1]).edits, []);
        prop_assert_eq!(json!(again.released().object), json!(wanted));
    }

    /// Rules that cannot be told apart may be mixed up among each other; everything else is right.
    #[test]
    fn whatever_was_written_no_backend_of_ours_is_left_and_what_a_user_wrote_stays(
        route in routes(), edits in edits(),
    ) {
        let wanted = edited(&route, |value| write(&edits, value));
        let held = Stored::new(&route).held_by(BRIDGES[0]);
        let edited = held.edited(|value| write(&edits, value));
        let plan = edited.plan_to_release(crate::server::now());
        let released = edited.made(&plan);
        let is_unknown = matches!(&plan.outcome,
            Outcome::Waiting(reason) if reason.word == ORIGINAL_UNKNOWN);
        prop_assert_eq!(released.plan_to_release(crate::server::now()).edits, []);
        prop_assert!(names(&released.object).iter().all(|name| !BRIDGES.contains(name)) || is_unknown);
        prop_assert_eq!(released.object.spec.rules.len(), wanted.spec.rules.len());
        for (rule, wanted) in released.object.spec.rules.iter().zip(&wanted.spec.rules) {
            prop_assert_eq!(of_the_edits(rule), of_the_edits(wanted));
        }
    }

    #[test]
    fn a_plan_that_was_made_is_empty(route in routes()) {
        let held = Stored::new(&route).held_by(BRIDGES[0]);
        prop_assert_eq!(held.plan_to_hold(BRIDGES[0]).edits, []);
        let moved = held.held_by(BRIDGES[1]);
        prop_assert_eq!(moved.plan_to_hold(BRIDGES[1]).edits, []);
        let released = moved.released();
        prop_assert_eq!(json!(&released.object), json!(&route));
        prop_assert_eq!(released.plan_to_release(crate::server::now()).edits, []);
    }
}
