use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::response::Render,
    api::target::{HoldMode, Selector, TargetKind},
    notice::{RetryAfterFormat, RetryAfterRule},
    schedule::{Occurrence, PageRef, Restore, Schedule, Targeted, Told, Which, WrittenIn, Zone},
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A resource in which everything is well but for these members of its spec, which replace
/// those of a good one.
fn with(changes: Value) -> MaintenanceWindow {
    let mut resource = json!({
        "apiVersion": "entracte.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {
            "namespace": "shop",
            "name": "db-upgrade",
            "uid": "8b2c",
            "generation": 3,
            "creationTimestamp": "2026-12-01T09:00:00Z",
        },
        "spec": {
            "schedule": {"once": {"start": "2026-12-06T02:00:00+01:00", "duration": "2h"}},
            "targets": [{"kind": "Ingress", "name": "web"}],
        },
    });
    let Value::Object(changes) = changes else {
        panic!("members of the spec")
    };
    for (field, value) in changes {
        resource["spec"][field] = value;
    }
    serde_json::from_value(resource).unwrap()
}

fn once(once: &Value) -> Value {
    json!({"schedule": {"once": once}})
}

fn problems(resource: &MaintenanceWindow) -> Vec<String> {
    let problems = parse(resource).expect_err("this resource is to be refused");
    problems.iter().map(Problem::to_string).collect()
}

#[test]
fn a_window_carries_all_that_its_resource_says() {
    let resource = with(json!({
        "targets": [
            {"kind": "Ingress", "name": "web", "hold": "Route"},
            {"kind": "Service", "name": "api", "group": ""},
            {"kind": "Service", "name": "web"},
            {"kind": "Ingress", "selector": {"matchLabels": {"tier": "web"}}, "hold": "Services"},
            {"kind": "Service", "all": {}},
        ],
        "response": {
            "message": "We are upgrading our database.",
            "retryAfter":
                {"format": "HTTPDate", "jitter": "2m", "minimum": "1s", "endUnknown": "1h"},
            "page": {
                "configMapKeyRef": {"name": "shop-page", "key": "index.html"},
                "render": "Template",
            },
            "healthChecks": [{"path": "/healthz"}, {"path": "/"}],
        },
        "suspend": true,
    }));
    let target = |kind, name: &str, hold| Targeted {
        kind,
        which: Which::Name(name.to_owned()),
        hold,
    };
    let selector = Selector {
        match_labels: Some([("tier".to_owned(), "web".to_owned())].into()),
        match_expressions: None,
    };
    let start: DateTime<chrono::FixedOffset> = "2026-12-06T02:00:00+01:00".parse().unwrap();
    let expected = Window {
        namespace: "shop".into(),
        name: "db-upgrade".into(),
        uid: "8b2c".into(),
        generation: 3,
        created: at("2026-12-01T09:00:00Z"),
        schedule: Schedule::Once {
            occurrence: Occurrence {
                start: at("2026-12-06T01:00:00Z"),
                end: Some(at("2026-12-06T03:00:00Z")),
            },
            written_in: WrittenIn::Offset(*start.offset()),
        },
        targets: vec![
            target(TargetKind::Ingress, "web", Some(HoldMode::Route)),
            target(TargetKind::Service, "api", None),
            target(TargetKind::Service, "web", None),
            Targeted {
                kind: TargetKind::Ingress,
                which: Which::Selector(selector),
                hold: Some(HoldMode::Services),
            },
            Targeted {
                kind: TargetKind::Service,
                which: Which::All,
                hold: None,
            },
        ],
        told: Told {
            message: Some("We are upgrading our database.".into()),
            retry_after: RetryAfterRule {
                format: RetryAfterFormat::HttpDate,
                jitter: 120,
                minimum: 1,
                end_unknown: 3600,
            },
            page: Some(PageRef {
                config_map: "shop-page".into(),
                key: "index.html".into(),
                render: Render::Template,
            }),
            health_checks: vec!["/healthz".into(), "/".into()],
        },
        restore: Restore::default(),
        suspended: true,
        deleting: false,
    };
    assert_eq!(parse(&resource), Ok(expected));
}

