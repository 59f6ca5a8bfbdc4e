//! Manifests as data: what the API server refuses, with the sentence that it must say, and what
//! it must let through.
//!
//! They go to the real API server as `kubectl apply --dry-run=server` sends them, with strict
//! field validation.

use std::error::Error;

use serde_json::Value;

/// A manifest with this spec, in YAML's flow style.
macro_rules! window {
    ($($spec:literal),+ $(,)?) => {
        concat!(
            "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: bad}, \
             spec: {", $($spec),+, "}}"
        )
    };
}

/// A manifest in which all is well but the schedule.
macro_rules! schedule {
    ($schedule:literal) => {
        window!(
            "targets: [{kind: Service, name: web}], schedule: {",
            $schedule,
            "}"
        )
    };
}

/// A manifest in which all is well but the one occurrence.
macro_rules! once {
    ($once:literal) => {
        window!(
            "targets: [{kind: Service, name: web}], schedule: {once: {",
            $once,
            "}}"
        )
    };
}

/// A manifest in which all is well but the recurring schedule.
macro_rules! recurring {
    ($recurring:literal) => {
        window!(
            "targets: [{kind: Service, name: web}], schedule: {recurring: {",
            $recurring,
            "}}"
        )
    };
}

/// A manifest in which all is well but the targets.
macro_rules! targets {
    ($targets:literal) => {
        window!("schedule: {always: {}}, targets: [", $targets, "]")
    };
}

/// A manifest in which all is well but the response.
macro_rules! response {
    ($response:literal) => {
        window!(
            "schedule: {always: {}}, targets: [{kind: Service, name: web}], response: {",
            $response,
            "}"
        )
    };
}

/// A manifest in which all is well but this beside it.
macro_rules! beside {
    ($rest:literal) => {
        window!(
            "schedule: {always: {}}, targets: [{kind: Service, name: web}], ",
            $rest
        )
    };
}

mod accepted;
mod responses;
mod schedules;
mod targets;

pub(crate) use accepted::{ACCEPTED, largest};

/// The name of a slip, the manifest, and what must all be in the answer.
pub(crate) type Case = (&'static str, &'static str, &'static [&'static str]);

/// What is refused.
pub(crate) fn cases() -> impl Iterator<Item = &'static Case> {
    let all = [ROOT, schedules::CASES, targets::CASES, responses::CASES];
    all.into_iter().flatten()
}

const ROOT: &[Case] = &[
    // The root.
    (
        "a name too long for a label",
        "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: \
         a-window-with-a-name-that-goes-on-for-one-character-more-than-63}, spec: {schedule: \
         {always: {}}, targets: [{kind: Service, name: web}]}}",
        &["the name of a window may have at most 63 characters: choose a shorter one"],
    ),
    (
        "no spec",
        "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: bad}}",
        &["spec: Required value"],
    ),
    (
        "no schedule",
        window!("targets: [{kind: Service, name: web}]"),
        &["spec.schedule: Required value"],
    ),
    (
        "no targets",
        window!("schedule: {always: {}}"),
        &["spec.targets: Required value"],
    ),
    (
        "a misspelt field of the spec",
        beside!("suspended: true"),
        &["unknown field \"spec.suspended\""],
    ),
    (
        "a switch that is a text",
        beside!("suspend: \"yes\""),
        &["spec.suspend in body must be of type boolean: \"string\""],
    ),
    (
        "a spec under another name",
        "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: bad}, \
         specs: {}, spec: {schedule: {always: {}}, targets: [{kind: Service, name: web}]}}",
        &["unknown field \"specs\""],
    ),
];

/// The rules of the schema that no case breaks: path and sentence of each. There must be none.
pub(crate) fn rules_without_a_case() -> Result<Vec<String>, Box<dyn Error>> {
    let definition = serde_json::to_value(entracte::api::crd::definition()?)?;
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut missing = Vec::new();
    visit_rules("", schema, &mut |path, sentence| {
        if !cases().any(|(_, _, answer)| breaks(answer, path, sentence)) {
            missing.push(format!("{path}: {sentence}"));
        }
    });
    Ok(missing)
}

/// Whether an answer has the sentence, and the path unless it has none.
fn breaks(answer: &[&str], path: &str, sentence: &str) -> bool {
    match answer {
        [only] => sentence.starts_with(only),
        [at, rest] => {
            at.replace("[0]", "[]").starts_with(&format!("{path}: ")) && sentence.starts_with(rest)
        }
        _ => false,
    }
}

fn visit_rules(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &str)) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let field = rule["fieldPath"].as_str().unwrap_or_default();
        visit(
            &format!("{path}{field}"),
            rule["message"].as_str().unwrap_or_default(),
        );
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit_rules(
            format!("{path}.{name}").trim_start_matches('.'),
            property,
            visit,
        );
    }
    if let Some(items) = schema.get("items") {
        visit_rules(&format!("{path}[]"), items, visit);
    }
}
