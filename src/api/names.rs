//! Names of labels, annotations and objects: what Entracte writes on, and beside, a user's
//! objects. A person who cleans up by hand looks for these.

use chrono::{DateTime, Utc};
use kube::core::ObjectMeta;

use super::time;

/// The API group of `MaintenanceWindow`, and the prefix of every label and annotation of ours.
pub const GROUP: &str = "entracte.dev";

/// The selector key that holds a Service. Its value is the Service's uid; no pod bears it.
pub const HOLD_KEY: &str = "entracte.dev/hold";

/// The annotation on a held object that says what to put back.
pub const HOLD_ANNOTATION: &str = "entracte.dev/hold";

/// The label on a held object: `kubectl get svc,ing,httproute -A -l entracte.dev/held` lists them.
pub const HELD_LABEL: &str = "entracte.dev/held";

/// The value of [`HELD_LABEL`] while an object is held.
pub const HELD: &str = "true";

/// The value of [`HELD_LABEL`] while an object is released: what it leads to is the user's again,
/// and the marks go with the next write.
pub const RELEASING: &str = "releasing";

/// The label on a bridge that names its window.
pub const WINDOW_LABEL: &str = "entracte.dev/window";

/// The label that every origin bears: a Service of ours that shows whether the app behind a held
/// one is ready.
pub const ORIGIN_LABEL: &str = "entracte.dev/origin";

/// The label on a notice (a ConfigMap in the operator's namespace): the uid of its window.
pub const WINDOW_UID_LABEL: &str = "entracte.dev/window-uid";

/// The label that every notice bears; the backend watches ConfigMaps with it and nothing else.
pub const NOTICE_LABEL: &str = "entracte.dev/notice";

/// The key of a notice's ConfigMap under which the notice lies, as JSON.
pub const NOTICE_KEY: &str = "notice.json";

/// The key of a notice's ConfigMap under which the text of the user's own page lies, where there is one.
pub const PAGE_KEY: &str = "page.html";

/// The annotation on an object of ours that lingers: the instant (RFC 3339) of its deletion.
pub const LINGER_ANNOTATION: &str = "entracte.dev/linger-until";

/// The label that every rehearsal bears.
pub const REHEARSAL_LABEL: &str = "entracte.dev/rehearsal";

/// The annotation on a rehearsal: the instant (RFC 3339) of the last addition to it.
pub const REHEARSED_ANNOTATION: &str = "entracte.dev/rehearsed-at";

/// The usual label that says who made an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY_LABEL`] on objects of ours.
pub const MANAGED_BY: &str = "entracte";

/// Whether an object is ours, whatever it is for.
pub fn is_ours(metadata: &ObjectMeta) -> bool {
    let labels = metadata.labels.as_ref();
    let managed_by = labels.and_then(|labels| labels.get(MANAGED_BY_LABEL));
    managed_by.is_some_and(|by| by == MANAGED_BY)
}

/// Whether a label or annotation called `key` is one of ours.
pub fn is_our_key(key: &str) -> bool {
    key.strip_prefix(GROUP)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether an object is one of ours that `label` says something of.
pub fn is_ours_with(metadata: &ObjectMeta, label: &str) -> bool {
    let labels = metadata.labels.as_ref();
    is_ours(metadata) && labels.is_some_and(|labels| labels.contains_key(label))
}

/// Who writes an EndpointSlice: `endpointslice.kubernetes.io/managed-by` (KEP-752). The
/// platform's controller leaves slices of other managers alone.
pub const SLICE_MANAGED_BY_LABEL: &str = "endpointslice.kubernetes.io/managed-by";

/// The value of [`SLICE_MANAGED_BY_LABEL`] on slices of ours.
pub const SLICE_MANAGED_BY: &str = "entracte.dev";

/// The label that ties an EndpointSlice to its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// The field manager of every write of ours.
pub const FIELD_MANAGER: &str = "entracte";

/// The response header that names the window which answers, as `namespace/name`.
pub const WINDOW_HEADER: &str = "entracte-window";

/// The label on a notice that names the namespace of its window.
pub const WINDOW_NAMESPACE_LABEL: &str = "entracte.dev/window-namespace";

/// The annotation on slices of ours behind a Service that was released: the instant (RFC 3339).
pub const RELEASED_ANNOTATION: &str = "entracte.dev/released-at";

/// The annotation on a slice of ours behind a Service: which of its ports led to a ready endpoint of
/// the app when the Service was held, by name (or number, where one has none).
pub const SERVED_ANNOTATION: &str = "entracte.dev/served";

/// `base` followed by `suffix`, at most `limit` characters long: where it would grow longer, the
/// end of `base` gives way to a hash of the whole of it, so that two bases never meet.
pub fn derived(base: &str, suffix: &str, limit: usize) -> String {
    let plain = format!("{base}{suffix}");
    if plain.len() <= limit {
        return plain;
    }
    let room = limit.saturating_sub(suffix.len() + 1 + HASH_LENGTH);
    let kept: String = base.chars().take(room).collect();
    format!("{kept}-{}{suffix}", hash(base))
}

const HASH_LENGTH: usize = 8;

/// A hash that stays the same from one release of Entracte to the next (FNV-1a).
pub(crate) fn hash(text: &str) -> String {
    let folded = fnv(text);
    format!("{:08x}", (folded ^ (folded >> 32)) & 0xffff_ffff)
}

/// The same, twice as long: for what nobody is to meet who does not mean to.
pub(crate) fn long_hash(text: &str) -> String {
    format!("{:016x}", fnv(text))
}

fn fnv(text: &str) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    std::hash::Hasher::write(&mut hasher, text.as_bytes());
    std::hash::Hasher::finish(&hasher)
}

/// The instant (RFC 3339) in the annotation `key` of an object; `None` where there is none, or
/// nobody can read it.
pub fn instant(metadata: &ObjectMeta, key: &str) -> Option<DateTime<Utc>> {
    time::from_text(metadata.annotations.as_ref()?.get(key)?)
}

/// An instant as it stands in an annotation of ours.
pub fn annotated(instant: DateTime<Utc>) -> String {
    time::to_text(time::to_milliseconds(instant))
}
