//! Step 4: what has to stand beside the targets: notices, their ports, and bridges. Touches the
//! cluster, but nothing of the user's.
//!
//! A notice is a ConfigMap in the operator's namespace that is named by its port, so that
//! creating it is what reserves the port. It stays for the linger after nothing refers to its
//! port any more, and the port is nobody else's until it has gone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::core::ObjectMeta;

use super::apply::{Error, apply_all, by_us, exactly, within_patience};
use super::observe::{Observed, StandingNotice};
use super::page::Flaw;
use super::restoring::{Telling, telling};
use super::target::Applied;
use super::wanted::Wanted;
use super::{Context, RETRY, astray};
use crate::api::names;
use crate::notice::{Notice, Page, WindowRef, reconnect_until};
use crate::plan::edit::Precondition;
use crate::plan::{Holdable, Outcome, Reason, bridge, slices};
use crate::schedule::{TargetRef, Told, Window};

/// How soon what does not stand is tried again, and at the latest.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// No port of the range is free.
const NO_PORT_LEFT: &str = "NoPortLeft";

/// What stands, and what does not.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// By the uid of the window: why something that it needs does not stand.
    pub(super) trouble: HashMap<String, Reason>,
    /// Why no rehearsal stands, where it may be missed.
    pub(super) unrehearsed: BTreeMap<TargetRef, Reason>,
    /// When something that lingers may go.
    pub(super) wake: Option<DateTime<Utc>>,
}

impl Prepared {
    pub(super) fn wake_at(&mut self, at: DateTime<Utc>) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// What somebody else has just written is most often seen again soon, and no trouble; but who
    /// says so may be wrong, and then nothing would wake us.
    pub(super) fn unless_stale<T>(
        &mut self,
        result: Result<T, Error>,
        now: DateTime<Utc>,
    ) -> Result<Option<T>, Reason> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(Error::Stale(_)) => {
                self.wake_at(now + RETRY);
                Ok(None)
            }
            Err(error) => Err(error.reason()),
        }
    }

    fn trouble(&mut self, uid: &str, result: Result<(), Reason>) {
        if let Err(reason) = result {
            self.trouble.insert(uid.to_owned(), reason);
        }
    }
}

/// Makes what windows of the namespace need, and takes away what has lingered.
pub(super) async fn prepare(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
) -> Prepared {
    let mut prepared = Prepared::default();
    let astray = astray::ports(observed, wanted, applied);
    let mut needed_bridges = HashSet::new();
    let mut needed_notices = HashSet::new();
    for (window, reach) in observed.reached() {
        let Some(telling) = telling(window, applied, now) else {
            continue;
        };
        let standing = observed.notice_of(&window.uid);
        needed_notices.extend(standing.map(|standing| standing.object.name_any()));
        let telling = Telling {
            reconnect_until: standing.and_then(|standing| {
                let Notice {
                    port,
                    reconnect_until: said,
                    ..
                } = standing.notice;
                reconnect_until(said, astray.contains(&port), context.linger.longest, now)
            }),
            ..telling
        };
        let noticed = match standing {
            None => reserve_port(context, observed, window, telling).await,
            Some(standing) => tell(context, window, telling, standing, now, &mut prepared).await,
        };
        prepared.trouble(&window.uid, noticed);
        if !reach.needs_bridge {
            continue;
        }
        needed_bridges.insert(bridge::name(&window.name));
        if let Some(standing) = standing {
            let notice = &standing.notice;
            let built = build_bridge(context, observed, window, notice, now, &mut prepared).await;
            prepared.trouble(&window.uid, built);
        }
    }
    look_again_at_trouble(context, observed, now, &mut prepared);
    for name in idle_bridges(observed, &needed_bridges) {
        linger_bridge(context, observed, &name, now, &mut prepared).await;
    }
    for standing in observed
        .notices
        .iter()
        .filter(|s| !needed_notices.contains(&s.object.name_any()))
    {
        linger_notice(context, observed, standing, now, &mut prepared).await;
    }
    prepared
}

/// The longer something does not stand, the later it is tried again: what is refused (a quota, a name
/// that is taken) often stays so for the whole of a window.
fn look_again_at_trouble(
    context: &Context,
    observed: &Observed,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let troubled = &context.troubled;
    troubled.keep(&observed.namespace, |uid| {
        prepared.trouble.contains_key(uid)
    });
    let since = troubled.change(&observed.namespace, |since| {
        let uids = prepared.trouble.keys();
        let since = uids.map(|uid| *since.entry(uid.clone()).or_insert(now));
        since.max()
    });
    if let Some(since) = since {
        let pause = (now - since).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        prepared.wake_at(now + pause);
    }
}

