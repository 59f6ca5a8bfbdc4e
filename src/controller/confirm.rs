//! Step 1b: before anything flips, or is made for a window, ask whether the windows are what the
//! cache says. Touches the cluster, reads only.
//!
//! A watch may lag, and the first list of a controller that has just started may be older than
//! what the one before it saw. A target must then not be released in the middle of a window that
//! is not known yet, nor held for one that was deleted or moved a moment ago. So the windows are
//! read anew: each by itself, which costs the API server a read of its store and no more; or all
//! of the namespace, where something is to be released, or no window that is known explains what
//! is held, or what stands beside it.
//!
//! Where the instant is known, they are read a moment before it, so that at the instant itself
//! nothing is left but to write.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::try_join_all;
use kube::Api;
use kube::api::ListParams;
use kube::core::{DeserializeGuard, ObjectMeta};
use tokio::time::{Duration, Instant};

use super::Context;
use super::apply::{Error, within_patience};
use super::observe::{Manifest, Observed, Routes, StandingNotice};
use super::target::Snapshot;
use super::targets;
use super::wanted::Wanted;
use crate::api::names;
use crate::api::window::MaintenanceWindow;
use crate::coverage::stage;
use crate::plan::bridge;
use crate::plan::rehearsal::{self, Rehearsable};
use crate::schedule::TargetRef;

type Guarded = DeserializeGuard<MaintenanceWindow>;

/// More windows than these are cheaper to list.
const FEW: usize = 4;

/// How long before an instant the windows are read for it: longer than that takes.
pub(super) const AHEAD: TimeDelta = TimeDelta::milliseconds(50);

/// For how long what was read ahead is not read again, from when it was there.
const FRESH: Duration = Duration::from_millis(100);

/// Which windows have to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Known,
    All,
}

/// What was read ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    which: Which,
    at: Instant,
}

/// Reads the windows for what will flip at `instant`, and corrects the cache; `None` where nothing
/// was read.
pub(super) async fn ask_ahead(
    context: &Context,
    observed: &Observed,
    instant: DateTime<Utc>,
) -> Option<Asked> {
    let wanted = Wanted::of(context, observed, instant);
    let which = question(context, observed, &wanted, instant)?;
    ask(context, observed, which).await?;
    let at = Instant::now();
    Some(Asked { which, at })
}

/// Reads the windows of the namespace anew where a target is about to flip, or something is about to
/// be made or to linger, and corrects the cache. True where there was something to correct. What was
/// `asked` a moment ago is known.
pub(super) async fn windows_have_changed(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
    asked: Option<Asked>,
) -> bool {
    let Some(which) = question(context, observed, wanted, now) else {
        return false;
    };
    let is_known = |asked: Asked| which <= asked.which && asked.at.elapsed() <= FRESH;
    if asked.is_some_and(is_known) {
        return false;
    }
    ask(context, observed, which).await.unwrap_or_default()
}

