//! The I/O shell: observe, hold and release, prepare, report.
//!
//! One namespace is reconciled at a time as a whole: a window reaches targets of its own
//! namespace only, so nothing has to be agreed with anybody else, and two overlapping windows are
//! just two windows of which at least one covers the target. Different namespaces are reconciled
//! side by side.
//!
//! | step | file | touches the cluster |
//! |---|---|---|
//! | 0 follow | `watch.rs`, `backoff.rs`, `installed.rs`, `cache.rs`, `probe.rs`, `pages.rs` | yes, reads |
//! | 1 observe | `observe.rs`, `reaching.rs`; `confirm.rs`, where something flips or is about to | no; yes, reads |
//! | 2 hold and release | `wanted.rs`, `targets.rs`, `answerer.rs`, `restoring.rs`, `target.rs`, `setback.rs`, `contention.rs`, `memory.rs`, `policy.rs` | yes, by `apply.rs` |
//! | 3 apply | `apply.rs`, `courtesy.rs` | yes |
//! | 4 prepare | `prepare.rs`, `astray.rs` | yes, nothing of the user's |
//! | 5 rehearse | `rehearse.rs` | yes, nothing of the user's |
//! | 6 look behind | `origins.rs` | yes, nothing of the user's |
//! | 7 status | `status.rs`, `findings.rs`, `lines.rs`, `warn.rs`, `page.rs` | no |
//! | 8 report | `report.rs` | yes, the status of windows |
//! | 9 tell | `event.rs` | yes, Events |
//!
//! # Guarantees
//!
//! - Nothing is remembered but what is on the objects. A process that is killed after any call is
//!   followed by one that starts from what is there.
//! - Whatever bears our marks and is not covered by a living window is released.
//! - Nothing flips because of a window that is not what the API server has now.
//! - Nothing is written that says what is there already.
//!
//! # Assumptions
//!
//! - The clock of the node is right: flips happen when it says so, and never before.
//! - One controller runs at a time. Two would not harm a target (each write is guarded by the
//!   resourceVersion that was read), but would write in each other's way.

mod answerer;
pub(crate) mod apply;
mod astray;
mod backoff;
mod cache;
mod confirm;
mod contention;
pub(crate) mod courtesy;
mod event;
mod findings;
mod installed;
mod lines;
mod memory;
mod observe;
mod origins;
mod page;
mod pages;
mod policy;
mod prepare;
mod probe;
mod reaching;
mod rehearse;
mod report;
mod restoring;
mod setback;
mod status;
pub(crate) mod target;
mod targets;
mod wanted;
mod warn;
mod watch;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::channel::mpsc::unbounded;
use futures::{StreamExt, future};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy};
use kube::api::PartialObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt};
use thiserror::Error;
use tokio::sync;

use self::cache::Cache;
use self::contention::Contentions;
use self::installed::Installed;
use self::memory::Memory;
use self::observe::Observed;
use self::pages::Pages;
use self::policy::Policy;
use self::prepare::Prepared;
use self::probe::Probes;
use self::setback::Setbacks;
use self::target::Applied;
use self::wanted::Wanted;
use crate::api::MaintenanceWindow;
use crate::api::httproute::HttpRoute;
use crate::coverage;
use crate::listen;
use crate::plan::Linger;
use crate::schedule::{TargetRef, duration};
use crate::shutdown::Shutdown;
use crate::telemetry::{AdminServer, Condition, Readiness};

/// The longest time between two looks at the clock: timers do not notice a clock that was set,
/// or a machine that slept.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How soon something that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long the platform gets to fill the slices of a Service that was released, before we take ours
/// away from an app that is not ready.
const PLATFORM_FILLS: TimeDelta = TimeDelta::seconds(2);
/// The definition of our own resource.
const WINDOWS: &str = "maintenancewindows.entracte.dev";
/// The definition of the Gateway API's routes.
const HTTP_ROUTES: &str = "httproutes.gateway.networking.k8s.io";
/// How many namespaces are reconciled at once.
const CONCURRENCY: u16 = 16;

/// Arguments of `entracte controller`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The namespace of the operator: there the notices are, and the backend's Service
    #[arg(
        long,
        env = "POD_NAMESPACE",
        default_value = "entracte-system",
        value_name = "NAME"
    )]
    pub namespace: String,
    /// The headless Service of the backend pods
    #[arg(long, default_value = "entracte-backend", value_name = "NAME")]
    pub backend_service: String,
    /// The ports of the backend, of which each window that is active takes one
    #[arg(long, default_value = "20000-20999", value_name = "FIRST-LAST", value_parser = ports)]
    pub ports: RangeInclusive<u16>,
    /// How long bridge and port still answer after a release, for proxies that learn late
    #[arg(long, default_value = "2m", value_name = "DURATION", value_parser = duration::parse)]
    pub linger: TimeDelta,
    /// The address of /healthz and /readyz
    #[arg(long, default_value = "::", value_name = "ADDRESS")]
    pub bind: IpAddr,
    /// The port of /healthz and /readyz
    #[arg(long, default_value_t = 8081, value_name = "PORT")]
    pub admin_port: u16,
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let parsed = text.split_once('-').and_then(|(first, last)| {
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (0 < first && first <= last).then_some(first..=last)
    });
    parsed.ok_or_else(|| "write the first and the last port, such as 20000-20999".to_owned())
}

