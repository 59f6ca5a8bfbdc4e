//! One entry of a map in an object's metadata or spec: our label, our annotation, our key.

use std::collections::BTreeMap;

use serde_json::json;

use super::edit::PatchBuilder;

type Map = BTreeMap<String, String>;

/// Sets `key` of the map at `/{parent}/{field}`, which holds `current`, to `value`, or takes it
/// away. A map that only we needed goes with its last entry, so that the object is as it was.
pub(super) fn set(
    patch: &mut PatchBuilder,
    [parent, field]: [&str; 2],
    current: Option<&Map>,
    key: &str,
    value: Option<&str>,
) {
    let present = current.and_then(|map| map.get(key)).map(String::as_str);
    match (present, value) {
        (present, value) if present == value => {}
        (_, Some(value)) if current.is_none() => patch.add([parent, field], json!({ key: value })),
        (_, Some(value)) => patch.add([parent, field, key], json!(value)),
        (Some(_), None) if current.is_some_and(|map| map.len() == 1) => {
            patch.remove([parent, field]);
        }
        (Some(_), None) => patch.remove([parent, field, key]),
        (None, None) => {}
    }
}
