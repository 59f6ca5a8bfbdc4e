//! One entry of a map in an object's metadata or spec: our label, our annotation, our key.

use std::collections::BTreeMap;

use serde_json::json;

use super::edit::PatchBuilder;

type Map = BTreeMap<String, String>;

/// Sets `key` of the map at `/{parent}/{field}`, which holds `current`, to `value`, or takes it
/// away. A map that only we needed goes with its last entry, so that the object is as it was.
pub(super) fn set(
    patch: &mut PatchBuilder,
    at: [&str; 2],
    current: Option<&Map>,
    key: &str,
    value: Option<&str>,
) {
    set_each(patch, at, current, &[(key, value)]);
}

/// The same for several keys of one map, each of them once.
pub(super) fn set_each(
    patch: &mut PatchBuilder,
    [parent, field]: [&str; 2],
    current: Option<&Map>,
    changes: &[(&str, Option<&str>)],
) {
    let mut wanted = current.cloned().unwrap_or_default();
    for (key, value) in changes {
        match value {
            Some(value) => wanted.insert((*key).to_owned(), (*value).to_owned()),
            None => wanted.remove(*key),
        };
    }
    match current {
        Some(current) if *current == wanted => {}
        None if wanted.is_empty() => {}
        None => patch.add([parent, field], json!(wanted)),
        Some(_) if wanted.is_empty() => patch.remove([parent, field]),
        Some(current) => {
            for (key, value) in changes {
                match (current.get(*key).map(String::as_str), value) {
                    (present, value) if present == *value => {}
                    (_, Some(value)) => patch.add([parent, field, key], json!(value)),
                    (_, None) => patch.remove([parent, field, key]),
                }
            }
        }
    }
}
