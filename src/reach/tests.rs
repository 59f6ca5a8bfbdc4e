use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use serde::de::DeserializeOwned;

use super::*;
use crate::plan::holdable::Surroundings;

/// What stands in a namespace.
#[derive(Default)]
struct Shop {
    services: Vec<Service>,
    /// Those of them that answer from the backend alone.
    held: Vec<&'static str>,
    /// The window that answers for them.
    led_by: Option<&'static str>,
    ingresses: Vec<Ingress>,
}

const BRIDGE: &str = "entracte-w";

fn object<K: DeserializeOwned>(yaml: &str) -> K {
    serde_saphyr::from_str(yaml).unwrap()
}

/// A Service that can be held.
fn service(name: &str, metadata: &str) -> Service {
    service_with(
        name,
        metadata,
        &format!("selector: {{app: {name}}}, clusterIP: 10.0.0.1"),
    )
}

fn service_with(name: &str, metadata: &str, spec: &str) -> Service {
    object(&format!(
        "{{metadata: {{name: {name}, uid: u-{name}, {metadata}}}, spec: {{{spec}}}}}"
    ))
}

/// An Ingress with a path for each backend.
fn route(name: &str, metadata: &str, backends: &[&str]) -> Ingress {
    let paths: Vec<String> = backends
        .iter()
        .map(|backend| {
            format!(
                "{{path: /{backend}, pathType: Prefix, backend: {{service: {{name: {backend}, \
                 port: {{number: 80}}}}}}}}"
            )
        })
        .collect();
    object(&format!(
        "{{metadata: {{name: {name}, {metadata}}}, spec: {{rules: [{{http: {{paths: [{}]}}}}]}}}}",
        paths.join(", ")
    ))
}

/// The annotation that a held Ingress bears.
fn record(backends: &[&str]) -> String {
    let originals: Vec<String> = backends
        .iter()
        .map(|backend| {
            format!(
                r#"{{"path": "/{BRIDGE}", "pathType": "Prefix", "occurrence": 0,
                    "backend": {{"service": {{"name": "{backend}", "port": {{"number": 80}}}}}}}}"#
            )
        })
        .collect();
    format!(
        r#"annotations: {{entracte.dev/hold: '{{"bridge": "{BRIDGE}", "backends": [{}]}}'}}"#,
        originals.join(", ")
    )
}

fn shop(services: &[&str], ingresses: Vec<Ingress>) -> Shop {
    Shop {
        services: services.iter().map(|name| service(name, "")).collect(),
        ingresses,
        ..Shop::default()
    }
}

impl Shop {
    fn reach_all(&self, windows: &[Window]) -> Vec<Reach> {
        let around = Surroundings {
            bridges: Arc::new([BRIDGE.to_owned()].into()),
            ..Surroundings::default()
        };
        let services = self.services.iter().map(|object| object as &dyn Holdable);
        let ingresses = self.ingresses.iter().map(|object| object as &dyn Holdable);
        let target = |object: &dyn Holdable| TargetRef {
            kind: object.kind(),
            name: object.metadata().name.clone().unwrap(),
        };
        let objects: Vec<_> = services
            .chain(ingresses)
            .map(|object| (target(object), object))
            .collect();
        let objects = objects.iter().map(|(target, object)| {
            let seen = Seen {
                answers_alone: self.held.contains(&target.name.as_str()),
                led_by: self.led_by,
                ..Seen::of(*object, &around)
            };
            (target, seen)
        });
        reach(windows, &objects.collect())
    }

    /// What a window with these targets reaches.
    fn reach(&self, targets: &str) -> Reach {
        self.reach_all(&[window(targets)]).remove(0)
    }

    /// What is held.
    fn holds(&self, targets: &str) -> Vec<String> {
        holds(&self.reach(targets))
    }
}

fn window(targets: &str) -> Window {
    let manifest = format!(
        "{{metadata: {{namespace: shop, name: w, uid: u, creationTimestamp: '2026-12-01T09:00:00Z'}}, \
         spec: {{schedule: {{always: {{}}}}, targets: {targets}}}}}"
    );
    crate::schedule::parse(&object(&manifest)).unwrap()
}

