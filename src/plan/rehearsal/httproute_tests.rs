use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta};
use similar_asserts::assert_eq;

use super::*;
use crate::plan::edit::Edit;
use crate::plan::rehearsal::{Demand, Need, drawn, plan, ready_at};
use crate::plan::testing::{edited, hold_on, object};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CONTOUR: &str = "projectcontour.io/gateway-controller";
const TRAEFIK: &str = "traefik.io/gateway-controller";

/// A route with these rules, which Contour serves.
fn of_rules(rules: &str) -> HttpRoute {
    object(&format!(
        "
        metadata: {{name: web, namespace: shop, uid: u1, resourceVersion: '7'}}
        spec: {{parentRefs: [{{name: public, namespace: ops}}], rules: [{rules}]}}
        status: {{parents: [{{parentRef: {{name: public, namespace: ops}}, controllerName: {CONTOUR}}}]}}
        "
    ))
}

fn web() -> HttpRoute {
    of_rules("{backendRefs: [{name: web, port: 80}]}")
}

/// A route with these parents, and what their controllers say of it.
fn served(parents: &str, status: &[(&str, &str)]) -> HttpRoute {
    let status = status
        .iter()
        .fold(String::new(), |mut text, (parent, controller)| {
            let _ = write!(
                text,
                "{{parentRef: {parent}, controllerName: {controller}}}, "
            );
            text
        });
    object(&format!(
        "
        metadata: {{name: web, namespace: shop, uid: u1}}
        spec: {{parentRefs: [{parents}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}
        status: {{parents: [{status}]}}
        "
    ))
}

fn at(seconds: i64) -> DateTime<chrono::Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// The rehearsal after a reconcile, and whether it was written.
fn after(
    target: &HttpRoute,
    read: Option<&HttpRoute>,
    bridges: &[&str],
    seconds: i64,
) -> (HttpRoute, bool) {
    let bridges = bridges.iter().map(|name| (*name).to_owned()).collect();
    let need = Need::Stand {
        target,
        bridges: &bridges,
        originals: &target.originals(&bridges),
        secret: SECRET,
    };
    let plan = plan("shop", "r", read, need, at(seconds));
    match &plan.edits[..] {
        [] => (read.unwrap().clone(), false),
        [
            Edit::CreateRehearsal(Rehearsal::HttpRoute(written))
            | Edit::ReplaceRehearsal(Rehearsal::HttpRoute(written)),
        ] => ((**written).clone(), true),
        edits => panic!("{edits:?}"),
    }
}

fn made(target: &HttpRoute) -> HttpRoute {
    after(target, None, &["entracte-w"], 0).0
}

/// Where each rule leads: name and weight.
fn leads(rehearsal: &HttpRoute) -> Vec<Vec<(String, u64)>> {
    let of = |backend: &Value| {
        let name = backend["name"].as_str().unwrap();
        (name.to_owned(), backend["weight"].as_u64().unwrap())
    };
    let rules = rehearsal.spec.rules.iter();
    rules
        .map(|rule| rule.backend_refs.iter().flatten().map(of).collect())
        .collect()
}

fn names(backends: &[Backend]) -> Vec<String> {
    let written = |Backend {
                       namespace,
                       name,
                       port,
                   }: &Backend| match namespace {
        Some(namespace) => format!("{namespace}/{name}:{port}"),
        None => format!("{name}:{port}"),
    };
    backends.iter().map(written).collect()
}

#[test]
fn who_finds_it_is_led_to_the_bridge_and_nowhere_else() {
    let made = made(&web());
    let expected = json!({
        "parentRefs": [{"name": "public", "namespace": "ops"}],
        "rules": [{
            "matches": [{"path": {"type": "Exact", "value": format!("/.entracte/{SECRET}/0")}}],
            "backendRefs": [
                {"group": "", "kind": "Service", "name": "entracte-w", "port": 80, "weight": 1},
                {"group": "", "kind": "Service", "name": "web", "port": 80, "weight": 0},
            ],
        }],
    });
    assert_eq!(json!(made.spec), expected);
    assert_eq!(drawn(&made), Some(SECRET));
}

#[test]
fn a_second_bridge_has_no_weight_before_the_first_is_gone() {
    let (both, _) = after(&web(), None, &["entracte-a", "entracte-b"], 0);
    let weights = |weights: [(&str, u64); 3]| {
        [weights
            .map(|(name, weight)| (name.to_owned(), weight))
            .to_vec()]
    };
    let expected = weights([("entracte-a", 1), ("entracte-b", 0), ("web", 0)]);
    assert_eq!(leads(&both), expected);
    let (moved, written) = after(&web(), Some(&both), &["entracte-b"], 60);
    assert!(written);
    let expected = weights([("entracte-b", 1), ("entracte-a", 0), ("web", 0)]);
    assert_eq!(leads(&moved), expected);
    assert_eq!(
        ready_at(&moved, "entracte-b", &[]),
        Some(at(1)),
        "proxies knew both"
    );
    assert!(!after(&web(), Some(&moved), &["entracte-b"], 120).1);
}

#[test]
fn it_refers_to_services_of_any_namespace_and_to_nothing_else() {
    let route = of_rules(
        "
        {backendRefs: [{name: a, port: 80, weight: 0}, {name: a, namespace: shop, port: 80},
                       {name: a, port: 81}, {name: a, namespace: blog, port: 80}]},
        {backendRefs: [{name: bucket, group: storage.example.com, kind: Bucket},
                       {name: far, kind: ServiceImport, group: multicluster.x-k8s.io, port: 80}]},
        {filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}]},
        {filters: [{type: RequestRedirect}]}
        ",
    );
    let originals = route.originals(&BTreeSet::new());
    assert_eq!(names(&originals), ["a:80", "a:81", "blog/a:80"]);
    let made = made(&route);
    assert_eq!(
        names(&made.known()),
        ["entracte-w:80", "a:80", "a:81", "blog/a:80"]
    );
}

