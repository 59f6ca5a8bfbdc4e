//! Step 7, continued: from a ConfigMap to the user's own page, or to why it cannot be shown. Does not
//! touch the cluster.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use thiserror::Error;

use crate::api::response;
use crate::notice::{Notice, Page, Render, WindowRef, own_page};
use crate::schedule::{PageRef, Window};

/// Why a page cannot be shown. Each sentence says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Flaw {
    /// There is nothing to read.
    #[error("there is no such ConfigMap in the namespace: create it with the key {0}")]
    NoConfigMap(String),
    /// There is something else to read.
    #[error("it has no key {key}: add it, or name in spec.response.page {}", keys(.there))]
    NoKey { key: String, there: Vec<String> },
    /// An image, an archive, or a text in another encoding.
    #[error("the key {0} is no text in UTF-8: write the page in that encoding")]
    NotText(String),
    /// It is no page that could be sent.
    #[error("the key {key}: {source}")]
    Unfit {
        key: String,
        source: own_page::Error,
    },
    /// Nobody knows what there is now.
    #[error("{said}; it is tried again")]
    Unread {
        said: String,
        /// The page as it was read last, where it was.
        last: Option<Arc<Page>>,
    },
}

fn keys(there: &[String]) -> String {
    match there {
        [] => "another ConfigMap, for it has none at all".to_owned(),
        [one] => format!("the one that it has: {one}"),
        many => format!("one that it has: {}", many.join(", ")),
    }
}

impl Flaw {
    /// What becomes of a page that could not be looked at: one that could be shown still can be. What
    /// was wrong with one is said until it is known to be otherwise.
    pub(super) fn unread(before: Option<Result<Arc<Page>, Self>>, said: String) -> Self {
        let last = match before {
            Some(Ok(page)) => Some(page),
            Some(Err(Self::Unread { last, .. })) => last,
            Some(Err(flaw)) => return flaw,
            None => None,
        };
        Self::Unread { said, last }
    }
}

/// The page that `of` says, in a ConfigMap that is `None` where there is none.
pub(super) fn read(object: Option<&ConfigMap>, of: &PageRef) -> Result<Arc<Page>, Flaw> {
    let PageRef { key, render, .. } = of;
    let object = object.ok_or_else(|| Flaw::NoConfigMap(key.clone()))?;
    let render = match render {
        response::Render::Verbatim => Render::Verbatim,
        response::Render::Template => Render::Template,
    };
    let page = Page::new(render, text(object, key)?);
    match own_page::check(&page) {
        Ok(()) => Ok(Arc::new(page)),
        Err(source) => Err(Flaw::Unfit {
            key: key.clone(),
            source,
        }),
    }
}

/// Why a page that is well in itself cannot be shown with what the window says.
pub(super) fn flaw_for(page: &Page, window: &Window, of: &PageRef) -> Option<Flaw> {
    let flaw = own_page::check_for(page, &sample(window)).err();
    flaw.map(|source| Flaw::Unfit {
        key: of.key.clone(),
        source,
    })
}

/// What is said in the first occurrence of a window.
fn sample(window: &Window) -> Notice {
    let created = window.created;
    let first = window.current(created).or_else(|| window.next(created));
    let name = WindowRef {
        namespace: window.namespace.clone(),
        name: window.name.clone(),
    };
    Notice {
        start: Some(first.map_or(created, |first| first.start)),
        until: first.and_then(|first| first.end),
        message: window.told.message.clone(),
        retry_after: window.told.retry_after,
        ..Notice::new(name, window.uid.clone(), 1)
    }
}

fn text(object: &ConfigMap, key: &str) -> Result<String, Flaw> {
    let text = object.data.as_ref().and_then(|data| data.get(key));
    if let Some(text) = text {
        return Ok(text.clone());
    }
    let binary = object.binary_data.as_ref();
    let Some(bytes) = binary.and_then(|data| data.get(key)) else {
        let data = object.data.iter().flat_map(|data| data.keys());
        let binary = binary.into_iter().flat_map(|data| data.keys());
        return Err(Flaw::NoKey {
            key: key.to_owned(),
            there: data.chain(binary).cloned().collect(),
        });
    };
    String::from_utf8(bytes.0.clone()).map_err(|_| Flaw::NotText(key.to_owned()))
}

