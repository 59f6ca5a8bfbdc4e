//! What a search finds of Ingresses and of HTTPRoutes.

use entracte::api::httproute::HttpRoute;
use k8s_openapi::api::networking::v1::Ingress;

use crate::cluster::state::Budget;
use crate::cluster::{Cluster, Mistake};
use crate::route::{Route, Storefront};
use crate::search::search;

fn cluster<R: Route>(coverage: u8, edits: u8, crashes: u8) -> Cluster<Storefront<R>> {
    Cluster::new(Storefront::new(), Budget::new(coverage, edits, crashes))
}

fn is_sound<R: Route>(name: &str, mut cluster: Cluster<Storefront<R>>) {
    cluster.windows = 2;
    let found = search(&format!("{}{name}", R::KIND), &mut cluster);
    assert!(found.flaw.is_none(), "{}", found.flaw.unwrap_or_default());
}

fn is_sound_whoever_writes<R: Route>() {
    is_sound(": two windows, edits", cluster::<R>(2, 1, 0));
    is_sound(": two windows, two leaders", cluster::<R>(2, 0, 1));
}

fn is_sound_whoever_leads<R: Route>() {
    let mut held = cluster::<R>(1, 1, 1);
    held.begins_held = true;
    is_sound(", held: two windows, edits, two leaders", held);
}

fn a_write_without_a_guard_is_found<R: Route>() {
    let mut cluster = cluster::<R>(2, 1, 1);
    cluster.mistake = Some(Mistake::NoGuards);
    let flaw = search(&format!("{}: NoGuards", R::KIND), &mut cluster).flaw;
    assert!(flaw.is_some());
}

#[test]
fn windows_come_and_go_while_a_user_and_a_tool_write() {
    is_sound_whoever_writes::<Ingress>();
    is_sound_whoever_writes::<HttpRoute>();
}

#[test]
fn windows_come_and_go_while_a_user_and_a_tool_write_under_two_leaders() {
    is_sound_whoever_leads::<Ingress>();
    is_sound_whoever_leads::<HttpRoute>();
}

#[test]
fn a_search_finds_a_write_without_a_guard() {
    a_write_without_a_guard_is_found::<Ingress>();
    a_write_without_a_guard_is_found::<HttpRoute>();
}
