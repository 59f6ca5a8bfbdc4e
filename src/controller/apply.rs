//! Step 3: make the edits. Touches the cluster: this file holds every write to objects in a
//! user's namespace but the status of windows, and Events.

use std::fmt::Debug;
use std::time::Duration;

use json_patch::Patch as JsonPatch;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, GroupVersionKind, ObjectMeta};
use kube::{Api, Client, ResourceExt};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::timeout;

use crate::api::httproute::HttpRoute;
use crate::api::names;
use crate::api::target::TargetKind;
use crate::plan::edit::{Precondition, Rehearsal};
use crate::plan::{Edit, Reason, ownership};

/// How long the API server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often something is tried where somebody else is faster each time.
pub(super) const TRIES: usize = 5;

/// Why an edit was not made, or may not have been.
#[derive(Debug, Error)]
pub enum Error {
    /// The object is not the one that was read. Nothing was changed; read again and plan anew.
    #[error("could not {0}: somebody else changed it at the same time")]
    Stale(String),
    /// We may not.
    #[error("not allowed to {action}: {message}; {}", advice(.message))]
    Forbidden {
        /// What was tried.
        action: String,
        /// What the API server said.
        message: String,
    },
    /// The API server said no, or could not be reached.
    #[error("could not {action}: {}", sentence(.source))]
    Failed {
        /// What was tried.
        action: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// No answer; the edit may have been made.
    #[error("could not {action}: the API server did not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// What was tried.
        action: String,
    },
}

impl Error {
    pub(crate) fn of(action: &str, error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if [404, 409].contains(&status.code) => {
                Self::Stale(action.to_owned())
            }
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden {
                action: action.to_owned(),
                message: status.message.clone(),
            },
            _ => Self::Failed {
                action: action.to_owned(),
                source: Box::new(error),
            },
        }
    }

    /// Whether the object may be another one than was read: it is, or the patch does not fit it
    /// (422), which is what a path that has gone since looks like; and a policy that objects.
    pub(crate) fn may_be_stale(&self) -> bool {
        match self {
            Self::Stale(_) => true,
            Self::Failed { source, .. } => {
                matches!(&**source, kube::Error::Api(status) if status.code == 422)
            }
            Self::Forbidden { .. } | Self::Silent { .. } => false,
        }
    }

    /// Whether the API server said no, and will say so again until somebody changes something.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Forbidden { .. } => true,
            Self::Failed { source, .. } => {
                matches!(&**source, kube::Error::Api(status) if (400..500).contains(&status.code)
                    && status.code != 429)
            }
            Self::Stale(_) | Self::Silent { .. } => false,
        }
    }

    /// Whether the API server was reached and could not do it: a webhook that it has to ask may be
    /// down for as long as it likes. The edit may have been made all the same.
    pub(crate) fn may_last(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Failed { source, .. } => {
                // A 503 says when to come back (`courtesy.rs`).
                matches!(&**source, kube::Error::Api(status) if status.code >= 500
                    && status.code != 503)
            }
            Self::Stale(_) | Self::Forbidden { .. } => false,
        }
    }

    /// What a status says of it.
    pub fn reason(&self) -> Reason {
        let word = match self {
            Self::Stale(_) => "Contended",
            Self::Forbidden { message, .. } if is_quota(message) => "QuotaExceeded",
            Self::Forbidden { .. } => "Forbidden",
            Self::Failed { .. } | Self::Silent { .. } => "ApiServerError",
        };
        Reason::new(word, format!("{self}; it is tried again"))
    }
}

/// As the admission plugin for quotas words it (`k8s.io/apiserver/pkg/admission/plugin/resourcequota`).
fn is_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

/// What helps against a 403. RBAC says who "cannot" do what; all else is admission.
fn advice(message: &str) -> &'static str {
    if is_quota(message) {
        "raise the ResourceQuota, or remove what counts towards it"
    } else if message.contains(" cannot ") {
        "grant the operator what deploy/ grants"
    } else {
        "ask who made the rule that says so to let the operator do it"
    }
}

/// What kube's own `Display` says, without its debug output.
fn sentence(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        // What is below the client says all there is to say.
        kube::Error::Service(source) => source.to_string(),
        other => other.to_string(),
    }
}

