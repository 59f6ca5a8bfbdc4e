//! Step 2, continued: which held targets that no window covers are not given back yet, and why.
//! Does not touch the cluster.
//!
//! A target stays in the hands of the window that leads it, while that window is in its overrun and
//! something that the release waits for is not ready. What leads a target is read from the target
//! itself, so nothing is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::observe::Observed;
use super::setback::{Flip, Setbacks};
use super::target::Applied;
use crate::coverage::{Overrun, Stage, overrun, stage};
use crate::plan::holdable::Surroundings;
use crate::plan::readiness::{Seen, Way, is_waited_for, seen, ways};
use crate::plan::{Holdable, Reason, bridge, origin, served, slices};
use crate::schedule::{Occurrence, TargetRef, Window};

/// An app is not ready, and its target is held for it.
const APP_NOT_READY: &str = "AppNotReady";

/// A target that its window still holds after its end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Restoring {
    /// The uid of the window.
    pub(crate) window: String,
    /// The occurrence that is over.
    pub(crate) occurrence: Occurrence,
    /// When the target is released at the latest.
    pub(crate) until: DateTime<Utc>,
    /// What is not ready.
    pub(crate) reason: Reason,
}

/// What a namespace shows of its apps.
pub(super) struct Restores<'o> {
    observed: &'o Observed,
    /// The origins that the API server refused.
    refused: &'o Setbacks,
    /// The bridges, for routes.
    around: Surroundings,
    now: DateTime<Utc>,
}

impl<'o> Restores<'o> {
    pub(super) fn of(observed: &'o Observed, refused: &'o Setbacks, now: DateTime<Utc>) -> Self {
        Self {
            observed,
            refused,
            around: Surroundings {
                bridges: Arc::clone(&observed.bridges),
                ..Surroundings::default()
            },
            now,
        }
    }

    /// The window that still holds `target`, which none covers, and what it waits for; `None` where
    /// it is to be released now.
    pub(super) fn restoring(&self, target: &TargetRef) -> Option<(&'o Window, Restoring)> {
        let overrun = self
            .observed
            .reached()
            .filter(|(_, reach)| reach.holds.contains(target))
            .filter_map(|(window, _)| overrun(window, self.now))
            .find(|overrun| self.is_led_by(target, overrun.window))?;
        let waits = self.waited_for(target);
        let reason = not_ready(&waits, &overrun)?;
        let restoring = Restoring {
            window: overrun.window.uid.clone(),
            occurrence: overrun.occurrence,
            until: overrun.until,
            reason,
        };
        Some((overrun.window, restoring))
    }

    /// What is behind a route that is not held yet and has no ready endpoint: it is to be remembered
    /// by the record of the hold.
    pub(super) fn idle(&self, target: &TargetRef) -> BTreeSet<String> {
        let object = self.observed.objects.get(target);
        let route = object.filter(|object| target.kind.is_route() && !object.is_marked());
        let behind = route.map(|route| self.behind(&**route)).unwrap_or_default();
        let idle = behind.iter().flat_map(|name| {
            let Some(service) = self.service(name) else {
                return vec![name.clone()];
            };
            let is_idle = |way: &Way| {
                let seen = self.seen(service, way, false);
                matches!(seen, Seen::Empty | Seen::NotReady)
            };
            let idle = ways(service).into_iter().filter(is_idle);
            idle.map(|way| way.key()).collect()
        });
        idle.collect()
    }

    /// Whether `target` is held, and answers with the notice of `window`.
    fn is_led_by(&self, target: &TargetRef, window: &Window) -> bool {
        let Some(object) = self.observed.objects.get(target) else {
            return false;
        };
        if target.kind.is_route() {
            let bridge = BTreeSet::from([bridge::name(&window.name)]);
            return object.is_marked() && object.leads_to_any(&bridge);
        }
        let standing = self.observed.notice_of(&window.uid);
        let leads = |port| {
            let mut ours = self.ours(&target.name);
            ours.any(|slice| slices::leads_to_port(slice, port))
        };
        self.is_held(&**object) && standing.is_some_and(|standing| leads(standing.notice.port))
    }

    /// What is not ready, and keeps `target` from being released; each in half a sentence.
    fn waited_for(&self, target: &TargetRef) -> Vec<String> {
        let Some(object) = self.observed.objects.get(target) else {
            return Vec::new();
        };
        if target.kind.is_route() {
            self.waited_for_behind(&**object)
        } else {
            let was_served = |way: &Way| served::was_served(way, self.ours(&target.name));
            let ways = self.unready(&target.name, true, was_served);
            ways.iter()
                .map(|way| format!("no ready endpoint for {way}"))
                .collect()
        }
    }