/// Sees to it that the window's notice says what the window says.
async fn tell(
    context: &Context,
    window: &Window,
    telling: Telling,
    standing: &StandingNotice,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<(), Reason> {
    let page = page(context, window, Some(&standing.notice));
    let notice = notice(window, telling, page, standing.notice.port);
    let read = &standing.object.metadata;
    let lingers = names::instant(read, names::LINGER_ANNOTATION);
    if notice == standing.notice && lingers.is_none() {
        return Ok(());
    }
    let replaced = replace(context, object(&notice, Some(read), None)).await;
    prepared.unless_stale(replaced, now).map(|_| ())
}

/// The user's own page, where there is one that can be shown. What nobody has read yet, or can read, is
/// as it was: a controller that has just started takes no page away.
fn page(context: &Context, window: &Window, said: Option<&Notice>) -> Option<Page> {
    window.told.page.as_ref()?;
    match context.pages.of_window(window) {
        Some(
            Ok(page)
            | Err(Flaw::Unread {
                last: Some(page), ..
            }),
        ) => Some(Arc::unwrap_or_clone(page)),
        None | Some(Err(Flaw::Unread { last: None, .. })) => said?.page.clone(),
        Some(Err(_)) => None,
    }
}

fn notice(window: &Window, telling: Telling, page: Option<Page>, port: u16) -> Notice {
    let Telling {
        occurrence,
        restoring,
        reconnect_until,
    } = telling;
    let Told {
        message,
        retry_after,
        health_checks,
        page: _,
    } = window.told.clone();
    let name = WindowRef {
        namespace: window.namespace.clone(),
        name: window.name.clone(),
    };
    Notice {
        start: Some(occurrence.start),
        until: occurrence.end,
        message,
        retry_after,
        health_checks,
        page,
        restoring,
        reconnect_until,
        ..Notice::new(name, window.uid.clone(), port)
    }
}

fn object(notice: &Notice, read: Option<&ObjectMeta>, linger: Option<DateTime<Utc>>) -> ConfigMap {
    let labels = [
        (names::NOTICE_LABEL, "true"),
        (names::MANAGED_BY_LABEL, names::MANAGED_BY),
        (names::WINDOW_UID_LABEL, &notice.uid),
        (names::WINDOW_NAMESPACE_LABEL, &notice.window.namespace),
    ];
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let linger = linger
        .map(|at| BTreeMap::from([(names::LINGER_ANNOTATION.to_owned(), names::annotated(at))]));
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(Notice::object_name(notice.port)),
            labels: Some(labels.into_iter().map(owned).collect()),
            annotations: linger,
            resource_version: read.and_then(|read| read.resource_version.clone()),
            ..ObjectMeta::default()
        },
        data: Some(notice.to_data()),
        ..ConfigMap::default()
    }
}

/// Creates the notice under the first port whose name nobody has, unless there is one that is only
/// not known yet.
async fn reserve_port(
    context: &Context,
    observed: &Observed,
    window: &Window,
    telling: Telling,
) -> Result<(), Reason> {
    let of_window = format!("{}={}", names::WINDOW_UID_LABEL, window.uid);
    let standing = ListParams::default().labels(&of_window);
    let listing = notices(context);
    let listed = within_patience("list notices", listing.list(&standing)).await;
    let standing = listed.map_err(|error| error.reason())?.items;
    if !standing.is_empty() {
        for notice in standing {
            context.caches.notices.learn(notice, None);
        }
        return Ok(());
    }
    let page = page(context, window, None);
    let taken: HashSet<String> = context
        .caches
        .notices
        .all()
        .iter()
        .map(|object| object.name_any())
        .collect();
    for port in context.ports.clone() {
        if taken.contains(&Notice::object_name(port)) {
            continue;
        }
        let wanted = object(&notice(window, telling, page.clone(), port), None, None);
        let api = notices(context);
        match within_patience("create a notice", api.create(&by_us(), &wanted)).await {
            Ok(created) => {
                context.caches.notices.learn(created, None);
                return Ok(());
            }
            Err(Error::Stale(_)) => {}
            Err(error) => return Err(error.reason()),
        }
    }
    Err(Reason::new(
        NO_PORT_LEFT,
        format!(
            "all {} ports of the backend are taken by other windows of the cluster; give the \
             controller more with --ports ({} needs one)",
            context.ports.clone().count(),
            observed.namespace.clone() + "/" + &window.name,
        ),
    ))
}

