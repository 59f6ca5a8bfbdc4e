//! Step 2, continued: whether the policy stands that keeps a hold through whatever applies a
//! manifest (`deploy/policy/`). Touches the cluster: one read, at most every half minute, and only where
//! somebody asks.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};

use super::apply::within_patience;

/// The name of the policy and of its binding.
const NAME: &str = "entracte-keep-hold";

/// How long what was read is relied on.
const FRESH: TimeDelta = TimeDelta::seconds(30);

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Policy(Mutex<Option<(bool, DateTime<Utc>)>>);

impl Policy {
    /// Whether the policy is bound. Where that cannot be read, it is taken not to be.
    pub(super) async fn stands(&self, client: &Client, now: DateTime<Utc>) -> bool {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stands, at)) = known
            && (now - at).abs() < FRESH
        {
            return stands;
        }
        let stands = read(client).await;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((stands, now));
        stands
    }
}

async fn read(client: &Client) -> bool {
    let kind = GroupVersionKind::gvk(
        "admissionregistration.k8s.io",
        "v1",
        "MutatingAdmissionPolicyBinding",
    );
    let resource = ApiResource::from_gvk(&kind);
    let bindings = Api::<DynamicObject>::all_with(client.clone(), &resource);
    // An API server that does not know the kind answers 404 as well.
    let found = within_patience("read the policy", bindings.get_metadata_opt(NAME)).await;
    found
        .inspect_err(|error| tracing::debug!(%error, "taken not to be there"))
        .is_ok_and(|found| found.is_some())
}
