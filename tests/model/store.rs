//! Real objects, each kept once and called by a number, so that a state of the world is small and a
//! plan is made once for each thing that it can be made from.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The resourceVersion that every object bears where a plan reads it. Which version a guard means is
/// told by whose view it was made from; that the guard is there is seen by this.
pub(crate) const READ: &str = "read";

/// The number of an object in a [`Store`].
pub(crate) type Id = u16;

/// Objects of one type, told apart by what they say.
#[derive(Debug)]
pub(crate) struct Store<K> {
    objects: Vec<K>,
    known: HashMap<String, Id>,
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self {
            objects: Vec::new(),
            known: HashMap::new(),
        }
    }
}

impl<K: Serialize + DeserializeOwned> Store<K> {
    /// The number of `object`, as the API server would store it.
    pub(crate) fn id(&mut self, object: &K) -> Id {
        let mut value = serde_json::to_value(object).unwrap();
        if let Some(metadata) = value.get_mut("metadata") {
            metadata["resourceVersion"] = READ.into();
            // As the API server stores it.
            if let Some(fields) = metadata.as_object_mut() {
                fields.retain(|_, field| *field != serde_json::json!({}));
            }
        }
        let text = value.to_string();
        if let Some(id) = self.known.get(&text) {
            return *id;
        }
        let id = Id::try_from(self.objects.len()).expect("more than 65,536 objects of a kind");
        self.known.insert(text, id);
        self.objects.push(serde_json::from_value(value).unwrap());
        id
    }

    pub(crate) fn get(&self, id: Id) -> &K {
        &self.objects[usize::from(id)]
    }

    /// The object after an edit of its JSON.
    pub(crate) fn edited(&mut self, id: Id, edit: impl FnOnce(&mut Value)) -> Id {
        let mut value = serde_json::to_value(self.get(id)).unwrap();
        edit(&mut value);
        self.id(&serde_json::from_value(value).unwrap())
    }

    /// The object after a patch; `None` where the patch does not fit.
    pub(crate) fn patched(&mut self, id: Id, patch: &json_patch::Patch) -> Option<Id> {
        let mut value = serde_json::to_value(self.get(id)).unwrap();
        json_patch::patch(&mut value, patch).ok()?;
        Some(self.id(&serde_json::from_value(value).unwrap()))
    }
}

/// Whether `patch` fails where the object is not the one that was read.
pub(crate) fn is_guarded(patch: &json_patch::Patch) -> bool {
    let first = serde_json::to_value(&patch.0[0]).unwrap();
    first
        == serde_json::json!({"op": "replace", "path": "/metadata/resourceVersion", "value": READ})
}

/// The patches that plans made, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Patches(Vec<json_patch::Patch>);

impl Patches {
    /// The number of `patch`.
    pub(crate) fn id(&mut self, patch: json_patch::Patch) -> Id {
        let known = self.0.iter().position(|known| *known == patch);
        let id = known.unwrap_or_else(|| {
            self.0.push(patch);
            self.0.len() - 1
        });
        Id::try_from(id).unwrap()
    }

    pub(crate) fn get(&self, id: Id) -> &json_patch::Patch {
        &self.0[usize::from(id)]
    }
}
