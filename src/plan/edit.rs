//! One API edit, as a value.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use crate::api::httproute::HttpRoute;
use crate::api::target::TargetKind;

/// One write. Each is guarded: it fails with a conflict, and changes nothing, where the object is
/// not the one that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A JSON Patch of a user's object.
    Patch {
        /// What it is.
        kind: TargetKind,
        /// Its name.
        name: String,
        /// The patch; it begins with the resourceVersion that was read. The one that gives the
        /// ownership of the leaves back follows it ([`ownership::give_back`]).
        ///
        /// [`ownership::give_back`]: super::ownership::give_back
        patch: Patch,
    },
    /// Give the ownership of leaves back that an earlier patch took over, where a crash kept it from
    /// being given back.
    GiveBack {
        /// What it is.
        kind: TargetKind,
        /// Its name.
        name: String,
    },
    /// Make a bridge.
    CreateBridge(Box<Service>),
    /// Write a bridge as it should be; it bears the resourceVersion that was read.
    ReplaceBridge(Box<Service>),
    /// Take a bridge away.
    DeleteBridge(Precondition),
    /// Make a rehearsal.
    CreateRehearsal(Rehearsal),
    /// Write a rehearsal as it should be; it bears the resourceVersion that was read.
    ReplaceRehearsal(Rehearsal),
    /// Take a rehearsal away.
    DeleteRehearsal {
        /// What it is.
        kind: TargetKind,
        /// Which.
        which: Precondition,
    },
    /// Make an origin.
    CreateOrigin(Box<Service>),
    /// Take an origin away.
    DeleteOrigin(Precondition),
    /// Make a slice of ours.
    CreateSlice(Box<EndpointSlice>),
    /// Write a slice of ours as it should be; it bears the resourceVersion that was read.
    ReplaceSlice(Box<EndpointSlice>),
    /// Write a slice of the platform's without its endpoints; it bears the resourceVersion that was
    /// read. It rests on the hold of its Service, which has to be read after the slice and right
    /// before this.
    EmptySlice(Box<EndpointSlice>),
    /// Take a slice of ours away.
    DeleteSlice(Precondition),
}

/// A rehearsal: a route of the kind of its target.
#[derive(Debug, Clone, PartialEq)]
pub enum Rehearsal {
    /// Of an Ingress.
    Ingress(Box<Ingress>),
    /// Of an HTTPRoute.
    HttpRoute(Box<HttpRoute>),
}

/// Which object, exactly: a delete with it spares an object that was changed or made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition {
    /// The object's name.
    pub name: String,
    /// The uid that was read.
    pub uid: Option<String>,
    /// The resourceVersion that was read.
    pub resource_version: Option<String>,
}

impl Precondition {
    /// The object as it was read.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
        }
    }
}

/// A JSON Patch under construction, which begins with the resourceVersion that was read: a stale
/// view gets 409, where a failed `test` operation would get an opaque 422.
pub(super) struct PatchBuilder(Vec<PatchOperation>);

impl PatchBuilder {
    pub(super) fn guarded(metadata: &ObjectMeta) -> Self {
        let version = metadata.resource_version.clone().unwrap_or_default();
        Self(vec![replace(
            ["metadata", "resourceVersion"],
            json!(version),
        )])
    }

    pub(super) fn replace<'a>(&mut self, path: impl IntoIterator<Item = &'a str>, value: Value) {
        self.0.push(replace(path, value));
    }

    pub(super) fn add<'a>(&mut self, path: impl IntoIterator<Item = &'a str>, value: Value) {
        let path = PointerBuf::from_tokens(path);
        self.0
            .push(PatchOperation::Add(AddOperation { path, value }));
    }

    pub(super) fn remove<'a>(&mut self, path: impl IntoIterator<Item = &'a str>) {
        let path = PointerBuf::from_tokens(path);
        self.0
            .push(PatchOperation::Remove(RemoveOperation { path }));
    }

    /// Whether anything but the guard is in the patch.
    pub(super) fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }

    pub(super) fn build(self) -> Patch {
        Patch(self.0)
    }

    /// The edit that patches `object`, and gives the ownership of its leaves back; none where
    /// nothing but the guard is in the patch.
    pub(super) fn edit_of(self, kind: TargetKind, object: &ObjectMeta) -> Option<Edit> {
        (!self.is_empty()).then(|| Edit::Patch {
            kind,
            name: object.name.clone().unwrap_or_default(),
            patch: self.build(),
        })
    }
}

fn replace<'a>(path: impl IntoIterator<Item = &'a str>, value: Value) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation {
        path: PointerBuf::from_tokens(path),
        value,
    })
}
