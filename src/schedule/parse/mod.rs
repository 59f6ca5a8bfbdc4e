//! From a resource to a window: parsed once, then trusted.
//!
//! The API server has checked most of this already, with the rules of the CRD. It is checked
//! again because an object may have been stored before a rule was.

mod instant;
mod page;
mod problems;
mod response;
mod restore;
mod targets;
#[cfg(test)]
mod tests;
mod when;

pub use problems::Problem;

use chrono::{DateTime, Utc};
use kube::api::ObjectMeta;

use crate::api::{MaintenanceWindow, MaintenanceWindowSpec, time::from_kubernetes};

use super::Window;
use problems::Problems;

/// The most characters in the name of a window, which we write as the value of a label.
const MAX_NAME_LENGTH: usize = 63;

const WRITTEN_BY_THE_SERVER: &str =
    "is missing: the API server writes it when the window is applied";

/// Reads a resource.
///
/// # Errors
///
/// Every problem at once, each with the path of its field. Nothing is ignored in silence.
///
/// ```
/// use entracte::{api::MaintenanceWindow, schedule};
///
/// let resource: MaintenanceWindow = serde_json::from_value(serde_json::json!({
///     "apiVersion": "entracte.dev/v1alpha1",
///     "kind": "MaintenanceWindow",
///     "metadata": {
///         "namespace": "shop", "name": "db-upgrade", "uid": "8b2c", "generation": 1,
///         "creationTimestamp": "2026-12-01T09:00:00Z",
///     },
///     "spec": {
///         "schedule": {"once": {"start": "2026-12-06T02:00:00+01:00", "duration": "2h"}},
///         "targets": [{"kind": "Ingress", "name": "web"}],
///     },
/// })).unwrap();
/// let window = schedule::parse(&resource).unwrap();
///
/// let occurrence = window.current("2026-12-06T02:30:00Z".parse().unwrap()).unwrap();
/// assert_eq!(occurrence.start.to_rfc3339(), "2026-12-06T01:00:00+00:00");
/// assert_eq!(occurrence.end.unwrap().to_rfc3339(), "2026-12-06T03:00:00+00:00");
/// ```
pub fn parse(resource: &MaintenanceWindow) -> Result<Window, Vec<Problem>> {
    let MaintenanceWindow {
        metadata,
        spec,
        status: _,
    } = resource;
    let MaintenanceWindowSpec {
        schedule,
        targets,
        response,
        restore,
        suspend,
    } = spec;
    let mut problems = Problems::default();

    let identity = identity(metadata, &mut problems);
    let schedule = when::parse(
        schedule,
        identity.as_ref().map(|i| i.created),
        &mut problems,
    );
    let targets = targets::parse(targets, &mut problems);
    let told = response::parse(response.as_ref(), &mut problems);
    let restore = restore::parse(restore.as_ref(), &mut problems);

    let window = identity.zip(schedule).map(|(identity, schedule)| Window {
        namespace: identity.namespace,
        name: identity.name,
        uid: identity.uid,
        generation: metadata.generation.unwrap_or_default(),
        created: identity.created,
        schedule,
        targets,
        told,
        restore,
        suspended: suspend.unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
    });
    problems.unless_any(window)
}

/// What the API server says about a window.
struct Identity {
    namespace: String,
    name: String,
    uid: String,
    created: DateTime<Utc>,
}

fn identity(metadata: &ObjectMeta, problems: &mut Problems) -> Option<Identity> {
    let mut present = |field: &str, value: &Option<String>| {
        let value = value.clone().filter(|value| !value.is_empty());
        if value.is_none() {
            problems.add(field, WRITTEN_BY_THE_SERVER);
        }
        value
    };
    let namespace = present("metadata.namespace", &metadata.namespace);
    let name = present("metadata.name", &metadata.name);
    let uid = present("metadata.uid", &metadata.uid);
    let created = metadata.creation_timestamp.as_ref().map(from_kubernetes);
    if created.is_none() {
        problems.add("metadata.creationTimestamp", WRITTEN_BY_THE_SERVER);
    }
    if name
        .as_ref()
        .is_some_and(|name| name.len() > MAX_NAME_LENGTH)
    {
        problems.add(
            "metadata.name",
            "may have at most 63 characters: choose a shorter one",
        );
    }
    Some(Identity {
        namespace: namespace?,
        name: name?,
        uid: uid?,
        created: created?,
    })
}
