use serde_json::json;
use similar_asserts::assert_eq;

use super::*;
use crate::api::response::Render;
use crate::schedule;

const NAMESPACE: &str = "shop";

fn page(key: &str) -> PageRef {
    PageRef {
        config_map: "page".into(),
        key: key.into(),
        render: Render::Verbatim,
    }
}

/// Whether all of it was read already.
fn want(pages: &Pages, wanted: &[&PageRef], soon: bool) -> bool {
    let wanted = wanted.iter().map(|page| {
        let wanted = Wanted {
            pages: wanted.to_vec(),
            soon,
        };
        (page.config_map.as_str(), wanted)
    });
    pages.take_note(NAMESPACE, &wanted.collect())
}

fn seen(version: &str, html: &str) -> Seen {
    let object = json!({
        "metadata": {"name": "page", "resourceVersion": version},
        "data": {"a": html, "b": html},
    });
    Seen::Now(Some(Box::new(serde_json::from_value(object).unwrap())))
}

fn silence() -> Result<Seen, Error> {
    let action = "read ConfigMap page".to_owned();
    Err(Error::Silent { action })
}

fn html(pages: &Pages, of: &PageRef) -> Option<Result<String, String>> {
    let read = pages.of(NAMESPACE, of)?;
    let read = read.map(|page| page.html().to_owned());
    Some(read.map_err(|flaw| flaw.to_string()))
}

fn due(pages: &Pages) -> Vec<Option<String>> {
    let due = pages.due().into_iter();
    due.map(|(_, _, version)| version).collect()
}

#[test]
fn what_is_wanted_is_read_once_and_then_after_a_while() {
    let pages = Pages::default();
    let a = page("a");
    assert!(!want(&pages, &[&a], true));
    assert_eq!((html(&pages, &a), due(&pages)), (None, vec![None]));
    assert!(pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1"))));
    assert_eq!(html(&pages, &a), Some(Ok("<p>1".into())));
    assert_eq!(due(&pages), []);
    assert!(want(&pages, &[&a], true));
    assert!(
        !pages.record(NAMESPACE, "page", Ok(seen("2", "<p>1"))),
        "no news"
    );
    assert!(pages.record(NAMESPACE, "page", Ok(seen("3", "<p>3"))));
    assert!(!pages.record(NAMESPACE, "page", Ok(Seen::AsBefore)));
    assert_eq!(html(&pages, &a), Some(Ok("<p>3".into())));
}

#[test]
fn another_key_of_the_same_object_is_read_at_once_and_takes_nothing_away() {
    let pages = Pages::default();
    let (a, b) = (page("a"), page("b"));
    want(&pages, &[&a], false);
    pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1")));
    assert!(!want(&pages, &[&a, &b], false));
    assert_eq!(due(&pages), [None], "all of it");
    assert_eq!(html(&pages, &a), Some(Ok("<p>1".into())));
    assert!(pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1"))));
    assert_eq!(html(&pages, &b), Some(Ok("<p>1".into())));
}

#[test]
fn a_page_that_cannot_be_read_any_more_stays_and_says_so() {
    let pages = Pages::default();
    let a = page("a");
    want(&pages, &[&a], true);
    assert!(pages.record(NAMESPACE, "page", silence()));
    let unread = "could not read ConfigMap page: the API server did not answer within 10 s; it \
                  is tried again";
    assert_eq!(html(&pages, &a), Some(Err(unread.to_owned())));
    assert!(pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1"))));
    for is_news in [true, false] {
        assert_eq!(pages.record(NAMESPACE, "page", silence()), is_news);
        assert_eq!(html(&pages, &a), Some(Err(unread.to_owned())));
        let Some(Err(Flaw::Unread { last, .. })) = pages.of(NAMESPACE, &a) else {
            panic!("{pages:?}");
        };
        assert_eq!(last.unwrap().html(), "<p>1");
    }
    assert_eq!(due(&pages), []);
    assert!(pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1"))));
    assert_eq!(html(&pages, &a), Some(Ok("<p>1".into())));
}

#[test]
fn a_page_that_was_deleted_or_has_a_slip_is_gone_whether_or_not_it_can_be_read_later() {
    let pages = Pages::default();
    let a = page("a");
    want(&pages, &[&a], true);
    pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1")));
    assert!(pages.record(NAMESPACE, "page", Ok(Seen::Now(None))));
    let gone = "there is no such ConfigMap in the namespace: create it with the key a";
    assert_eq!(html(&pages, &a), Some(Err(gone.to_owned())));
    assert!(!pages.record(NAMESPACE, "page", silence()));
    assert_eq!(html(&pages, &a), Some(Err(gone.to_owned())));
}

fn window(message: &str, generation: i64) -> Window {
    let resource = json!({
        "apiVersion": "entracte.dev/v1alpha1",
        "kind": "MaintenanceWindow",
        "metadata": {
            "namespace": NAMESPACE, "name": "w", "uid": "1", "generation": generation,
            "creationTimestamp": "2026-12-01T09:00:00Z",
        },
        "spec": {
            "schedule": {"always": {}},
            "targets": [{"kind": "Ingress", "name": "web"}],
            "response": {
                "message": message,
                "page": {"configMapKeyRef": {"name": "page", "key": "a"}, "render": "Template"},
            },
        },
    });
    schedule::parse(&serde_json::from_value(resource).unwrap()).unwrap()
}

#[test]
fn a_page_is_tried_with_what_each_window_says_and_again_when_either_changes() {
    let pages = Pages::default();
    let a = PageRef {
        render: Render::Template,
        ..page("a")
    };
    want(&pages, &[&a], true);
    let shown = |window: &Window| {
        let page = pages.of_window(window).unwrap();
        page.map_err(|flaw| flaw.to_string())
    };
    let failing = "{% if message == 'no' %}{{ 1 // 0 }}{% endif %}";
    pages.record(NAMESPACE, "page", Ok(seen("1", failing)));
    assert!(shown(&window("yes", 1)).is_ok());
    for _ in 0..2 {
        let said = shown(&window("no", 2)).unwrap_err();
        assert!(said.starts_with("the key a: line 1: "), "{said}");
    }
    assert!(shown(&window("yes", 3)).is_ok());
    pages.record(NAMESPACE, "page", Ok(seen("2", "{{ message }}")));
    assert!(shown(&window("no", 3)).is_ok());
}

#[test]
fn what_is_wanted_no_more_is_forgotten() {
    let pages = Pages::default();
    let a = page("a");
    want(&pages, &[&a], true);
    pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1")));
    assert!(want(&pages, &[], true));
    assert_eq!(html(&pages, &a), None);
    assert!(
        !pages.record(NAMESPACE, "page", Ok(seen("1", "<p>1"))),
        "too late"
    );
}