/// Waits for `call`, but not for ever.
pub(crate) async fn within_patience<T>(
    action: &str,
    call: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(|error| Error::of(action, error)),
        Err(_) => Err(Error::Silent {
            action: action.to_owned(),
        }),
    }
}

/// Makes `edits` in their order, each after the API server has answered the one before.
pub(crate) async fn apply_all(
    client: &Client,
    namespace: &str,
    edits: &[Edit],
) -> Result<(), Error> {
    let mut loan = None;
    take_effect(client, namespace, edits, &mut loan).await?;
    match loan {
        Some(loan) => loan.give_back(client, namespace).await,
        None => Ok(()),
    }
}

/// The same, but for the ownership of fields: what of it has to be given back is the `loan`,
/// whatever becomes of the edits after it.
pub(crate) async fn take_effect(
    client: &Client,
    namespace: &str,
    edits: &[Edit],
    loan: &mut Option<Loan>,
) -> Result<(), Error> {
    for edit in edits {
        match apply(client, namespace, edit).await? {
            Some(taken) if loan.is_none() || taken.metadata.is_some() => *loan = Some(taken),
            _ => {}
        }
    }
    Ok(())
}

/// The fields of a user's object that a patch of ours took over, until they are given back to whom
/// they belong.
#[derive(Debug)]
pub(crate) struct Loan {
    kind: TargetKind,
    name: String,
    /// The object as the patch left it; `None` where an earlier controller patched it.
    metadata: Option<ObjectMeta>,
}

impl Loan {
    fn new(kind: TargetKind, name: &str, metadata: Option<ObjectMeta>) -> Self {
        let name = name.to_owned();
        Self {
            kind,
            name,
            metadata,
        }
    }

    /// Whether it was taken by a hold that stands, and not by a release, which is complete only with
    /// what is given back.
    pub(crate) fn is_of_a_hold(&self) -> bool {
        let metadata = self.metadata.as_ref();
        metadata.is_some_and(|metadata| !ownership::is_released(metadata))
    }

    /// Gives back what is still ours. A controller that follows the object may have written to it in
    /// between: then it is read again.
    pub(crate) async fn give_back(&self, client: &Client, namespace: &str) -> Result<(), Error> {
        let object = Object::new(client, namespace, self.kind, &self.name);
        let mut result = match &self.metadata {
            Some(metadata) => object.give_back(metadata).await,
            None => object.read_and_give_back().await,
        };
        let mut tries = 1;
        while let Err(error) = &result
            && tries < TRIES
            && error.may_be_stale()
        {
            tries += 1;
            result = object.read_and_give_back().await;
        }
        result
    }
}

async fn apply(client: &Client, namespace: &str, edit: &Edit) -> Result<Option<Loan>, Error> {
    let services = || Api::<Service>::namespaced(client.clone(), namespace);
    let slices = || Api::<EndpointSlice>::namespaced(client.clone(), namespace);
    let ingresses = || Api::<Ingress>::namespaced(client.clone(), namespace);
    let routes = || Api::<HttpRoute>::namespaced(client.clone(), namespace);
    match edit {
        Edit::Patch { kind, name, patch } => {
            let object = Object::new(client, namespace, *kind, name);
            let metadata = object.patch(patch).await?.metadata;
            return Ok(Some(Loan::new(*kind, name, Some(metadata))));
        }
        Edit::GiveBack { kind, name } => return Ok(Some(Loan::new(*kind, name, None))),
        Edit::CreateBridge(service) | Edit::CreateOrigin(service) => {
            create(&services(), service).await.map(drop)
        }
        Edit::ReplaceBridge(bridge) => replace(&services(), bridge).await,
        Edit::DeleteBridge(which) | Edit::DeleteOrigin(which) => delete(&services(), which).await,
        Edit::CreateRehearsal(Rehearsal::Ingress(it)) => create(&ingresses(), it).await.map(drop),
        Edit::CreateRehearsal(Rehearsal::HttpRoute(it)) => create(&routes(), it).await.map(drop),
        Edit::ReplaceRehearsal(Rehearsal::Ingress(it)) => replace(&ingresses(), it).await,
        Edit::ReplaceRehearsal(Rehearsal::HttpRoute(it)) => replace(&routes(), it).await,
        Edit::DeleteRehearsal { kind, which } => {
            let object = Object::new(client, namespace, *kind, &which.name);
            object.delete(which).await
        }
        Edit::CreateSlice(slice) => create(&slices(), slice).await.map(drop),
        Edit::ReplaceSlice(slice) | Edit::EmptySlice(slice) => replace(&slices(), slice).await,
        Edit::DeleteSlice(which) => delete(&slices(), which).await,
    }
    .map(|()| None)
}

