//! Hold and release a Service.
//!
//! PURE. Held, a Service bears one selector key more, which no pod has, so that the platform's
//! own controller empties its slices; ours, ready before, take its place. The selector is never
//! removed: the platform would leave its old slices behind, and mirror a stale Endpoints object
//! into one more (`pkg/controller/endpointslice/endpointslice_controller.go`,
//! `pkg/controller/endpointslicemirroring`), so that traffic would split.
//!
//! Ready-first in both directions: for a moment there are endpoints of both, and never none.
//! Where the platform does not empty its slices soon, a hold empties them (`platform.rs`).

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{EndpointPort, EndpointSlice};
use kube::core::ObjectMeta;

use super::edit::{Edit, PatchBuilder, Precondition};
use super::holdable::{Behind, Holdable, Surroundings, owned_by_controller};
use super::platform::{self, Left};
use super::record::Record;
use super::slices::Family;
use super::{
    Answering, BACKEND_UNAVAILABLE, Linger, Outcome, Plan, Reason, UNSUPPORTED, backend, bridge,
    flux, leaf, marks, origin, served, slices,
};
use crate::api::names;
use crate::api::target::TargetKind;
use crate::api::time::to_milliseconds;

/// How old a view of the platform's slices may be: before this has passed since a release, slices
/// that look ready may be those from before the platform emptied them.
const STALE_VIEW: TimeDelta = TimeDelta::milliseconds(500);

impl Holdable for Service {
    fn kind(&self) -> TargetKind {
        TargetKind::Service
    }

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn is_marked(&self) -> bool {
        bears_key(self) || marks::are_on(&self.metadata)
    }

    fn is_held(&self, _around: &Surroundings) -> bool {
        bears_key(self)
    }

    /// The platform's controller empties its slices a while after the key is there.
    fn answers_alone(&self, around: &Surroundings) -> bool {
        let Observed { ours, platform, .. } = Observed::of(self, around);
        let is_ready = |slice: &&EndpointSlice| slice.endpoints.iter().any(backend::is_ready);
        bears_key(self) && ours.iter().any(is_ready) && !platform.iter().any(is_ready)
    }

    fn backends(&self) -> Vec<String> {
        Vec::new()
    }

    fn behind(&self, _around: &Surroundings) -> Behind {
        Behind {
            services: self.metadata.name.clone().into_iter().collect(),
            but: None,
        }
    }

    fn unfit(&self) -> Option<Reason> {
        unfit(self)
    }

    fn refusal(&self, _around: &Surroundings, answering: Answering<'_>) -> Option<Reason> {
        unfit(self).or_else(|| missing_family(self, answering))
    }

    fn hold(&self, around: &Surroundings, answering: Answering<'_>, now: DateTime<Utc>) -> Plan {
        hold(&Observed::of(self, around), answering, now)
    }

    /// After a release our slices stay, for each family and port, until the platform's have a
    /// ready endpoint for it, or until `linger` has passed: the shorter one where the platform
    /// shows that nobody would come, or nobody was there when the Service was held.
    fn release(&self, around: &Surroundings, linger: Linger, now: DateTime<Utc>) -> Plan {
        if bridge::is_bridge(self) || origin::is_origin(self) {
            return Plan::nothing(Outcome::Refused(our_own()));
        }
        release(&Observed::of(self, around), linger, now)
    }
}

/// A Service and its slices, as they were read.
#[derive(Debug, Clone)]
pub(super) struct Observed<'a> {
    pub(super) service: &'a Service,
    /// The slices of ours that bear its name.
    pub(super) ours: Vec<&'a EndpointSlice>,
    /// The slices of anybody else that bear its name.
    pub(super) platform: Vec<&'a EndpointSlice>,
}

impl<'a> Observed<'a> {
    fn of(service: &'a Service, around: &'a Surroundings) -> Self {
        let slices = around.slices.iter().map(AsRef::as_ref);
        let (ours, platform) = slices.partition(|slice| slices::is_ours(slice));
        Self {
            service,
            ours,
            platform,
        }
    }
}

/// Whether the selector of `service` bears the hold key, so that it matches no pod.
pub(super) fn bears_key(service: &Service) -> bool {
    selector(service).is_some_and(|selector| selector.contains_key(names::HOLD_KEY))
}

