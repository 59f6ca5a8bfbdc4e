//! The protocol, which is the same for every kind. What is particular about one stands beside it.

use k8s_openapi::api::networking::v1::Ingress;
use serde::de::DeserializeOwned;
use similar_asserts::assert_eq;

use super::*;
use crate::api::httproute::HttpRoute;
use crate::plan::testing::{edited, object};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const BRIDGE: &str = "entracte-upgrade";
const OTHER: &str = "entracte-other";

/// A kind, and a target of it that leads to the Services `fallback` and `web`.
trait Kind: Rehearsable + DeserializeOwned {
    fn web() -> Self;
    fn written(rehearsal: Rehearsal) -> Self;
    fn leads_to(backend: &Self::Backend) -> String;
    /// What leads to another Service.
    fn backend(name: &str) -> Self::Backend;
}

impl Kind for Ingress {
    fn web() -> Self {
        object(
            "
            metadata: {name: web, namespace: shop, uid: u1}
            spec:
              ingressClassName: contour
              defaultBackend: {service: {name: fallback, port: {name: http}}}
              rules:
              - host: a.test
                http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
              - host: b.test
                http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
            ",
        )
    }

    fn written(rehearsal: Rehearsal) -> Self {
        let Rehearsal::Ingress(rehearsal) = rehearsal else {
            panic!("{rehearsal:?}")
        };
        *rehearsal
    }

    fn leads_to(backend: &Self::Backend) -> String {
        backend.service.clone().unwrap().name
    }

    fn backend(name: &str) -> Self::Backend {
        object(&format!(
            "{{service: {{name: {name}, port: {{number: 80}}}}}}"
        ))
    }
}

impl Kind for HttpRoute {
    fn web() -> Self {
        object(
            "
            metadata: {name: web, namespace: shop, uid: u1}
            spec:
              parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]
              hostnames: [a.test, b.test]
              rules:
              - backendRefs: [{name: fallback, port: 80, weight: 3}]
              - backendRefs: [{group: '', kind: Service, name: web, port: 80, weight: 1}]
              - backendRefs: [{name: web, namespace: shop, port: 80, filters: [{type: URLRewrite}]}]
            status:
              parents:
              - {parentRef: {name: public}, controllerName: projectcontour.io/gateway-controller}
            ",
        )
    }

    fn written(rehearsal: Rehearsal) -> Self {
        let Rehearsal::HttpRoute(rehearsal) = rehearsal else {
            panic!("{rehearsal:?}")
        };
        *rehearsal
    }

    fn leads_to(backend: &Self::Backend) -> String {
        backend.name.clone()
    }

    fn backend(name: &str) -> Self::Backend {
        Self::to_bridge(name)
    }
}

/// Each of these tests, for each kind.
macro_rules! of_each_kind {
    ($($test:ident),+ $(,)?) => {
        mod ingress {
            $(#[test]
            fn $test() {
                super::$test::<super::Ingress>();
            })+
        }
        mod http_route {
            $(#[test]
            fn $test() {
                super::$test::<super::HttpRoute>();
            })+
        }
    };
}

of_each_kind!(
    it_refers_to_the_bridge_and_to_each_original_once,
    it_belongs_to_its_target,
    made_twice_it_is_made_once_and_keeps_what_was_drawn,
    what_somebody_could_guess_is_drawn_anew,
    it_grows_and_nothing_is_taken_out_of_it,
    what_was_added_may_be_relied_on_a_second_later,
    what_others_write_on_it_stays_and_starts_no_fight,
    what_is_ours_is_put_right,
    without_a_bridge_none_is_made_and_one_that_stands_is_left,
    a_target_made_anew_owns_it_anew,
    it_lingers_and_then_goes,
    one_that_lingers_is_kept_where_it_is_needed_again,
    without_a_target_it_goes_at_once,
    an_object_of_the_users_with_its_name_is_left_alone,
);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn originals_of<K: Kind>(target: &K) -> Vec<K::Backend> {
    target.originals(&BTreeSet::new())
}

fn stand<K: Kind>(read: Option<&K>, bridges: &[&str], seconds: i64) -> Plan {
    stand_for(&K::web(), read, bridges, SECRET, seconds)
}

fn stand_for<K: Kind>(
    target: &K,
    read: Option<&K>,
    bridges: &[&str],
    secret: &str,
    seconds: i64,
) -> Plan {
    let bridges = bridges.iter().map(|name| (*name).to_owned()).collect();
    let need = Need::Stand {
        target,
        bridges: &bridges,
        originals: &originals_of(target),
        secret,
    };
    plan("shop", &name("web"), read, need, at(seconds))
}

