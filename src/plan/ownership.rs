//! Field ownership, borrowed for one write and given back by the next.
//!
//! PURE. Our patch of a leaf takes its ownership over (`spec.selector` and `spec.rules` are
//! atomic, in a Service, an Ingress and an HTTPRoute), and whoever applied it before, server-side,
//! would then meet a conflict: `helm upgrade` would fail in the window, although windows are made
//! for upgrades, and after it. So each such patch is
//! followed by one that changes `metadata.managedFields`, and, after a release, takes our marks
//! away. (In one patch with the leaf it has no effect: the API server records the change of the
//! leaf after it.)
//!
//! Who owned the leaf is written down by the patch that takes it over (`record.rs`), each time anew,
//! for a forced apply in the window changes the owner. So a crash between the two loses nothing.
//! Where somebody took the record away, the leaf is left to nobody, which is enough to conflict
//! with nobody.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::edit::PatchBuilder;
use super::marks;
use super::record::Record;
use crate::api::names;
use crate::api::target::TargetKind;

/// The fields below `spec` that we change.
pub fn leaves(kind: TargetKind) -> &'static [&'static str] {
    match kind {
        TargetKind::Service => &["f:selector"],
        TargetKind::Ingress => &["f:rules", "f:defaultBackend"],
        TargetKind::HTTPRoute => &["f:rules"],
    }
}

/// Drops what is not about the leaves of `kind`: most of what managed fields are.
pub fn keep_owners(kind: TargetKind, metadata: &mut ObjectMeta) {
    let entries = metadata.managed_fields.take().unwrap_or_default();
    let owners: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| of_leaves(kind, &entry))
        .collect();
    metadata.managed_fields = Some(owners).filter(|owners| !owners.is_empty());
}

/// Who owns the leaves of `kind`, but for us; of a leaf that is ours still, because a crash kept it
/// from being given back, who is recorded.
pub fn owners(kind: TargetKind, metadata: &ObjectMeta) -> Vec<ManagedFieldsEntry> {
    let entries = || metadata.managed_fields.iter().flatten();
    let mut owners: Vec<_> = entries()
        .filter(|entry| !is_ours(entry))
        .filter_map(|entry| of_leaves(kind, entry))
        .collect();
    let borrowed: Vec<&str> = leaves(kind)
        .iter()
        .copied()
        .filter(|leaf| entries().any(|entry| is_ours(entry) && of(&[leaf], entry).is_some()))
        .collect();
    if !borrowed.is_empty() {
        let recorded = Record::of(metadata).owners;
        let recorded = recorded.iter().filter(|entry| !is_ours(entry));
        give_all(
            &mut owners,
            recorded.filter_map(|entry| of(&borrowed, entry)),
        );
    }
    owners
}

/// Who of the others wrote a leaf of `kind` last.
pub fn last_writer(kind: TargetKind, metadata: &ObjectMeta) -> Option<String> {
    let last = owners(kind, metadata)
        .into_iter()
        .max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    last.manager
}

/// Whether we own a leaf of `kind` that we have to give back. Of an origin we own all, and owe
/// nothing.
pub fn is_borrowed(kind: TargetKind, metadata: &ObjectMeta) -> bool {
    let labels = metadata.labels.as_ref();
    if labels.is_some_and(|labels| labels.contains_key(names::ORIGIN_LABEL)) {
        return false;
    }
    let mut entries = metadata.managed_fields.iter().flatten();
    entries.any(|entry| is_ours(entry) && of_leaves(kind, entry).is_some())
}

/// The patch that gives the leaves of `kind` back to their owners and, once they are the user's
/// again, takes our marks away; `None` where there is nothing to give back.
pub fn give_back(kind: TargetKind, metadata: &ObjectMeta) -> Option<json_patch::Patch> {
    let mut patch = PatchBuilder::guarded(metadata);
    if is_borrowed(kind, metadata) {
        let entries = given_back(kind, metadata);
        patch.replace(["metadata", "managedFields"], json!(entries));
    }
    if marks::say_releasing(metadata) {
        marks::remove(&mut patch, metadata);
    }
    (!patch.is_empty()).then(|| patch.build())
}