/// While the target is held, the slice of a family of which no backend pod answers stays as it
/// is: an address that may work is better than none, and better than the app in its upgrade.
fn hold(observed: &Observed<'_>, answering: Answering<'_>, now: DateTime<Utc>) -> Plan {
    let service = observed.service;
    let answers = |family: &Family| {
        let mut endpoints = answering.endpoints.iter();
        endpoints.any(|endpoint| family.contains(endpoint.address))
    };
    let (answered, silent): (Vec<Family>, Vec<Family>) =
        Family::of(service).into_iter().partition(answers);
    let is_held = bears_key(service) || marks::say_held(&service.metadata);
    let port = match answering.port {
        Some(port) if is_held && !answered.is_empty() || silent.is_empty() => port,
        _ => return nobody_answers(observed, answering),
    };
    let wanted = slices::desired(service, answering.endpoints, port)
        .into_iter()
        .filter(|slice| answered.iter().any(|family| family.is_of(slice)))
        .map(|slice| served::remembering(observed, slice))
        .collect();
    let stays = |slice: &&EndpointSlice| silent.iter().any(|family| family.is_of(slice));
    let ours = observed.ours.iter().copied().filter(|slice| !stays(slice));
    let mut edits = slices::edits(ours, wanted);
    let told = if bears_key(service) || answering.is_kept {
        Vec::new()
    } else {
        flux::to_tell(&service.metadata)
    };
    let record = record(service, now).telling(&told);
    edits.extend(taken_over(service, &record, &told));
    let left = Left::of(observed.platform.iter().copied(), &answered);
    let moment = record
        .at
        .filter(|at| *at <= now)
        .map(|at| at + platform::MOMENT);
    match moment.filter(|moment| now < *moment) {
        Some(moment) if left != Left::default() => Plan::new(edits, left.outcome()).again(moment),
        _ => {
            let (emptied, left) = left.emptied();
            edits.extend(emptied);
            Plan::new(edits, left.outcome())
        }
    }
}

/// Somebody may have undone the hold: beside the app's own endpoints, those of pods that are gone
/// would lead some of its clients nowhere.
fn nobody_answers(observed: &Observed<'_>, answering: Answering<'_>) -> Plan {
    let is_held = bears_key(observed.service);
    let leads_nowhere = |slice: &&&EndpointSlice| {
        let mut pods = answering.backend.iter();
        !pods.any(|pod| slices::leads_to(slice, pod.address))
    };
    let ours = observed.ours.iter().filter(|_| !is_held);
    let edits = ours.filter(leads_nowhere).map(|slice| delete(slice));
    let outcome = Outcome::Waiting(no_answer(is_held));
    Plan::new(edits.collect(), outcome)
}

/// What is known of the hold: as the annotation says, or, where the selector is taken over now, anew.
fn record(service: &Service, now: DateTime<Utc>) -> Record {
    let key = selector(service).and_then(|selector| selector.get(names::HOLD_KEY));
    // The key of another Service, from a backup, is none.
    if key.is_some() && key == service.metadata.uid.as_ref() {
        return Record::of(&service.metadata);
    }
    Record {
        at: Some(to_milliseconds(now)),
        ..Record::taking(TargetKind::Service, &service.metadata)
    }
}

/// The patch that holds, where there is anything to write.
fn taken_over(service: &Service, record: &Record, told: &[&str]) -> Option<Edit> {
    let metadata = &service.metadata;
    let mut patch = PatchBuilder::guarded(metadata);
    set_key(&mut patch, service, metadata.uid.as_deref());
    // A record that somebody took away is of no use without another write.
    if !patch.is_empty() || !marks::say_held(metadata) {
        marks::hold(&mut patch, metadata, &record.to_json(), told);
    }
    patch.edit_of(TargetKind::Service, metadata)
}

/// The patch that releases, where there is anything to write.
fn given_back(service: &Service) -> Option<Edit> {
    let metadata = &service.metadata;
    let mut patch = PatchBuilder::guarded(metadata);
    set_key(&mut patch, service, None);
    let record = || Record::taking(TargetKind::Service, metadata).to_json();
    marks::release(&mut patch, TargetKind::Service, metadata, record);
    patch.edit_of(TargetKind::Service, metadata)
}

