//! A rehearsal: a standing route of ours that refers to the bridges and to the original backends of
//! a target, so that a proxy which learns of a Service from the routes that lead there knows all of
//! them before a flip, and after it.
//!
//! PURE. It is never a way around the maintenance; the file of each kind says why. What is at random in
//! it was drawn once and is read back from what stands.
//!
//! Its owner is the target, so that nothing of ours stays when the target goes and no operator is
//! there to see it. It only ever grows until it goes as a whole: a Service that were taken out at a
//! flip could be forgotten by the proxy before the route that led there.
//!
//! What others write on it (a webhook that adds a label or a field) is theirs, and no reason to write
//! it again: what stands is compared with what is wanted as far as that is ours.

use std::collections::BTreeSet;
use std::fmt::Debug;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};

use super::edit::{Edit, Precondition, Rehearsal};
use super::{Outcome, Plan, Reason};
use crate::api::names;
use crate::api::target::TargetKind;

mod demand;
mod httproute;
mod ingress;

pub use demand::{Demand, Serving, UNREHEARSED, missed};

/// An object that is not ours has the name of the rehearsal.
pub const NAME_TAKEN: &str = "RehearsalNameTaken";

/// How long a proxy gets to learn of what was added to a rehearsal, before a route is pointed
/// there: Contour gathers changes for half a second at most (`HoldoffMaxDelay`), and Envoy then
/// asks for the endpoints.
pub const SETTLES: TimeDelta = TimeDelta::seconds(1);

/// What is particular about a kind of route that is rehearsed by another one of its kind.
pub trait Rehearsable:
    kube::Resource<DynamicType = ()> + Clone + Debug + Serialize + Into<Rehearsal>
{
    /// What it is.
    const KIND: TargetKind;

    /// How many backends a rehearsal has room for.
    const MOST: usize;

    /// Where a rehearsal leads, as far as it is told apart by proxies.
    type Backend: Debug + Clone + PartialEq;

    /// The controllers that serve it, or why one is not known, in half a sentence. `controller_of`
    /// says which controller an IngressClass names.
    fn served_by(&self, controller_of: &dyn Fn(&str) -> Option<String>) -> Vec<Serving>;

    /// The backends that the user wants it to lead to, whatever it leads to now.
    fn originals(&self, bridges: &BTreeSet<String>) -> Vec<Self::Backend>;

    /// The backend that leads to the bridge called `name`.
    fn to_bridge(name: &str) -> Self::Backend;

    /// Whether all that can be led to `bridge` leads there.
    fn leads_only_to(&self, bridge: &str) -> bool;

    /// The backends that it refers to, as a rehearsal.
    fn known(&self) -> Vec<Self::Backend>;

    /// What was drawn at random for it, as a rehearsal.
    fn secret(&self) -> Option<&str>;

    /// Where it is served: what a rehearsal has in common with its target.
    fn served_at(&self) -> Value;

    /// The annotations that a rehearsal has in common with it.
    fn annotations(&self) -> Vec<(&'static str, String)>;

    /// A rehearsal of it that refers to `backends`, and sends nobody anywhere but to `bridge`.
    #[must_use]
    fn rehearsed(
        &self,
        metadata: ObjectMeta,
        secret: &str,
        backends: &[Self::Backend],
        bridge: &Self::Backend,
    ) -> Self;
}

/// The name of the rehearsal of the route called `target`.
pub fn name(target: &str) -> String {
    names::derived(&format!("entracte-{target}"), "-rehearsal", 253)
}

/// What nobody guesses.
pub fn secret(random: u128) -> String {
    format!("{random:032x}")
}

/// Whether somebody could guess it.
fn is_secret(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether an object is a rehearsal.
pub fn is_rehearsal(metadata: &ObjectMeta) -> bool {
    names::is_ours_with(metadata, names::REHEARSAL_LABEL)
}

/// The name of the target of a rehearsal, as long as it is the one that the rehearsal was made for.
pub fn target<R: Rehearsable>(rehearsal: &R) -> Option<&str> {
    let mut owners = rehearsal.meta().owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.kind == R::KIND.as_str())?;
    Some(&owner.name)
}

/// What a rehearsal is needed for.
#[derive(Debug)]
pub enum Need<'a, R: Rehearsable> {
    /// The target is held, or about to be.
    Stand {
        /// The target.
        target: &'a R,
        /// The bridges that stand and answer for it, or may soon.
        bridges: &'a BTreeSet<String>,
        /// The backends that the user wants.
        originals: &'a [R::Backend],
        /// What is at random, where nothing is drawn yet.
        secret: &'a str,
    },
    /// The target is the user's again: stay until `until`, for proxies that learn late.
    Linger {
        /// When it may go, where nothing is written on it yet.
        until: DateTime<Utc>,
    },
    /// There is no such target.
    Go,
}