/// What the status of a window says of it.
pub(super) fn warning(of: &PageRef, flaw: &Flaw) -> String {
    let shown = match flaw {
        Flaw::Unread { last: Some(_), .. } => "the page is as it was read last",
        // Another controller may have read it.
        Flaw::Unread { last: None, .. } => {
            "the page is as it was read last, and ours if it never was"
        }
        _ => "our page is shown",
    };
    format!("{}{flaw}; until then {shown}", about(of))
}

/// With what such a warning begins.
pub(super) fn about(of: &PageRef) -> String {
    format!("ConfigMap {}: ", of.config_map)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use similar_asserts::assert_eq;

    use super::*;

    fn page_ref(render: response::Render) -> PageRef {
        PageRef {
            config_map: "shop-page".into(),
            key: "index.html".into(),
            render,
        }
    }

    fn object(members: Value) -> ConfigMap {
        serde_json::from_value(members).unwrap()
    }

    /// What the status says.
    fn warned(object: Option<&ConfigMap>) -> String {
        let of = page_ref(response::Render::Template);
        let flaw = read(object, &of).unwrap_err();
        warning(&of, &flaw)
    }

    #[test]
    fn a_page_is_read_from_either_kind_of_data() {
        let html = "<p>Zurück um 4.</p>";
        let bytes = k8s_openapi::ByteString(html.as_bytes().to_vec());
        for members in [
            json!({"data": {"index.html": html}}),
            json!({"binaryData": {"index.html": bytes}}),
        ] {
            let read = read(
                Some(&object(members)),
                &page_ref(response::Render::Verbatim),
            );
            let expected = Page::new(Render::Verbatim, html.to_owned());
            assert_eq!(read, Ok(Arc::new(expected)));
        }
    }

    #[test]
    fn a_page_that_nobody_can_read_is_as_it_was_read_last() {
        let page = Page::new(Render::Verbatim, "<p>".to_owned());
        let last = "the page is as it was read last";
        for (before, shown) in [
            (Some(Ok(Arc::new(page))), last.to_owned()),
            (None, format!("{last}, and ours if it never was")),
        ] {
            let said = "could not read ConfigMap shop-page: gone".to_owned();
            let flaw = Flaw::unread(before, said);
            assert_eq!(
                warning(&page_ref(response::Render::Verbatim), &flaw),
                format!(
                    "ConfigMap shop-page: could not read ConfigMap shop-page: gone; it is tried \
                     again; until then {shown}"
                )
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_page_is_said_with_what_to_do() {
        let gzip = k8s_openapi::ByteString(vec![0x1f, 0x8b, 0x08]);
        for (object_of, expected) in [
            (
                None,
                "there is no such ConfigMap in the namespace: create it with the key index.html",
            ),
            (
                Some(json!({})),
                "it has no key index.html: add it, or name in spec.response.page another \
                 ConfigMap, for it has none at all",
            ),
            (
                Some(json!({"data": {"page.html": ""}})),
                "it has no key index.html: add it, or name in spec.response.page the one that it \
                 has: page.html",
            ),
            (
                Some(json!({"data": {"a": "", "b": ""}, "binaryData": {"c": ""}})),
                "it has no key index.html: add it, or name in spec.response.page one that it has: \
                 a, b, c",
            ),
            (
                Some(json!({"binaryData": {"index.html": gzip}})),
                "the key index.html is no text in UTF-8: write the page in that encoding",
            ),
            (
                Some(json!({"data": {"index.html": "\n{{ until }}"}})),
                "the key index.html: there is no value until: the values are message, \
                 window.namespace, window.name, start, end, retry_after and now",
            ),
        ] {
            assert_eq!(
                warned(object_of.map(object).as_ref()),
                format!("ConfigMap shop-page: {expected}; until then our page is shown")
            );
        }
    }
}
