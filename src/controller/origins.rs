//! Step 6: origins, which show whether the apps behind held Services are ready. Touches the cluster,
//! but nothing of the user's.
//!
//! They are made after the flips, and only for Services whose release may have to wait. One that
//! nothing needs any more is taken away, whoever made it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, ResourceExt};

use super::apply::{self, Error, apply_all};
use super::observe::Observed;
use super::prepare::Prepared;
use super::setback::Flip;
use super::target::Applied;
use super::{Context, RETRY};
use crate::api::target::TargetKind;
use crate::plan::holdable::Surroundings;
use crate::plan::{Edit, Holdable, Reason, origin};
use crate::schedule::TargetRef;

/// How many origins of one namespace are written at once.
const AT_ONCE: usize = 8;

/// Makes the origins that are needed and takes the others away.
///
/// One that is refused is tried again after a pause; until it stands, the Services that need it are
/// released at their end, and their window says so.
pub(super) async fn keep(
    context: &Context,
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let needed = needed(observed, applied);
    let names: BTreeSet<String> = needed
        .iter()
        .map(|(_, service)| origin::name(service))
        .collect();
    let setbacks = &context.origins;
    setbacks.keep(&observed.namespace, |origin, _| {
        names.contains(&origin.name)
    });
    let services = observed.services.values().map(AsRef::as_ref);
    let edits = origin::edits(
        &observed.namespace,
        services,
        needed.iter().map(|(_, service)| *service),
    );
    let written: Vec<_> = stream::iter(edits)
        .map(|edit| written(context, &observed.namespace, edit, now))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    if written.contains(&false) {
        prepared.wake_at(now + RETRY);
    }
    for (window, service) in needed {
        let origin = TargetRef::service(&origin::name(service));
        if let Some(setback) = setbacks.last(&observed.namespace, &origin, Flip::Hold) {
            prepared.wake_at(setback.until);
            let trouble = prepared.trouble.entry(window.to_owned());
            trouble.or_insert_with(|| without_origin(&setback.reason));
        }
    }
}

/// The held Services whose release may have to wait, each with the uid of the window that leads.
fn needed<'o>(
    observed: &'o Observed,
    applied: &'o BTreeMap<TargetRef, Applied>,
) -> Vec<(&'o str, &'o Service)> {
    let of_service = |(target, applied): (&'o TargetRef, &'o Applied)| {
        let window = applied.may_wait.as_deref()?;
        let service = observed.services.get(&target.name)?;
        // Though nobody may answer for it at the moment.
        let is_held = || applied.is_held() || service.is_held(&Surroundings::default());
        (target.kind == TargetKind::Service && is_held()).then_some((window, &**service))
    };
    applied.iter().filter_map(of_service).collect()
}

/// Whether the edit was made, or is known to be refused.
async fn written(context: &Context, namespace: &str, edit: Edit, now: DateTime<Utc>) -> bool {
    let created = match &edit {
        Edit::CreateOrigin(origin) => Some(TargetRef::service(&origin.name_any())),
        _ => None,
    };
    let setbacks = &context.origins;
    if let Some(origin) = &created
        && setbacks.of(namespace, origin, Flip::Hold, now).is_some()
    {
        return true;
    }
    let result = match &edit {
        Edit::CreateOrigin(origin) => make(context, namespace, origin).await,
        _ => apply_all(&context.client, namespace, &[edit]).await,
    };
    match (result, created) {
        (Ok(()), Some(origin)) => setbacks.over(namespace, &origin),
        (Ok(()), None) => {}
        // Somebody was faster, and what stands is seen in a moment; or so it was said.
        (Err(Error::Stale(_)), _) => return false,
        (Err(error), Some(origin)) if error.is_refusal() => {
            setbacks.refused(namespace, &origin, Flip::Hold, error.reason(), Utc::now());
        }
        (Err(error), _) => {
            tracing::warn!(namespace, %error, "an origin is not as it should be");
            return false;
        }
    }
    true
}

/// It is known at once, and not made a second time before the watch has brought it.
async fn make(context: &Context, namespace: &str, origin: &Service) -> Result<(), Error> {
    let services = Api::namespaced(context.client.clone(), namespace);
    let made = apply::create(&services, origin).await?;
    context.caches.services.learn(made, None);
    Ok(())
}

fn without_origin(reason: &Reason) -> Reason {
    Reason::new(
        reason.word,
        format!(
            "{}; until then nobody can see whether the app is ready, and its target is released at \
             the end of the window, whatever the app does",
            reason.message
        ),
    )
}