fn holds(reach: &Reach) -> Vec<String> {
    reach.holds.iter().map(ToString::to_string).collect()
}

/// What is said of the only line, where it is held by Services.
fn said(reach: &Reach) -> String {
    match &reach.lines[..] {
        [
            Line {
                by: By::Services(by),
                ..
            },
        ] => by.to_string(),
        lines => panic!("{lines:?}"),
    }
}

fn refused(reach: &Reach) -> String {
    match &reach.lines[..] {
        [
            Line {
                by: By::Services(by),
                ..
            },
        ] => by.but.clone().unwrap().message,
        lines => panic!("{lines:?}"),
    }
}

#[test]
fn what_is_named_is_reached_whether_or_not_it_is_there() {
    let reach = shop(&["cart"], vec![]).reach(
        "[{kind: Service, name: cart}, {kind: Service, name: gone}, {kind: Ingress, name: web}]",
    );
    assert_eq!(
        holds(&reach),
        ["Service/cart", "Service/gone", "Ingress/web"]
    );
    assert!(reach.needs_bridge && reach.idle.is_empty());
}

#[test]
fn a_selector_reaches_those_whose_labels_match_and_all_reaches_all_of_a_kind() {
    let mut shop = shop(
        &["plain"],
        vec![route("web", "labels: {tier: a}", &["plain"])],
    );
    shop.services.push(service("a", "labels: {tier: a}"));
    shop.services.push(service("b", "labels: {tier: b}"));
    let selector = "[{kind: Service, selector: {matchLabels: {tier: a}}}]";
    assert_eq!(shop.holds(selector), ["Service/a"]);
    let all = "[{kind: Service, all: {}}]";
    assert_eq!(shop.holds(all), ["Service/a", "Service/b", "Service/plain"]);
    assert!(!shop.reach(all).needs_bridge);
    assert_eq!(shop.holds("[{kind: Ingress, all: {}}]"), ["Ingress/web"]);
}

#[test]
fn what_entracte_made_is_never_selected() {
    let ours = "labels: {app.kubernetes.io/managed-by: entracte, tier: a}";
    let mut shop = shop(&[], vec![route("rehearsal", ours, &["web"])]);
    shop.services.push(service("entracte-w", ours));
    for targets in [
        "[{kind: Service, all: {}}, {kind: Ingress, all: {}}]",
        "[{kind: Service, selector: {matchLabels: {tier: a}}}]",
    ] {
        assert_eq!(shop.holds(targets), [""; 0]);
    }
}

#[test]
fn an_entry_that_selects_nothing_is_told_of() {
    let targets = "[{kind: Service, selector: {matchLabels: {tier: a}}}, {kind: Ingress, all: {}}]";
    let reach = shop(&["web"], vec![]).reach(targets);
    let said: Vec<String> = reach.idle.iter().map(idle).collect();
    assert_eq!(
        said,
        [
            "nothing matches Service -l tier=a; what comes to match while the window lasts is held",
            "there is no Ingress in the namespace",
        ]
    );
    assert!(reach.needs_bridge, "an Ingress may come at any moment");
}

#[test]
fn an_object_has_one_line_however_many_entries_reach_it_and_those_by_name_come_first() {
    let reach = shop(&["a", "b"], vec![]).reach(
        "[{kind: Service, all: {}}, {kind: Service, name: b}, \
         {kind: Service, selector: {matchExpressions: [{key: x, operator: DoesNotExist}]}}]",
    );
    let lines: Vec<_> = reach
        .lines
        .iter()
        .map(|line| (line.target.name.as_str(), line.is_named))
        .collect();
    assert_eq!(lines, [("b", true), ("a", false)]);
}

#[test]
fn the_entry_by_name_decides_how_a_route_is_held_then_the_first_by_selector() {
    let labels = "labels: {x: y}";
    let shop = shop(&["web"], vec![route("web", labels, &["web"])]);
    let name = "{kind: Ingress, name: web, hold: Route}";
    let selector = "{kind: Ingress, selector: {matchLabels: {x: y}}, hold: Services}";
    let all = "{kind: Ingress, all: {}, hold: Route}";
    let holds = |entries: &[&str]| shop.holds(&format!("[{}]", entries.join(", ")));
    assert_eq!(holds(&[all, selector, name]), ["Ingress/web"]);
    assert_eq!(holds(&[all, selector]), ["Service/web"]);
    assert_eq!(holds(&[all]), ["Ingress/web"]);
}