#[test]
fn of_a_held_route_it_refers_to_what_the_record_says() {
    let held = hold_on(&web(), "entracte-w");
    let bridges = BTreeSet::from(["entracte-w".to_owned()]);
    assert_eq!(names(&held.originals(&bridges)), ["web:80"]);
    assert!(held.leads_only_to("entracte-w") && !web().leads_only_to("entracte-w"));
}

#[test]
fn a_route_that_leads_to_no_service_gets_a_rule_all_the_same() {
    let made = made(&of_rules(
        "{backendRefs: [{name: b, group: x, kind: Bucket}]}",
    ));
    assert_eq!(leads(&made), [[("entracte-w".to_owned(), 1)]]);
}

#[test]
fn many_backends_are_rehearsed_by_several_rules_and_no_more_than_there_may_be() {
    let many = |count: usize| {
        let rules = (0..16).map(|rule| {
            let backends = (0..16)
                .map(|nth| rule * 16 + nth)
                .filter(|number| *number < count);
            let backends = backends.map(|number| format!("{{name: s-{number}, port: 80}}"));
            let backends = backends.collect::<Vec<_>>().join(", ");
            format!("{{backendRefs: [{backends}]}}")
        });
        of_rules(&rules.collect::<Vec<_>>().join(", "))
    };
    for (backends, rules) in [(15, 1), (16, 2), (240, 16), (256, 16)] {
        let target = many(backends);
        let made = made(&target);
        let leads = leads(&made);
        assert_eq!(leads.len(), rules, "{backends}");
        let mut paths = BTreeSet::new();
        for (rule, leads) in made.spec.rules.iter().zip(&leads) {
            assert!(leads.len() <= 16);
            assert_eq!(leads[0], ("entracte-w".to_owned(), 1));
            assert!(leads[1..].iter().all(|(_, weight)| *weight == 0));
            paths.insert(json!(rule.matches).to_string());
        }
        assert_eq!(paths.len(), rules, "each has a path of its own");
        assert_eq!(made.known().len(), backends.min(240) + 1);
        let originals = target.originals(&BTreeSet::new());
        let ready = ready_at(&made, "entracte-w", &originals);
        assert_eq!(ready, Some(at(1)), "what has no room is not waited for");
        assert!(!after(&target, Some(&made), &["entracte-w"], 9).1);
    }

    let target = many(256);
    let both = ["entracte-w", "entracte-x"];
    let (grown, _) = after(&target, Some(&made(&target)), &both, 60);
    assert_eq!(grown.known().len(), HttpRoute::MOST);
    assert_eq!(ready_at(&grown, "entracte-x", &[]), Some(at(61)));
    assert!(!after(&target, Some(&grown), &both, 120).1);
}

