//! A rehearsal: a standing route of ours that refers to the bridges and to the original backends of
//! a target, so that a proxy which learns of a Service from the routes that lead there knows all of
//! them before a flip, and after it.
//!
//! PURE. It is never a way around the maintenance. Its host is 128 random bits below `.invalid`,
//! which no resolver knows (RFC 6761 section 6.4), and its paths are exact ones with a `?` in them,
//! which the path of no request has (RFC 3986 section 3.3): nobody is answered over it, not even who
//! can read it.
//!
//! Its owner is the target, so that nothing of ours stays when the target goes and no operator is
//! there to see it. It only ever grows until it goes as a whole: a Service that were taken out at a
//! flip could be forgotten by the proxy before the route that led there.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;

use super::edit::{Edit, Precondition};
use super::ingress::{self, to_bridge};
use super::{Outcome, Plan, Reason};
use crate::api::names;

/// An Ingress that is not ours has the name of the rehearsal.
pub const NAME_TAKEN: &str = "RehearsalNameTaken";

/// The annotation by which an Ingress named its class before there was a field for it, and which
/// some controllers still go by.
pub const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// How long a proxy gets to learn of what was added to a rehearsal, before a route is pointed
/// there: Contour gathers changes for half a second at most (`HoldoffMaxDelay`), and Envoy then
/// asks for the endpoints.
pub const SETTLES: TimeDelta = TimeDelta::seconds(1);

/// The name of the rehearsal of the Ingress called `target`.
pub fn name(target: &str) -> String {
    names::derived(&format!("entracte-{target}"), "-rehearsal", 253)
}

/// A host that nobody guesses.
pub fn host(random: u128) -> String {
    format!("{random:032x}.invalid")
}

/// Whether an object is a rehearsal.
pub fn is_rehearsal(metadata: &ObjectMeta) -> bool {
    names::is_ours_with(metadata, names::REHEARSAL_LABEL)
}

/// The name of the target of a rehearsal, as long as it is the one that the rehearsal was made for.
pub fn target(rehearsal: &ObjectMeta) -> Option<&str> {
    let owner = rehearsal.owner_references.as_ref()?.first()?;
    Some(&owner.name)
}

/// The class of an Ingress.
pub fn class(ingress: &Ingress) -> Option<&str> {
    let field = ingress.spec.as_ref()?.ingress_class_name.as_deref();
    field.or_else(|| {
        let annotations = ingress.metadata.annotations.as_ref()?;
        annotations.get(CLASS_ANNOTATION).map(String::as_str)
    })
}

/// What a rehearsal is needed for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Need<'a> {
    /// The target is held, or about to be.
    Stand {
        /// The target.
        target: &'a Ingress,
        /// The backends that the proxy has to know.
        backends: &'a [IngressBackend],
        /// The host, where none is chosen yet.
        host: &'a str,
    },
    /// The target is the user's again: stay until `until`, for proxies that learn late.
    Linger {
        /// When it may go, where nothing is written on it yet.
        until: DateTime<Utc>,
    },
    /// There is no such target.
    Go,
}

/// The backends that the user wants `target` to lead to, whatever it leads to now.
pub fn originals(target: &Ingress, bridges: &BTreeSet<String>) -> Vec<IngressBackend> {
    ingress::originals(target, bridges)
}

/// The backends of a rehearsal: the bridges, and what the user wants.
pub fn backends<'a>(
    bridges: impl IntoIterator<Item = &'a str>,
    originals: Vec<IngressBackend>,
) -> Vec<IngressBackend> {
    let bridges = bridges.into_iter().map(to_bridge);
    let mut backends = Vec::new();
    extend(&mut backends, bridges.chain(originals));
    backends
}

/// The plan that gives the rehearsal called `name` in `namespace` what it is needed for.
pub fn plan(
    namespace: &str,
    name: &str,
    read: Option<&Ingress>,
    need: Need<'_>,
    now: DateTime<Utc>,
) -> Plan {
    match (need, read) {
        (_, Some(ingress)) if !is_rehearsal(&ingress.metadata) => {
            Plan::nothing(Outcome::Waiting(Reason::new(
                NAME_TAKEN,
                format!("the Ingress {name} has the name that the rehearsal needs"),
            )))
        }
        (Need::Stand { .. }, read) => {
            let wanted = desired(namespace, name, read, need, now);
            let edits = match (read, wanted) {
                (_, None) => Vec::new(),
                (None, Some(wanted)) => vec![Edit::CreateRehearsal(Box::new(wanted))],
                (Some(_), Some(wanted)) => vec![Edit::ReplaceRehearsal(Box::new(wanted))],
            };
            Plan::new(edits, Outcome::Serving)
        }
        (Need::Linger { .. } | Need::Go, None) => Plan::nothing(Outcome::Serving),
        (Need::Linger { until }, Some(rehearsal)) => linger(rehearsal, until, now),
        (Need::Go, Some(rehearsal)) => go(rehearsal),
    }
}

