//! Step 2, continued: one target, its plan made and applied until it holds. Touches the cluster.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use tokio::time::sleep;

use super::apply::{self, Error, Loan, TRIES, apply_all, within_patience};
use super::observe::Observed;
use super::restoring::Restoring;
use crate::api::httproute::HttpRoute;
use crate::api::names;
use crate::api::target::TargetKind;
use crate::plan::edit::Precondition;
use crate::plan::holdable::Surroundings;
use crate::plan::{
    Desired, Edit, Holdable, Leaning, Linger, Outcome, Plan, Reason, bridge, flux, ownership,
    slices,
};
use crate::schedule::TargetRef;

/// What we do not wait for any more the API server gives up within this time.
const COMES_TO_AN_END: Duration = Duration::from_secs(1);

/// A target as it was read, whether from a cache or from the API server.
#[derive(Debug, Clone)]
pub(crate) enum Snapshot {
    Missing,
    /// Nor is there any object of its kind.
    NotInstalled,
    Present {
        object: Arc<dyn Holdable>,
        around: Surroundings,
    },
}

impl Snapshot {
    /// `target` as the caches have it.
    pub(super) fn cached(observed: &Observed, target: &TargetRef) -> Self {
        if target.kind == TargetKind::HTTPRoute && observed.no_routes {
            return Self::NotInstalled;
        }
        let Some(object) = observed.objects.get(target) else {
            return Self::Missing;
        };
        Self::Present {
            object: Arc::clone(object),
            around: observed.around(target),
        }
    }

    /// `target` as the API server has it now.
    pub(crate) async fn live(
        client: &Client,
        namespace: &str,
        target: &TargetRef,
    ) -> Result<Self, Error> {
        // What is around it first: it may belong to a target that was made anew since; and a slice is
        // emptied because its Service is held, and where that was released and filled since the slices
        // were read, their guard does not hold.
        let around = around(client, namespace, target).await?;
        Self::live_in(around, client, namespace, target).await
    }

    /// `target` as the API server has it now, in what was around it before.
    async fn anew(
        self,
        client: &Client,
        namespace: &str,
        target: &TargetRef,
    ) -> Result<Self, Error> {
        match self {
            Self::Missing | Self::NotInstalled => Ok(self),
            Self::Present { around, .. } => Self::live_in(around, client, namespace, target).await,
        }
    }

    async fn live_in(
        around: Surroundings,
        client: &Client,
        namespace: &str,
        target: &TargetRef,
    ) -> Result<Self, Error> {
        let object = match target.kind {
            TargetKind::Service => read::<Service>(client, namespace, target).await?,
            TargetKind::Ingress => read::<Ingress>(client, namespace, target).await?,
            TargetKind::HTTPRoute => read::<HttpRoute>(client, namespace, target).await?,
        };
        Ok(match object {
            Some(object) => Self::Present { object, around },
            None => Self::Missing,
        })
    }

    /// Which version of the object it is.
    fn version(&self) -> Option<&str> {
        match self {
            Self::Missing | Self::NotInstalled => None,
            Self::Present { object, .. } => object.metadata().resource_version.as_deref(),
        }
    }

    /// Whether the target answers from the backend already, whatever its marks say.
    pub(crate) fn is_held(&self) -> bool {
        match self {
            Self::Missing | Self::NotInstalled => false,
            Self::Present { object, around } => object.is_held(around),
        }
    }

    /// Who wrote last what a hold of the target changes, but for us.
    pub(crate) fn last_writer(&self) -> Option<String> {
        match self {
            Self::Missing | Self::NotInstalled => None,
            Self::Present { object, .. } => {
                ownership::last_writer(object.kind(), object.metadata())
            }
        }
    }

    /// Whether a hold would have to tell Flux to look away.
    pub(crate) fn is_to_tell_flux(&self) -> bool {
        match self {
            Self::Missing | Self::NotInstalled => false,
            Self::Present { object, around } => {
                !object.is_held(around) && flux::watches(object.metadata())
            }
        }
    }

    /// The edits that take the target to `desired`. Pure.
    pub(crate) fn plan(&self, desired: Desired<'_>, linger: Linger, now: DateTime<Utc>) -> Plan {
        match self {
            Self::Missing => Plan::nothing(Outcome::Missing),
            Self::NotInstalled => Plan::nothing(Outcome::NotInstalled),
            Self::Present { object, around } => object.plan(around, desired, linger, now),
        }
    }
}