fn made<K: Kind>() -> K {
    written(&stand::<K>(None, &[BRIDGE], 0))
}

/// What the only edit writes.
fn written<K: Kind>(plan: &Plan) -> K {
    match &plan.edits[..] {
        [Edit::CreateRehearsal(made) | Edit::ReplaceRehearsal(made)] => K::written(made.clone()),
        edits => panic!("{edits:?}"),
    }
}

fn leads_to<K: Kind>(rehearsal: &K) -> Vec<String> {
    rehearsal.known().iter().map(K::leads_to).collect()
}

fn it_refers_to_the_bridge_and_to_each_original_once<K: Kind>() {
    assert_eq!(leads_to(&made::<K>()), [BRIDGE, "fallback", "web"]);
}

fn it_belongs_to_its_target<K: Kind>() {
    let made = made::<K>();
    assert_eq!(target(&made), Some("web"));
    let owner = &made.meta().owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.uid.as_str(), owner.controller), ("u1", None));
    let kind = (owner.api_version.as_str(), owner.kind.as_str());
    let expected = format!("{}/v1", K::KIND.group());
    assert_eq!(kind, (expected.as_str(), K::KIND.as_str()));
    assert!(is_rehearsal(made.meta()));
    assert!(!is_rehearsal(K::web().meta()));
}

#[test]
fn what_is_drawn_has_all_of_its_128_bits() {
    assert_eq!(secret(1), format!("{}1", "0".repeat(31)));
    assert_eq!(secret(u128::MAX), "f".repeat(32));
}

fn made_twice_it_is_made_once_and_keeps_what_was_drawn<K: Kind>() {
    let made = made::<K>();
    assert_eq!(drawn(&made), Some(SECRET));
    assert_eq!(stand(Some(&made), &[BRIDGE], 9).edits, []);
    let changed = stand_for(&K::web(), Some(&made), &[OTHER], &"f".repeat(32), 9);
    assert_eq!(drawn(&written::<K>(&changed)), Some(SECRET));
}

fn what_somebody_could_guess_is_drawn_anew<K: Kind>() {
    let made = made::<K>();
    let text = json!(made).to_string().replace(SECRET, "guess");
    let guessed: K = serde_json::from_str(&text).unwrap();
    assert_eq!(drawn(&guessed), None);
    let again = written::<K>(&stand(Some(&guessed), &[BRIDGE], 9));
    assert_eq!(drawn(&again), Some(SECRET));
}

fn it_grows_and_nothing_is_taken_out_of_it<K: Kind>() {
    let made = made::<K>();
    let grown = written::<K>(&stand(Some(&made), &[BRIDGE, OTHER], 60));
    assert_eq!(leads_to(&grown), [BRIDGE, "fallback", "web", OTHER]);
    assert_eq!(stand(Some(&grown), &[BRIDGE], 70).edits, []);
}

fn what_was_added_may_be_relied_on_a_second_later<K: Kind>() {
    let made = made::<K>();
    let originals = originals_of(&K::web());
    let ready = |rehearsal: &K, bridge| ready_at(rehearsal, bridge, &originals);
    assert_eq!(ready(&made, BRIDGE), Some(at(1)));
    assert_eq!(ready(&made, OTHER), None);
    let grown = written::<K>(&stand(Some(&made), &[BRIDGE, OTHER], 60));
    assert_eq!(ready(&grown, OTHER), Some(at(61)));
    assert_eq!(ready_at(&made, BRIDGE, &[K::backend("new")]), None);
}

/// As a webhook does: at each of our writes.
fn written_over<K: Kind>(rehearsal: &K) -> K {
    edited(rehearsal, |value| {
        let metadata = &mut value["metadata"];
        metadata["labels"]["team"] = json!("shop");
        metadata["annotations"]["cattle.io/endpoints"] = json!("x");
        metadata["finalizers"] = json!(["example.com/f"]);
        metadata["ownerReferences"][0]["blockOwnerDeletion"] = json!(true);
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"});
        metadata["ownerReferences"]
            .as_array_mut()
            .unwrap()
            .push(other);
        value["spec"]["added"] = json!("by a webhook");
        value["spec"]["tls"] = json!([{"secretName": "added"}]);
        value["spec"]["rules"][0]["name"] = json!("added");
    })
}