#[test]
fn an_end_may_be_written_with_another_offset_than_the_start() {
    let window = parse(&with(once(&json!({
        "start": "2026-12-06T02:00:00+01:00",
        "end": "2026-12-06T02:00:00Z",
    }))));
    let occurrence = window.unwrap().current(at("2026-12-06T01:30:00Z")).unwrap();
    assert_eq!(occurrence.end, Some(at("2026-12-06T02:00:00Z")));
}

#[test]
fn local_times_are_read_in_the_zone() {
    let local = json!({"once": {"start": "2026-12-06T02:00:00", "end": "2026-12-06T04:00:00",
        "timeZone": "Europe/Berlin"}});
    let window = parse(&with(json!({"schedule": local}))).unwrap();
    let expected = Schedule::Once {
        occurrence: Occurrence {
            start: at("2026-12-06T01:00:00Z"),
            end: Some(at("2026-12-06T03:00:00Z")),
        },
        written_in: WrittenIn::Zone(Zone::parse("Europe/Berlin").unwrap()),
    };
    assert_eq!(window.schedule, expected);
}

#[test]
fn exceptions_are_dates_local_times_or_instants() {
    let recurring = json!({"cron": "0 2 * * *", "timeZone": "Europe/Berlin", "duration": "2h",
    "except": [
        {"start": "2026-12-20", "end": "2027-01-04"},
        {"start": "2027-02-01T12:00:00", "end": "2027-02-01T13:00:00Z"},
    ]});
    let window = parse(&with(json!({"schedule": {"recurring": recurring}}))).unwrap();
    let Schedule::Recurring(recurring) = window.schedule else {
        panic!("{:?}", window.schedule)
    };
    let expected = [
        at("2026-12-19T23:00:00Z")..at("2027-01-03T23:00:00Z"),
        at("2027-02-01T11:00:00Z")..at("2027-02-01T13:00:00Z"),
    ];
    assert_eq!(recurring.except, expected);
}

#[test]
fn always_begins_at_the_creation_of_the_window() {
    let window = parse(&with(json!({"schedule": {"always": {}}}))).unwrap();
    let since = at("2026-12-01T09:00:00Z");
    assert_eq!(window.schedule, Schedule::Always { since });
}

#[test]
fn a_window_that_is_being_deleted_says_so() {
    let mut resource = with(json!({}));
    resource.metadata.deletion_timestamp = resource.metadata.creation_timestamp.clone();
    assert!(parse(&resource).unwrap().deleting);
}

