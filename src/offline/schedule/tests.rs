use clap::Parser;
use serde_json::{Value, json};

use super::*;

const WINDOWS: &str = "\
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: night, namespace: shop}
spec:
  schedule:
    recurring: {cron: 30 2 * * SUN, timeZone: Europe/Berlin, duration: 1h}
  targets:
  - {kind: Ingress, name: web}
---
apiVersion: v1
kind: Service
---
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: upgrade}
spec:
  schedule:
    once: {start: \"2027-03-25T22:00:00.5+05:45\", duration: 90m}
  targets:
  - {kind: Ingress, name: web}
  suspend: true
---
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: closed}
spec:
  schedule: {always: {}}
  targets:
  - {kind: Ingress, name: web}
---
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: bad}
spec:
  schedule: {always: {}}
  targets:
  - {kind: ingress, name: web}
";

const FROM: &str = "2027-03-20T12:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    instant(text).unwrap()
}

fn a_range(until: Option<&str>, count: usize) -> Range {
    Range {
        from: at(FROM),
        until: until.map(at),
        count,
    }
}

fn found(yaml: &str) -> Found {
    let mut found = Found::default();
    found.add("shop.yaml", yaml);
    found
}

fn written(range: Range, output: Output) -> String {
    let listings = list(&found(WINDOWS), range).unwrap();
    write(&listings, range, output).unwrap()
}

#[test]
fn the_table_says_everything_to_people() {
    let expected = "\
shop/night: 30 2 * * SUN for 1h, Europe/Berlin
  START                           END                             START (UTC)           END (UTC)             LENGTH
  Sun 2027-03-21 02:30:00 +01:00  Sun 2027-03-21 03:30:00 +01:00  2027-03-21T01:30:00Z  2027-03-21T02:30:00Z  1h
  Sun 2027-03-28 03:00:00 +02:00  Sun 2027-03-28 04:00:00 +02:00  2027-03-28T01:00:00Z  2027-03-28T02:00:00Z  1h
    starts at 03:00, the clocks skip 02:00–03:00

default/upgrade: once for 1h30m, +05:45
  suspended: nothing is held while spec.suspend is true
  START                               END                                 START (UTC)               END (UTC)                 LENGTH
  Thu 2027-03-25 22:00:00.500 +05:45  Thu 2027-03-25 23:30:00.500 +05:45  2027-03-25T16:15:00.500Z  2027-03-25T17:45:00.500Z  1h30m

default/closed: always, UTC
  START                           END     START (UTC)           END (UTC)  LENGTH
  Sat 2027-03-20 12:00:00 +00:00  no end  2027-03-20T12:00:00Z  no end     no end
    starts when the window is created

default/bad
  shop.yaml:37: spec.targets[0].kind: \"ingress\" is not known: did you mean Ingress?
";
    assert_eq!(written(a_range(None, 2), Output::Table), expected);
}

fn expected_json() -> Value {
    json!([
        {
            "namespace": "shop",
            "name": "night",
            "occurrences": [
                {"start": "2027-03-21T01:30:00Z", "end": "2027-03-21T02:30:00Z"},
                {"start": "2027-03-28T01:00:00Z", "end": "2027-03-28T02:00:00Z"},
            ],
            "problems": [],
        },
        {
            "namespace": "default",
            "name": "upgrade",
            "occurrences": [
                {"start": "2027-03-25T16:15:00.500Z", "end": "2027-03-25T17:45:00.500Z"},
            ],
            "problems": [],
        },
        {
            "namespace": "default",
            "name": "closed",
            "occurrences": [{"start": "2027-03-20T12:00:00Z", "end": null}],
            "problems": [],
        },
        {
            "namespace": "default",
            "name": "bad",
            "occurrences": [],
            "problems": [{
                "field": "spec.targets[0].kind",
                "message": "\"ingress\" is not known: did you mean Ingress?",
            }],
        },
    ])
}

