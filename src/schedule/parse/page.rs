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

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    fn parsed(name: &str, key: &str, render: Option<Render>) -> Result<PageRef, Vec<String>> {
        let page = Page {
            config_map_key_ref: ConfigMapKeyRef {
                name: name.to_owned(),
                key: key.to_owned(),
            },
            render,
        };
        let mut problems = Problems::default();
        let parsed = parse(&page, &mut problems);
        problems
            .unless_any(Some(parsed))
            .map_err(|found| found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_page_is_sent_as_it_is_unless_its_window_says_otherwise() {
        for (written, expected) in [
            (None, Render::Verbatim),
            (Some(Render::Verbatim), Render::Verbatim),
            (Some(Render::Template), Render::Template),
        ] {
            let expected = PageRef {
                config_map: "shop-page".into(),
                key: "index.html".into(),
                render: expected,
            };
            assert_eq!(parsed("shop-page", "index.html", written), Ok(expected));
        }
    }

    #[test]
    fn a_page_that_no_config_map_can_have_is_refused() {
        let name = "spec.response.page.configMapKeyRef.name: must be the name of a ConfigMap in the \
                    window's own namespace: lower-case letters, digits, - and .";
        let key = "spec.response.page.configMapKeyRef.key: must be a key of a ConfigMap, such as \
                   index.html: letters, digits, -, _ and .";
        let problems = |name: &str, key: &str| parsed(name, key, None).unwrap_err();
        for bad in ["", "../../secrets/x", "Page", "page?x=1", "page-"] {
            assert_eq!(problems(bad, "index.html"), [name], "{bad}");
        }
        for bad in ["", "a/b", "index html", &"k".repeat(254)] {
            assert_eq!(problems("page", bad), [key], "{bad}");
        }
        assert_eq!(problems("Page", "/"), [name, key]);
    }
}
