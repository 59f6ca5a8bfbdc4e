//! A document as a window, or as all of its problems. PURE.

use chrono::{DateTime, NaiveDateTime, Utc};
use kube::api::ObjectMeta;
use serde_json::Value;

use crate::api::MaintenanceWindow;
use crate::api::time::to_kubernetes;
use crate::schedule::{Problem, Window, parse};

use super::documents::{Document, Place};
use super::fields::{self, Checked};
use super::printable;

/// The namespace of a window that names none, as it is `kubectl`'s.
const DEFAULT_NAMESPACE: &str = "default";

/// What came of a document.
#[derive(Debug, PartialEq)]
pub(super) struct Inspected {
    pub(super) namespace: String,
    /// Empty where it has none.
    pub(super) name: String,
    pub(super) result: Result<Understood, Vec<Finding>>,
}

/// A window, and what its file says that the window does not.
#[derive(Debug, PartialEq)]
pub(super) struct Understood {
    pub(super) window: Window,
    pub(super) written: Written,
    /// Whether the file knows when the window was created.
    pub(super) created: bool,
}

/// The local times of a `once`, as they stand in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) start: Option<NaiveDateTime>,
    pub(super) end: Option<NaiveDateTime>,
}

/// A problem, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) place: Place,
    pub(super) problem: Problem,
}

impl Inspected {
    /// What the window is called in messages.
    pub(super) fn title(&self) -> String {
        let name = match self.name.as_str() {
            "" => "(without a name)",
            name => name,
        };
        printable(&format!("{}/{name}", self.namespace))
    }
}

/// Checks and parses a document, as if it were applied at `now`.
pub(super) fn inspect(document: &Document, schema: &Value, now: DateTime<Utc>) -> Inspected {
    let Checked {
        mut problems,
        stand_ins,
        resource,
    } = fields::check(schema, &document.root);
    let identity = Identity::of(&resource, now);
    let (namespace, name) = (identity.namespace.clone(), identity.name.clone());
    let created = identity.created_in_file;

    let understood = match identity.give_to(resource) {
        Ok(resource) => {
            let written = written(&resource);
            match parse(&resource) {
                Ok(window) => Some(Understood {
                    window,
                    written,
                    created,
                }),
                Err(told) => {
                    add(&mut problems, told, &stand_ins);
                    None
                }
            }
        }
        Err(error) => {
            if problems.is_empty() {
                problems.push(Problem {
                    field: "spec".to_owned(),
                    message: format!("cannot be read: {error}: correct it"),
                });
            }
            None
        }
    };
    let result = match understood {
        Some(understood) if problems.is_empty() => Ok(understood),
        _ => Err(findings(document, problems)),
    };
    Inspected {
        namespace,
        name,
        result,
    }
}

/// What the API server would have written, where the file does not say it.
struct Identity {
    namespace: String,
    name: String,
    created: DateTime<Utc>,
    created_in_file: bool,
}

impl Identity {
    fn of(resource: &Value, now: DateTime<Utc>) -> Self {
        let text = |pointer| resource.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace").filter(|namespace| !namespace.is_empty());
        let created =
            text("/metadata/creationTimestamp").and_then(|text| text.parse::<DateTime<Utc>>().ok());
        Self {
            namespace: namespace.unwrap_or(DEFAULT_NAMESPACE).to_owned(),
            name: text("/metadata/name").unwrap_or_default().to_owned(),
            created: created.unwrap_or(now),
            created_in_file: created.is_some(),
        }
    }

    fn give_to(self, mut resource: Value) -> Result<MaintenanceWindow, serde_json::Error> {
        if let Some(members) = resource.as_object_mut() {
            members.remove("status");
            members.insert("metadata".to_owned(), Value::Object(serde_json::Map::new()));
        }
        let mut resource: MaintenanceWindow = serde_json::from_value(resource)?;
        resource.metadata = ObjectMeta {
            namespace: Some(self.namespace),
            name: Some(self.name),
            uid: Some("not applied".to_owned()),
            creation_timestamp: Some(to_kubernetes(self.created)),
            ..ObjectMeta::default()
        };
        Ok(resource)
    }
}

fn written(resource: &MaintenanceWindow) -> Written {
    let Some(once) = &resource.spec.schedule.once else {
        return Written::default();
    };
    let local = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok();
    if once.time_zone.is_none() {
        return Written::default();
    }
    Written {
        start: local(&once.start),
        end: once.end.as_deref().and_then(local),
    }
}

/// Adds what the parser tells to what the schema told, but for what it says of stand-ins. Of one
/// field the parser speaks, because it knows more of it.
fn add(problems: &mut Vec<Problem>, mut told: Vec<Problem>, stand_ins: &[String]) {
    told.retain(|problem| !stand_ins.iter().any(|path| is_in(&problem.field, path)));
    problems.retain(|problem| told.iter().all(|other| other.field != problem.field));
    problems.append(&mut told);
}