fn what_others_write_on_it_stays_and_starts_no_fight<K: Kind>() {
    let made = written_over(&made::<K>());
    assert_eq!(stand(Some(&made), &[BRIDGE], 9).edits, []);
    let grown = written::<K>(&stand(Some(&made), &[BRIDGE, OTHER], 9));
    assert_eq!(grown.meta().finalizers, made.meta().finalizers);
    assert_eq!(grown.meta().labels, made.meta().labels);
    let annotations = grown.meta().annotations.as_ref().unwrap();
    assert_eq!(annotations["cattle.io/endpoints"], "x");
    let owners = grown.meta().owner_references.iter().flatten();
    let owners: Vec<&str> = owners.map(|owner| owner.kind.as_str()).collect();
    assert_eq!(owners, ["ConfigMap", K::KIND.as_str()]);
    assert_eq!(target(&grown), Some("web"));
    assert_eq!(
        stand(Some(&written_over(&grown)), &[BRIDGE, OTHER], 19).edits,
        []
    );
}

fn what_is_ours_is_put_right<K: Kind>() {
    let made = written_over(&made::<K>());
    let edits: [fn(&mut Value); 3] = [
        |value| value["metadata"]["ownerReferences"] = json!([]),
        |value| value["metadata"]["annotations"][names::REHEARSED_ANNOTATION] = json!("?"),
        |value| {
            let rules = value["spec"]["rules"].as_array_mut().unwrap();
            rules.push(json!({}));
        },
    ];
    for edit in edits {
        let edited = edited(&made, edit);
        let again = written::<K>(&stand(Some(&edited), &[BRIDGE], 9));
        assert_eq!(stand(Some(&again), &[BRIDGE], 19).edits, []);
        assert_eq!(target(&again), Some("web"));
    }
}

fn without_a_bridge_none_is_made_and_one_that_stands_is_left<K: Kind>() {
    assert_eq!(stand::<K>(None, &[], 0).edits, []);
    assert_eq!(stand(Some(&made::<K>()), &[], 9).edits, []);
}

fn a_target_made_anew_owns_it_anew<K: Kind>() {
    let made = edited(&made::<K>(), |value| {
        value["metadata"]["ownerReferences"][0]["uid"] = json!("gone");
    });
    let again = written::<K>(&stand(Some(&made), &[BRIDGE], 9));
    let owners = again.meta().owner_references.iter().flatten();
    let owners: Vec<&str> = owners.map(|owner| owner.uid.as_str()).collect();
    assert_eq!(owners, ["u1"]);
}

fn it_lingers_and_then_goes<K: Kind>() {
    let made = made::<K>();
    let look = |read: &K, now| {
        let need = Need::Linger { until: at(120) };
        plan("shop", "r", Some(read), need, at(now))
    };
    let lingering = written::<K>(&look(&made, 0));
    assert_eq!(look(&lingering, 119).edits, []);
    assert_eq!(look(&lingering, 119).again, Some(at(120)));
    let gone = look(&lingering, 120).edits;
    assert!(is_deleted::<K>(&gone), "{gone:?}");
}

fn is_deleted<K: Kind>(edits: &[Edit]) -> bool {
    matches!(edits, [Edit::DeleteRehearsal { kind, .. }] if *kind == K::KIND)
}

fn one_that_lingers_is_kept_where_it_is_needed_again<K: Kind>() {
    let need = Need::Linger { until: at(120) };
    let lingering = written::<K>(&plan("shop", "r", Some(&made::<K>()), need, at(0)));
    let kept = written::<K>(&stand(Some(&lingering), &[BRIDGE], 60));
    let lingers = names::instant(kept.meta(), names::LINGER_ANNOTATION);
    assert_eq!(lingers, None);
    let originals = originals_of(&K::web());
    assert_eq!(ready_at(&kept, BRIDGE, &originals), Some(at(1)));
}

fn without_a_target_it_goes_at_once<K: Kind>() {
    let gone = plan("shop", "r", Some(&made::<K>()), Need::Go, at(0)).edits;
    assert!(is_deleted::<K>(&gone), "{gone:?}");
    assert_eq!(plan::<K>("shop", "r", None, Need::Go, at(0)).edits, []);
}

fn an_object_of_the_users_with_its_name_is_left_alone<K: Kind>() {
    let theirs = K::web();
    for plan in [
        stand(Some(&theirs), &[BRIDGE], 0),
        plan("shop", "r", Some(&theirs), Need::Go, at(0)),
    ] {
        assert_eq!(plan.edits, []);
        let Outcome::Waiting(reason) = plan.outcome else {
            panic!("{:?}", plan.outcome)
        };
        assert_eq!(reason.word, NAME_TAKEN);
    }
}