/// Why the controller cannot run.
#[derive(Debug, Error)]
pub enum Error {
    /// No way to the API server is known.
    #[error(
        "no way to the API server: {0}; set KUBECONFIG, or run in a pod with a service account"
    )]
    Config(#[from] kube::config::InferConfigError),
    /// The way to the API server cannot be taken.
    #[error("cannot talk to the API server: {0}")]
    Client(#[from] kube::Error),
    /// The health checks cannot be served.
    #[error("cannot serve the health checks: {0}")]
    Admin(#[from] listen::Error),
    /// Signals cannot be handled.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// A second signal came before everything was finished.
    #[error("stopped by a second signal, in the middle of the work; the next controller goes on")]
    Aborted,
}

/// What every reconcile needs.
pub(crate) struct Context {
    client: Client,
    caches: Caches,
    probes: Probes,
    pages: Pages,
    setbacks: Setbacks,
    contentions: Contentions,
    policy: Policy,
    /// The rehearsals that could not be made.
    unrehearsed: Setbacks,
    /// The origins that the API server refused.
    origins: Setbacks,
    /// Targets that cannot be given back, and of what they were told of in an Event.
    told_of: Memory<TargetRef, &'static str>,
    /// Since when something that a window needs does not stand, by its uid.
    troubled: Memory<String, DateTime<Utc>>,
    ports: RangeInclusive<u16>,
    linger: Linger,
    /// Windows that nobody can read, by uid, and the generation whose refusal they were told.
    told: Mutex<HashMap<String, i64>>,
}

impl Context {
    /// Forgets what is remembered of namespaces that are gone.
    fn forget_all_but(&self, namespaces: &HashSet<String>) {
        for setbacks in [&self.setbacks, &self.unrehearsed, &self.origins] {
            setbacks.keep_namespaces(namespaces);
        }
        self.pages.keep_namespaces(namespaces);
        self.contentions.keep_namespaces(namespaces);
        self.told_of.keep_namespaces(namespaces);
        self.troubled.keep_namespaces(namespaces);
    }
}

/// What was last seen of each kind. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Caches {
    operator_namespace: String,
    backend_service: String,
    windows: Cache<DeserializeGuard<MaintenanceWindow>>,
    services: Cache<Service>,
    ingresses: Cache<Ingress>,
    routes: Cache<HttpRoute>,
    ingress_classes: Cache<IngressClass>,
    policies: Cache<NetworkPolicy>,
    slices: Cache<EndpointSlice>,
    notices: Cache<ConfigMap>,
    windows_installed: sync::watch::Receiver<Installed>,
    routes_installed: sync::watch::Receiver<Installed>,
}

/// Runs the controller until a signal asks it to stop.
pub async fn run(args: Args) -> Result<(), Error> {
    let shutdown = Shutdown::on_signals().map_err(Error::Signals)?;
    let readiness = Readiness::default();
    // From before the first probe: who waits for nothing yet would be ready.
    let starting = readiness.missing("Namespaces", "not listed yet");
    let admin = AdminServer::bind(args.bind, args.admin_port, readiness.clone())?;
    tokio::spawn(admin.serve());
    let client = courtesy::client(kube::Config::infer().await?)?;
    let caches = Caches {
        operator_namespace: args.namespace,
        backend_service: args.backend_service,
        windows: Cache::default(),
        services: Cache::default(),
        ingresses: Cache::default(),
        routes: Cache::default(),
        ingress_classes: Cache::default(),
        policies: Cache::default(),
        slices: Cache::default(),
        notices: Cache::default(),
        windows_installed: installed::follow(&client, watch::config(), WINDOWS, "v1alpha1"),
        routes_installed: installed::follow(&client, watch::config(), HTTP_ROUTES, "v1"),
    };
    let context = Arc::new(Context {
        client,
        caches,
        probes: Probes::default(),
        pages: Pages::default(),
        setbacks: Setbacks::default(),
        contentions: Contentions::default(),
        policy: Policy::default(),
        unrehearsed: Setbacks::default(),
        origins: Setbacks::default(),
        told_of: Memory::default(),
        troubled: Memory::default(),
        ports: args.ports,
        linger: Linger {
            unready: PLATFORM_FILLS,
            longest: args.linger,
        },
        told: Mutex::default(),
    });
    tokio::select! {
        () = control(context, &readiness, starting, &shutdown) => Ok(()),
        () = shutdown.aborted() => Err(Error::Aborted),
    }
}

/// Follows the cluster, waits until every kind was seen once, and reconciles until `shutdown`.
async fn control(
    context: Arc<Context>,
    readiness: &Readiness,
    starting: Condition,
    shutdown: &Shutdown,
) {
    let (trigger, triggered) = unbounded();
    watch::follow(&context, &trigger);
    let (namespaces, listed, changes) = watch::namespaces(&context.client);
    let _seen = watch::seen_once(&context.caches, readiness).await;
    let stopping = shutdown.clone();
    let sweeping = sweep(Arc::clone(&context), namespaces.clone(), listed, starting);
    let sweeping = tokio::spawn(sweeping);
    Controller::for_stream(changes, namespaces)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(triggered)
        .graceful_shutdown_on(async move { stopping.begun().await })
        .run(reconcile, |_, never, _| match *never {}, context)
        .for_each(|result| {
            if let Err(error) = result {
                tracing::debug!(%error, "a namespace is not reconciled");
            }
            future::ready(())
        })
        .await;
    sweeping.abort();
}

/// Says that the namespaces are known, and takes away what those that are gone have left.
async fn sweep(
    context: Arc<Context>,
    namespaces: Store<PartialObjectMeta<Namespace>>,
    mut listed: sync::watch::Receiver<bool>,
    starting: Condition,
) {
    if listed.wait_for(|listed| *listed).await.is_err() {
        return;
    }
    starting.met("listed");
    loop {
        let names = namespaces
            .state()
            .iter()
            .map(|namespace| namespace.name_any())
            .collect();
        context.forget_all_but(&names);
        prepare::sweep(&context, &names).await;
        tokio::time::sleep(LONGEST_SLEEP).await;
    }
}

async fn reconcile(
    namespace: Arc<PartialObjectMeta<Namespace>>,
    context: Arc<Context>,
) -> Result<Action, Infallible> {
    if namespace.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let name = namespace.name_any();
    let observe = || (Utc::now(), observe::observe(&context.caches, &name));
    let (mut now, mut observed) = observe();
    context.pages.want(&observed, now);
    let mut asked = None;
    let next = coverage::next_change(&observed.windows, now);
    if let Some(instant) = next.filter(|instant| *instant - now <= confirm::AHEAD) {
        asked = confirm::ask_ahead(&context, &observed, instant).await;
        tokio::time::sleep(until(instant)).await;
        (now, observed) = observe();
    }
    let wanted = Wanted::of(&context, &observed, now);
    if !confirm::windows_have_changed(&context, &observed, &wanted, now, asked).await {
        return Ok(act(&context, &observed, &wanted, now).await);
    }
    let observed = observe::observe(&context.caches, &name);
    let wanted = Wanted::of(&context, &observed, now);
    Ok(act(&context, &observed, &wanted, now).await)
}

/// Takes a namespace to where it should be, and says so. Returns when to look again.
async fn act(
    context: &Context,
    observed: &Observed,
    wanted: &Wanted<'_>,
    now: DateTime<Utc>,
) -> Action {
    let applied = targets::hold_and_release(context, observed, wanted, now).await;
    let mut prepared = prepare::prepare(context, observed, wanted, &applied, now).await;
    rehearse::rehearse(context, observed, &applied, now, &mut prepared).await;
    origins::keep(context, observed, &applied, now, &mut prepared).await;
    // What was planned for an instant is what may be said of that instant.
    let reported = report::report(context, observed, &applied, &prepared, now).await;
    next_look(observed, &applied, &prepared, reported, now)
}

/// When to look again, though nothing may have changed.
fn next_look(
    observed: &Observed,
    applied: &BTreeMap<TargetRef, Applied>,
    prepared: &Prepared,
    reported: bool,
    now: DateTime<Utc>,
) -> Action {
    let failed = !reported || applied.values().any(|applied| applied.result.is_err());
    let targets = applied
        .values()
        .flat_map(|applied| [applied.again, applied.restored_by()]);
    let bridges = observed
        .windows
        .iter()
        .filter_map(|window| observed.bridge_ready_at(&window.name));
    // At once, where that is a moment away: then it is waited for.
    let soonest = now + TimeDelta::milliseconds(1);
    let stages = coverage::next_change(&observed.windows, now);
    let stages = stages.map(|at| (at - confirm::AHEAD).max(soonest));
    let next = targets
        .flatten()
        .chain(bridges)
        .chain(prepared.wake)
        .chain(stages)
        .filter(|at| *at > now)
        .min();
    let longest = if failed { RETRY } else { LONGEST_SLEEP };
    match next {
        Some(at) => Action::requeue(until(at).min(longest)),
        None if observed.windows.is_empty() && !failed => Action::await_change(),
        None => Action::requeue(longest),
    }
}

/// From this moment: the reconcile itself took time.
fn until(at: DateTime<Utc>) -> Duration {
    (at - Utc::now()).to_std().unwrap_or_default()
}