/// Whether a field is at a path or below it.
fn is_in(field: &str, path: &str) -> bool {
    field
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Problems with their lines, in the order of the file.
fn findings(document: &Document, problems: Vec<Problem>) -> Vec<Finding> {
    let finding = |problem: Problem| Finding {
        place: document.place.at(document.root.line_of(&problem.field)),
        problem,
    };
    let mut findings: Vec<Finding> = problems.into_iter().map(finding).collect();
    findings.sort_by_key(|finding| finding.place.line);
    findings
}

#[cfg(test)]
mod tests {
    use super::super::documents::Found;
    use super::*;

    fn inspected(yaml: &str) -> Inspected {
        let mut found = Found::default();
        found.add("shop.yaml", yaml);
        let schema = fields::schema().unwrap();
        let now = "2026-12-01T09:00:00Z".parse().unwrap();
        inspect(found.documents.first().unwrap(), &schema, now)
    }

    /// `LINE FIELD` of each problem.
    fn problems(yaml: &str) -> Vec<String> {
        let findings = inspected(yaml).result.unwrap_err();
        let line = |finding: &Finding| {
            let line = finding.place.line.unwrap_or_default();
            format!("{line} {}", finding.problem.field)
        };
        findings.iter().map(line).collect()
    }

    const ONCE: &str = "\
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: db-upgrade}
spec:
  schedule:
    once:
      start: \"2027-03-28T02:30:00\"
      timeZone: Europe/Berlin
      end: \"2027-03-28T05:00:00\"
  targets:
  - kind: Service
    name: web
";

    #[test]
    fn a_window_is_understood_as_if_it_were_applied_now() {
        let Inspected {
            namespace,
            name,
            result,
        } = inspected(ONCE);
        let Understood {
            window,
            written,
            created,
        } = result.unwrap();
        assert_eq!(
            (namespace.as_str(), name.as_str()),
            ("default", "db-upgrade")
        );
        assert_eq!(
            (window.namespace.as_str(), window.name.as_str()),
            ("default", "db-upgrade")
        );
        assert!(!created);
        let expected = Written {
            start: "2027-03-28T02:30:00".parse().ok(),
            end: "2027-03-28T05:00:00".parse().ok(),
        };
        assert_eq!(written, expected);
    }

    #[test]
    fn what_the_server_wrote_stays() {
        let yaml = ONCE.replace(
            "{name: db-upgrade}",
            "{name: db-upgrade, namespace: shop, creationTimestamp: \"2026-01-01T00:00:00Z\", \
             managedFields: [{manager: kubectl}]}",
        ) + "status: {phase: 5}\n";
        let inspected = inspected(&yaml);
        assert_eq!(inspected.title(), "shop/db-upgrade");
        assert!(inspected.result.unwrap().created);
    }

    #[test]
    fn no_field_is_reported_twice_and_nothing_that_follows_from_another_slip() {
        let cases = [
            // What was meant is parsed.
            (
                "timeZone",
                "timezone",
                vec!["8 spec.schedule.once.timezone"],
            ),
            ("start:", "strat:", vec!["7 spec.schedule.once.strat"]),
            ("once", "Once", vec!["6 spec.schedule.Once"]),
            // A stand-in is not.
            (
                "\"2027-03-28T05:00:00\"",
                "5",
                vec!["9 spec.schedule.once.end"],
            ),
            (
                "kind: Service",
                "kind: Deployment",
                vec!["11 spec.targets[0].kind"],
            ),
            (
                "kind: Service\n    name: web",
                "5",
                vec!["11 spec.targets[0]"],
            ),
            ("{name: db-upgrade}", "{}", vec!["3 metadata.name"]),
            ("v1alpha1", "v1", vec!["1 apiVersion"]),
            // What nobody understands is told beside what it leaves missing.
            (
                "once:",
                "sometimes:",
                vec!["5 spec.schedule", "6 spec.schedule.sometimes"],
            ),
            // Both are told, each once.
            (
                "name: web",
                "nam: Web",
                vec!["12 spec.targets[0].nam", "11 spec.targets[0].name"],
            ),
        ];
        for (from, to, mut expected) in cases {
            let mut found = problems(&ONCE.replacen(from, to, 1));
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected, "{to}");
        }
    }

    #[test]
    fn a_field_is_in_itself_and_in_what_is_around_it() {
        assert!(is_in("spec.targets[0].kind", "spec.targets[0].kind"));
        assert!(is_in("spec.targets[0].kind", "spec.targets[0]"));
        assert!(is_in("spec.targets[0].kind", "spec.targets"));
        assert!(!is_in("spec.targets[0].kind", "spec.targets[0].ki"));
        assert!(!is_in("spec.targets", "spec.targets[0].kind"));
    }
}