#[test]
fn every_slip_in_a_schedule_is_named_with_what_to_write() {
    let start = "2026-12-06T02:00:00Z";
    let one_schedule = "spec.schedule: write exactly one of once, recurring and always";
    let one_end = "spec.schedule.once: write exactly one of duration and end";
    let too_long = "makes the window longer than 366 days: write a shorter one, or use always";
    let cases = [
        (json!({"schedule": {}}), one_schedule.to_owned()),
        (
            json!({"schedule": {"once": {"start": start, "duration": "2h"}, "always": {}}}),
            one_schedule.to_owned(),
        ),
        (once(&json!({"start": start})), one_end.to_owned()),
        (
            once(&json!({"start": start, "duration": "2h", "end": "2026-12-06T04:00:00Z"})),
            one_end.to_owned(),
        ),
        (
            once(&json!({"start": "2026-12-06T02:00:00", "duration": "2h"})),
            "spec.schedule.once.start: does not say in which time zone it is: add an offset, as in \
             2026-12-06T02:00:00+01:00, or a timeZone such as Europe/Berlin"
                .to_owned(),
        ),
        (
            once(&json!({"start": "Sunday", "duration": "2h"})),
            "spec.schedule.once.start: is not a time that exists, \"Sunday\": write RFC 3339 \
             with an offset, such as 2026-12-06T02:00:00+01:00 or 2026-12-06T01:00:00Z, or a local time such as \
             2026-12-06T02:00:00 beside a timeZone"
                .to_owned(),
        ),
        (
            once(&json!({"start": "2062-02-01T02:00:00Z", "end": "3026-02-01T02:00:00Z"})),
            "spec.schedule.once.end: is not between the years 2000 and 2999, but in 3026: correct the year"
                .to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "2 hours"})),
            "spec.schedule.once.duration: \"2 hours\" is not a duration: write one such as 2h, \
             1h30m or 45s, whole numbers of at most five digits, each with its unit h, m, s or ms"
                .to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "0s"})),
            "spec.schedule.once.duration: must be 1s or longer".to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "999ms"})),
            "spec.schedule.once.duration: must be 1s or longer".to_owned(),
        ),
        (
            once(&json!({"start": start, "duration": "8785h"})),
            format!("spec.schedule.once.duration: {too_long}"),
        ),
        (
            once(&json!({"start": start, "end": start})),
            "spec.schedule.once.end: must be after start".to_owned(),
        ),
        (
            once(&json!({"start": start, "end": "2026-12-06T02:30:00+01:00"})),
            "spec.schedule.once.end: must be after start".to_owned(),
        ),
        (
            once(&json!({"start": start, "end": "2027-12-07T02:00:01Z"})),
            format!("spec.schedule.once.end: {too_long}"),
        ),
        (
            once(&json!({"start": start, "duration": "2h", "timeZone": "Europe/Berlin"})),
            "spec.schedule.once.timeZone: start has an offset and needs no timeZone: remove \
             timeZone, or write start as a local time such as 2026-12-06T02:00:00"
                .to_owned(),
        ),
        (
            once(&json!({"start": start, "end": "2026-12-06T04:00:00"})),
            "spec.schedule.once.end: is not written as start is: write both with an offset, or \
             both as local times in timeZone"
                .to_owned(),
        ),
        (
            recurring(&json!({"cron": "*/5 * * * *", "duration": "10m"})),
            "spec.schedule.recurring: has more than 1,000 occurrences in a row that touch or \
             overlap: shorten duration, or use always"
                .to_owned(),
        ),
        (
            recurring(&json!({"except": [{"start": "2026-12-20", "end": "2026-12-20"}]})),
            "spec.schedule.recurring.except[0].end: must be after start: the end of 2026-12-20 as \
             a whole day is 2026-12-21"
                .to_owned(),
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(problems(&with(changes)), [expected]);
    }
}

/// A schedule by cron, with these fields changed.
fn recurring(changes: &serde_json::Value) -> serde_json::Value {
    let mut recurring = json!({"cron": "0 2 * * *", "timeZone": "Europe/Berlin", "duration": "2h"});
    for (field, value) in changes.as_object().unwrap() {
        recurring[field] = value.clone();
    }
    json!({"schedule": {"recurring": recurring}})
}

