//! Step 2, continued: what is remembered in memory alone, of targets, windows and ConfigMaps. Does not
//! touch the cluster.
//!
//! Nothing hangs on it: a controller that was started anew begins anew.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

type ByNamespace<K, V> = HashMap<String, HashMap<K, V>>;

/// What is remembered of things of a kind, by their namespace and what they are known by there.
#[derive(Debug)]
pub(super) struct Memory<K, V>(Mutex<ByNamespace<K, V>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Memory<K, V> {
    /// What is remembered of one.
    pub(super) fn of(&self, namespace: &str, key: &K) -> Option<V>
    where
        V: Clone,
    {
        self.lock().get(namespace)?.get(key).cloned()
    }

    /// Changes what is remembered in a namespace.
    pub(super) fn change<T>(
        &self,
        namespace: &str,
        change: impl FnOnce(&mut HashMap<K, V>) -> T,
    ) -> T {
        change(self.lock().entry(namespace.to_owned()).or_default())
    }

    /// Forgets what is remembered in a namespace, but for those.
    pub(super) fn keep(&self, namespace: &str, is_kept: impl Fn(&K) -> bool) {
        let mut all = self.lock();
        if let Some(of_namespace) = all.get_mut(namespace) {
            of_namespace.retain(|key, _| is_kept(key));
            if of_namespace.is_empty() {
                all.remove(namespace);
            }
        }
    }

    /// Forgets what is remembered in any other namespace.
    pub(super) fn keep_namespaces(&self, namespaces: &HashSet<String>) {
        self.lock()
            .retain(|namespace, _| namespaces.contains(namespace));
    }

    /// All that is remembered, each with its namespace.
    pub(super) fn all(&self) -> Vec<(String, K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let all = self.lock();
        let of_namespaces = all.iter().flat_map(|(namespace, of_namespace)| {
            let each = of_namespace.iter();
            each.map(move |(key, value)| (namespace.clone(), key.clone(), value.clone()))
        });
        of_namespaces.collect()
    }

    fn lock(&self) -> MutexGuard<'_, ByNamespace<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_a_namespace_that_is_gone_is_forgotten() {
        let memory = Memory::default();
        for namespace in ["shop", "blog"] {
            memory.change(namespace, |all| all.insert("web", 1));
        }
        memory.keep_namespaces(&HashSet::from(["shop".to_owned()]));
        assert_eq!(memory.of("shop", &"web"), Some(1));
        assert_eq!(memory.of("blog", &"web"), None);
        memory.keep("shop", |_| false);
        assert_eq!(memory.lock().len(), 0);
    }
}