    fn waited_for_behind(&self, route: &dyn Holdable) -> Vec<String> {
        let idle = served::idle(route.metadata());
        let mut waited_for = Vec::new();
        for name in self.behind(route) {
            if self.service(&name).is_none() && !idle.contains(&name) {
                waited_for.push(format!("there is no Service {name}"));
            }
            let ways = self.unready(&name, false, |way| !idle.contains(&way.key()));
            let say = |way| format!("Service {name} has no ready endpoint for {way}");
            waited_for.extend(ways.iter().map(say));
        }
        waited_for
    }

    /// The ways through a Service that are not ready, and for which a release waits.
    fn unready(&self, name: &str, is_target: bool, was_served: impl Fn(&Way) -> bool) -> Vec<Way> {
        let Some(service) = self.service(name) else {
            return Vec::new();
        };
        let mut ways = ways(service);
        ways.retain(|way| is_waited_for(self.seen(service, way, is_target), was_served(way)));
        ways
    }

    /// What is seen of a way to the app: while its Service is held, at the origin.
    ///
    /// Where nobody can see anything, nobody waits: the API server refuses the origin, or the Service
    /// is behind a route and another window holds it, which needs no origin.
    fn seen(&self, service: &Service, way: &Way, is_target: bool) -> Seen {
        if !self.is_held(service) {
            let others = self
                .observed
                .slices_of(&way.service)
                .filter(|s| !slices::is_ours(s));
            // Where it is not held the platform's slices are there, or nothing leads that way.
            return match seen(way, others) {
                Seen::Unknown => Seen::Empty,
                seen => seen,
            };
        }
        let origin = origin::name(service);
        let is_needed = is_target || self.observed.services.contains_key(&origin);
        match seen(way, self.observed.slices_of(&origin)) {
            Seen::Unknown if !is_needed || self.is_refused(&origin) => Seen::Ready,
            seen => seen,
        }
    }

    fn is_held(&self, object: &dyn Holdable) -> bool {
        object.is_held(&self.around)
    }

    /// The Services that the user wants a route to lead to.
    fn behind(&self, route: &dyn Holdable) -> BTreeSet<String> {
        route.behind(&self.around).services
    }

    fn is_refused(&self, origin: &str) -> bool {
        let origin = TargetRef::service(origin);
        let refused = self
            .refused
            .last(&self.observed.namespace, &origin, Flip::Hold);
        refused.is_some()
    }

    fn service(&self, name: &str) -> Option<&'o Service> {
        self.observed.services.get(name).map(AsRef::as_ref)
    }

    fn ours<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a EndpointSlice> {
        self.observed
            .slices_of(service)
            .filter(|slice| slices::is_ours(slice))
    }
}

/// What is not ready, in a sentence; `None` where everything is.
fn not_ready(waits: &[String], overrun: &Overrun<'_>) -> Option<Reason> {
    let first = waits.first()?;
    let more = match waits.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let until = overrun.window.schedule.write_instant(overrun.until);
    Some(Reason::new(
        APP_NOT_READY,
        format!("{first}{more}; it is released at {until} at the latest"),
    ))
}

/// What a notice tells of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling {
    pub(super) occurrence: Occurrence,
    /// Whether it is over, and targets are held still, because their apps are not ready.
    pub(super) restoring: bool,
    /// Until when its clients are asked to connect anew.
    pub(super) reconnect_until: Option<DateTime<Utc>>,
}

/// What the notice of `window` has to tell of now; `None` where it needs none.
pub(super) fn telling(
    window: &Window,
    applied: &BTreeMap<TargetRef, Applied>,
    now: DateTime<Utc>,
) -> Option<Telling> {
    let stage = stage(window, now);
    let mut restoring = applied
        .values()
        .filter_map(|applied| applied.restoring.as_ref());
    match restoring.find(|restoring| restoring.window == window.uid) {
        Some(restoring) if !matches!(stage, Stage::On(_)) => Some(Telling {
            occurrence: restoring.occurrence,
            restoring: true,
            reconnect_until: None,
        }),
        _ => Some(Telling {
            occurrence: stage.occurrence()?,
            restoring: false,
            reconnect_until: None,
        }),
    }
}
