use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{
    api::response::Render,
    api::target::{HoldMode, Selector, TargetKind},
    notice::{RetryAfterFormat, RetryAfterRule},
    schedule::{Occurrence, PageRef, Restore, Schedule, Targeted, Told, Which, WrittenIn},
};

mod response;
mod restore;
mod schedule;
mod targets;

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
fn a_window_that_is_being_deleted_says_so() {
    let mut resource = with(json!({}));
    resource.metadata.deletion_timestamp = resource.metadata.creation_timestamp.clone();
    assert!(parse(&resource).unwrap().deleting);
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