fn set_key(patch: &mut PatchBuilder, service: &Service, value: Option<&str>) {
    let selector = selector(service);
    leaf::set(
        patch,
        ["spec", "selector"],
        selector,
        names::HOLD_KEY,
        value,
    );
}

fn no_answer(is_held: bool) -> Reason {
    let message = if is_held {
        "no backend pod answers on the window's port: clients get no answer until one does"
    } else {
        "no backend pod has answered on the window's port yet; the target is held as soon as one \
         does"
    };
    Reason::new(BACKEND_UNAVAILABLE, message)
}

/// Our slices say when they were released before the selector is given back, and not after: what they
/// say may be from an earlier release, and the platform is about to empty its own.
fn release(observed: &Observed<'_>, linger: Linger, now: DateTime<Utc>) -> Plan {
    let service = observed.service;
    let (own, strays): (Vec<_>, Vec<_>) = observed
        .ours
        .iter()
        .copied()
        .partition(|slice| slices::is_owned_by(slice, service));
    // What is yet to come was written by a clock that is ahead of ours.
    let since = released(&own).filter(|(since, _)| !bears_key(service) && *since <= now);
    let longest = now + linger.longest.max(linger.unready);
    let mut edits = Vec::new();
    if since.is_none() {
        let farewell = |slice| farewell(slice, now, longest);
        edits.extend(own.iter().copied().map(farewell));
    }
    edits.extend(given_back(service));
    edits.extend(strays.into_iter().map(delete));
    if own.is_empty() {
        return Plan::new(edits, Outcome::Serving);
    }
    let Some((since, until)) = since else {
        let until = longest;
        return Plan::new(edits, Outcome::Releasing { until }).again(now + STALE_VIEW);
    };
    if now >= until {
        edits.extend(own.into_iter().map(delete));
        return Plan::new(edits, Outcome::Serving);
    }
    if now < since + STALE_VIEW {
        return Plan::new(edits, Outcome::Releasing { until }).again(since + STALE_VIEW);
    }
    let unready_until = since + linger.unready;
    let mut left = 0;
    for slice in own {
        let mut ports = slices::uncovered(slice, observed.platform.iter().copied());
        if now >= unready_until {
            ports.retain(|port| served::may_come_back(observed, slice, port));
        }
        match ports {
            ports if ports.is_empty() => edits.push(delete(slice)),
            ports => {
                left += 1;
                edits.extend(narrowed(slice, ports));
            }
        }
    }
    if left == 0 {
        return Plan::new(edits, Outcome::Serving);
    }
    let next = if now < unready_until {
        unready_until.min(until)
    } else {
        until
    };
    Plan::new(edits, Outcome::Releasing { until }).again(next)
}

/// Ports that the app serves again are not ours any more; one that no pod declares never will be.
fn narrowed(slice: &EndpointSlice, ports: Vec<EndpointPort>) -> Option<Edit> {
    if slice.ports.as_ref() == Some(&ports) {
        return None;
    }
    let mut slice = slice.clone();
    slice.ports = Some(ports);
    Some(Edit::ReplaceSlice(Box::new(slice)))
}

/// When the Service was released and when its linger is over, as all of its slices say.
fn released(own: &[&EndpointSlice]) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let times = own.iter().map(|slice| {
        let since = names::instant(&slice.metadata, names::RELEASED_ANNOTATION)?;
        Some((
            since,
            names::instant(&slice.metadata, names::LINGER_ANNOTATION)?,
        ))
    });
    times.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn farewell(slice: &EndpointSlice, now: DateTime<Utc>, until: DateTime<Utc>) -> Edit {
    let mut slice = slice.clone();
    let annotations = slice.metadata.annotations.get_or_insert_default();
    annotations.insert(names::RELEASED_ANNOTATION.to_owned(), names::annotated(now));
    annotations.insert(names::LINGER_ANNOTATION.to_owned(), names::annotated(until));
    Edit::ReplaceSlice(Box::new(slice))
}

fn delete(slice: &EndpointSlice) -> Edit {
    Edit::DeleteSlice(Precondition::of(&slice.metadata))
}