#[test]
fn it_follows_the_parents_and_the_hosts_of_its_target_and_settles_anew() {
    let hosts = |hosts: Value| edited(&web(), |value| value["spec"]["hostnames"] = hosts.clone());
    let one = hosts(json!(["a.test"]));
    let made = made(&one);
    assert!(!after(&one, Some(&made), &["entracte-w"], 9).1);
    for other in [hosts(json!(["a.test", "b.test"])), web()] {
        let (moved, written) = after(&other, Some(&made), &["entracte-w"], 60);
        assert!(written);
        let hostnames = |route: &HttpRoute| route.spec.rest.get("hostnames").cloned();
        assert_eq!(hostnames(&moved), hostnames(&other));
        assert_eq!(ready_at(&moved, "entracte-w", &[]), Some(at(61)));
    }
}

#[test]
fn what_the_api_server_fills_in_is_no_reason_to_write_it_again() {
    let made = made(&web());
    let filled = edited(&made, |value| {
        let spec = &mut value["spec"];
        spec["parentRefs"][0]["group"] = json!("gateway.networking.k8s.io");
        spec["parentRefs"][0]["kind"] = json!("Gateway");
        spec["rules"][0]["matches"][0]["method"] = json!("of a later version");
        spec["rules"][0]["timeouts"] = json!({"request": "1s"});
    });
    assert!(!after(&web(), Some(&filled), &["entracte-w"], 9).1);
    let edits: [fn(&mut Value); 2] = [
        |backend| backend["weight"] = json!(1),
        |backend| backend["name"] = json!("other"),
    ];
    for edit in edits {
        let opened = edited(&made, |value| {
            edit(&mut value["spec"]["rules"][0]["backendRefs"][1]);
        });
        let (closed, written) = after(&web(), Some(&opened), &["entracte-w"], 9);
        assert!(written, "it led to an app");
        let open: Vec<_> = leads(&closed).concat();
        assert_eq!(open.iter().map(|(_, weight)| weight).sum::<u64>(), 1);
    }
}

#[test]
fn it_stands_only_at_the_parents_that_are_known_to_need_it() {
    let parents = "{name: c}, {name: c, sectionName: tls}, {name: t}, {name: nobody}";
    let status = [
        ("{name: t}", TRAEFIK),
        (
            "{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop, name: c}",
            CONTOUR,
        ),
        ("{name: c, sectionName: tls}", CONTOUR),
        ("{name: gone}", CONTOUR),
    ];
    let made = made(&served(parents, &status));
    assert_eq!(
        made.spec.rest["parentRefs"],
        json!([{"name": "c"}, {"name": "c", "sectionName": "tls"}])
    );
}

#[test]
fn the_controllers_that_its_status_names_say_whether_it_is_needed() {
    let missed = |why: &str| Some(format!("no rehearsal is made: {why}"));
    let in_part = "a rehearsal is made for some of its parents only";
    let in_part = |why: &str| Some(format!("{in_part}: {why}"));
    let unsaid = "the status of the HTTPRoute does not say which controller serves it at b";
    let unknown = "nothing is known of example.com/x, which serves it";
    let untried = "nobody has tried it with Envoy Gateway";
    let envoy = "gateway.envoyproxy.io/gatewayclass-controller";
    let (a, b) = ("{name: a}", "{name: b}");
    let (both, elsewhere) = ("{name: a}, {name: b}", "{name: a, port: 81}");
    for (parents, status, expected) in [
        (a, &[(a, CONTOUR)][..], (true, None)),
        (a, &[(a, TRAEFIK)], (false, None)),
        (both, &[(a, TRAEFIK), (b, CONTOUR)], (true, None)),
        (b, &[], (false, missed(unsaid))),
        (b, &[(a, CONTOUR)], (false, missed(unsaid))),
        (both, &[(a, CONTOUR)], (true, in_part(unsaid))),
        (a, &[(a, "example.com/x")], (false, missed(unknown))),
        (a, &[(a, envoy)], (false, missed(untried))),
        (both, &[(a, envoy), (b, CONTOUR)], (true, in_part(untried))),
        ("", &[], (false, missed("the HTTPRoute has no parents"))),
        (
            a,
            &[(elsewhere, CONTOUR)],
            (false, missed(&unsaid.replace(" b", " a"))),
        ),
    ] {
        let served_by = served(parents, status).served_by(&|_| None);
        let Demand { is_needed, missed } = Demand::of(&served_by);
        let said = missed.map(|reason| reason.message.split_once(';').unwrap().0.to_owned());
        assert_eq!((is_needed, said), expected, "{parents} {status:?}");
    }
}
