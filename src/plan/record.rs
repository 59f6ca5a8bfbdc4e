//! What the annotation `entracte.dev/hold` on a held object says, whatever its kind.
//!
//! PURE. It is written by the patch that takes the object's leaf over, so that nothing else has to
//! be remembered. Each kind may add members of its own (an Ingress: what its backends were); a
//! member that is absent, or that nobody can read, says nothing.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::ownership;
use crate::api::names;
use crate::api::target::TargetKind;

/// The members that are the same for every kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Of a Service: when its selector was last taken over by us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Who owned the leaves when they were last taken over by us: the part of each entry of the
    /// managed fields that is about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<ManagedFieldsEntry>,
    /// The annotations of ours that tell Flux to look away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}

impl Record {
    /// The record that an object bears; an empty one where it bears none.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let annotations = metadata.annotations.as_ref();
        annotations
            .and_then(|annotations| annotations.get(names::HOLD_ANNOTATION))
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// What a patch that takes the leaves of an object over has to write down.
    pub fn taking(kind: TargetKind, metadata: &ObjectMeta) -> Self {
        Self {
            at: None,
            owners: ownership::owners(kind, metadata),
            told: Self::of(metadata).told,
        }
    }

    /// The same of a patch that tells Flux to look away, by those annotations.
    #[must_use]
    pub fn telling(mut self, annotations: &[&str]) -> Self {
        for annotation in annotations {
            if self.told.iter().all(|told| told != annotation) {
                self.told.push((*annotation).to_owned());
            }
        }
        self
    }

    /// The value of the annotation.
    pub fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;

    use super::*;
    use crate::plan::testing::object;

    fn read(annotation: &str) -> Record {
        let service: Service = object(&format!(
            "{{metadata: {{annotations: {{entracte.dev/hold: '{annotation}'}}}}}}"
        ));
        Record::of(&service.metadata)
    }

    #[test]
    fn a_record_reads_back_what_it_wrote() {
        let record = Record {
            at: DateTime::from_timestamp_millis(1_800_000_000_123),
            ..Record::default()
        };
        assert_eq!(record.to_json(), r#"{"at":"2027-01-15T08:00:00.123Z"}"#);
        assert_eq!(read(&record.to_json()), record);
        let owner = object(
            "{manager: helm, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, time: \
             '2026-12-01T09:00:00Z', fieldsV1: {f:spec: {f:selector: {}}}}",
        );
        let record = Record {
            owners: vec![owner],
            ..record
        };
        assert_eq!(read(&record.to_json()), record);
        assert_eq!(
            read(&record.to_json()).to_json(),
            record.to_json(),
            "else it would be written again and again"
        );
    }

    #[test]
    fn what_nobody_can_read_says_nothing() {
        for annotation in ["", "true", "{\"at\": 7}"] {
            assert_eq!(read(annotation), Record::default(), "{annotation}");
        }
        let at = read(r#"{"bridge": "entracte-w", "at": "2027-01-15T08:00:00Z"}"#).at;
        assert!(at.is_some(), "members of a kind are no hindrance");
    }
}