/// The plan that gives the rehearsal called `name` in `namespace` what it is needed for.
pub fn plan<R: Rehearsable>(
    namespace: &str,
    name: &str,
    read: Option<&R>,
    need: Need<'_, R>,
    now: DateTime<Utc>,
) -> Plan {
    match (need, read) {
        (_, Some(read)) if !is_rehearsal(read.meta()) => {
            let kind = R::KIND;
            Plan::nothing(Outcome::Waiting(Reason::new(
                NAME_TAKEN,
                format!("the {kind} {name} has the name that the rehearsal needs"),
            )))
        }
        (
            Need::Stand {
                target,
                bridges,
                originals,
                secret,
            },
            read,
        ) => {
            let wanted = Wanted {
                target,
                bridges,
                originals,
            };
            let edits = match (read, wanted.rehearsal(namespace, name, read, secret, now)) {
                (_, None) => Vec::new(),
                (None, Some(wanted)) => vec![Edit::CreateRehearsal(wanted.into())],
                (Some(_), Some(wanted)) => vec![Edit::ReplaceRehearsal(wanted.into())],
            };
            Plan::new(edits, Outcome::Serving)
        }
        (Need::Linger { .. } | Need::Go, None) => Plan::nothing(Outcome::Serving),
        (Need::Linger { until }, Some(rehearsal)) => linger(rehearsal, until, now),
        (Need::Go, Some(rehearsal)) => go(rehearsal),
    }
}

/// When every proxy knows `bridge` and `originals` by `rehearsal`; `None` where it does not refer
/// to all of them, though there is room.
pub fn ready_at<R: Rehearsable>(
    rehearsal: &R,
    bridge: &str,
    originals: &[R::Backend],
) -> Option<DateTime<Utc>> {
    let known = rehearsal.known();
    let is_full = known.len() >= R::MOST;
    let all = is_full || originals.iter().all(|original| known.contains(original));
    if !all || !known.contains(&R::to_bridge(bridge)) {
        return None;
    }
    let since = names::instant(rehearsal.meta(), names::REHEARSED_ANNOTATION)?;
    Some(since + SETTLES)
}

/// What was drawn at random for a rehearsal that stands.
pub fn drawn<R: Rehearsable>(rehearsal: &R) -> Option<&str> {
    rehearsal.secret().filter(|secret| is_secret(secret))
}

/// What a rehearsal that stands has to refer to.
struct Wanted<'a, R: Rehearsable> {
    target: &'a R,
    bridges: &'a BTreeSet<String>,
    originals: &'a [R::Backend],
}

impl<R: Rehearsable> Wanted<'_, R> {
    /// The rehearsal as it should be, or `None` where it is so, or where no bridge stands for it to
    /// lead to.
    fn rehearsal(
        &self,
        namespace: &str,
        name: &str,
        read: Option<&R>,
        secret: &str,
        now: DateTime<Utc>,
    ) -> Option<R> {
        let known = read.map(R::known).unwrap_or_default();
        let all = self.backends(&known);
        let bridge = all.iter().find(|backend| self.is_bridge(backend))?;
        let secret = read.and_then(drawn).unwrap_or(secret);
        let metadata = self.metadata(namespace, name, read);
        let mut wanted = self.target.rehearsed(metadata, secret, &all, bridge);
        let stands = read.filter(|read| {
            let is_alike = contains(&read.served_at(), &wanted.served_at());
            is_alike && known == all
        });
        let since =
            stands.and_then(|read| names::instant(read.meta(), names::REHEARSED_ANNOTATION));
        annotate(
            wanted.meta_mut(),
            names::REHEARSED_ANNOTATION,
            since.unwrap_or(now),
        );
        let is_so = stands.is_some_and(|read| is_as_wanted(read, &wanted));
        (!is_so).then_some(wanted)
    }

    /// What is known already, and what is to be known. Where there is no room for all of it, an
    /// original gives way to a bridge.
    fn backends(&self, known: &[R::Backend]) -> Vec<R::Backend> {
        let mut all = known.to_vec();
        let bridges = self.bridges.iter().map(|name| R::to_bridge(name));
        for backend in bridges.chain(self.originals.iter().cloned()) {
            if !all.contains(&backend) {
                all.push(backend);
            }
        }
        while all.len() > R::MOST {
            let original = all.iter().rposition(|backend| !self.is_bridge(backend));
            all.remove(original.unwrap_or(R::MOST));
        }
        all
    }

    fn is_bridge(&self, backend: &R::Backend) -> bool {
        let mut bridges = self.bridges.iter();
        bridges.any(|name| R::to_bridge(name) == *backend)
    }

    /// What others have written on it stays.
    fn metadata(&self, namespace: &str, name: &str, read: Option<&R>) -> ObjectMeta {
        let mut metadata = read.map(|read| read.meta().clone()).unwrap_or_default();
        metadata.name = Some(name.to_owned());
        metadata.namespace = Some(namespace.to_owned());
        // Only part of it was kept (`ownership::keep_owners`); absent, the API server goes on with its
        // own.
        metadata.managed_fields = None;
        let labels = metadata.labels.get_or_insert_default();
        for (key, value) in [
            (names::MANAGED_BY_LABEL, names::MANAGED_BY),
            (names::REHEARSAL_LABEL, "true"),
        ] {
            labels.insert(key.to_owned(), value.to_owned());
        }
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.remove(names::LINGER_ANNOTATION);
        for (key, value) in self.target.annotations() {
            annotations.insert(key.to_owned(), value);
        }
        let owner = owner(self.target);
        let owners = metadata.owner_references.get_or_insert_default();
        owners.retain(|other| other.kind != owner.kind);
        owners.push(owner);
        metadata
    }
}