async fn read<K>(
    client: &Client,
    namespace: &str,
    target: &TargetRef,
) -> Result<Option<Arc<dyn Holdable>>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Holdable
        + Clone
        + serde::de::DeserializeOwned
        + 'static,
{
    let objects = Api::<K>::namespaced(client.clone(), namespace);
    let action = format!("read {} {}", target.kind, target.name);
    let found = within_patience(&action, objects.get_opt(&target.name)).await?;
    Ok(found.map(|object| Arc::new(object) as Arc<dyn Holdable>))
}

async fn around(
    client: &Client,
    namespace: &str,
    target: &TargetRef,
) -> Result<Surroundings, Error> {
    let mut around = Surroundings::default();
    if target.kind.is_route() {
        let services = Api::<Service>::namespaced(client.clone(), namespace);
        let params = ListParams::default().labels(names::WINDOW_LABEL);
        let listed = within_patience("list Services", services.list(&params)).await?;
        around.bridges = Arc::new(bridge::names_of(&listed.items));
    } else {
        let slices = Api::<EndpointSlice>::namespaced(client.clone(), namespace);
        let params = ListParams::default().labels(&slices::of_service(&target.name));
        let listed = within_patience("list EndpointSlices", slices.list(&params)).await?;
        around.slices = listed.items.into_iter().map(Arc::new).collect();
    }
    Ok(around)
}

/// What came of one target.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) target: TargetRef,
    pub(crate) result: Result<Outcome, Error>,
    /// When the API server had answered the last edit, where there was one.
    pub(crate) written: Option<DateTime<Utc>>,
    /// The ownership of fields that is to be given back.
    pub(crate) owes: Option<Loan>,
    /// When to look again, though nothing may have changed.
    pub(crate) again: Option<DateTime<Utc>>,
    /// Why the target could not be held, where it is not to be held now.
    pub(crate) unfit: Option<Reason>,
    /// Whether it is to be held now, by whichever window.
    pub(crate) is_covered: bool,
    /// Who undoes its hold again and again, where somebody does.
    pub(crate) contended: Option<Reason>,
    /// The uid of the window that leads it, where its end may find the app not ready.
    pub(crate) may_wait: Option<String>,
    /// Why it is held, though no window covers it.
    pub(crate) restoring: Option<Restoring>,
}

impl Applied {
    /// A result of which there is nothing else to say.
    pub(super) fn new(target: TargetRef, result: Result<Outcome, Error>, is_covered: bool) -> Self {
        Self {
            target,
            result,
            written: None,
            owes: None,
            again: None,
            unfit: None,
            is_covered,
            contended: None,
            may_wait: None,
            restoring: None,
        }
    }

    /// Whether the target answers from the backend, or is about to.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.result, Ok(Outcome::Held | Outcome::Holding(_)))
    }

    /// When it is released at the latest, where it is only held because its app is not ready.
    pub(super) fn restored_by(&self) -> Option<DateTime<Utc>> {
        Some(self.restoring.as_ref()?.until)
    }
}

/// Plans and applies, and reads again and plans anew where somebody else was faster; then gives back
/// what that took over.
pub(crate) async fn converge(
    client: &Client,
    namespace: &str,
    target: TargetRef,
    snapshot: Snapshot,
    desired: Desired<'_>,
    linger: Linger,
    now: DateTime<Utc>,
) -> Applied {
    let mut applied = take_effect(client, namespace, target, snapshot, desired, linger, now).await;
    settle(client, namespace, &mut applied).await;
    applied
}

/// The same, but for what is to be given back.
pub(super) async fn take_effect(
    client: &Client,
    namespace: &str,
    target: TargetRef,
    snapshot: Snapshot,
    desired: Desired<'_>,
    linger: Linger,
    now: DateTime<Utc>,
) -> Applied {
    let is_covered = desired != Desired::Released;
    let mut snapshot = snapshot;
    // It may have waited for its turn, and a release counts from when it is written.
    let mut plan = snapshot.plan(desired, linger, now.max(Utc::now()));
    if plan.leaning() == Leaning::Target {
        snapshot = match snapshot.anew(client, namespace, &target).await {
            Ok(snapshot) => snapshot,
            Err(error) => return Applied::new(target, Err(error), is_covered),
        };
        plan = snapshot.plan(desired, linger, Utc::now());
    }
    let mut owes = None;
    let fail = |target, error, owes| Applied {
        owes,
        ..Applied::new(target, Err(error), is_covered)
    };
    let give_up = async |snapshot: &Snapshot, target: TargetRef, error: Error, owes| {
        if is_covered && !snapshot.is_held() {
            withdraw(client, namespace, &target, &error).await;
        }
        fail(target, error, owes)
    };
    let mut tries = 1;
    loop {
        let result = if tries == 1 && plan.leaning() == Leaning::Both {
            Err(Error::Stale(format!(
                "act on {} {}",
                target.kind, target.name
            )))
        } else {
            apply::take_effect(client, namespace, &plan.edits, &mut owes).await
        };
        let failed = match result {
            Ok(()) => {
                return Applied {
                    written: (!plan.edits.is_empty()).then(Utc::now),
                    owes,
                    again: plan.again,
                    unfit: plan.unfit,
                    ..Applied::new(target, Ok(plan.outcome), is_covered)
                };
            }
            Err(error) if tries < TRIES && error.may_be_stale() => error,
            Err(error) => return give_up(&snapshot, target, error, owes).await,
        };
        tracing::debug!(namespace, kind = %target.kind, name = target.name, %failed, "planning anew");
        tries += 1;
        let live = match Snapshot::live(client, namespace, &target).await {
            Ok(live) => live,
            Err(error) => return fail(target, error, owes),
        };
        if is_refused(&failed, &snapshot, &live) {
            return give_up(&live, target, failed, owes).await;
        }
        snapshot = live;
        plan = snapshot.plan(desired, linger, Utc::now());
    }
}

