//! `spec.targets`: what a window names or selects.

use crate::{
    api::target::{HoldMode, Selector, SelectorOperator, SelectorRequirement, Target, TargetKind},
    schedule::{Targeted, Which},
};

use super::problems::Problems;

const TARGETS: &str = "spec.targets";

/// The most targets that a window may have.
const MAX_TARGETS: usize = 64;

/// The most characters in the name of an object (a DNS subdomain, RFC 1123).
const MAX_NAME_LENGTH: usize = 253;

pub(super) fn parse(targets: &[Target], problems: &mut Problems) -> Vec<Targeted> {
    if targets.is_empty() {
        problems.add(TARGETS, "is empty: name at least one target");
    }
    if targets.len() > MAX_TARGETS {
        problems.add(
            TARGETS,
            "has more than 64 entries: spread them over several windows",
        );
    }
    let mut parsed: Vec<Targeted> = Vec::with_capacity(targets.len());
    for (index, target) in targets.iter().enumerate() {
        let path = format!("{TARGETS}[{index}]");
        let Some(target) = parse_one(target, &path, problems) else {
            continue;
        };
        let is_same = |other: &Targeted| other.kind == target.kind && other.which == target.which;
        if !parsed.iter().any(is_same) {
            parsed.push(target);
            continue;
        }
        let verb = match target.which {
            Which::Name(_) => "names",
            Which::Selector(_) | Which::All => "selects",
        };
        problems.add(
            path,
            format!("{verb} {target} a second time: remove one of the two"),
        );
    }
    parsed
}

fn parse_one(target: &Target, path: &str, problems: &mut Problems) -> Option<Targeted> {
    let Target {
        group,
        kind,
        name,
        selector,
        all,
        hold,
    } = target;
    if group.as_ref().is_some_and(|group| group != kind.group()) {
        let message = format!(
            "the group of {kind} is \"{}\": write that, or remove group",
            kind.group()
        );
        problems.add(format!("{path}.group"), message);
    }
    if *kind == TargetKind::Service && *hold == Some(HoldMode::Services) {
        problems.add(
            format!("{path}.hold"),
            "a Service is held itself: remove hold",
        );
    }
    let which = match (name, selector, all) {
        (Some(name), None, None) => {
            check_name(name, path, problems);
            Which::Name(name.clone())
        }
        (None, Some(selector), None) => {
            check_selector(selector, &format!("{path}.selector"), problems);
            Which::Selector(selector.clone())
        }
        (None, None, Some(_)) => Which::All,
        _ => {
            problems.add(path, "write exactly one of name, selector and all");
            return None;
        }
    };
    Some(Targeted {
        kind: *kind,
        which,
        hold: *hold,
    })
}

fn check_name(name: &str, path: &str, problems: &mut Problems) {
    if !is_object_name(name) {
        problems.add(
            format!("{path}.name"),
            "must be the name of an object in the window's own namespace: lower-case letters, digits, - and .",
        );
    }
}

/// One that is empty would match everything, which nobody means who writes a selector.
fn check_selector(selector: &Selector, path: &str, problems: &mut Problems) {
    let labels = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    if labels.count() == 0 && expressions.count() == 0 {
        problems.add(
            path,
            "is empty: write matchLabels or matchExpressions, or all: {} in place of selector for \
             every object of this kind",
        );
    }
    let requirements = selector.match_expressions.iter().flatten().enumerate();
    for (index, requirement) in requirements {
        check_values(
            requirement,
            &format!("{path}.matchExpressions[{index}]"),
            problems,
        );
    }
}

fn check_values(requirement: &SelectorRequirement, path: &str, problems: &mut Problems) {
    let has_values = requirement.values.iter().flatten().next().is_some();
    let takes_values = matches!(
        requirement.operator,
        SelectorOperator::In | SelectorOperator::NotIn
    );
    if has_values != takes_values {
        problems.add(
            path,
            "In and NotIn need values; Exists and DoesNotExist take none",
        );
    }
}

/// Whether a text can be the name of an object in a path of the API: without that, a name such
/// as `a/b` would ask for something else.
pub(super) fn is_object_name(name: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= MAX_NAME_LENGTH
        && name.starts_with(alphanumeric)
        && name.ends_with(alphanumeric)
        && name
            .chars()
            .all(|c| alphanumeric(c) || c == '-' || c == '.')
}