const BY_SERVICES: &str = "[{kind: Ingress, name: web, hold: Services}]";
const BY_DEFAULT: &str = "[{kind: Ingress, name: web}]";

#[test]
fn the_services_behind_a_route_are_held_in_its_place() {
    let web = route("web", "", &["cart", "shop", "cart"]);
    let reach = shop(&["cart", "shop", "other"], vec![web]).reach(BY_SERVICES);
    assert_eq!(holds(&reach), ["Service/cart", "Service/shop"]);
    assert_eq!(said(&reach), "its Services cart and shop");
    assert!(!reach.needs_bridge);
}

#[test]
fn the_default_backend_of_an_ingress_is_behind_it_too() {
    let web: Ingress = object(
        "{metadata: {name: web}, spec: {defaultBackend: {service: {name: cart, port: {number: 80}}}}}",
    );
    assert_eq!(
        shop(&["cart"], vec![web]).holds(BY_SERVICES),
        ["Service/cart"]
    );
}

#[test]
fn a_service_behind_a_route_that_is_not_there_is_held_when_it_appears() {
    let web = route("web", "", &["cart", "gone"]);
    assert_eq!(
        shop(&["cart"], vec![web]).holds(BY_SERVICES),
        ["Service/cart", "Service/gone"]
    );
}

#[test]
fn of_a_service_that_other_routes_share_the_line_says_so() {
    let shared = |others: usize| {
        let mut routes = vec![route("web", "", &["cart", "front"])];
        routes.extend((0..others).map(|i| route(&format!("other-{i}"), "", &["cart"])));
        said(&shop(&["cart", "front"], routes).reach(BY_SERVICES))
    };
    assert_eq!(
        shared(1),
        "its Services cart and front; Service cart is shared with Ingress other-0, which is held \
         with it"
    );
    assert_eq!(
        shared(6),
        "its Services cart and front; Service cart is shared with Ingress other-0, Ingress other-1, \
         Ingress other-2 and 3 more, which are held with it"
    );
}

#[test]
fn a_route_that_argo_cd_tracks_is_held_by_its_services_unless_the_window_says_route() {
    let manager = "managedFields: [{manager: argocd-controller, operation: Apply, apiVersion: v1, \
                   fieldsType: FieldsV1, fieldsV1: {f:spec: {f:rules: {}}}}]";
    for (metadata, sign) in [
        (
            "annotations: {argocd.argoproj.io/tracking-id: 'shop:networking.k8s.io/Ingress:shop/web'}",
            "annotation argocd.argoproj.io/tracking-id",
        ),
        (
            "labels: {argocd.argoproj.io/instance: shop}",
            "label argocd.argoproj.io/instance",
        ),
        (manager, "field manager argocd-controller"),
    ] {
        let shop = shop(&["cart"], vec![route("web", metadata, &["cart"])]);
        let reach = shop.reach(BY_DEFAULT);
        assert_eq!(holds(&reach), ["Service/cart"]);
        assert_eq!(
            said(&reach),
            format!(
                "its Service cart, as Argo CD tracks it ({sign}) and may undo a patch; hold: Route \
                 would patch it all the same"
            )
        );
        let by_route = "[{kind: Ingress, name: web, hold: Route}]";
        assert_eq!(shop.holds(by_route), ["Ingress/web"]);
    }
}

#[test]
fn the_label_that_helm_charts_set_is_no_sign_of_argo_cd() {
    let helm = "labels: {app.kubernetes.io/instance: shop, app.kubernetes.io/managed-by: Helm}";
    let shop = shop(&["cart"], vec![route("web", helm, &["cart"])]);
    assert_eq!(shop.holds(BY_DEFAULT), ["Ingress/web"]);
}