/// Gives back what a target owes. Of a hold a failure is logged and no more: what was asked for is
/// done, and the next plan gives back what is still ours. A release is complete only with this.
pub(super) async fn settle(client: &Client, namespace: &str, applied: &mut Applied) {
    let Some(loan) = applied.owes.take() else {
        return;
    };
    match loan.give_back(client, namespace).await {
        Ok(()) => {}
        Err(error) if loan.is_of_a_hold() => {
            let TargetRef { kind, name } = &applied.target;
            tracing::warn!(namespace, %kind, name, %error, "the ownership of its fields is not given back yet");
        }
        // What went wrong before is the reason.
        Err(_) if applied.result.is_err() => {}
        Err(error) => applied.result = Err(error),
    }
}

/// Whether it is the API server that says no, and not a plan that was made from an object that is
/// another one by now.
fn is_refused(failed: &Error, planned_from: &Snapshot, live: &Snapshot) -> bool {
    failed.is_refusal() && planned_from.version() == live.version()
}

/// Takes our slices away again behind a Service whose hold was refused, or failed and may go on to:
/// beside the app's own they would answer for a share of its requests. A Service that was held before
/// keeps them, and so does one that is held after all.
async fn withdraw(client: &Client, namespace: &str, target: &TargetRef, error: &Error) {
    let TargetRef { kind, name } = target;
    if kind.is_route() || !error.is_refusal() && !error.may_last() {
        return;
    }
    if matches!(error, Error::Silent { .. }) {
        sleep(COMES_TO_AN_END).await;
    }
    let live = async || Snapshot::live(client, namespace, target).await;
    if error.may_last() && !live().await.is_ok_and(|live| !live.is_held()) {
        return;
    }
    if let Err(error) = delete_our_slices(client, namespace, name).await {
        tracing::warn!(namespace, name, %error, "slices of a hold that failed stay");
    }
}

/// Takes away the slices of ours that bear the name of `service`.
pub(crate) async fn delete_our_slices(
    client: &Client,
    namespace: &str,
    service: &str,
) -> Result<(), Error> {
    let slices = Api::<EndpointSlice>::namespaced(client.clone(), namespace);
    let ours = format!("{},{}", slices::OURS, slices::of_service(service));
    let params = ListParams::default().labels(&ours);
    let listed = within_patience("list EndpointSlices", slices.list(&params)).await?;
    let edits: Vec<Edit> = listed
        .iter()
        .map(|slice| Edit::DeleteSlice(Precondition::of(&slice.metadata)))
        .collect();
    apply_all(client, namespace, &edits).await
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn said(code: u16) -> Error {
        let status = Status {
            code,
            ..Status::default()
        };
        Error::of("patch Service web", kube::Error::Api(Box::new(status)))
    }

    fn of_version(version: &str) -> Snapshot {
        let service: Service = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web", "resourceVersion": version},
        }))
        .unwrap();
        Snapshot::Present {
            object: Arc::new(service),
            around: Surroundings::default(),
        }
    }

    /// A patch that takes our key away does not fit a Service that somebody else has just released.
    #[test]
    fn a_patch_that_does_not_fit_is_refused_only_where_the_object_is_the_one_that_was_read() {
        let is_refused = |code, now: &str| {
            let failed = said(code);
            assert!(failed.may_be_stale(), "{code}: it is read again");
            is_refused(&failed, &of_version("5"), &of_version(now))
        };
        assert!(is_refused(422, "5"), "a policy objects");
        assert!(!is_refused(422, "6"), "somebody was faster");
        assert!(!is_refused(409, "5"), "the next plan is tried");
        assert!(!said(403).may_be_stale());
        assert!(!said(500).may_be_stale());
    }
}