/// An object of a kind that can be held.
struct Object<'a> {
    api: Api<DynamicObject>,
    kind: TargetKind,
    name: &'a str,
}

impl<'a> Object<'a> {
    fn new(client: &Client, namespace: &str, kind: TargetKind, name: &'a str) -> Self {
        let kind_of_group = GroupVersionKind::gvk(kind.group(), kind.version(), kind.as_str());
        let resource = ApiResource::from_gvk_with_plural(&kind_of_group, kind.plural());
        let api = Api::namespaced_with(client.clone(), namespace, &resource);
        Self { api, kind, name }
    }

    /// Gives back what is still ours as it is now.
    async fn read_and_give_back(&self) -> Result<(), Error> {
        let read = self.api.get_opt(self.name);
        match within_patience(&self.action("read"), read).await? {
            Some(object) => self.give_back(&object.metadata).await,
            None => Ok(()),
        }
    }

    async fn give_back(&self, metadata: &ObjectMeta) -> Result<(), Error> {
        match ownership::give_back(self.kind, metadata) {
            Some(patch) => self.patch(&patch).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn patch(&self, patch: &JsonPatch) -> Result<DynamicObject, Error> {
        let params = PatchParams {
            field_manager: Some(names::FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        let patch = Patch::<()>::Json(patch.clone());
        let patched = self.api.patch(self.name, &params, &patch);
        within_patience(&self.action("patch"), patched).await
    }

    /// Takes it away, where it is one of ours.
    async fn delete(&self, which: &Precondition) -> Result<(), Error> {
        delete_at(&self.api, self.action("delete"), which).await
    }

    fn action(&self, verb: &str) -> String {
        format!("{verb} {} {}", self.kind, self.name)
    }
}

/// What the verbs need of a kind of our own objects.
pub(super) trait Own:
    kube::Resource<DynamicType = ()> + Clone + Debug + serde::Serialize + DeserializeOwned
{
}

impl Own for Service {}
impl Own for EndpointSlice {}
impl Own for Ingress {}
impl Own for HttpRoute {}

fn action<K: Own>(verb: &str, name: &str) -> String {
    format!("{verb} {} {name}", K::kind(&()))
}

/// Makes an object of ours, and returns it as it is now.
pub(super) async fn create<K: Own>(api: &Api<K>, object: &K) -> Result<K, Error> {
    let action = action::<K>("create", &object.name_any());
    within_patience(&action, api.create(&by_us(), object)).await
}

async fn replace<K: Own>(api: &Api<K>, object: &K) -> Result<(), Error> {
    let name = object.name_any();
    let action = action::<K>("replace", &name);
    within_patience(&action, api.replace(&name, &by_us(), object)).await?;
    Ok(())
}

async fn delete<K: Own>(api: &Api<K>, which: &Precondition) -> Result<(), Error> {
    let action = action::<K>("delete", &which.name);
    delete_at(api, action, which).await
}

/// An object that is gone already is as it should be.
async fn delete_at<K: Clone + Debug + DeserializeOwned>(
    api: &Api<K>,
    action: String,
    which: &Precondition,
) -> Result<(), Error> {
    match timeout(PATIENCE, api.delete(&which.name, &exactly(which))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
        Ok(Err(error)) => Err(Error::of(&action, error)),
        Err(_) => Err(Error::Silent { action }),
    }
}

/// How an object of ours is written.
pub(super) fn by_us() -> PostParams {
    PostParams {
        field_manager: Some(names::FIELD_MANAGER.into()),
        ..PostParams::default()
    }
}

/// How one object is deleted and no other of its name.
pub(super) fn exactly(which: &Precondition) -> DeleteParams {
    DeleteParams::default().preconditions(Preconditions {
        uid: which.uid.clone(),
        resource_version: which.resource_version.clone(),
    })
}