#[test]
fn a_route_of_which_one_service_is_unfit_is_held_by_none() {
    let mut shop = shop(&["cart"], vec![route("web", "", &["cart", "db"])]);
    shop.services.push(service_with(
        "db",
        "",
        "selector: {app: db}, clusterIP: None",
    ));
    let reach = shop.reach(BY_SERVICES);
    assert_eq!(holds(&reach), [""; 0]);
    let message = refused(&reach);
    assert!(
        message.starts_with(
            "it is to be held by its Services, and db cannot be held: the Service is headless"
        ) && message.ends_with("write hold: Route to patch the Ingress itself"),
        "{message}"
    );
}

#[test]
fn a_route_that_leads_to_more_than_services_is_held_by_none() {
    let mut web = route("web", "", &["cart"]);
    web.spec.get_or_insert_default().default_backend =
        Some(object("{resource: {kind: Bucket, name: b}}"));
    let reach = shop(&["cart"], vec![web]).reach(BY_SERVICES);
    assert_eq!(holds(&reach), [""; 0]);
    assert!(refused(&reach).contains("leads to something else than a Service"));
}

#[test]
fn a_route_whose_originals_nobody_knows_is_held_by_none() {
    let web = route("web", "", &["cart", BRIDGE]);
    let reach = shop(&["cart"], vec![web]).reach(BY_SERVICES);
    assert_eq!(holds(&reach), [""; 0]);
    assert!(refused(&reach).contains("does not say what was there before"));
}

#[test]
fn from_route_to_services_the_route_stays_patched_until_its_services_answer() {
    let mut shop = shop(&["cart"], vec![route("web", &record(&["cart"]), &[BRIDGE])]);
    let reach = shop.reach(BY_SERVICES);
    assert_eq!(holds(&reach), ["Service/cart", "Ingress/web"]);
    assert!(reach.needs_bridge);

    shop.held = vec!["cart"];
    let reach = shop.reach(BY_SERVICES);
    assert_eq!(holds(&reach), ["Service/cart"]);
    assert!(!reach.needs_bridge);
}

#[test]
fn from_services_to_route_the_services_stay_held_until_the_route_is_patched() {
    let by_route = "[{kind: Ingress, name: web, hold: Route}]";
    let held = || Shop {
        services: vec![
            service_with(
                "cart",
                "",
                "selector: {app: cart, entracte.dev/hold: u-cart}, clusterIP: 10.0.0.1",
            ),
            service("new", ""),
        ],
        ..Shop::default()
    };
    let before = Shop {
        ingresses: vec![route("web", "", &["cart", "new"])],
        ..held()
    };
    assert_eq!(before.holds(by_route), ["Service/cart", "Ingress/web"]);
    let after = Shop {
        ingresses: vec![route("web", &record(&["cart"]), &[BRIDGE])],
        ..held()
    };
    assert_eq!(after.holds(by_route), ["Ingress/web"]);
    // It will never be patched: nothing waits for that.
    let owned = "ownerReferences: [{apiVersion: v1, kind: App, name: a, uid: a, controller: true}]";
    let unfit = Shop {
        ingresses: vec![route("web", owned, &["cart"])],
        ..held()
    };
    assert_eq!(unfit.holds(by_route), ["Ingress/web"]);
}

#[test]
fn services_that_another_window_holds_are_not_kept_for_a_route_that_is_not_patched_yet() {
    let key = "selector: {app: cart, entracte.dev/hold: u-cart}, clusterIP: 10.0.0.1";
    let mut shop = Shop {
        services: vec![service_with("cart", "", key)],
        led_by: Some("another"),
        ..shop(&[], vec![route("web", "", &["cart"])])
    };
    let to_be_patched = "[{kind: Ingress, name: web, hold: Route}]";
    assert_eq!(shop.holds(to_be_patched), ["Ingress/web"]);
    shop.led_by = Some("u");
    assert_eq!(shop.holds(to_be_patched), ["Service/cart", "Ingress/web"]);
}

#[test]
fn each_window_reaches_its_own_way() {
    let shop = shop(&["cart"], vec![route("web", "", &["cart"])]);
    let windows = [
        window(BY_SERVICES),
        window("[{kind: Service, name: cart}]"),
        window(BY_DEFAULT),
    ];
    let reached = shop.reach_all(&windows);
    let reached: Vec<_> = reached.iter().map(holds).collect();
    assert_eq!(
        reached,
        [["Service/cart"], ["Service/cart"], ["Ingress/web"]]
    );
}
