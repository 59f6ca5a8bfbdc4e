//! What may keep clients from seeing the answer, though a target is held as it should be.
//!
//! PURE. Read from the objects alone; what a proxy is told elsewhere (flags, ConfigMaps, its own
//! kinds) is not seen. Each warning is a sentence that says what may happen and what to do.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;

use super::controllers::{Controller, Place};

mod httproute;
mod ingress;
mod policies;
mod service;

pub use httproute::of_http_route;
pub use ingress::of_ingress;
pub use policies::of_policies;
pub use service::of_service;

/// An annotation that changes what becomes of an answer.
struct Swallows {
    annotation: &'static str,
    /// Whether a value of it does.
    does: fn(&str) -> bool,
    /// What happens, and what to do about it.
    warning: &'static str,
}

const OTHER_PROTOCOL: &str = "the proxy speaks another protocol to the backend than HTTP: clients may \
                              get an error of the proxy in place of the answer";
const OVER_TLS: &str = "the proxy speaks TLS to the backend: where it checks certificates, clients get \
                        an error of the proxy in place of the answer, unless the backend has one that \
                        it takes (--tls-folder)";
const PROBED: &str = "the proxy probes the backend over HTTP and takes our 503 for a failure: clients get \
                      an error of the proxy in place of the answer; switch the check off for the time \
                      of the window";
const LONG_LIVED: &str = "connections that are open when the window starts stay with the app until \
                          one side closes them";

/// What may keep clients of a route from the answer, by what is known of a controller that serves it.
pub fn of_controller(controller: &Controller, is_patched: bool) -> Vec<String> {
    let name = controller.name;
    let slow = (is_patched && controller.place == Place::Cloud).then(|| {
        format!("routes of this controller ({name}) take minutes to change; write hold: Services")
    });
    let but = controller.but.map(|but| format!("{name}: {but}"));
    slow.into_iter().chain(but).collect()
}

fn annotated<'a>(
    metadata: &'a ObjectMeta,
    table: &'static [Swallows],
) -> impl Iterator<Item = String> + use<'a> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    let annotations = metadata.annotations.as_ref().unwrap_or(&NONE);
    table.iter().filter_map(|swallows| {
        let value = annotations.get(swallows.annotation)?;
        let Swallows {
            annotation,
            does,
            warning,
        } = swallows;
        does(value).then(|| format!("the annotation {annotation}: {warning}"))
    })
}

fn is_any_of(value: &str, known: &[&str]) -> bool {
    known
        .iter()
        .any(|other| other.eq_ignore_ascii_case(value.trim()))
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;
    use crate::plan::controllers::{of_gateway_class, of_ingress_class};

    #[test]
    fn routes_of_a_load_balancer_in_a_cloud_take_minutes() {
        let of = |name| of_controller(of_ingress_class(name).unwrap(), true);
        assert_eq!(
            of("ingress.k8s.aws/alb")[0],
            "routes of this controller (AWS Load Balancer Controller) take minutes to change; \
             write hold: Services"
        );
        assert_eq!(of("traefik.io/ingress-controller"), [""; 0]);
        let gateway = of_gateway_class("networking.gke.io/gateway").unwrap();
        assert_eq!(
            of_controller(gateway, true),
            [
                "routes of this controller (GKE Gateway) take minutes to change; write hold: Services"
            ]
        );
        assert_eq!(of_controller(gateway, false), [""; 0]);
    }

    #[test]
    fn what_else_is_known_of_a_controller_is_said_however_a_route_is_held() {
        let azure = of_ingress_class("azure/application-gateway").unwrap();
        let [probes] = &of_controller(azure, false)[..] else {
            panic!("not one");
        };
        assert!(
            probes.contains("health probes take a 503 for a failure"),
            "{probes}"
        );
        assert_eq!(of_controller(azure, true).len(), 2);
    }
}
