//! What a search finds of Ingresses.

use crate::cluster::{Budget, Cluster, Mistake};
use crate::ingress::Storefront;
use crate::search::search;

fn cluster(coverage: u8, edits: u8, crashes: u8) -> Cluster<Storefront> {
    Cluster::new(Storefront::new(), Budget::new(coverage, edits, crashes))
}

#[test]
fn windows_come_and_go_while_a_user_and_a_tool_write() {
    let mut cluster = cluster(2, 1, 0);
    cluster.windows = 2;
    let found = search("Ingress: two windows, edits", &mut cluster);
    assert!(found.flaw.is_none(), "{}", found.flaw.unwrap_or_default());
}

#[test]
fn a_search_finds_a_write_without_a_guard() {
    let mut cluster = cluster(2, 1, 1);
    cluster.mistake = Some(Mistake::NoGuards);
    let flaw = search("Ingress: NoGuards", &mut cluster).flaw;
    assert!(flaw.is_some());
}