/// Whether the leaves of an object are the user's again, and its ownership and our marks are all that
/// is left of a hold.
pub fn is_released(metadata: &ObjectMeta) -> bool {
    marks::say_releasing(metadata)
}

fn given_back(kind: TargetKind, metadata: &ObjectMeta) -> Vec<ManagedFieldsEntry> {
    let mut entries = metadata.managed_fields.clone().unwrap_or_default();
    for entry in entries.iter_mut().filter(|entry| is_ours(entry)) {
        take(kind, entry);
    }
    entries.retain(|entry| !is_ours(entry) || !is_empty(entry));
    give_all(&mut entries, owners(kind, metadata));
    // Of ours nothing is left once our marks are gone.
    if marks::say_releasing(metadata) && entries.iter().all(is_ours) {
        entries.clear();
    }
    if entries.is_empty() {
        entries.push(nothing_of_the_users());
    }
    entries
}

/// Gives what is in `owners` to those of `entries` that are of the same managers.
fn give_all(
    entries: &mut Vec<ManagedFieldsEntry>,
    owners: impl IntoIterator<Item = ManagedFieldsEntry>,
) {
    for owner in owners {
        let mut same = entries.iter_mut();
        match same.find(|entry| is_of_one_manager(entry, &owner)) {
            Some(entry) => give(entry, &owner),
            // It owned nothing else.
            None => entries.push(owner),
        }
    }
}

/// An empty list would switch the tracking of fields off, and all of them would then belong to
/// `before-first-apply` (`k8s.io/apimachinery/pkg/util/managedfields/internal`, `skipnonapplied.go`),
/// with which the next apply would conflict. So would a list of which nothing is left when our marks
/// go; this annotation is never on a user's object, and does not go.
fn nothing_of_the_users() -> ManagedFieldsEntry {
    let annotation = format!("f:{}", names::RELEASED_ANNOTATION);
    ManagedFieldsEntry {
        api_version: Some("v1".to_owned()),
        fields_type: Some("FieldsV1".to_owned()),
        fields_v1: Some(FieldsV1(
            json!({"f:metadata": {"f:annotations": {annotation: {}}}}),
        )),
        manager: Some(names::FIELD_MANAGER.to_owned()),
        operation: Some("Update".to_owned()),
        ..ManagedFieldsEntry::default()
    }
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(names::FIELD_MANAGER) && entry.subresource.is_none()
}

/// What makes two entries one to the API server
/// (`sigs.k8s.io/structured-merge-diff`, `fieldpath.ManagedFields`).
fn is_of_one_manager(a: &ManagedFieldsEntry, b: &ManagedFieldsEntry) -> bool {
    a.manager == b.manager
        && a.operation == b.operation
        && a.api_version == b.api_version
        && a.subresource == b.subresource
}

/// The entry with the leaves alone; `None` where it has none.
fn of_leaves(kind: TargetKind, entry: &ManagedFieldsEntry) -> Option<ManagedFieldsEntry> {
    of(leaves(kind), entry)
}

/// The entry with those of `leaves` that it has; `None` where it has none.
fn of(leaves: &[&str], entry: &ManagedFieldsEntry) -> Option<ManagedFieldsEntry> {
    let spec = spec_of(entry)?;
    let owned: Map<String, Value> = leaves
        .iter()
        .filter_map(|leaf| Some(((*leaf).to_owned(), spec.get(*leaf)?.clone())))
        .collect();
    let fields = FieldsV1(json!({ "f:spec": owned }));
    (!owned.is_empty()).then(|| ManagedFieldsEntry {
        fields_v1: Some(fields),
        ..entry.clone()
    })
}