/// When every proxy knows `bridge` and `originals` by `rehearsal`; `None` where it does not refer
/// to all of them.
pub fn ready_at(
    rehearsal: &Ingress,
    bridge: &str,
    originals: &[IngressBackend],
) -> Option<DateTime<Utc>> {
    let known = known(rehearsal);
    let all = originals.iter().all(|original| known.contains(original));
    if !all || !known.contains(&to_bridge(bridge)) {
        return None;
    }
    let since = names::instant(&rehearsal.metadata, names::REHEARSED_ANNOTATION)?;
    Some(since + SETTLES)
}

/// The rehearsal as it should be, or `None` where it is so.
fn desired(
    namespace: &str,
    name: &str,
    read: Option<&Ingress>,
    need: Need<'_>,
    now: DateTime<Utc>,
) -> Option<Ingress> {
    let Need::Stand {
        target,
        backends,
        host,
    } = need
    else {
        return None;
    };
    let mut all = read.map(known).unwrap_or_default();
    let known = all.len();
    extend(&mut all, backends.iter().cloned());
    let since = read
        .filter(|_| all.len() == known)
        .and_then(|read| names::instant(&read.metadata, names::REHEARSED_ANNOTATION))
        .unwrap_or(now);
    let host = read.and_then(host_of).unwrap_or(host);
    let wanted = Ingress {
        metadata: metadata(namespace, name, read, target, since),
        spec: Some(spec(target, host, all)),
        status: None,
    };
    let is_so =
        read.is_some_and(|read| read.metadata == wanted.metadata && read.spec == wanted.spec);
    (!is_so).then_some(wanted)
}

/// What others have written on it stays.
fn metadata(
    namespace: &str,
    name: &str,
    read: Option<&Ingress>,
    target: &Ingress,
    since: DateTime<Utc>,
) -> ObjectMeta {
    let mut metadata = read.map(|read| read.metadata.clone()).unwrap_or_default();
    metadata.name = Some(name.to_owned());
    metadata.namespace = Some(namespace.to_owned());
    let labels = metadata.labels.get_or_insert_default();
    for (key, value) in [
        (names::MANAGED_BY_LABEL, names::MANAGED_BY),
        (names::REHEARSAL_LABEL, "true"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let since = names::annotated(since);
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.remove(names::LINGER_ANNOTATION);
    annotations.insert(names::REHEARSED_ANNOTATION.to_owned(), since);
    let theirs = target.metadata.annotations.as_ref();
    if let Some(class) = theirs.and_then(|theirs| theirs.get(CLASS_ANNOTATION)) {
        annotations.insert(CLASS_ANNOTATION.to_owned(), class.clone());
    }
    metadata.owner_references = Some(vec![OwnerReference {
        api_version: "networking.k8s.io/v1".to_owned(),
        kind: "Ingress".to_owned(),
        name: target.metadata.name.clone().unwrap_or_default(),
        uid: target.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }]);
    metadata
}

fn spec(target: &Ingress, host: &str, backends: Vec<IngressBackend>) -> IngressSpec {
    let paths = backends.into_iter().enumerate();
    let paths = paths.map(|(number, backend)| HTTPIngressPath {
        path: Some(format!("/.entracte/{number}?")),
        path_type: "Exact".to_owned(),
        backend,
    });
    let theirs = target.spec.as_ref();
    IngressSpec {
        ingress_class_name: theirs.and_then(|spec| spec.ingress_class_name.clone()),
        rules: Some(vec![IngressRule {
            host: Some(host.to_owned()),
            http: Some(HTTPIngressRuleValue {
                paths: paths.collect(),
            }),
        }]),
        ..IngressSpec::default()
    }
}

/// The host that was chosen for a rehearsal.
pub fn host_of(rehearsal: &Ingress) -> Option<&str> {
    let rules = rehearsal.spec.as_ref()?.rules.as_ref()?;
    rules.first()?.host.as_deref()
}

/// The backends that a rehearsal refers to.
fn known(rehearsal: &Ingress) -> Vec<IngressBackend> {
    let rules = rehearsal.spec.iter().filter_map(|spec| spec.rules.as_ref());
    let paths = rules.flatten().filter_map(|rule| rule.http.as_ref());
    paths
        .flat_map(|http| &http.paths)
        .map(|path| path.backend.clone())
        .collect()
}

fn extend(backends: &mut Vec<IngressBackend>, more: impl IntoIterator<Item = IngressBackend>) {
    for backend in more {
        if !backends.contains(&backend) {
            backends.push(backend);
        }
    }
}

fn linger(rehearsal: &Ingress, until: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
    match names::instant(&rehearsal.metadata, names::LINGER_ANNOTATION) {
        None => {
            let mut rehearsal = rehearsal.clone();
            rehearsal
                .metadata
                .annotations
                .get_or_insert_default()
                .insert(names::LINGER_ANNOTATION.to_owned(), names::annotated(until));
            let edits = vec![Edit::ReplaceRehearsal(Box::new(rehearsal))];
            Plan::new(edits, Outcome::Releasing { until }).again(until)
        }
        Some(until) if now < until => Plan::nothing(Outcome::Releasing { until }).again(until),
        Some(_) => go(rehearsal),
    }
}

fn go(rehearsal: &Ingress) -> Plan {
    let which = Precondition::of(&rehearsal.metadata);
    Plan::new(vec![Edit::DeleteRehearsal(which)], Outcome::Serving)
}

#[cfg(test)]
#[path = "rehearsal_tests.rs"]
mod tests;
