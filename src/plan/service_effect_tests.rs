//! When a hold takes effect: the platform's slices, emptied by it or by us.

use super::tests::{LINGER, at, cart, held_cart, with_slices};
use super::*;
use crate::plan::platform::{MOMENT, WAITING_FOR_ENDPOINTS};
use crate::plan::testing::{endpoints, held, object};
use crate::plan::{Desired, Leaning};

/// A slice of the platform's with one endpoint, or none.
fn platform_slice(family: &str, address: Option<&str>) -> EndpointSlice {
    let endpoint = address.map_or_else(String::new, |address| {
        format!("{{addresses: ['{address}'], conditions: {{ready: true}}}}")
    });
    object(&format!(
        "{{addressType: {family}, metadata: {{name: cart-x, resourceVersion: '9', labels: \
         {{kubernetes.io/service-name: cart, endpointslice.kubernetes.io/managed-by: \
         endpointslice-controller.k8s.io}}}}, endpoints: [{endpoint}], ports: [{{name: http, \
         port: 8080}}]}}"
    ))
}

fn full() -> EndpointSlice {
    platform_slice("IPv4", Some("10.244.0.2"))
}

fn hold_of(
    (service, ours): &(Service, Vec<EndpointSlice>),
    platform: &[EndpointSlice],
    now: DateTime<Utc>,
) -> Plan {
    let around = with_slices(ours, platform);
    service.plan(&around, held("entracte-w", &endpoints()), LINGER, now)
}

fn word(plan: &Plan) -> &'static str {
    match &plan.outcome {
        Outcome::Holding(reason) => reason.word,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn the_platform_gets_a_moment_to_empty_its_slices_by_itself() {
    let first = hold_of(&(cart(), Vec::new()), &[full()], at(0));
    assert!(matches!(
        first.edits[..],
        [Edit::CreateSlice(_), Edit::Patch { .. }]
    ));
    assert_eq!(word(&first), WAITING_FOR_ENDPOINTS);
    assert_eq!(first.again, Some(at(0) + MOMENT));

    let soon = at(0) + MOMENT - TimeDelta::milliseconds(1);
    let waiting = hold_of(&held_cart(), &[full()], soon);
    assert_eq!(waiting.edits, []);
    assert_eq!(waiting.again, Some(at(0) + MOMENT));

    let emptied = hold_of(&held_cart(), &[platform_slice("IPv4", None)], soon);
    assert_eq!(emptied, Plan::nothing(Outcome::Held));
}

#[test]
fn what_the_platform_has_not_emptied_then_is_emptied() {
    let plan = hold_of(&held_cart(), &[full()], at(0) + MOMENT);
    let expected = platform_slice("IPv4", None);
    assert_eq!(plan.edits, [Edit::EmptySlice(Box::new(expected))]);
    assert_eq!(plan.outcome, Outcome::Held);
    assert_eq!(plan.again, None);
}

/// The slice is guarded by the version that was read; ours, were they to be written too, are not.
#[test]
fn before_slices_are_emptied_it_is_enough_to_read_the_service() {
    let hold = hold_of(&(cart(), Vec::new()), &[full()], at(0));
    assert_eq!(hold.leaning(), Leaning::Nothing);
    let emptied = hold_of(&held_cart(), &[full()], at(0) + MOMENT);
    assert_eq!(emptied.leaning(), Leaning::Target);

    let (service, _) = held_cart();
    let without_ours = hold_of(&(service, Vec::new()), &[full()], at(0) + MOMENT);
    let [Edit::CreateSlice(_), Edit::EmptySlice(_)] = without_ours.edits[..] else {
        panic!("{without_ours:?}");
    };
    assert_eq!(without_ours.leaning(), Leaning::Both);
}

#[test]
fn a_service_is_held_before_its_slices_are_emptied() {
    let (service, ours) = held_cart();
    let mut reverted = service;
    reverted.spec = cart().spec;
    let plan = hold_of(&(reverted, ours), &[full()], at(9));
    // It leads to the app again, which our slice has to remember.
    let [Edit::ReplaceSlice(_), Edit::Patch { .. }] = plan.edits[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(plan.again, Some(at(9) + MOMENT), "the platform starts anew");
}

#[test]
fn nothing_is_emptied_where_ours_do_not_stand() {
    let both = "{metadata: {name: cart, uid: u1}, spec: {ipFamilies: [IPv4, IPv6], \
                selector: {app: cart, entracte.dev/hold: u1}, ports: [{name: http, port: 80}]}}";
    let held = (object(both), held_cart().1);
    let slices = [full(), platform_slice("IPv6", Some("fd00::2"))];
    let plan = hold_of(&held, &slices, at(9));
    let emptied = plan.edits.iter().filter_map(|edit| match edit {
        Edit::EmptySlice(slice) => Some(slice.address_type.as_str()),
        _ => None,
    });
    assert_eq!(
        emptied.collect::<Vec<_>>(),
        ["IPv4"],
        "no backend pod answers over IPv6"
    );
}

#[test]
fn a_release_empties_nothing() {
    let (service, ours) = held_cart();
    let around = with_slices(&ours, &[full()]);
    let plan = service.plan(&around, Desired::Released, LINGER, at(9));
    let empties = |edit: &Edit| matches!(edit, Edit::EmptySlice(_));
    assert!(!plan.edits.iter().any(empties), "{plan:?}");
}

#[test]
fn a_hold_whose_instant_nobody_knows_waits_for_nothing() {
    let (mut service, ours) = held_cart();
    service.metadata.annotations = None;
    let plan = hold_of(&(service, ours), &[full()], at(0));
    assert!(matches!(plan.edits[..], [Edit::EmptySlice(_)]), "{plan:?}");
}

#[test]
fn a_clock_that_was_set_back_does_not_put_the_effect_off() {
    let plan = hold_of(&held_cart(), &[full()], at(-60));
    assert!(matches!(plan.edits[..], [Edit::EmptySlice(_)]), "{plan:?}");
}
