use super::*;
use futures::stream;
use k8s_openapi::api::core::v1::ConfigMap;
use std::cell::RefCell;

fn object(namespace: &str, name: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.namespace = Some(namespace.to_owned());
    object.metadata.name = Some(name.to_owned());
    object
}

async fn fed(cache: &Cache<ConfigMap>, events: Vec<Event<ConfigMap>>) -> Vec<String> {
    let changed = RefCell::new(Vec::new());
    let events = stream::iter(events.into_iter().map(Ok));
    cache
        .clone()
        .follow_events(events, |ns| changed.borrow_mut().push(ns.to_owned()))
        .await;
    changed.into_inner()
}

#[tokio::test]
async fn a_list_replaces_what_was_there_and_touches_the_namespaces_of_both() {
    let cache = Cache::default();
    let first = vec![
        Event::Init,
        Event::InitApply(object("a", "x")),
        Event::InitDone,
    ];
    assert_eq!(fed(&cache, first).await, ["a"]);
    let second = vec![
        Event::Init,
        Event::InitApply(object("b", "y")),
        Event::InitDone,
    ];
    assert_eq!(fed(&cache, second).await, ["a", "b"]);
    assert_eq!(cache.namespaces(), ["b"]);
}

#[tokio::test]
async fn a_list_that_is_not_complete_changes_nothing() {
    let cache = Cache::default();
    assert!(
        fed(
            &cache,
            vec![Event::Init, Event::InitApply(object("a", "x"))]
        )
        .await
        .is_empty()
    );
    assert!(cache.all().is_empty());
}

#[tokio::test]
async fn an_answer_that_comes_late_hides_nothing() {
    let version = |version: &str| {
        let mut object = object("a", "x");
        object.metadata.resource_version = Some(version.to_owned());
        object
    };
    let known = |cache: &Cache<ConfigMap>| {
        let objects = cache.in_namespace("a");
        objects
            .get("x")
            .and_then(|known| known.metadata.resource_version.clone())
    };
    let cache = Cache::default();
    cache.learn(version("1"), None);
    assert_eq!(known(&cache).as_deref(), Some("1"));
    cache.learn(version("2"), Some(&version("1").metadata));
    assert_eq!(known(&cache).as_deref(), Some("2"));
    fed(&cache, vec![Event::Apply(version("4"))]).await;
    cache.learn(version("3"), Some(&version("2").metadata));
    assert_eq!(known(&cache).as_deref(), Some("4"));
    fed(&cache, vec![Event::Delete(version("5"))]).await;
    cache.learn(version("6"), Some(&version("4").metadata));
    assert_eq!(known(&cache), None);
}

#[tokio::test]
async fn what_was_read_anew_corrects_what_was_seen_and_hides_nothing_newer() {
    let version = |name: &str, version: &str| {
        let mut object = object("a", name);
        object.metadata.resource_version = Some(version.to_owned());
        object
    };
    let known = |cache: &Cache<ConfigMap>| -> Vec<(String, String)> {
        let objects = cache.in_namespace("a").into_values();
        let pair = |it: Arc<ConfigMap>| (it.name_any(), it.resource_version().unwrap());
        objects.map(pair).collect()
    };
    let text = |name: &str, version: &str| (name.to_owned(), version.to_owned());
    let seen = ["x", "y", "z"].map(|name| version(name, "1"));
    let seen = seen.each_ref().map(|object| &object.metadata);
    let cache = Cache::default();
    let first = ["x", "y", "z"].map(|name| Event::Apply(version(name, "1")));
    fed(&cache, first.into()).await;
    assert!(!cache.correct(
        "a",
        &seen,
        ["x", "y", "z"].map(|it| version(it, "1")).into()
    ));

    fed(&cache, vec![Event::Apply(version("z", "4"))]).await;
    let live = ["new", "x", "z"].map(|name| version(name, "3")).into();
    assert!(cache.correct("a", &seen, live));
    let expected = [text("new", "3"), text("x", "3"), text("z", "4")];
    assert_eq!(known(&cache), expected);
}

#[tokio::test]
async fn an_object_that_was_deleted_is_gone() {
    let cache = Cache::default();
    let events = vec![
        Event::Apply(object("a", "x")),
        Event::Delete(object("a", "x")),
    ];
    assert_eq!(fed(&cache, events).await, ["a", "a"]);
    assert!(cache.in_namespace("a").is_empty());
}
