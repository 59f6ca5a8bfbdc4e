use super::*;
use crate::plan::testing::object;

const HOST: &str = "0123456789abcdef0123456789abcdef.invalid";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// An Ingress with two rules that lead to the same Service, one to another, and a default backend.
fn web() -> Ingress {
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

fn originals_of(ingress: &Ingress) -> Vec<IngressBackend> {
    originals(ingress, &BTreeSet::new())
}

fn stand(read: Option<&Ingress>, bridges: &[&str], seconds: i64) -> Plan {
    let web = web();
    let backends = backends(bridges.iter().copied(), originals_of(&web));
    let need = Need::Stand {
        target: &web,
        backends: &backends,
        host: HOST,
    };
    plan("shop", &name("web"), read, need, at(seconds))
}

fn made() -> Ingress {
    written(&stand(None, &["entracte-upgrade"], 0))
}

/// What the only edit writes.
fn written(plan: &Plan) -> Ingress {
    match &plan.edits[..] {
        [Edit::CreateRehearsal(made) | Edit::ReplaceRehearsal(made)] => (**made).clone(),
        edits => panic!("{edits:?}"),
    }
}

fn leads_to(rehearsal: &Ingress) -> Vec<String> {
    known(rehearsal)
        .into_iter()
        .map(|backend| backend.service.unwrap().name)
        .collect()
}

#[test]
fn it_refers_to_the_bridge_and_to_each_original_once() {
    assert_eq!(leads_to(&made()), ["entracte-upgrade", "fallback", "web"]);
}

#[test]
fn it_has_the_class_of_its_target_and_belongs_to_it() {
    let made = made();
    assert_eq!(class(&made), Some("contour"));
    assert_eq!(target(&made.metadata), Some("web"));
    let owner = &made.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.uid.as_str(), owner.controller), ("u1", None));
    assert!(is_rehearsal(&made.metadata));
    assert!(!is_rehearsal(&web().metadata));
}

#[test]
fn the_class_of_an_old_ingress_is_in_an_annotation() {
    let old: Ingress = object(
        "{metadata: {name: web, annotations: {kubernetes.io/ingress.class: contour}}, spec: {}}",
    );
    assert_eq!(class(&old), Some("contour"));
    let need = Need::Stand {
        target: &old,
        backends: &[],
        host: HOST,
    };
    let made = written(&plan("shop", &name("web"), None, need, at(0)));
    assert_eq!(class(&made), Some("contour"));
}

#[test]
fn no_request_has_its_host_or_its_paths() {
    let made = made();
    let rules = made.spec.unwrap().rules.unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].host.as_deref(), Some(HOST));
    for path in &rules[0].http.as_ref().unwrap().paths {
        assert_eq!(path.path_type, "Exact");
        assert!(path.path.as_ref().unwrap().contains('?'), "{path:?}");
    }
}

#[test]
fn a_host_has_all_of_its_128_bits() {
    assert_eq!(host(1).len(), 32 + ".invalid".len());
    assert_eq!(host(u128::MAX), format!("{}.invalid", "f".repeat(32)));
}

#[test]
fn made_twice_it_is_made_once_and_keeps_its_host() {
    let made = made();
    assert_eq!(stand(Some(&made), &["entracte-upgrade"], 9).edits, []);
    let web = web();
    let backends = backends(["entracte-other"], originals_of(&web));
    let need = Need::Stand {
        target: &web,
        backends: &backends,
        host: "another.invalid",
    };
    let changed = written(&plan("shop", &name("web"), Some(&made), need, at(9)));
    assert_eq!(host_of(&changed), Some(HOST));
}

#[test]
fn it_grows_and_nothing_is_taken_out_of_it() {
    let made = made();
    let grown = written(&stand(Some(&made), &["entracte-other"], 60));
    assert_eq!(
        leads_to(&grown),
        ["entracte-upgrade", "fallback", "web", "entracte-other"]
    );
    assert_eq!(stand(Some(&grown), &["entracte-upgrade"], 70).edits, []);
}

#[test]
fn what_was_added_may_be_relied_on_a_second_later() {
    let made = made();
    let originals = originals_of(&web());
    let ready = |rehearsal, bridge| ready_at(rehearsal, bridge, &originals);
    assert_eq!(ready(&made, "entracte-upgrade"), Some(at(1)));
    assert_eq!(ready(&made, "entracte-other"), None);
    let grown = written(&stand(Some(&made), &["entracte-other"], 60));
    assert_eq!(ready(&grown, "entracte-other"), Some(at(61)));
    let missing = object("{service: {name: new, port: {number: 80}}}");
    assert_eq!(ready_at(&made, "entracte-upgrade", &[missing]), None);
}

#[test]
fn what_others_write_on_it_stays_and_starts_no_fight() {
    let mut made = made();
    let annotations = made.metadata.annotations.as_mut().unwrap();
    annotations.insert("cattle.io/endpoints".into(), "x".into());
    made.metadata.finalizers = Some(vec!["example.com/f".into()]);
    assert_eq!(stand(Some(&made), &["entracte-upgrade"], 9).edits, []);
    let grown = written(&stand(Some(&made), &["entracte-other"], 9));
    assert_eq!(grown.metadata.finalizers, made.metadata.finalizers);
    let annotations = grown.metadata.annotations.unwrap();
    assert_eq!(annotations["cattle.io/endpoints"], "x");
}

#[test]
fn a_target_made_anew_owns_it_anew() {
    let mut made = made();
    made.metadata.owner_references.as_mut().unwrap()[0].uid = "gone".into();
    let again = written(&stand(Some(&made), &["entracte-upgrade"], 9));
    assert_eq!(again.metadata.owner_references.unwrap()[0].uid, "u1");
}

#[test]
fn it_lingers_and_then_goes() {
    let made = made();
    let need = Need::Linger { until: at(120) };
    let look = |read: &Ingress, now| plan("shop", "r", Some(read), need, at(now));
    let lingering = written(&look(&made, 0));
    assert_eq!(look(&lingering, 119).edits, []);
    assert_eq!(look(&lingering, 119).again, Some(at(120)));
    let gone = look(&lingering, 120).edits;
    assert!(matches!(gone[..], [Edit::DeleteRehearsal(_)]), "{gone:?}");
}

#[test]
fn one_that_lingers_is_kept_where_it_is_needed_again() {
    let need = Need::Linger { until: at(120) };
    let lingering = written(&plan("shop", "r", Some(&made()), need, at(0)));
    let kept = written(&stand(Some(&lingering), &["entracte-upgrade"], 60));
    assert_eq!(
        names::instant(&kept.metadata, names::LINGER_ANNOTATION),
        None
    );
    let originals = originals_of(&web());
    assert_eq!(ready_at(&kept, "entracte-upgrade", &originals), Some(at(1)));
}

#[test]
fn without_a_target_it_goes_at_once() {
    let gone = plan("shop", "r", Some(&made()), Need::Go, at(0)).edits;
    assert!(matches!(gone[..], [Edit::DeleteRehearsal(_)]), "{gone:?}");
    assert_eq!(plan("shop", "r", None, Need::Go, at(0)).edits, []);
}

#[test]
fn an_ingress_of_the_users_with_its_name_is_left_alone() {
    let theirs = web();
    for plan in [
        stand(Some(&theirs), &["entracte-upgrade"], 0),
        plan("shop", "r", Some(&theirs), Need::Go, at(0)),
    ] {
        assert_eq!(plan.edits, []);
        let Outcome::Waiting(reason) = plan.outcome else {
            panic!("{:?}", plan.outcome)
        };
        assert_eq!(reason.word, NAME_TAKEN);
    }
}