fn annotate(metadata: &mut ObjectMeta, key: &str, at: DateTime<Utc>) {
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(key.to_owned(), names::annotated(at));
}

fn owner<R: Rehearsable>(target: &R) -> OwnerReference {
    let metadata = target.meta();
    OwnerReference {
        api_version: R::api_version(&()).into_owned(),
        kind: R::kind(&()).into_owned(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    }
}

/// Whether what stands is as it should be, as far as it is ours.
fn is_as_wanted<R: Rehearsable>(read: &R, wanted: &R) -> bool {
    let lingers = names::instant(read.meta(), names::LINGER_ANNOTATION).is_some();
    let of = |object: &R| {
        let mut value = json!(object);
        let owners = owners_of_kind::<R>(object.meta());
        json!({
            "labels": value["metadata"]["labels"].take(),
            "annotations": value["metadata"]["annotations"].take(),
            "owners": owners,
            "spec": value["spec"].take(),
        })
    };
    // What others have written is in both, and what ours adds to it has to be there.
    !lingers && contains(&of(read), &of(wanted))
}

fn owners_of_kind<R: Rehearsable>(metadata: &ObjectMeta) -> Vec<&OwnerReference> {
    let owners = metadata.owner_references.iter().flatten();
    owners
        .filter(|owner| owner.kind == R::KIND.as_str())
        .collect()
}

/// Whether all that is `wanted` is there: a field may be added to an object and stays, an entry to a
/// list does not, for it could lead somewhere. What is wanted to be null must not be there.
fn contains(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let there = there.get(key).unwrap_or(&Value::Null);
            contains(there, wanted)
        }),
        (Value::Array(there), Value::Array(wanted)) => {
            let mut pairs = there.iter().zip(wanted);
            there.len() == wanted.len() && pairs.all(|(there, wanted)| contains(there, wanted))
        }
        (there, wanted) => there == wanted,
    }
}

fn linger<R: Rehearsable>(rehearsal: &R, until: DateTime<Utc>, now: DateTime<Utc>) -> Plan {
    match names::instant(rehearsal.meta(), names::LINGER_ANNOTATION) {
        None => {
            let mut rehearsal = rehearsal.clone();
            let metadata = rehearsal.meta_mut();
            metadata.managed_fields = None;
            annotate(metadata, names::LINGER_ANNOTATION, until);
            let edits = vec![Edit::ReplaceRehearsal(rehearsal.into())];
            Plan::new(edits, Outcome::Releasing { until }).again(until)
        }
        Some(until) if now < until => Plan::nothing(Outcome::Releasing { until }).again(until),
        Some(_) => go(rehearsal),
    }
}

fn go<R: Rehearsable>(rehearsal: &R) -> Plan {
    let edit = Edit::DeleteRehearsal {
        kind: R::KIND,
        which: Precondition::of(rehearsal.meta()),
    };
    Plan::new(vec![edit], Outcome::Serving)
}

#[cfg(test)]
#[path = "rehearsal_tests.rs"]
mod tests;