fn spec_of(entry: &ManagedFieldsEntry) -> Option<&Map<String, Value>> {
    entry.fields_v1.as_ref()?.0.get("f:spec")?.as_object()
}

fn take(kind: TargetKind, entry: &mut ManagedFieldsEntry) {
    let fields = entry
        .fields_v1
        .as_mut()
        .and_then(|fields| fields.0.as_object_mut());
    let Some(fields) = fields else {
        return;
    };
    if let Some(spec) = fields.get_mut("f:spec").and_then(Value::as_object_mut) {
        spec.retain(|name, _| !leaves(kind).contains(&name.as_str()));
        if spec.is_empty() {
            fields.remove("f:spec");
        }
    }
}

fn give(entry: &mut ManagedFieldsEntry, owner: &ManagedFieldsEntry) {
    let Some(leaves) = spec_of(owner) else {
        return;
    };
    let fields = entry.fields_v1.get_or_insert_with(|| FieldsV1(json!({})));
    let spec = fields.0.as_object_mut().and_then(|fields| {
        fields
            .entry("f:spec")
            .or_insert_with(|| json!({}))
            .as_object_mut()
    });
    if let Some(spec) = spec {
        spec.extend(leaves.clone());
    }
}

fn is_empty(entry: &ManagedFieldsEntry) -> bool {
    let fields = entry
        .fields_v1
        .as_ref()
        .and_then(|fields| fields.0.as_object());
    fields.is_none_or(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;

    use super::*;
    use crate::plan::testing::{object, patched_by};

    const HELM: &str = "{manager: helm, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, \
                        time: '2026-12-01T09:00:00Z', fieldsV1: \
                        {f:spec: {f:selector: {}, f:ports: {}}}}";
    const HELM_WITHOUT: &str = "{manager: helm, operation: Apply, apiVersion: v1, fieldsType: \
                                FieldsV1, time: '2026-12-01T09:00:00Z', fieldsV1: \
                                {f:spec: {f:ports: {}}}}";
    const OURS: &str = "{manager: entracte, operation: Update, apiVersion: v1, fieldsType: FieldsV1, \
                        fieldsV1: {f:metadata: {f:labels: {f:entracte.dev/held: {}}}, \
                        f:spec: {f:selector: {}}}}";
    const OURS_WITHOUT: &str = "{manager: entracte, operation: Update, apiVersion: v1, fieldsType: \
                                FieldsV1, fieldsV1: {f:metadata: {f:labels: \
                                {f:entracte.dev/held: {}}}}}";
    const OURS_ALONE: &str = "{manager: entracte, operation: Update, apiVersion: v1, fieldsType: \
                              FieldsV1, fieldsV1: {f:spec: {f:selector: {}}}}";

    fn service(entries: &[&str]) -> Service {
        object(&format!(
            "{{metadata: {{name: web, resourceVersion: '7', managedFields: [{}]}}}}",
            entries.join(", ")
        ))
    }

    /// A Service with what was recorded of one that had those entries.
    fn recorded(entries: &[&str], before: &[&str]) -> Service {
        let mut service = service(entries);
        let record = Record::taking(TargetKind::Service, &self::service(before).metadata);
        service.metadata.annotations =
            Some([(names::HOLD_ANNOTATION.to_owned(), record.to_json())].into());
        service
    }

    fn given_back(after: &[&str], before: &[&str]) -> Service {
        let after = recorded(after, before);
        let patch = give_back(TargetKind::Service, &after.metadata).unwrap();
        let mut back = patched_by(&after, &patch);
        back.metadata.annotations = None;
        back
    }

    #[test]
    fn who_owned_the_leaf_before_owns_it_again() {
        let found = given_back(&[HELM_WITHOUT, OURS], &[HELM]);
        assert_eq!(found, service(&[HELM, OURS_WITHOUT]));
    }

    #[test]
    fn an_entry_of_ours_that_has_nothing_left_goes() {
        assert_eq!(
            given_back(&[HELM_WITHOUT, OURS_ALONE], &[HELM]),
            service(&[HELM])
        );
    }

    #[test]
    fn a_manager_that_owned_nothing_else_comes_back() {
        let only = HELM.replace(", f:ports: {}", "");
        assert_eq!(
            given_back(&[OURS], &[&only]),
            service(&[OURS_WITHOUT, &only])
        );
    }

    #[test]
    fn what_nobody_is_known_to_have_owned_is_left_to_nobody() {
        assert_eq!(
            given_back(&[HELM_WITHOUT, OURS], &[]),
            service(&[HELM_WITHOUT, OURS_WITHOUT])
        );
    }

    #[test]
    fn the_tracking_of_fields_is_never_switched_off() {
        let found = given_back(&[OURS_ALONE], &[]);
        assert_eq!(
            found.metadata.managed_fields.map(|entries| entries.len()),
            Some(1)
        );
    }

    #[test]
    fn what_was_given_back_is_not_given_back_again() {
        let back = given_back(&[HELM_WITHOUT, OURS], &[HELM]);
        assert_eq!(give_back(TargetKind::Service, &back.metadata), None);
        assert!(!is_borrowed(TargetKind::Service, &back.metadata));
    }

    #[test]
    fn a_write_that_comes_before_the_leaf_is_given_back_records_the_same_owners() {
        let crashed = recorded(&[HELM_WITHOUT, OURS], &[HELM]);
        assert_eq!(
            owners(TargetKind::Service, &crashed.metadata),
            owners(TargetKind::Service, &service(&[HELM]).metadata)
        );
    }

    #[test]
    fn a_forced_apply_in_the_window_is_the_owner_from_then_on() {
        let flux = HELM.replace("helm", "kustomize-controller");
        let applied = recorded(&[HELM_WITHOUT, OURS_WITHOUT, &flux], &[HELM]);
        let found = owners(TargetKind::Service, &applied.metadata);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].manager.as_deref(), Some("kustomize-controller"));
    }

    #[test]
    fn only_leaves_that_are_ours_are_given_to_the_recorded() {
        let both = "{manager: helm, operation: Apply, apiVersion: v1, fieldsType: FieldsV1, \
                    fieldsV1: {f:spec: {f:rules: {}, f:defaultBackend: {}}}}";
        let ours = OURS_ALONE.replace("f:selector", "f:rules");
        let mut ingress = service(&[&ours]);
        let record = Record {
            owners: vec![object(both)],
            ..Record::default()
        };
        ingress.metadata.annotations =
            Some([(names::HOLD_ANNOTATION.to_owned(), record.to_json())].into());
        let found = owners(TargetKind::Ingress, &ingress.metadata);
        assert_eq!(
            serde_json::to_value(&found[0].fields_v1).unwrap(),
            json!({"f:spec": {"f:rules": {}}})
        );
    }

    #[test]
    fn the_last_write_of_a_release_takes_the_marks_away() {
        let mut released = recorded(&[HELM_WITHOUT, OURS], &[HELM]);
        released.metadata.labels =
            Some([(names::HELD_LABEL.to_owned(), names::RELEASING.to_owned())].into());
        let patch = give_back(TargetKind::Service, &released.metadata).unwrap();
        let back = patched_by(&released, &patch);
        assert_eq!(
            (&back.metadata.labels, &back.metadata.annotations),
            (&None, &None)
        );
        // The API server takes the fields that are gone out of our entry, and the entry with them.
        assert_eq!(
            back.metadata.managed_fields,
            service(&[HELM, OURS_WITHOUT]).metadata.managed_fields
        );
    }

    #[test]
    fn of_managed_fields_only_the_owners_of_leaves_are_kept() {
        let mut kept = service(&[HELM, OURS_WITHOUT]);
        keep_owners(TargetKind::Service, &mut kept.metadata);
        assert_eq!(kept, service(&[&HELM.replace(", f:ports: {}", "")]));
    }
}
