//! What a search finds of Services: nothing; and that it would.

use crate::cluster::state::Budget;
use crate::cluster::{Cluster, Mistake};
use crate::search::search;
use crate::service::Cart;

fn cluster(coverage: u8, edits: u8, crashes: u8) -> Cluster<Cart> {
    Cluster::new(Cart::new(), Budget::new(coverage, edits, crashes))
}

/// As a window begins to hold it, and has done.
fn held(coverage: u8, edits: u8, crashes: u8) -> Cluster<Cart> {
    let mut cluster = cluster(coverage, edits, crashes);
    cluster.begins_held = true;
    cluster
}

fn is_sound(name: &str, cluster: &mut Cluster<Cart>) {
    let found = search(name, cluster);
    assert!(found.flaw.is_none(), "{}", found.flaw.unwrap_or_default());
}

#[test]
fn a_window_comes_and_goes_under_two_leaders() {
    is_sound("Service: a window, two leaders", &mut cluster(1, 0, 1));
}

#[test]
fn a_window_takes_the_lead() {
    let mut cluster = cluster(2, 0, 0);
    cluster.windows = 2;
    is_sound("Service: two windows", &mut cluster);
}

#[test]
fn a_window_takes_the_lead_under_two_leaders() {
    let mut cluster = held(1, 0, 1);
    cluster.windows = 2;
    is_sound("Service, held: two windows, two leaders", &mut cluster);
}

#[test]
fn a_user_and_a_tool_write() {
    is_sound("Service: a window, edits", &mut cluster(1, 1, 0));
}

#[test]
fn a_user_and_a_tool_write_under_two_leaders() {
    is_sound("Service, held: edits, two leaders", &mut held(0, 1, 1));
}

/// Nobody can help the last endpoint then, if the platform empties its slice before we put ours back;
/// everything else is as ever.
#[test]
fn what_somebody_deletes_of_ours_is_put_back() {
    let mut robbed = cluster(1, 1, 0);
    robbed.kind.is_robbed = true;
    robbed.kind.minds_gaps = false;
    is_sound("Service: our slice deleted", &mut robbed);
}

/// A cache that has not seen it must not write the old owner into our slice: the release would take
/// that for a stray and not let it linger, while the platform still writes what it saw of the hold.
#[test]
fn a_service_made_anew_in_its_window_keeps_its_last_endpoint() {
    let mut anew = cluster(2, 1, 0);
    anew.kind.minds_gaps_anew = true;
    is_sound("Service: made anew", &mut anew);
}

/// The last endpoint needs punctuality, and nothing else does. This is what a call means that hangs
/// for longer than `STALE_VIEW`: a moment without one, and then all is right.
#[test]
fn a_call_that_hangs_may_cost_the_last_endpoint_for_a_moment_and_no_more() {
    let mut late = cluster(2, 0, 1);
    late.is_punctual = false;
    assert!(search("Service: late calls", &mut late).flaw.is_some());
    let mut forgiving = cluster(2, 0, 0);
    forgiving.is_punctual = false;
    forgiving.kind.minds_gaps = false;
    is_sound("Service: late calls, but for gaps", &mut forgiving);
}

/// The mistakes are found, or the search would show nothing.
#[test]
fn a_search_finds_the_mistakes_that_the_protocol_avoids() {
    for mistake in [Mistake::NoGuards, Mistake::NoReading, Mistake::Backwards] {
        let mut cluster = cluster(2, 1, 1);
        cluster.mistake = Some(mistake);
        let name = format!("Service: {mistake:?}");
        let flaw = search(&name, &mut cluster).flaw;
        assert!(flaw.is_some(), "{mistake:?} is not found");
    }
}