#[test]
fn every_slip_in_the_targets_is_named_with_what_to_write() {
    let cases = [
        (
            json!([]),
            "spec.targets: is empty: name at least one target",
        ),
        (
            json!([{"kind": "Service"}]),
            "spec.targets[0]: write exactly one of name, selector and all",
        ),
        (
            json!([{"kind": "Service", "name": "web"}, {"kind": "Service", "name": "web"}]),
            "spec.targets[1]: names Service/web a second time: remove one of the two",
        ),
        (
            json!([{"kind": "Service", "all": {}}, {"kind": "Service", "all": {}}]),
            "spec.targets[1]: selects Service --all a second time: remove one of the two",
        ),
        (
            json!([{"kind": "Service", "selector": {"matchLabels": {}}}]),
            "spec.targets[0].selector: is empty: write matchLabels or matchExpressions, or all: {} \
             in place of selector for every object of this kind",
        ),
        (
            json!([{"kind": "Service", "selector": {"matchExpressions": [
                {"key": "tier", "operator": "In"}]}}]),
            "spec.targets[0].selector.matchExpressions[0]: In and NotIn need values; Exists and \
             DoesNotExist take none",
        ),
        (
            json!([{"kind": "Service", "selector": {"matchExpressions": [
                {"key": "tier", "operator": "Exists", "values": ["web"]}]}}]),
            "spec.targets[0].selector.matchExpressions[0]: In and NotIn need values; Exists and \
             DoesNotExist take none",
        ),
        (
            json!([{"kind": "Ingress", "name": "web", "group": "extensions"}]),
            "spec.targets[0].group: the group of Ingress is \"networking.k8s.io\": write that, or \
             remove group",
        ),
        (
            json!([{"kind": "Service", "name": "web", "hold": "Services"}]),
            "spec.targets[0].hold: a Service is held itself: remove hold",
        ),
        (
            json!([{"kind": "Service", "name": "other/web"}]),
            "spec.targets[0].name: must be the name of an object in the window's own namespace: \
             lower-case letters, digits, - and .",
        ),
    ];
    for (targets, expected) in cases {
        assert_eq!(problems(&with(json!({"targets": targets}))), [expected]);
    }

    let many: Vec<_> = (0..65)
        .map(|i| json!({"kind": "Service", "name": format!("web-{i}")}))
        .collect();
    assert_eq!(
        problems(&with(json!({"targets": many}))),
        ["spec.targets: has more than 64 entries: spread them over several windows"],
    );
}

#[test]
fn a_message_is_neither_blank_nor_endless() {
    let message = |text: &str| problems(&with(json!({"response": {"message": text}})));
    let blank = "spec.response.message: is blank: write a sentence, or remove message for ours";
    assert_eq!(message(" \n"), [blank]);
    let endless = "spec.response.message: may have at most 1024 characters: write a shorter one";
    assert_eq!(message(&"é".repeat(1025)), [endless]);
    assert!(parse(&with(json!({"response": {"message": "é".repeat(1024)}}))).is_ok());
}

#[test]
fn retry_after_is_in_whole_seconds_and_what_is_absent_is_as_the_schema_says() {
    let rule = |jitter, minimum, end_unknown| RetryAfterRule {
        format: RetryAfterFormat::Seconds,
        jitter,
        minimum,
        end_unknown,
    };
    for (written, expected) in [
        (json!({}), rule(30, 5, 30)),
        (json!({"format": "Seconds"}), rule(30, 5, 30)),
        (json!({"jitter": "0s", "minimum": "0s"}), rule(0, 0, 30)),
        (
            json!({"jitter": "24h", "minimum": "24h", "endUnknown": "24h"}),
            rule(86_400, 86_400, 86_400),
        ),
        // Never more jitter than is written, and never less of the others.
        (
            json!({"jitter": "1s999ms", "minimum": "1s1ms", "endUnknown": "1500ms"}),
            rule(1, 2, 2),
        ),
    ] {
        let window = parse(&with(json!({"response": {"retryAfter": written}}))).unwrap();
        assert_eq!(window.told.retry_after, expected, "{written}");
    }
    assert_eq!(parse(&with(json!({}))).unwrap().told, Told::default());
}

#[test]
fn a_length_of_retry_after_that_is_none_or_out_of_bounds_is_refused() {
    for (written, problem) in [
        (
            json!({"jitter": "24h1ms"}),
            "jitter: must be from 0s to 24h",
        ),
        (json!({"minimum": "25h"}), "minimum: must be from 0s to 24h"),
        (
            json!({"endUnknown": "999ms"}),
            "endUnknown: must be from 1s to 24h",
        ),
        (
            json!({"endUnknown": "25h"}),
            "endUnknown: must be from 1s to 24h",
        ),
    ] {
        let found = problems(&with(json!({"response": {"retryAfter": written}})));
        assert_eq!(found, [format!("spec.response.retryAfter.{problem}")]);
    }
    let all = json!({"jitter": "soon", "minimum": "1d", "endUnknown": ""});
    let found = problems(&with(json!({"response": {"retryAfter": all}})));
    assert_eq!(found.len(), 3, "{found:?}");
    for (problem, field) in found.iter().zip(["jitter", "minimum", "endUnknown"]) {
        let start = format!("spec.response.retryAfter.{field}: \"");
        assert!(
            problem.starts_with(&start) && problem.contains("is not a duration"),
            "{problem}"
        );
    }
}

