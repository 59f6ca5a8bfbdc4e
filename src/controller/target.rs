//! One target: its plan, made and applied until it holds. Touches the cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::apply::{Error, apply_all, within_patience};
use super::observe::Observed;
use crate::api::names;
use crate::api::target::TargetKind;
use crate::plan::edit::Precondition;
use crate::plan::{Desired, Edit, Outcome, Plan, Reason, bridge, ingress, service, slices};
use crate::schedule::TargetRef;

/// A target as it was read, whether from a cache or from the API server.
#[derive(Debug, Clone)]
pub(crate) enum Snapshot {
    Missing,
    Service {
        service: Arc<Service>,
        slices: Vec<Arc<EndpointSlice>>,
    },
    Ingress {
        ingress: Arc<Ingress>,
        /// The names of the bridges in its namespace.
        bridges: Arc<BTreeSet<String>>,
    },
}

impl Snapshot {
    /// `target` as the caches have it.
    pub(super) fn cached(observed: &Observed, target: &TargetRef) -> Self {
        match target.kind {
            TargetKind::Service => match observed.services.get(&target.name) {
                None => Self::Missing,
                Some(service) => {
                    let slices = observed
                        .slices
                        .iter()
                        .filter(|slice| slices::service_name(slice) == Some(target.name.as_str()));
                    Self::Service {
                        service: Arc::clone(service),
                        slices: slices.cloned().collect(),
                    }
                }
            },
            TargetKind::Ingress => {
                observed
                    .ingresses
                    .get(&target.name)
                    .map_or(Self::Missing, |ingress| Self::Ingress {
                        ingress: Arc::clone(ingress),
                        bridges: Arc::clone(&observed.bridges),
                    })
            }
            TargetKind::HTTPRoute => Self::Missing,
        }
    }

    /// `target` as the API server has it now.
    pub(crate) async fn live(
        client: &Client,
        namespace: &str,
        target: &TargetRef,
    ) -> Result<Self, Error> {
        let name = &target.name;
        let action = format!("read {} {name}", target.kind);
        match target.kind {
            TargetKind::Service => {
                let services = Api::<Service>::namespaced(client.clone(), namespace);
                let Some(service) = within_patience(&action, services.get_opt(name)).await? else {
                    return Ok(Self::Missing);
                };
                let slices = Api::<EndpointSlice>::namespaced(client.clone(), namespace);
                let of_service = format!("{}={name}", names::SERVICE_NAME_LABEL);
                let params = ListParams::default().labels(&of_service);
                let listed = within_patience(&action, slices.list(&params)).await?;
                let slices = listed.items.into_iter().map(Arc::new).collect();
                Ok(Self::Service {
                    service: Arc::new(service),
                    slices,
                })
            }
            TargetKind::Ingress => {
                let ingresses = Api::<Ingress>::namespaced(client.clone(), namespace);
                let Some(ingress) = within_patience(&action, ingresses.get_opt(name)).await? else {
                    return Ok(Self::Missing);
                };
                let services = Api::<Service>::namespaced(client.clone(), namespace);
                let params = ListParams::default().labels(names::WINDOW_LABEL);
                let listed = within_patience(&action, services.list(&params)).await?;
                Ok(Self::Ingress {
                    ingress: Arc::new(ingress),
                    bridges: Arc::new(bridge::names_of(&listed.items)),
                })
            }
            TargetKind::HTTPRoute => Ok(Self::Missing),
        }
    }

    /// Whether the target answers from the backend already, whatever its marks say.
    pub(crate) fn is_held(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Service { service, .. } => service::bears_key(service),
            Self::Ingress { ingress, bridges } => ingress::leads_to_any(ingress, bridges),
        }
    }

    /// The edits that take the target to `desired`. Pure.
    pub(crate) fn plan(&self, desired: Desired<'_>, linger: TimeDelta, now: DateTime<Utc>) -> Plan {
        match self {
            Self::Missing => Plan {
                edits: Vec::new(),
                outcome: Outcome::Missing,
                again: None,
                unfit: None,
            },
            Self::Ingress { ingress, bridges } => {
                ingress::plan(ingress::Observed { ingress, bridges }, desired)
            }
            Self::Service { service, slices } => {
                let (ours, platform) = slices
                    .iter()
                    .map(AsRef::as_ref)
                    .partition(|slice| slices::is_ours(slice));
                service::plan(
                    &service::Observed {
                        service,
                        ours,
                        platform,
                    },
                    desired,
                    linger,
                    now,
                )
            }
        }
    }
}