#[test]
fn json_and_yaml_say_to_programs_what_they_need() {
    let json = written(a_range(None, 2), Output::Json);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, expected_json());
    let yaml = written(a_range(None, 2), Output::Yaml);
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(yaml, expected_json());
}

#[test]
fn no_more_is_listed_than_what_is_asked_for() {
    let numbers = |range| -> Vec<usize> {
        let listings = list(&found(WINDOWS), range).unwrap();
        listings
            .iter()
            .filter_map(|listing| listing.result.as_ref().ok())
            .map(|listed| listed.rows.len())
            .collect()
    };
    assert_eq!(numbers(a_range(None, 5)), [5, 1, 1]);
    assert_eq!(numbers(a_range(None, 0)), [0, 0, 0]);
    // What starts at --until is after it.
    let until = Some("2027-03-28T01:00:00Z");
    assert_eq!(numbers(a_range(until, 5)), [1, 1, 1]);
    let until = Some("2027-03-28T01:00:01Z");
    assert_eq!(numbers(a_range(until, 5)), [2, 1, 1]);
}

#[test]
fn what_is_over_is_not_listed_and_that_is_said() {
    let range = Range {
        from: at("2027-03-25T17:45:00.5Z"),
        until: None,
        count: 5,
    };
    let (_, upgrade) = WINDOWS.split_once("kind: Service\n").unwrap();
    let (upgrade, _) = upgrade.split_once("  suspend: true\n").unwrap();
    let upgrade = format!("{upgrade}  suspend: true\n");
    let listings = list(&found(&upgrade), range).unwrap();
    let expected = "\
default/upgrade: once for 1h30m, +05:45
  suspended: nothing is held while spec.suspend is true
  no occurrence from 2027-03-25T17:45:00.500Z on
";
    assert_eq!(write(&listings, range, Output::Table).unwrap(), expected);
}

#[test]
fn problems_and_nothing_at_all_are_failures() {
    let verdict = |yaml: &str| {
        let found = found(yaml);
        let listings = list(&found, a_range(None, 5)).unwrap();
        verdict(&found, &listings).map_err(|error| error.to_string())
    };
    let one_problem = "found 1 problem: correct what is named above".to_owned();
    assert_eq!(verdict(WINDOWS), Err(one_problem.clone()));
    assert_eq!(verdict("kind: [\n"), Err(one_problem));
    let (good, _) = WINDOWS.split_once("---\n").unwrap();
    assert_eq!(verdict(good), Ok(()));
    assert!(
        verdict("kind: Service\n").is_err_and(|error| error.starts_with("no MaintenanceWindow"))
    );
}

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: Args,
}

fn range_of(arguments: &[&str]) -> Result<Range, String> {
    let arguments = std::iter::once(&"entracte").chain(arguments);
    let program = Program::try_parse_from(arguments).map_err(|error| error.to_string())?;
    range(&program.args, at(FROM)).map_err(|error| error.to_string())
}

#[test]
fn five_are_listed_from_now_on_unless_something_else_is_asked_for() {
    assert_eq!(range_of(&["a.yaml"]), Ok(a_range(None, 5)));
    assert_eq!(range_of(&["--count", "7", "-"]), Ok(a_range(None, 7)));
    let until = "2028-01-01T00:00:00+01:00";
    assert_eq!(
        range_of(&["a.yaml", "--until", until]),
        Ok(a_range(Some(until), usize::MAX))
    );
    let from = "2029-01-01T00:00:00Z";
    assert_eq!(
        range_of(&["a.yaml", "b.yaml", "--from", from]),
        Ok(Range {
            from: at(from),
            ..a_range(None, 5)
        })
    );
    assert_eq!(
        range_of(&["a.yaml", "--from", from, "--until", until]),
        Err("--until is not after --from: give a later --until".to_owned())
    );
    assert!(range_of(&["a.yaml", "--from", "tomorrow"]).is_err());
    assert!(range_of(&[]).is_err());
}
