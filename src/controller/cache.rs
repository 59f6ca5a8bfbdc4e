//! Step 0, continued: what the API server told us last, by namespace.
//!
//! Touches the cluster: one watch for each kind. A reconcile reads one namespace, so a lookup
//! costs what that namespace holds and not what the cluster does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use futures::{Stream, StreamExt};
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::backoff;
use super::installed::Installed;

type ByName<K> = BTreeMap<String, Arc<K>>;
type ByNamespace<K> = BTreeMap<String, ByName<K>>;

/// The objects of one kind. Clones share what they hold.
#[derive(Debug)]
pub(super) struct Cache<K> {
    objects: Arc<RwLock<ByNamespace<K>>>,
    synced: watch::Sender<bool>,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            synced: self.synced.clone(),
        }
    }
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            objects: Arc::default(),
            synced: watch::Sender::new(false),
        }
    }
}

impl<K> Cache<K> {
    /// The objects in `namespace`, by name.
    pub(super) fn in_namespace(&self, namespace: &str) -> ByName<K> {
        self.read(|objects| objects.get(namespace).cloned())
            .unwrap_or_default()
    }

    /// Every object, in no order that means anything.
    pub(super) fn all(&self) -> Vec<Arc<K>> {
        self.read(|objects| {
            objects
                .values()
                .flat_map(BTreeMap::values)
                .cloned()
                .collect()
        })
    }

    /// The namespaces in which there is an object.
    pub(super) fn namespaces(&self) -> Vec<String> {
        self.read(|objects| objects.keys().cloned().collect())
    }

    /// Puts in an object that the API server has just answered with, so that the next reconcile
    /// does not make it a second time before the watch has brought it.
    ///
    /// Only in place of what it was made `from`, or of nothing: an answer that comes late must not
    /// hide what the watch has brought since.
    pub(super) fn learn(&self, object: K, from: Option<&ObjectMeta>)
    where
        K: Resource<DynamicType = ()>,
    {
        self.write(|objects| {
            let namespace = object.namespace().unwrap_or_default();
            let known = objects
                .get(&namespace)
                .and_then(|objects| objects.get(&object.name_any()));
            let version = |metadata: &ObjectMeta| metadata.resource_version.clone();
            if known.map(|known| version(known.meta())) == from.map(version) {
                insert(objects, object);
            }
        });
    }

    /// Whether the first list is complete, now and later.
    pub(super) fn listed(&self) -> watch::Receiver<bool> {
        self.synced.subscribe()
    }

    /// Puts in the objects of a namespace as they were just read, in place of those that were
    /// `seen` before, and forgets those of them that are gone. As with [`Cache::learn`], what the
    /// watch has brought since stays. True where that is another state than before.
    pub(super) fn correct(&self, namespace: &str, seen: &[&ObjectMeta], live: Vec<K>) -> bool
    where
        K: Resource<DynamicType = ()>,
    {
        let mut gone: BTreeMap<Option<String>, &ObjectMeta> = seen
            .iter()
            .map(|metadata| (metadata.name.clone(), *metadata))
            .collect();
        let mut corrected = false;
        for object in live {
            let known = gone.remove(&object.meta().name);
            let version = |metadata: &ObjectMeta| metadata.resource_version.clone();
            if known.map(version) != Some(version(object.meta())) {
                self.learn(object, known);
                corrected = true;
            }
        }
        for metadata in gone.into_values() {
            self.forget(namespace, metadata);
            corrected = true;
        }
        corrected
    }

    /// Forgets an object, unless the watch has brought it anew since it was `seen`.
    fn forget(&self, namespace: &str, seen: &ObjectMeta)
    where
        K: Resource<DynamicType = ()>,
    {
        let name = seen.name.clone().unwrap_or_default();
        self.write(|objects| {
            let known = objects.get(namespace).and_then(|it| it.get(&name));
            let version = known.and_then(|known| known.meta().resource_version.clone());
            if version == seen.resource_version {
                remove(objects, namespace, &name);
            }
        });
    }