#[test]
fn a_health_check_is_a_path_and_nothing_else() {
    let checks = |paths: &[&str]| {
        let checks: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
        with(json!({"response": {"healthChecks": checks}}))
    };
    for bad in [
        "",
        "healthz",
        "/a?b",
        "/a#b",
        "/a b",
        "/a\n",
        "/a\u{7f}",
        "http://a/healthz",
    ] {
        let expected = "spec.response.healthChecks[1].path: must begin with / and have no query, \
                        fragment or space: write one such as /healthz";
        assert_eq!(problems(&checks(&["/healthz", bad])), [expected], "{bad:?}");
    }
    let long = format!("/{}", "a".repeat(256));
    assert_eq!(
        problems(&checks(&[&long])),
        ["spec.response.healthChecks[0].path: may have at most 256 characters: name a shorter one"]
    );
    assert_eq!(
        problems(&checks(&[])),
        ["spec.response.healthChecks: is empty: name a path, or leave it out"]
    );
    assert_eq!(
        problems(&checks(&["/"; 17])),
        ["spec.response.healthChecks: has more than 16 entries: name fewer paths"]
    );
    assert!(parse(&checks(&["/"; 16])).is_ok());
}

#[test]
fn a_restore_waits_for_the_targets_for_ten_minutes_unless_it_says_otherwise() {
    let ready = |minutes| Restore::TargetsReady {
        max_overrun: TimeDelta::minutes(minutes),
    };
    let cases = [
        (json!({}), ready(10)),
        (json!({"restore": {}}), ready(10)),
        (json!({"restore": {"when": "TargetsReady"}}), ready(10)),
        (json!({"restore": {"maxOverrun": "1h30m"}}), ready(90)),
        (json!({"restore": {"maxOverrun": "0s"}}), ready(0)),
        (
            json!({"restore": {"when": "Immediately"}}),
            Restore::Immediately,
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(
            parse(&with(changes.clone())).unwrap().restore,
            expected,
            "{changes}"
        );
    }
}

#[test]
fn an_overrun_that_nobody_can_keep_is_refused() {
    let cases = [
        (
            json!({"maxOverrun": "24h1s"}),
            "spec.restore.maxOverrun: must be from 0s to 24h: for more, move the end of the window",
        ),
        (
            json!({"when": "Immediately", "maxOverrun": "10m"}),
            "spec.restore.maxOverrun: says how long TargetsReady waits, and Immediately waits for \
             nothing: remove one of the two",
        ),
    ];
    for (restore, expected) in cases {
        assert_eq!(problems(&with(json!({"restore": restore}))), [expected]);
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let resource = with(json!({
        "schedule": {"once": {"start": "Sunday", "duration": "long"}},
        "targets": [{"kind": "Ingress", "name": "/"}, {"kind": "Service"}],
        "restore": {"maxOverrun": "25h"},
    }));
    let fields: Vec<_> = parse(&resource)
        .unwrap_err()
        .into_iter()
        .map(|problem| problem.field)
        .collect();
    assert_eq!(
        fields,
        [
            "spec.schedule.once.start",
            "spec.schedule.once.duration",
            "spec.targets[0].name",
            "spec.targets[1]",
            "spec.restore.maxOverrun",
        ],
    );
}

#[test]
fn a_resource_that_no_api_server_has_seen_is_refused() {
    let mut resource = with(json!({}));
    resource.metadata = ObjectMeta {
        name: Some("a".repeat(64)),
        ..ObjectMeta::default()
    };
    let fields: Vec<_> = parse(&resource)
        .unwrap_err()
        .into_iter()
        .map(|problem| problem.field)
        .collect();
    assert_eq!(
        fields,
        [
            "metadata.namespace",
            "metadata.uid",
            "metadata.creationTimestamp",
            "metadata.name"
        ],
    );
}
