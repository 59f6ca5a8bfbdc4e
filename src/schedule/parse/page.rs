//! `spec.response.page`: where the user's own page is.

use crate::{
    api::response::{ConfigMapKeyRef, Page, Render},
    schedule::PageRef,
};

use super::{problems::Problems, targets::is_object_name};

const REFERENCE: &str = "spec.response.page.configMapKeyRef";

/// The most characters in a key (`IsConfigMapKey` of `k8s.io/apimachinery`).
const MAX_KEY_LENGTH: usize = 253;

pub(super) fn parse(page: &Page, problems: &mut Problems) -> PageRef {
    let Page {
        config_map_key_ref: ConfigMapKeyRef { name, key },
        render,
    } = page;
    if !is_object_name(name) {
        problems.add(
            format!("{REFERENCE}.name"),
            "must be the name of a ConfigMap in the window's own namespace: lower-case letters, \
             digits, - and .",
        );
    }
    if !is_key(key) {
        problems.add(
            format!("{REFERENCE}.key"),
            "must be a key of a ConfigMap, such as index.html: letters, digits, -, _ and .",
        );
    }
    PageRef {
        config_map: name.clone(),
        key: key.clone(),
        render: render.unwrap_or(Render::Verbatim),
    }
}

fn is_key(key: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_KEY_LENGTH).contains(&key.len()) && key.chars().all(is_fit)
}
