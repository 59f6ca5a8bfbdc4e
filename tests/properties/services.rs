//! What holds for every Service.

use std::collections::BTreeMap;

use entracte::api::names;
use entracte::plan::Outcome;
use entracte::plan::slices;
use k8s_openapi::api::core::v1::Service;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::server::{BRIDGES, LINGER, Stored, edited, now, spoil};

type Map = BTreeMap<String, String>;

/// Keys with all that a JSON pointer escapes.
const KEYS: [&str; 4] = ["app", "tier", "example.com/team", "odd~key"];

fn map(size: std::ops::Range<usize>) -> impl Strategy<Value = Map> {
    btree_map(select(&KEYS[..]).prop_map(str::to_owned), "[a-c]", size)
}

fn services() -> impl Strategy<Value = Service> {
    let families = select(vec![
        json!(["IPv4"]),
        json!(["IPv6"]),
        json!(["IPv4", "IPv6"]),
    ]);
    let ports = vec(select(vec!["http", "admin", "metrics"]), 1..4);
    let all = (map(0..3), map(0..3), map(1..4), families, ports);
    all.prop_map(|(labels, annotations, selector, families, ports)| {
        let ports: Vec<Value> = (80..)
            .zip(ports)
            .map(|(number, name)| json!({"name": format!("{name}-{number}"), "port": number}))
            .collect();
        let service = json!({
            "metadata": {"name": "cart", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
            "spec": {"clusterIP": "10.96.0.7", "ipFamilies": families, "ports": ports},
        });
        let service: Service = serde_json::from_value(service).unwrap();
        edited(&service, |value| {
            value["metadata"]["labels"] = json!(labels);
            value["metadata"]["annotations"] = json!(annotations);
            value["spec"]["selector"] = json!(selector);
        })
    })
}

/// What somebody writes.
#[derive(Debug, Clone)]
enum Edit {
    Set([&'static str; 2], &'static str, String),
    Remove([&'static str; 2], &'static str),
    /// As an apply does with a map that is atomic.
    Put([&'static str; 2], Map),
    RenamePort(String),
    /// Our key, our label and our record are written over, or taken away.
    Spoil([&'static str; 2], &'static str, Option<&'static str>),
    /// All of it, as a tool replaces a manifest: marks of ours go.
    Replace(Box<Service>),
}

/// What is ours on a Service, and where.
const OURS: [([&str; 2], &str); 3] = [
    (["spec", "selector"], names::HOLD_KEY),
    (["metadata", "labels"], names::HELD_LABEL),
    (["metadata", "annotations"], names::HOLD_ANNOTATION),
];

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let maps = [
        ["metadata", "labels"],
        ["metadata", "annotations"],
        ["spec", "selector"],
    ];
    let maps = || select(maps.to_vec());
    let key = || select(&KEYS[..]);
    let edit = prop_oneof![
        (maps(), key(), "[d-f]").prop_map(|(map, key, value)| Edit::Set(map, key, value)),
        (maps(), key()).prop_map(|(map, key)| Edit::Remove(map, key)),
        (maps(), map(1..3)).prop_map(|(place, map)| Edit::Put(place, map)),
        "[x-z]{3}".prop_map(Edit::RenamePort),
        services().prop_map(|service| Edit::Replace(Box::new(service))),
        (
            select(&OURS[..]),
            select(vec![None, Some("true"), Some("other")])
        )
            .prop_map(|((map, key), with)| Edit::Spoil(map, key, with)),
    ];
    vec(edit, 0..5)
}

fn write(edits: &[Edit], value: &mut Value) {
    for edit in edits {
        match edit {
            Edit::Set([parent, map], key, to) => value[parent][map][*key] = json!(to),
            Edit::Remove([parent, map], key) => {
                if let Some(map) = value[parent][map].as_object_mut() {
                    map.remove(*key);
                }
            }
            Edit::Put([parent, map], to) => value[parent][map] = json!(to),
            Edit::RenamePort(name) => value["spec"]["ports"][0]["name"] = json!(name),
            Edit::Replace(service) => *value = serde_json::to_value(service).unwrap(),
            Edit::Spoil(map, key, with) => spoil(*map, key, *with, value),
        }
    }
    // A Service without a selector of the user's is not held: another matter.
    value["spec"]["selector"]["app"] = json!("z");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_release_leaves_what_was_written_while_it_was_held(
        service in services(), edits in edits(), bridge in select(&BRIDGES[..]),
    ) {
        let held = Stored::new(&service).held_by(bridge);
        let released = held.edited(|value| write(&edits, value)).released();
        prop_assert_eq!(released.object, edited(&service, |value| write(&edits, value)));
    }

    #[test]
    fn a_hold_that_is_put_back_is_released_to_what_was_written(
        service in services(), edits in edits(),
    ) {
        let held = Stored::new(&service).held_by(BRIDGES[0]);
        let again = held.edited(|value| write(&edits, value)).held_by(BRIDGES[1]);
        prop_assert_eq!(again.plan_to_hold(BRIDGES[1]).edits, []);
        let released = again.released();
        prop_assert_eq!(released.object, edited(&service, |value| write(&edits, value)));
    }

    #[test]
    fn a_plan_that_was_made_is_empty(service in services()) {
        let held = Stored::new(&service).held_by(BRIDGES[0]);
        let again = held.plan_to_hold(BRIDGES[0]);
        prop_assert_eq!(again.edits, []);
        let released = held.released();
        prop_assert_eq!(&released.object, &service);
        prop_assert_eq!(released.plan_to_release(now()).edits, []);
        let over = now() + LINGER.longest;
        let bare = released.made(&released.plan_to_release(over));
        prop_assert_eq!(&bare, &Stored::new(&service));
        prop_assert_eq!(bare.plan_to_release(over).outcome, Outcome::Serving);
    }

    #[test]
    fn our_slices_have_the_families_and_the_ports_of_the_service(
        service in services(), edits in edits(),
    ) {
        let held = Stored::new(&service).held_by(BRIDGES[0]);
        let held = held.edited(|value| write(&edits, value)).held_by(BRIDGES[0]);
        let spec = held.object.spec.as_ref().unwrap();
        let families: Vec<&String> = held.slices.iter().map(|slice| &slice.address_type).collect();
        let wanted: Vec<&String> = spec.ip_families.iter().flatten().collect();
        prop_assert!(wanted.iter().all(|family| families.contains(family)), "{:?}", families);
        prop_assert_eq!(wanted.len(), families.len());
        for slice in &held.slices {
            let names: Vec<_> = slice.ports.iter().flatten().map(|port| &port.name).collect();
            let wanted: Vec<_> = spec.ports.iter().flatten().map(|port| &port.name).collect();
            prop_assert_eq!(names, wanted);
            prop_assert!(slices::is_owned_by(slice, &held.object));
            prop_assert!(slices::leads_to_port(slice, 20_000));
        }
    }
}