/// What came of one target.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) target: TargetRef,
    pub(crate) result: Result<Outcome, Error>,
    /// When the API server had answered the last edit, where there was one.
    pub(crate) written: Option<DateTime<Utc>>,
    /// When to look again, though nothing may have changed.
    pub(crate) again: Option<DateTime<Utc>>,
    /// Why the target could not be held, where it is not to be held now.
    pub(crate) unfit: Option<Reason>,
    /// Whether it is to be held now, by whichever window.
    pub(crate) is_covered: bool,
}

/// Plans and applies, and reads again and plans anew where somebody else was faster.
pub(crate) async fn converge(
    client: &Client,
    namespace: &str,
    target: TargetRef,
    snapshot: Snapshot,
    desired: Desired<'_>,
    linger: TimeDelta,
    now: DateTime<Utc>,
) -> Applied {
    let is_covered = desired != Desired::Released;
    let mut snapshot = snapshot;
    let mut plan = snapshot.plan(desired, linger, now);
    let mut tries = 1;
    loop {
        let result = if tries == 1 && leans_on_another_kind(&plan) {
            Err(Error::Stale(format!(
                "act on {} {}",
                target.kind, target.name
            )))
        } else {
            apply_all(client, namespace, &plan.edits).await
        };
        let failed = match result {
            Ok(()) => {
                return Applied {
                    target,
                    written: (!plan.edits.is_empty()).then(Utc::now),
                    result: Ok(plan.outcome),
                    again: plan.again,
                    unfit: plan.unfit,
                    is_covered,
                };
            }
            Err(error) if tries < error.tries() => error,
            Err(error) => {
                if error.is_refusal() && is_covered && !snapshot.is_held() {
                    withdraw(client, namespace, &snapshot).await;
                }
                return not_applied(target, error, is_covered);
            }
        };
        tracing::debug!(namespace, kind = %target.kind, name = target.name, %failed, "planning anew");
        tries += 1;
        snapshot = match Snapshot::live(client, namespace, &target).await {
            Ok(snapshot) => snapshot,
            Err(error) => return not_applied(target, error, is_covered),
        };
        plan = snapshot.plan(desired, linger, Utc::now());
    }
}

/// Takes our slices away again behind a Service whose hold was refused: beside the app's own they
/// would answer for a share of its requests. A Service that was held before keeps them.
async fn withdraw(client: &Client, namespace: &str, snapshot: &Snapshot) {
    let Snapshot::Service { service, .. } = snapshot else {
        return;
    };
    let name = service.name_any();
    if let Err(error) = delete_our_slices(client, namespace, &name).await {
        tracing::warn!(namespace, name, %error, "slices of a hold that was refused stay");
    }
}

/// Takes away the slices of ours that bear the name of `service`.
pub(crate) async fn delete_our_slices(
    client: &Client,
    namespace: &str,
    service: &str,
) -> Result<(), Error> {
    let slices = Api::<EndpointSlice>::namespaced(client.clone(), namespace);
    let of_service = format!("{}={service}", names::SERVICE_NAME_LABEL);
    let ours = format!(
        "{}={},{of_service}",
        names::SLICE_MANAGED_BY_LABEL,
        names::SLICE_MANAGED_BY
    );
    let params = ListParams::default().labels(&ours);
    let listed = within_patience("list EndpointSlices", slices.list(&params)).await?;
    let edits: Vec<Edit> = listed
        .iter()
        .map(|slice| Edit::DeleteSlice(Precondition::of(&slice.metadata)))
        .collect();
    apply_all(client, namespace, &edits).await
}

fn not_applied(target: TargetRef, error: Error, is_covered: bool) -> Applied {
    Applied {
        target,
        result: Err(error),
        written: None,
        again: None,
        unfit: None,
        is_covered,
    }
}

/// Whether a plan writes one kind because of what was read of another. Each kind is watched by
/// itself, and a guard on one says nothing of the other: our slices must not go behind a Service
/// that is held after all, nor a Service be held whose slices have gone.
fn leans_on_another_kind(plan: &Plan) -> bool {
    let deletes = |edit: &Edit| matches!(edit, Edit::DeleteSlice(_));
    plan.edits.iter().any(deletes)
        || plan.outcome == Outcome::Held && matches!(plan.edits[..], [Edit::PatchService { .. }])
}
