use chrono::TimeDelta;

use super::*;
use crate::plan::testing::{endpoints, object};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn stand(endpoints: &[Endpoint]) -> Need<'_> {
    Need::Stand {
        window: "upgrade",
        port: 20_000,
        endpoints,
    }
}

fn made() -> Service {
    match &plan("shop", "entracte-upgrade", None, &[], stand(&[]), at(0)).edits[..] {
        [Edit::CreateBridge(bridge)] => (**bridge).clone(),
        edits => panic!("{edits:?}"),
    }
}

#[test]
fn a_bridge_is_named_after_its_window() {
    assert_eq!(name("upgrade"), "entracte-upgrade");
}

#[test]
fn names_that_are_no_dns_labels_are_hashed_and_do_not_meet() {
    let long = name(&"w".repeat(63));
    assert_eq!(long.len(), 63);
    assert_ne!(long, name(&"w".repeat(62)));
    assert!(!name("a.b").contains('.'));
    assert_ne!(name("a.b"), name("a-b"));
}

#[test]
fn a_bridge_has_no_selector_and_no_owner() {
    let bridge = made();
    assert_eq!(bridge.spec.unwrap().selector, None);
    assert_eq!(bridge.metadata.owner_references, None);
}

#[test]
fn a_service_of_the_users_with_its_name_is_left_alone() {
    let theirs: Service = object("{metadata: {name: entracte-upgrade}, spec: {selector: {a: b}}}");
    let plan = plan(
        "shop",
        "entracte-upgrade",
        Some(&theirs),
        &[],
        stand(&endpoints()),
        at(0),
    );
    assert_eq!(plan.edits, []);
    assert!(matches!(
        plan.outcome,
        Outcome::Waiting(Reason {
            word: NAME_TAKEN,
            ..
        })
    ));
}

#[test]
fn a_bridge_lingers_and_then_goes() {
    let bridge = made();
    let need = Need::Linger { until: at(120) };
    let look = |bridge: &Service, now| plan("shop", "b", Some(bridge), &[], need, at(now));
    let [Edit::ReplaceBridge(lingering)] = &look(&bridge, 0).edits[..] else {
        panic!()
    };
    assert_eq!(look(lingering, 119).edits, []);
    let later = Need::Linger {
        until: at(119) + TimeDelta::seconds(120),
    };
    let plan = plan("shop", "b", Some(lingering), &[], later, at(120));
    assert!(
        matches!(plan.edits[..], [Edit::DeleteBridge(_)]),
        "the first deadline stands"
    );
}

#[test]
fn a_bridge_that_lingers_is_taken_back_by_the_next_window() {
    let bridge = made();
    let need = Need::Linger { until: at(120) };
    let edits = plan("shop", "b", Some(&bridge), &[], need, at(0)).edits;
    let [Edit::ReplaceBridge(lingering)] = &edits[..] else {
        panic!("{edits:?}")
    };
    let edits = plan("shop", "b", Some(lingering), &[], stand(&[]), at(60)).edits;
    let [Edit::ReplaceBridge(standing)] = &edits[..] else {
        panic!("{edits:?}")
    };
    assert!(names::instant(&standing.metadata, names::LINGER_ANNOTATION).is_none());
}

#[test]
fn the_slices_of_a_bridge_stay_while_no_backend_pod_answers() {
    let mut bridge = made();
    bridge.metadata.uid = Some("u".into());
    let slice = slices::desired(&bridge, &endpoints(), 20_000).remove(0);
    let plan = plan("shop", "b", Some(&bridge), &[&slice], stand(&[]), at(0));
    assert_eq!(plan.edits, []);
}