async fn build_bridge(
    context: &Context,
    observed: &Observed,
    window: &Window,
    notice: &Notice,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<(), Reason> {
    let endpoints = observed.answering(notice, &context.probes);
    let need = bridge::Need::Stand {
        window: &window.name,
        port: notice.port,
        endpoints: &endpoints,
    };
    let name = bridge::name(&window.name);
    match apply_bridge(context, observed, &name, need, now, prepared).await? {
        Outcome::Waiting(reason) => Err(reason),
        _ => Ok(()),
    }
}

async fn apply_bridge(
    context: &Context,
    observed: &Observed,
    name: &str,
    need: bridge::Need<'_>,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) -> Result<Outcome, Reason> {
    let namespace = &observed.namespace;
    let read = observed.services.get(name).map(AsRef::as_ref);
    let plan = bridge::plan(namespace, name, read, &observed.our_slices(name), need, now);
    let applied = apply_all(&context.client, namespace, &plan.edits).await;
    prepared.unless_stale(applied, now)?;
    Ok(plan.outcome)
}

/// The bridges that no window needs and no route leads to.
fn idle_bridges(observed: &Observed, needed: &HashSet<String>) -> Vec<String> {
    let led_to = observed.led_to();
    observed
        .services
        .iter()
        .filter(|(name, service)| {
            bridge::is_bridge(service) && !needed.contains(*name) && !led_to.contains(*name)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

async fn linger_bridge(
    context: &Context,
    observed: &Observed,
    name: &str,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    let need = bridge::Need::Linger {
        until: now + context.linger.longest,
    };
    match apply_bridge(context, observed, name, need, now, prepared).await {
        Ok(Outcome::Releasing { until }) => prepared.wake_at(until),
        Ok(_) => {}
        Err(reason) => {
            prepared.wake_at(now + RETRY);
            let namespace = &observed.namespace;
            tracing::warn!(
                namespace,
                bridge = name,
                message = reason.message,
                "a bridge stays"
            );
        }
    }
}

/// Marks the notice of a window that needs it no more, and takes it away when the linger is over.
async fn linger_notice(
    context: &Context,
    observed: &Observed,
    standing: &StandingNotice,
    now: DateTime<Utc>,
    prepared: &mut Prepared,
) {
    if is_referred_to(observed, &standing.notice) {
        return;
    }
    let until = names::instant(&standing.object.metadata, names::LINGER_ANNOTATION);
    let done = match until {
        Some(until) if now >= until => delete(context, &standing.object.metadata).await,
        Some(until) => {
            prepared.wake_at(until);
            return;
        }
        None => {
            let until = now + context.linger.longest;
            prepared.wake_at(until);
            let notice = Notice {
                restoring: false,
                released: true,
                ..standing.notice.clone()
            };
            let read = &standing.object.metadata;
            replace(context, object(&notice, Some(read), Some(until))).await
        }
    };
    if let Err(reason) = prepared.unless_stale(done, now) {
        prepared.wake_at(now + RETRY);
        let port = standing.notice.port;
        tracing::warn!(port, message = reason.message, "a notice stays");
    }
}

/// Whether anything still leads to the port: a route over the window's bridge, or a held
/// Service.
fn is_referred_to(observed: &Observed, notice: &Notice) -> bool {
    let name = bridge::name(&notice.window.name);
    let over_bridge = || {
        let leads_here = observed
            .our_slices(&name)
            .iter()
            .any(|slice| slices::leads_to_port(slice, notice.port));
        leads_here
            && observed
                .objects
                .values()
                .any(|object| object.backends().contains(&name))
    };
    let behind_service = || {
        observed.slices.iter().any(|slice| {
            slices::is_ours(slice)
                && slices::leads_to_port(slice, notice.port)
                && slices::service_name(slice)
                    .and_then(|name| observed.services.get(name))
                    .is_some_and(|held| held.is_marked())
        })
    };
    behind_service() || over_bridge()
}

/// Takes away the notices of namespaces that are gone, whose windows nobody will reconcile.
pub(super) async fn sweep(context: &Context, namespaces: &HashSet<String>) {
    for object in context.caches.notices.all() {
        let namespace = object.labels().get(names::WINDOW_NAMESPACE_LABEL);
        if namespace.is_none_or(|namespace| namespaces.contains(namespace)) {
            continue;
        }
        match delete(context, &object.metadata).await {
            Ok(()) | Err(Error::Stale(_)) => {}
            Err(error) => {
                let notice = object.name_any();
                tracing::warn!(notice, %error, "a notice stays");
            }
        }
    }
}

fn notices(context: &Context) -> Api<ConfigMap> {
    Api::namespaced(context.client.clone(), &context.caches.operator_namespace)
}

async fn replace(context: &Context, wanted: ConfigMap) -> Result<(), Error> {
    let name = wanted.name_any();
    let (api, by_us) = (notices(context), by_us());
    let replaced = api.replace(&name, &by_us, &wanted);
    within_patience("write a notice", replaced)
        .await
        .map(|_| ())
}

async fn delete(context: &Context, metadata: &ObjectMeta) -> Result<(), Error> {
    let which = Precondition::of(metadata);
    let params = exactly(&which);
    let api = notices(context);
    let deleted = api.delete(&which.name, &params);
    within_patience("delete a notice", deleted)
        .await
        .map(|_| ())
}
