//! `spec.targets`: what a window names.

use std::collections::HashSet;

use crate::{
    api::target::{HoldMode, Target, TargetKind},
    schedule::TargetRef,
};

use super::problems::Problems;

const TARGETS: &str = "spec.targets";

/// The most targets that a window may have.
const MAX_TARGETS: usize = 64;

/// The most characters in the name of an object (a DNS subdomain, RFC 1123).
const MAX_NAME_LENGTH: usize = 253;

pub(super) fn parse(targets: &[Target], problems: &mut Problems) -> Vec<TargetRef> {
    if targets.is_empty() {
        problems.add(TARGETS, "is empty: name at least one target");
    }
    if targets.len() > MAX_TARGETS {
        problems.add(
            TARGETS,
            "has more than 64 entries: spread them over several windows",
        );
    }
    let mut seen = HashSet::new();
    let mut parsed = Vec::with_capacity(targets.len());
    for (index, target) in targets.iter().enumerate() {
        let path = format!("{TARGETS}[{index}]");
        let Some(target) = parse_one(target, &path, problems) else {
            continue;
        };
        if seen.insert(target.clone()) {
            parsed.push(target);
        } else {
            problems.add(
                path,
                format!("names {target} a second time: remove one of the two"),
            );
        }
    }
    parsed
}

fn parse_one(target: &Target, path: &str, problems: &mut Problems) -> Option<TargetRef> {
    let Target {
        group,
        kind,
        name,
        selector,
        all,
        hold,
    } = target;
    if *kind == TargetKind::HTTPRoute {
        problems.not_honoured(
            &format!("{path}.kind"),
            Some(kind),
            "name a Service or an Ingress",
        );
    }
    if group.as_ref().is_some_and(|group| group != kind.group()) {
        let message = format!(
            "the group of {kind} is \"{}\": write that, or remove group",
            kind.group()
        );
        problems.add(format!("{path}.group"), message);
    }
    if *hold == Some(HoldMode::Services) {
        let field = format!("{path}.hold");
        match kind {
            TargetKind::Service => problems.add(field, "a Service is held itself: remove hold"),
            TargetKind::Ingress | TargetKind::HTTPRoute => {
                problems.not_honoured(&field, hold.as_ref(), "write Route, or remove hold");
            }
        }
    }
    let by_name = "give the name of each target";
    problems.not_honoured(&format!("{path}.selector"), selector.as_ref(), by_name);
    problems.not_honoured(&format!("{path}.all"), all.as_ref(), by_name);
    let ways = [name.is_some(), selector.is_some(), all.is_some()];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        problems.add(path, "write exactly one of name, selector and all");
    }
    let name = name.as_ref()?;
    if !is_object_name(name) {
        problems.add(
            format!("{path}.name"),
            "must be the name of an object in the window's own namespace: lower-case letters, digits, - and .",
        );
    }
    Some(TargetRef {
        kind: *kind,
        name: name.clone(),
    })
}

/// Whether a text can be the name of an object in a path of the API: without that, a name such
/// as `a/b` would ask for something else.
fn is_object_name(name: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= MAX_NAME_LENGTH
        && name.starts_with(alphanumeric)
        && name.ends_with(alphanumeric)
        && name
            .chars()
            .all(|c| alphanumeric(c) || c == '-' || c == '.')
}