fn selector(service: &Service) -> Option<&std::collections::BTreeMap<String, String>> {
    service.spec.as_ref()?.selector.as_ref()
}

/// Why `service` must not be held, whatever the backend is like.
fn unfit(service: &Service) -> Option<Reason> {
    if bridge::is_bridge(service) || origin::is_origin(service) {
        return Some(our_own());
    }
    let spec = service.spec.clone().unwrap_or_default();
    owned_by_controller(TargetKind::Service, &service.metadata)
        .or_else(|| unfit_type(&spec))
        .or_else(|| unfit_policy(&spec))
        .or_else(|| spec.ports.iter().flatten().find_map(unfit_port))
}

fn our_own() -> Reason {
    unsupported("the Service is one of Entracte's own; name the app's")
}

fn unsupported(message: impl Into<String>) -> Reason {
    Reason::new(UNSUPPORTED, message)
}

fn unfit_type(spec: &ServiceSpec) -> Option<Reason> {
    if spec.type_.as_deref() == Some("ExternalName") {
        return Some(unsupported(
            "the Service is an ExternalName: clients are sent elsewhere by DNS; hold the Ingress \
             in front of it",
        ));
    }
    if spec.cluster_ip.as_deref() == Some("None") {
        return Some(unsupported(
            "the Service is headless: its clients find pods by DNS and may keep them for long; \
             hold a Service with a cluster IP, or the Ingress",
        ));
    }
    if spec
        .selector
        .as_ref()
        .is_none_or(|selector| selector.keys().all(|k| k == names::HOLD_KEY))
    {
        return Some(unsupported(
            "the Service has no selector: somebody else writes its endpoints; hold the Ingress in \
             front of it",
        ));
    }
    None
}

fn unfit_policy(spec: &ServiceSpec) -> Option<Reason> {
    let local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    let field = if local(&spec.internal_traffic_policy) {
        "internalTrafficPolicy"
    } else if local(&spec.external_traffic_policy) {
        "externalTrafficPolicy"
    } else {
        return None;
    };
    Some(unsupported(format!(
        "the Service has {field}: Local: nodes without a backend pod would drop its requests; set \
         it to Cluster, or hold the Ingress"
    )))
}

fn unfit_port(port: &ServicePort) -> Option<Reason> {
    let number = port.port;
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    if protocol != "TCP" {
        return Some(unsupported(format!(
            "port {number} of the Service is {protocol}: only HTTP over TCP can be answered; move \
             the port to a Service of its own"
        )));
    }
    let app_protocol = port.app_protocol.as_deref()?;
    if speaks_plain_http(app_protocol) {
        return None;
    }
    Some(unsupported(format!(
        "port {number} of the Service has appProtocol: {app_protocol}: only HTTP without TLS can \
         be answered; move the port to a Service of its own, or hold the Ingress"
    )))
}

/// The values of `appProtocol` behind which plain HTTP is spoken: the names of KEP-3726 and what
/// IANA, Istio and Traefik call the same.
fn speaks_plain_http(app_protocol: &str) -> bool {
    const PLAIN: [&str; 8] = [
        "http",
        "http2",
        "h2c",
        "grpc",
        "grpc-web",
        "ws",
        "kubernetes.io/h2c",
        "kubernetes.io/ws",
    ];
    PLAIN
        .iter()
        .any(|plain| plain.eq_ignore_ascii_case(app_protocol))
}

/// A Service that is held already is not given back for it, in the middle of its window.
fn missing_family(service: &Service, answering: Answering<'_>) -> Option<Reason> {
    let is_held = bears_key(service) || marks::say_held(&service.metadata);
    if answering.backend.is_empty() || is_held {
        return None;
    }
    let missing = Family::of(service).into_iter().find(|family| {
        let mut pods = answering.backend.iter();
        !pods.any(|pod| family.contains(pod.address))
    })?;
    let family = missing.as_str();
    Some(unsupported(format!(
        "the Service is reached over {family}, but no backend pod has an {family} address; make \
         the cluster's pods dual-stack, or hold the Ingress"
    )))
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "service_effect_tests.rs"]
mod effect_tests;