/// What has to be read before what flips at `now` may flip; `None` where nothing does, or nobody
/// serves windows.
fn question(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> Option<Which> {
    if context.caches.windows_installed.borrow().is_unreadable() {
        return None;
    }
    let flips = targets::flips(context, observed, wanted, now);
    let reached = |target| targets::is_reached(observed, target);
    let explained = flips.iter().all(reached) && is_explained(observed);
    if flips.is_empty() && explained && !something_is_to_be_made(observed, now) {
        return None;
    }
    // A window that is not known yet may cover what would be released.
    let releases = flips
        .iter()
        .any(|target| Snapshot::cached(observed, target).is_held());
    if explained && !releases && observed.manifests.len() <= FEW {
        Some(Which::Known)
    } else {
        Some(Which::All)
    }
}

/// Reads windows and corrects the cache. True where there was something to correct.
///
/// Where they cannot be read, which is `None`, what is known has to do: it is as old as it was without
/// asking.
async fn ask(context: &Context, observed: &Observed, which: Which) -> Option<bool> {
    let read = match which {
        Which::Known => each(context, observed).await,
        Which::All => all(context, observed).await,
    };
    match read {
        Ok(live) => {
            let seen: Vec<&ObjectMeta> =
                observed.manifests.iter().map(Manifest::metadata).collect();
            let windows = &context.caches.windows;
            Some(windows.correct(&observed.namespace, &seen, live))
        }
        Err(error) => {
            let namespace = &observed.namespace;
            tracing::warn!(namespace, %error, "cannot ask whether the windows are still as known");
            None
        }
    }
}

/// Whether a window has come so far that it needs what does not stand yet.
fn something_is_to_be_made(observed: &Observed, now: DateTime<Utc>) -> bool {
    observed.reached().any(|(window, reach)| {
        let bridge = || reach.needs_bridge.then(|| bridge::name(&window.name));
        let is_missing = |bridge: String| !observed.services.contains_key(&bridge);
        stage(window, now).needs_backend()
            && (observed.notice_of(&window.uid).is_none() || bridge().is_some_and(is_missing))
    })
}

/// Whether a window that is known explains every notice, bridge and rehearsal that does not linger
/// yet: else it would begin to.
fn is_explained(observed: &Observed) -> bool {
    let is_known = |standing: &StandingNotice| {
        let mut windows = observed.windows.iter();
        windows.any(|window| window.uid == standing.notice.uid)
    };
    let led_to = observed.led_to();
    let is_needed = |bridge: &str| {
        let mut windows = observed.windows.iter();
        windows.any(|window| bridge::name(&window.name) == bridge) || led_to.contains(bridge)
    };
    let mut notices = observed.notices.iter();
    let mut services = observed.services.iter();
    notices.all(|it| lingers(&it.object.metadata) || is_known(it))
        && services.all(|(name, service)| {
            !bridge::is_bridge(service) || lingers(&service.metadata) || is_needed(name)
        })
        && rehearsals_are_explained(observed, &observed.ingresses)
        && rehearsals_are_explained(observed, &observed.http_routes)
}

fn rehearsals_are_explained<R: Rehearsable>(observed: &Observed, routes: &Routes<R>) -> bool {
    let is_reached = |rehearsal: &R| {
        let target = TargetRef {
            kind: R::KIND,
            name: rehearsal::target(rehearsal).unwrap_or_default().to_owned(),
        };
        targets::is_reached(observed, &target)
    };
    let mut rehearsals = routes.rehearsals.values();
    rehearsals.all(|it| lingers(it.meta()) || is_reached(it))
}

fn lingers(metadata: &ObjectMeta) -> bool {
    names::instant(metadata, names::LINGER_ANNOTATION).is_some()
}

/// The windows that are known, as they are now. Where one of them is not there, all of the
/// namespace: an API server that does not serve the kind says the same of each (`installed.rs`),
/// and only refuses to list.
async fn each(context: &Context, observed: &Observed) -> Result<Vec<Guarded>, Error> {
    let windows = windows(context, observed);
    let names = observed.manifests.iter().map(|window| {
        let metadata = window.metadata();
        metadata.name.clone().unwrap_or_default()
    });
    let reads = names.map(async |name| {
        within_patience(&format!("read the window {name}"), windows.get_opt(&name)).await
    });
    let read: Option<Vec<Guarded>> = try_join_all(reads).await?.into_iter().collect();
    match read {
        Some(read) => Ok(read),
        None => all(context, observed).await,
    }
}

/// Every window of the namespace.
async fn all(context: &Context, observed: &Observed) -> Result<Vec<Guarded>, Error> {
    let windows = windows(context, observed);
    let everything = ListParams::default();
    Ok(
        within_patience("list the windows", windows.list(&everything))
            .await?
            .items,
    )
}

fn windows(context: &Context, observed: &Observed) -> Api<Guarded> {
    Api::namespaced(context.client.clone(), &observed.namespace)
}
