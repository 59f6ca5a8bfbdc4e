//! Step 8: write what is true into the status of the windows. Touches the cluster, and only
//! where the status says something else.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, DeserializeGuard};
use serde_json::json;

use super::apply::{Error, by_us, within_patience};
use super::observe::{Manifest, Observed};
use super::prepare::Prepared;
use super::status::{self, Facts};
use super::target::Applied;
use super::warn;
use super::{Context, confirm, event};
use crate::api::conditions::{self, ConditionType};
use crate::api::status::MaintenanceWindowStatus;
use crate::api::window::MaintenanceWindow;
use crate::coverage;
use crate::reach::Reach;
use crate::schedule::{TargetRef, Window};

/// How many statuses of one namespace are written at once.
const AT_ONCE: usize = 8;

/// Writes the status of every window of the namespace that has something new to say. False where
/// that failed, and has to be tried again; and where there were so many to write that an instant came
/// near, which is more important.
pub(super) async fn report(
    context: &Context,
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
    prepared: &Prepared,
    now: DateTime<Utc>,
) -> bool {
    let next = coverage::next_change(&observed.windows, now);
    let is_time = || next.is_none_or(|next| Utc::now() < next - confirm::AHEAD);
    let news = observed.manifests.iter().filter_map(|manifest| {
        let before = manifest.status();
        let status = status_of(context, observed, manifest, applied, prepared, &before, now);
        let settles = is_settling(observed, manifest, applied, now);
        let is_news = status != before && !settles && !was_told(context, manifest);
        is_news.then_some((manifest, before, status))
    });
    let written: Vec<_> = news
        .map(|(manifest, before, status)| async move {
            is_time() && tell(context, observed, manifest, &before, status).await
        })
        .collect();
    let written = stream::iter(written).buffer_unordered(AT_ONCE);
    written
        .fold(true, async |all, written| all && written)
        .await
}

/// Whether a status is written, or need not be.
async fn tell(
    context: &Context,
    observed: &Observed,
    manifest: &Manifest,
    before: &MaintenanceWindowStatus,
    status: MaintenanceWindowStatus,
) -> bool {
    let refusal = new_refusal(before, &status);
    match write(context, observed, manifest, status).await {
        Ok(()) => {
            remember_told(context, manifest);
            if let Some(sentence) = refusal {
                event::refused(&context.client, manifest.metadata(), &sentence).await;
            }
            true
        }
        // Written by somebody else in the meantime: the watch brings us back.
        Err(Error::Stale(_)) => true,
        Err(error) => {
            let name = manifest.metadata().name.as_deref().unwrap_or_default();
            tracing::warn!(namespace = observed.namespace, name, %error, "a status is not written");
            false
        }
    }
}

fn is_settling(
    observed: &Observed,
    manifest: &Manifest,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
) -> bool {
    let uid = manifest.metadata().uid.as_ref();
    let mut windows = observed.reached();
    let reached = windows.find(|(window, _)| Some(&window.uid) == uid);
    reached.is_some_and(|(_, reach)| status::is_settling(reach, applied, now))
}

fn status_of(
    context: &Context,
    observed: &Observed,
    manifest: &Manifest,
    applied: &BTreeMap<TargetRef, Applied>,
    prepared: &Prepared,
    before: &MaintenanceWindowStatus,
    now: DateTime<Utc>,
) -> MaintenanceWindowStatus {
    let metadata = manifest.metadata();
    let mut windows = observed.reached();
    let of_this = |(window, _): &(&Window, &Reach)| Some(&window.uid) == metadata.uid.as_ref();
    let Some((window, reach)) = windows.find(of_this) else {
        let generation = metadata.generation.unwrap_or_default();
        return status::refusal(&manifest.problems, generation, before, now);
    };
    let trouble = prepared.trouble.get(&window.uid);
    let of_page = warn::of_page(&context.pages, window, before);
    status::status(Facts {
        window,
        reach,
        applied,
        trouble,
        unrehearsed: &prepared.unrehearsed,
        warnings: &warn::warnings(observed, reach, of_page),
        before,
        now,
    })
}

/// What is said against a spec, where it was not said of this spec before.
fn new_refusal(
    before: &MaintenanceWindowStatus,
    status: &MaintenanceWindowStatus,
) -> Option<String> {
    let refusal = |status: &MaintenanceWindowStatus| {
        let accepted = conditions::get(&status.conditions, ConditionType::Accepted)?;
        (accepted.status == "False").then(|| accepted.message.clone())
    };
    let is_new = before.observed_generation != status.observed_generation
        || refusal(before) != refusal(status);
    refusal(status).filter(|_| is_new)
}

/// Whether an object that nobody can read, not even its status, was told so already.
fn was_told(context: &Context, manifest: &Manifest) -> bool {
    let told = context.told.lock().unwrap_or_else(PoisonError::into_inner);
    unreadable(manifest).is_some_and(|(uid, generation)| told.get(&uid) == Some(&generation))
}

fn remember_told(context: &Context, manifest: &Manifest) {
    if let Some((uid, generation)) = unreadable(manifest) {
        let mut told = context.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(uid, generation);
    }
}

/// Uid and generation of an object that nobody can read.
fn unreadable(manifest: &Manifest) -> Option<(String, i64)> {
    let metadata = &manifest.object.0.as_ref().err()?.metadata;
    Some((
        metadata.uid.clone().unwrap_or_default(),
        metadata.generation.unwrap_or_default(),
    ))
}

async fn write(
    context: &Context,
    observed: &Observed,
    manifest: &Manifest,
    status: MaintenanceWindowStatus,
) -> Result<(), Error> {
    let params = by_us();
    let action = "write the status of a window";
    match &manifest.object.0 {
        Ok(window) => {
            let api =
                Api::<MaintenanceWindow>::namespaced(context.client.clone(), &observed.namespace);
            let name = window.metadata.name.clone().unwrap_or_default();
            let said = MaintenanceWindow {
                status: Some(status),
                ..window.clone()
            };
            let written =
                within_patience(action, api.replace_status(&name, &params, &said)).await?;
            let written = DeserializeGuard(Ok(written));
            context
                .caches
                .windows
                .learn(written, Some(&window.metadata));
            Ok(())
        }
        Err(invalid) => {
            let resource = ApiResource::erase::<MaintenanceWindow>(&());
            let api = Api::<DynamicObject>::namespaced_with(
                context.client.clone(),
                &observed.namespace,
                &resource,
            );
            let name = invalid.metadata.name.clone().unwrap_or_default();
            let mut object = DynamicObject::new(&name, &resource).data(json!({ "status": status }));
            object
                .metadata
                .resource_version
                .clone_from(&invalid.metadata.resource_version);
            within_patience(action, api.replace_status(&name, &params, &object)).await?;
            Ok(())
        }
    }
}
