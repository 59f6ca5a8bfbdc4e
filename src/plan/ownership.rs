//! Field ownership, borrowed for one write and given back by the next.
//!
//! PURE. Our patch of a leaf takes its ownership over (`spec.selector` and `spec.rules` are atomic),
//! and whoever applied it before, server-side, would then meet a conflict: `helm upgrade` would fail
//! in the window, although windows are made for upgrades, and after it. So each such patch is
//! followed by one that changes `metadata.managedFields` and nothing else. (In one patch with the
//! leaf it has no effect: the API server records the change of the leaf after it.)
//!
//! Who owned the leaf is known from the object that was read before. Where a crash came in between
//! it is not; then the leaf is left to nobody, which is enough to conflict with nobody.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::core::ObjectMeta;
use serde_json::{Map, Value, json};

use super::edit::PatchBuilder;
use crate::api::names;
use crate::api::target::TargetKind;

/// The fields below `spec` that we change.
pub fn leaves(kind: TargetKind) -> &'static [&'static str] {
    match kind {
        TargetKind::Service => &["f:selector"],
        TargetKind::Ingress => &["f:rules", "f:defaultBackend"],
        TargetKind::HTTPRoute => &[],
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

/// Who owns the leaves of `kind`, but for us.
pub fn others(kind: TargetKind, metadata: &ObjectMeta) -> Vec<ManagedFieldsEntry> {
    let entries = metadata.managed_fields.iter().flatten();
    entries
        .filter(|entry| !is_ours(entry))
        .filter_map(|entry| of_leaves(kind, entry))
        .collect()
}

/// Whether we own a leaf of `kind` that we have to give back.
pub fn is_borrowed(kind: TargetKind, metadata: &ObjectMeta) -> bool {
    let mut entries = metadata.managed_fields.iter().flatten();
    entries.any(|entry| is_ours(entry) && of_leaves(kind, entry).is_some())
}

/// The patch that gives the leaves of `kind` back to `owners`; `None` where they are not ours.
pub fn give_back(
    kind: TargetKind,
    metadata: &ObjectMeta,
    owners: &[ManagedFieldsEntry],
) -> Option<json_patch::Patch> {
    if !is_borrowed(kind, metadata) {
        return None;
    }
    let mut entries = metadata.managed_fields.clone().unwrap_or_default();
    for entry in entries.iter_mut().filter(|entry| is_ours(entry)) {
        take(kind, entry);
    }
    entries.retain(|entry| !is_ours(entry) || !is_empty(entry));
    for owner in owners {
        match entries
            .iter_mut()
            .find(|entry| is_of_one_manager(entry, owner))
        {
            Some(entry) => give(entry, owner),
            // It owned nothing else.
            None => entries.push(owner.clone()),
        }
    }
    if entries.is_empty() {
        entries.push(nothing_of_the_users());
    }
    let mut patch = PatchBuilder::guarded(metadata);
    patch.replace(["metadata", "managedFields"], json!(entries));
    Some(patch.build())
}

/// An empty list would switch the tracking of fields off, and all of them would then belong to
/// `before-first-apply` (`k8s.io/apimachinery/pkg/util/managedfields/internal`, `skipnonapplied.go`),
/// with which the next apply would conflict.
fn nothing_of_the_users() -> ManagedFieldsEntry {
    let annotation = format!("f:{}", names::HOLD_ANNOTATION);
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
    let spec = spec_of(entry)?;
    let owned: Map<String, Value> = leaves(kind)
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

    fn given_back(after: &[&str], before: &[&str]) -> Service {
        let owners = others(TargetKind::Service, &service(before).metadata);
        let after = service(after);
        let patch = give_back(TargetKind::Service, &after.metadata, &owners).unwrap();
        patched_by(&after, &patch)
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
        assert_eq!(give_back(TargetKind::Service, &back.metadata, &[]), None);
        assert!(!is_borrowed(TargetKind::Service, &back.metadata));
    }

    #[test]
    fn of_managed_fields_only_the_owners_of_leaves_are_kept() {
        let mut kept = service(&[HELM, OURS_WITHOUT]);
        keep_owners(TargetKind::Service, &mut kept.metadata);
        assert_eq!(kept, service(&[&HELM.replace(", f:ports: {}", "")]));
    }
}