    /// Returns once the first list is complete.
    pub(super) async fn synced(&self) {
        // The sender lives in `self`, so this cannot fail before it is true.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    fn read<T>(&self, look: impl FnOnce(&ByNamespace<K>) -> T) -> T {
        look(&self.objects.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut ByNamespace<K>) -> T) -> T {
        change(&mut self.objects.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// Follows `api` for ever, and says after each change which namespace it was in. `keep` drops
    /// what nobody here reads.
    ///
    /// An error of the watch is logged and backed off from here, and not passed on: it must not
    /// slow down what other watches have to say.
    pub(super) async fn follow(
        self,
        api: Api<K>,
        config: watcher::Config,
        keep: fn(&mut ObjectMeta),
        changed: impl Fn(&str) + Send,
    ) {
        let events = watcher(api, config)
            .backoff(backoff::of_watches())
            .modify(move |object: &mut K| keep(object.meta_mut()));
        self.follow_events(events, changed).await;
    }

    /// The same for a kind whose definition may be absent, come and go. Without it there is no
    /// object, and that is known as well as if the API server had listed them. Of objects that are
    /// there and not served nothing is concluded, but that there is nothing to wait for, where
    /// `goes_on_unserved`.
    pub(super) async fn follow_while(
        self,
        mut installed: watch::Receiver<Installed>,
        goes_on_unserved: bool,
        api: Api<K>,
        keep: fn(&mut ObjectMeta),
        changed: impl Fn(&str) + Send + Sync,
    ) {
        loop {
            let now = *installed.borrow_and_update();
            let news = match now {
                Installed::Served | Installed::Unknown => {
                    let config = super::watch::config();
                    let following = self.clone().follow(api.clone(), config, keep, &changed);
                    let over = async {
                        let over = installed.wait_for(|now| now.is_unreadable()).await;
                        over.map(|_| ())
                    };
                    tokio::select! {
                        () = following => return,
                        over = over => over,
                    }
                }
                Installed::Absent => {
                    self.replace(ByNamespace::new(), &changed);
                    installed.changed().await
                }
                Installed::Unserved => {
                    if goes_on_unserved {
                        self.synced.send_replace(true);
                    }
                    installed.changed().await
                }
            };
            if news.is_err() {
                return;
            }
        }
    }

    async fn follow_events(
        self,
        events: impl Stream<Item = watcher::Result<Event<K>>>,
        changed: impl Fn(&str),
    ) {
        let mut events = std::pin::pin!(events);
        let mut listed = ByNamespace::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event, &mut listed, &changed),
                Err(error) => tracing::warn!(
                    kind = %K::kind(&()), %error,
                    "cannot watch; what was seen last is used until the watch is back"
                ),
            }
        }
    }

    fn take(&self, event: Event<K>, listed: &mut ByNamespace<K>, changed: &impl Fn(&str)) {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                insert(listed, object);
            }
            Event::InitDone => self.replace(std::mem::take(listed), changed),
            Event::Apply(object) => {
                let namespace = self.write(|objects| insert(objects, object));
                changed(&namespace);
            }
            Event::Delete(object) => {
                let namespace = object.namespace().unwrap_or_default();
                self.write(|objects| remove(objects, &namespace, &object.name_any()));
                changed(&namespace);
            }
        }
    }

    fn replace(&self, listed: ByNamespace<K>, changed: &impl Fn(&str)) {
        let mut namespaces: BTreeSet<String> = listed.keys().cloned().collect();
        let before = self.write(|objects| std::mem::replace(objects, listed));
        namespaces.extend(before.into_keys());
        self.synced.send_replace(true);
        for namespace in namespaces {
            changed(&namespace);
        }
    }
}

fn insert<K: Resource>(objects: &mut ByNamespace<K>, object: K) -> String {
    let namespace = object.namespace().unwrap_or_default();
    let name = object.name_any();
    objects
        .entry(namespace.clone())
        .or_default()
        .insert(name, Arc::new(object));
    namespace
}

fn remove<K>(objects: &mut ByNamespace<K>, namespace: &str, name: &str) {
    let Some(in_namespace) = objects.get_mut(namespace) else {
        return;
    };
    in_namespace.remove(name);
    if in_namespace.is_empty() {
        objects.remove(namespace);
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
