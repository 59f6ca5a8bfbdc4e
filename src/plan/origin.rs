//! An origin: a Service of ours that finds the pods which a held Service would find.
//!
//! PURE. It has the selector without the hold key, and what else decides which endpoints are found
//! and which of them are ready: the names, protocols and targets of the ports, the families,
//! `publishNotReadyAddresses`. So the platform's own controller keeps slices that show whether the
//! app could serve, and no right on pods is needed. Services that look for the same share one.
//!
//! It is headless: it takes no address, no proxy of a node sees it, and no route leads to it. It is
//! named by a hash of what it looks for, so that one that is there is never edited: where a selector
//! changes, another takes its place. The Services that it was made for own it, and it goes with them
//! where nobody is there to take it away.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use serde_json::json;

use super::edit::{Edit, Precondition};
use super::slices::{self, Family};
use crate::api::names;

/// Whether `service` is an origin.
pub fn is_origin(service: &Service) -> bool {
    names::is_ours_with(&service.metadata, names::ORIGIN_LABEL)
}

/// The name of the origin of `service`.
pub fn name(service: &Service) -> String {
    format!("entracte-origin-{}", names::long_hash(&looks_for(service)))
}

/// What decides which endpoints are found for `service`, whether or not it is held. What the API
/// server would write where nothing is written is written out.
fn looks_for(service: &Service) -> String {
    let spec = service.spec.clone().unwrap_or_default();
    let families: Vec<&str> = Family::of(service).iter().map(|f| f.as_str()).collect();
    let ports: Vec<_> = spec
        .ports
        .iter()
        .flatten()
        .map(|port| {
            let target = port.target_port.as_ref();
            json!([
                port.name.as_deref().unwrap_or_default(),
                protocol(port),
                target.map_or_else(|| json!(port.port), |target| json!(target)),
            ])
        })
        .collect();
    let publishes = spec.publish_not_ready_addresses.unwrap_or_default();
    json!([selector(&spec), ports, families, publishes]).to_string()
}

/// Whether an origin shows what `service` would lead to. It may show more: who admits objects to the
/// cluster may have given it another family.
fn shows(origin: &Service, service: &Service) -> bool {
    let families = Family::of(origin);
    let with_families_of = |other: &Service| {
        let mut alike = origin.clone();
        let spec = alike.spec.get_or_insert_default();
        spec.ip_families = other.spec.clone().unwrap_or_default().ip_families;
        alike
    };
    Family::of(service)
        .iter()
        .all(|family| families.contains(family))
        && looks_for(&with_families_of(service)) == looks_for(service)
}

fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

/// The user's selector.
fn selector(spec: &ServiceSpec) -> BTreeMap<String, String> {
    let mut selector = spec.selector.clone().unwrap_or_default();
    selector.remove(names::HOLD_KEY);
    selector
}

/// The edits that leave, of the origins among `services`, those of `needed` and no others, and make
/// those that are missing.
pub fn edits<'a>(
    namespace: &str,
    services: impl IntoIterator<Item = &'a Service>,
    needed: impl IntoIterator<Item = &'a Service>,
) -> Vec<Edit> {
    let mut wanted: BTreeMap<String, Vec<&Service>> = BTreeMap::new();
    for service in needed {
        wanted.entry(name(service)).or_default().push(service);
    }
    let mut standing = BTreeSet::new();
    let mut edits = Vec::new();
    for origin in services.into_iter().filter(|service| is_origin(service)) {
        let called = origin.metadata.name.clone().unwrap_or_default();
        let served = wanted.get(&called).and_then(|services| services.first());
        if !served.is_some_and(|service| shows(origin, service)) {
            edits.push(Edit::DeleteOrigin(Precondition::of(&origin.metadata)));
        }
        // One that somebody edited is made anew once it is gone.
        standing.insert(called);
    }
    for (called, services) in wanted {
        if !standing.contains(&called) {
            edits.push(Edit::CreateOrigin(Box::new(origin(
                namespace, called, &services,
            ))));
        }
    }
    edits
}

