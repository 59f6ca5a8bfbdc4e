//! Step 7, continued: what may keep clients from the answer of a window, though everything is held
//! as it should be. Does not touch the cluster.

use std::collections::BTreeSet;

use super::observe::Observed;
use super::page;
use super::pages::Pages;
use crate::api::status::{MAX_WARNING, MAX_WARNINGS, MaintenanceWindowStatus};
use crate::api::target::TargetKind;
use crate::plan::rehearsal::Rehearsable;
use crate::plan::warnings;
use crate::reach::{By, Reach};
use crate::schedule::{TargetRef, Window};

/// The warnings of a window that reaches `reach`, each of which begins with what it is about.
pub(super) fn warnings(observed: &Observed, reach: &Reach, of_page: Option<String>) -> Vec<String> {
    let targets = targets(observed, reach);
    let of_targets = targets.into_iter().flat_map(|target| {
        let warnings = of_target(observed, reach, target).into_iter();
        warnings.map(move |warning| format!("{} {}: {warning}", target.kind, target.name))
    });
    let policies = of_policies(observed, reach).into_iter();
    of_page
        .into_iter()
        .chain(policies)
        .chain(of_targets)
        .take(MAX_WARNINGS)
        .map(cut)
        .collect()
}

/// What is wrong with the page that a window names. A controller that has just started says what the
/// one before it said, until it has looked.
pub(super) fn of_page(
    pages: &Pages,
    window: &Window,
    before: &MaintenanceWindowStatus,
) -> Option<String> {
    let of = window.told.page.as_ref()?;
    if let Some(read) = pages.of_window(window) {
        return read.err().map(|flaw| page::warning(of, &flaw));
    }
    let about = page::about(of);
    let mut said = before.warnings.iter();
    said.find(|said| said.starts_with(&about)).cloned()
}

/// What is held, and the routes that are held by it. What cannot be held has its own line.
fn targets<'r>(observed: &Observed, reach: &'r Reach) -> BTreeSet<&'r TargetRef> {
    let by_services = reach.lines.iter().filter_map(|line| match &line.by {
        By::Services(by) if by.but.is_none() => Some(&line.target),
        By::Services(_) | By::Itself => None,
    });
    let is_fit = |target: &&TargetRef| {
        let object = observed.objects.get(*target);
        object.is_some_and(|object| object.unfit().is_none())
    };
    reach
        .holds
        .iter()
        .chain(by_services)
        .filter(is_fit)
        .collect()
}

fn of_target(observed: &Observed, reach: &Reach, target: &TargetRef) -> Vec<String> {
    let name = &target.name;
    let is_patched = reach.holds.contains(target);
    match target.kind {
        TargetKind::Service => {
            let service = observed.services.get(name);
            service.map(|service| warnings::of_service(service))
        }
        TargetKind::Ingress => observed.ingresses.theirs.get(name).map(|ingress| {
            let mut found = warnings::of_ingress(ingress);
            found.extend(of_controllers(observed, &**ingress, is_patched));
            found
        }),
        TargetKind::HTTPRoute => observed.http_routes.theirs.get(name).map(|route| {
            let mut found = warnings::of_http_route(route, is_patched);
            found.extend(of_controllers(observed, &**route, is_patched));
            found
        }),
    }
    .unwrap_or_default()
}

fn of_controllers<R: Rehearsable>(
    observed: &Observed,
    route: &R,
    is_patched: bool,
) -> BTreeSet<String> {
    let served_by = route.served_by(&|class| observed.controller_of(class));
    let known = served_by.into_iter().filter_map(Result::ok);
    let warnings = known.flat_map(|known| warnings::of_controller(known, is_patched));
    warnings.collect()
}

fn of_policies(observed: &Observed, reach: &Reach) -> Vec<String> {
    let is_service = |target: &TargetRef| target.kind == TargetKind::Service;
    if !reach.holds.iter().any(is_service) {
        return Vec::new();
    }
    warnings::of_policies(observed.policies.values().map(AsRef::as_ref))
}

/// As much of a sentence as its field takes.
fn cut(warning: String) -> String {
    if warning.chars().count() <= MAX_WARNING {
        return warning;
    }
    let kept = warning.chars().take(MAX_WARNING - 1);
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_never_longer_than_its_field() {
        assert_eq!(cut("Service web: short".to_owned()), "Service web: short");
        let whole = "ä".repeat(MAX_WARNING);
        assert_eq!(cut(whole.clone()), whole);
        let long = cut("ä".repeat(MAX_WARNING + 1));
        assert_eq!(long.chars().count(), MAX_WARNING);
        assert!(long.ends_with("ä…"), "{long}");
    }
}
