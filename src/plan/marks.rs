//! The marks on a held object: the label `entracte.dev/held` and the annotation `entracte.dev/hold`.
//!
//! PURE. They come with the patch that takes the leaves over. They go with the write after the one
//! that gives the leaves back: until the ownership of these is given back too, the annotation says
//! whose it is, and the label says `releasing`.

use kube::core::ObjectMeta;

use super::edit::PatchBuilder;
use super::record::Record;
use super::{flux, leaf, ownership};
use crate::api::names;
use crate::api::target::TargetKind;

/// Whether either mark is on an object.
pub(super) fn are_on(metadata: &ObjectMeta) -> bool {
    label(metadata).is_some()
        || metadata
            .annotations
            .as_ref()
            .is_some_and(|annotations| annotations.contains_key(names::HOLD_ANNOTATION))
}

/// Whether the leaves of an object are the user's again, and the marks still have to go.
pub(super) fn say_releasing(metadata: &ObjectMeta) -> bool {
    label(metadata) == Some(names::RELEASING)
}

/// Whether the label says that an object is held.
pub(super) fn say_held(metadata: &ObjectMeta) -> bool {
    label(metadata) == Some(names::HELD)
}

/// Marks an object as held, and tells Flux by `annotations` to look away.
pub(super) fn hold(
    patch: &mut PatchBuilder,
    metadata: &ObjectMeta,
    record: &str,
    annotations: &[&str],
) {
    let annotations = flux::telling(annotations.iter().copied()).collect();
    set(
        patch,
        metadata,
        Some(names::HELD),
        Some(record),
        annotations,
    );
}

/// Ends a patch that gives leaves back, if there were any to give back. The marks stay for as long as
/// the ownership of leaves is ours, and go with the write that gives it back
/// ([`ownership::give_back`]).
pub(super) fn release(
    patch: &mut PatchBuilder,
    kind: TargetKind,
    metadata: &ObjectMeta,
    record: impl FnOnce() -> String,
) {
    let is_borrowed = ownership::is_borrowed(kind, metadata);
    if !patch.is_empty() || is_borrowed && !say_releasing(metadata) {
        set(
            patch,
            metadata,
            Some(names::RELEASING),
            Some(&record()),
            Vec::new(),
        );
    } else if !is_borrowed {
        remove(patch, metadata);
    }
}

/// Takes the marks away, and what Flux was told.
pub(super) fn remove(patch: &mut PatchBuilder, metadata: &ObjectMeta) {
    let told = Record::of(metadata).told;
    let annotations = flux::taking_back(&told, metadata).collect();
    set(patch, metadata, None, None, annotations);
}

/// Writes the record anew and leaves the label as it is.
pub(super) fn record(patch: &mut PatchBuilder, metadata: &ObjectMeta, record: &str) {
    set(patch, metadata, label(metadata), Some(record), Vec::new());
}

/// Sets both marks, and annotations beside ours.
fn set<'a>(
    patch: &mut PatchBuilder,
    metadata: &ObjectMeta,
    label: Option<&str>,
    record: Option<&'a str>,
    mut annotations: Vec<(&'a str, Option<&'a str>)>,
) {
    let labels = metadata.labels.as_ref();
    leaf::set(
        patch,
        ["metadata", "labels"],
        labels,
        names::HELD_LABEL,
        label,
    );
    annotations.push((names::HOLD_ANNOTATION, record));
    let field = ["metadata", "annotations"];
    leaf::set_each(patch, field, metadata.annotations.as_ref(), &annotations);
}

fn label(metadata: &ObjectMeta) -> Option<&str> {
    let labels = metadata.labels.as_ref()?;
    labels.get(names::HELD_LABEL).map(String::as_str)
}