fn origin(namespace: &str, name: String, services: &[&Service]) -> Service {
    let first = services.first().and_then(|service| service.spec.clone());
    let spec = first.unwrap_or_default();
    let label = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let labels = [
        (names::MANAGED_BY_LABEL, names::MANAGED_BY),
        (names::ORIGIN_LABEL, "true"),
    ];
    Service {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.map(label).into()),
            owner_references: Some(services.iter().map(|service| owned_by(service)).collect()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some(selector(&spec)),
            ports: spec.ports.map(|ports| ports.iter().map(port).collect()),
            ip_family_policy: policy(spec.ip_families.as_deref()),
            ip_families: spec.ip_families,
            publish_not_ready_addresses: spec.publish_not_ready_addresses,
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// These families and no others: with `PreferDualStack` the API server would add the second one to a
/// Service that is new, though the held one has stayed without.
fn policy(families: Option<&[String]>) -> Option<String> {
    let policy = match families? {
        [_, _, ..] => "RequireDualStack",
        _ => "SingleStack",
    };
    Some(policy.to_owned())
}

fn port(port: &ServicePort) -> ServicePort {
    ServicePort {
        name: port.name.clone(),
        port: port.port,
        protocol: port.protocol.clone(),
        target_port: port.target_port.clone(),
        ..ServicePort::default()
    }
}

/// Not as its controller: the Service's own controller, if it has one, is another.
fn owned_by(service: &Service) -> OwnerReference {
    OwnerReference {
        controller: None,
        ..slices::owned_by(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::object;

    fn cart(changes: &str) -> Service {
        object(&format!(
            "{{metadata: {{name: cart, uid: u1}}, spec: {{clusterIP: 10.96.0.7, ipFamilies: [IPv4], \
             ipFamilyPolicy: SingleStack, {changes}}}}}"
        ))
    }

    const PORTS: &str = "ports: [{name: http, port: 80, targetPort: web, protocol: TCP}]";

    fn plain() -> Service {
        cart(&format!("selector: {{app: cart}}, {PORTS}"))
    }

    fn held() -> Service {
        cart(&format!(
            "selector: {{app: cart, entracte.dev/hold: u1}}, {PORTS}"
        ))
    }

    fn made(needed: &[&Service]) -> Vec<Service> {
        let edits = edits("shop", [], needed.iter().copied());
        let made = edits.into_iter().map(|edit| match edit {
            Edit::CreateOrigin(origin) => *origin,
            edit => panic!("{edit:?}"),
        });
        made.collect()
    }

    #[test]
    fn an_origin_looks_for_the_same_pods_and_takes_no_address() {
        let origins = made(&[&held()]);
        let [origin] = &origins[..] else {
            panic!("{origins:?}")
        };
        assert!(is_origin(origin));
        assert_eq!(
            serde_json::to_value(&origin.spec).unwrap(),
            json!({
                "clusterIP": "None",
                "selector": {"app": "cart"},
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}],
            })
        );
        assert_eq!(name(origin), *origin.metadata.name.as_ref().unwrap());
    }

    #[test]
    fn a_service_has_the_same_origin_before_its_hold_and_in_it() {
        assert_eq!(name(&plain()), name(&held()));
    }

    #[test]
    fn services_that_look_for_the_same_share_an_origin_that_goes_with_the_last_of_them() {
        let other = object(
            "{metadata: {name: other, uid: u2}, spec: {selector: {app: cart}, \
             ports: [{name: http, port: 8080, targetPort: web}]}}",
        );
        let origins = made(&[&held(), &other]);
        assert_eq!(origins.len(), 1);
        let owners = origins[0].metadata.owner_references.iter().flatten();
        let owners: Vec<&str> = owners.map(|owner| owner.uid.as_str()).collect();
        assert_eq!(owners, ["u1", "u2"]);
    }

    #[test]
    fn services_that_look_for_something_else_do_not_share() {
        let names: BTreeSet<String> = [
            plain(),
            cart(&format!("selector: {{app: kart}}, {PORTS}")),
            cart(&format!(
                "selector: {{app: cart}}, publishNotReadyAddresses: true, {PORTS}"
            )),
            cart("selector: {app: cart}, ports: [{name: http, port: 80, targetPort: admin}]"),
            cart("selector: {app: cart}, ports: [{name: www, port: 80, targetPort: web}]"),
        ]
        .iter()
        .map(name)
        .collect();
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn an_origin_stays_while_it_is_needed_and_goes_when_it_is_not() {
        let origins = made(&[&held()]);
        assert_eq!(edits("shop", &origins, [&held()]), []);
        let gone = [Edit::DeleteOrigin(Precondition::of(&origins[0].metadata))];
        assert_eq!(edits("shop", &origins, []), gone);
        assert_eq!(
            edits("shop", &[held()], []),
            [],
            "a user's Service is nobody's origin"
        );
    }

    #[test]
    fn where_a_selector_changes_another_origin_takes_its_place() {
        let origins = made(&[&held()]);
        let changed = cart(&format!("selector: {{app: cart, v: '2'}}, {PORTS}"));
        let edits = edits("shop", &origins, [&changed]);
        assert!(
            matches!(&edits[..], [Edit::DeleteOrigin(_), Edit::CreateOrigin(_)]),
            "{edits:?}"
        );
    }

    #[test]
    fn an_origin_that_somebody_edited_is_made_anew() {
        let mut origins = made(&[&held()]);
        let spec = origins[0].spec.as_mut().unwrap();
        spec.selector = Some([("app".to_owned(), "mine".to_owned())].into());
        let gone = [Edit::DeleteOrigin(Precondition::of(&origins[0].metadata))];
        assert_eq!(edits("shop", &origins, [&held()]), gone);
    }

    #[test]
    fn an_origin_that_was_given_another_family_shows_enough() {
        let mut origins = made(&[&held()]);
        let spec = origins[0].spec.as_mut().unwrap();
        spec.ip_families = Some(vec!["IPv4".to_owned(), "IPv6".to_owned()]);
        spec.ip_family_policy = Some("PreferDualStack".to_owned());
        assert_eq!(edits("shop", &origins, [&held()]), []);

        let spec = origins[0].spec.as_mut().unwrap();
        spec.ip_families = Some(vec!["IPv6".to_owned()]);
        let gone = [Edit::DeleteOrigin(Precondition::of(&origins[0].metadata))];
        assert_eq!(edits("shop", &origins, [&held()]), gone);
    }
}
