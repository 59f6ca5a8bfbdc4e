//! What may keep clients from seeing the answer, though a target is held as it should be.
//!
//! PURE. Read from the objects alone; what a proxy is told elsewhere (flags, ConfigMaps, its own
//! kinds) is not seen. Each warning is a sentence that says what may happen and what to do.
//!
//! Every annotation stands in a table here, with the page of its controller's documentation that
//! defines it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy, NetworkPolicyEgressRule};
use kube::core::ObjectMeta;

use super::controllers::{Controller, Place};

/// An annotation that changes what becomes of an answer.
struct Swallows {
    annotation: &'static str,
    /// Whether a value of it does.
    does: fn(&str) -> bool,
    /// What happens, and what to do about it.
    warning: &'static str,
}

const OWN_ERROR_PAGES: &str = "the proxy puts a page of its own in the place of every 503, without \
                               our Retry-After; take 503 out of the list for the time of the window";
const PASSTHROUGH: &str = "TLS is passed through to the backend, which speaks none: clients get no \
                           answer; let the proxy end TLS for the time of the window";
const OTHER_PROTOCOL: &str = "the proxy speaks another protocol to the backend than HTTP without TLS: \
                          clients may get an error of the proxy in place of the answer";
const LONG_LIVED: &str = "connections that are open when the window starts stay with the app until \
                          one side closes them";

/// How many network policies are named.
const MOST_POLICIES: usize = 4;

/// Sources: ingress-nginx, "Annotations"; HAProxy Ingress, "Configuration keys"; HAProxy Technologies'
/// ingress controller, "Ingress annotations"; NGINX Ingress Controller, "Advanced configuration with
/// annotations"; AWS Load Balancer Controller, "Ingress annotations"; Contour, "Annotations
/// reference"; Traefik, "Kubernetes Ingress routing configuration".
const ON_AN_INGRESS: [Swallows; 15] = [
    Swallows {
        annotation: "nginx.ingress.kubernetes.io/custom-http-errors",
        does: |codes| codes.split(',').any(|code| code.trim() == "503"),
        warning: OWN_ERROR_PAGES,
    },
    Swallows {
        annotation: "traefik.ingress.kubernetes.io/router.middlewares",
        does: |names| names.to_ascii_lowercase().contains("error"),
        warning: "a middleware is called after errors: where it is one of the kind `errors` that \
                  covers 503, clients get its page without our Retry-After; leave 503 out of it",
    },
    Swallows {
        annotation: "nginx.ingress.kubernetes.io/ssl-passthrough",
        does: is_true,
        warning: PASSTHROUGH,
    },
    Swallows {
        annotation: "haproxy.org/ssl-passthrough",
        does: is_true,
        warning: PASSTHROUGH,
    },
    Swallows {
        annotation: "haproxy-ingress.github.io/ssl-passthrough",
        does: is_true,
        warning: PASSTHROUGH,
    },
    Swallows {
        annotation: "ingress.kubernetes.io/ssl-passthrough",
        does: is_true,
        warning: PASSTHROUGH,
    },
    Swallows {
        annotation: "nginx.ingress.kubernetes.io/backend-protocol",
        does: |protocol| !is_any_of(protocol, &["HTTP", "GRPC"]),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "haproxy-ingress.github.io/backend-protocol",
        does: |protocol| !is_any_of(protocol, &["h1", "h2", "http", "grpc"]),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "haproxy.org/server-ssl",
        does: is_true,
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "haproxy.org/send-proxy-protocol",
        does: |_| true,
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "nginx.org/ssl-services",
        does: |_| true,
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "alb.ingress.kubernetes.io/backend-protocol",
        does: |protocol| !is_any_of(protocol, &["HTTP"]),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "nginx.org/websocket-services",
        does: |_| true,
        warning: LONG_LIVED,
    },
    Swallows {
        annotation: "projectcontour.io/websocket-routes",
        does: |_| true,
        warning: LONG_LIVED,
    },
    Swallows {
        annotation: "appgw.ingress.kubernetes.io/backend-protocol",
        does: |protocol| !is_any_of(protocol, &["http"]),
        warning: OTHER_PROTOCOL,
    },
];

/// Sources: Traefik, "Kubernetes Ingress routing configuration"; Contour, "Annotations reference";
/// GKE, "Ingress configuration: HTTPS between load balancer and application".
const ON_A_SERVICE: [Swallows; 3] = [
    Swallows {
        annotation: "traefik.ingress.kubernetes.io/service.serversscheme",
        does: |scheme| !is_any_of(scheme, &["http", "h2c"]),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "projectcontour.io/upstream-protocol.tls",
        does: |ports| !ports.is_empty(),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "cloud.google.com/app-protocols",
        does: |ports| ports.to_ascii_uppercase().contains("HTTPS"),
        warning: OTHER_PROTOCOL,
    },
];

/// What may keep clients of a held Ingress from the answer.
///
/// Only what is about the way from the proxy to the backend: under `hold: Services` it is the same
/// way.
pub fn of_ingress(ingress: &Ingress) -> Vec<String> {
    annotated(&ingress.metadata, &ON_AN_INGRESS).collect()
}

/// What may keep clients of an Ingress from the answer that is held by patching it, by what is known
/// of its controller.
pub fn of_controller(controller: &Controller) -> Option<String> {
    (controller.place == Place::Cloud).then(|| {
        format!(
            "routes of this controller ({}) take minutes to change; write hold: Services",
            controller.name
        )
    })
}

/// What may keep clients of a held Service from the answer.
pub fn of_service(service: &Service) -> Vec<String> {
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|spec| spec.ports.as_deref());
    let on_ports = ports.unwrap_or_default().iter().filter_map(of_port);
    annotated(&service.metadata, &ON_A_SERVICE)
        .chain(on_ports)
        .collect()
}

/// What the network policies of a namespace may keep its pods from.
///
/// A held Service leads into the operator's namespace. A policy of the namespace that says where
/// its pods may go (`networking.k8s.io/v1`, `NetworkPolicySpec.policyTypes`) may not say there.
pub fn of_policies<'a>(policies: impl IntoIterator<Item = &'a NetworkPolicy>) -> Vec<String> {
    let names: Vec<&str> = policies
        .into_iter()
        .filter(|policy| restricts_egress(policy))
        .filter_map(|policy| policy.metadata.name.as_deref())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let mut listed = names.join(", ");
    if let Some((first, more)) = names
        .split_at_checked(MOST_POLICIES)
        .filter(|(_, more)| !more.is_empty())
    {
        listed = format!("{} and {} more", first.join(", "), more.len());
    }
    vec![format!(
        "NetworkPolicy {listed}: pods of the namespace that call a held Service are led to the \
         operator's namespace, and their requests are dropped where no rule allows that; allow \
         egress to it"
    )]
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

fn of_port(port: &ServicePort) -> Option<String> {
    let number = port.port;
    let name = port.name.as_deref().unwrap_or_default();
    let plain = port.app_protocol.is_some();
    if !plain && (number == 443 || name.starts_with("https")) {
        return Some(format!(
            "port {number} looks like HTTPS: who speaks TLS to it gets no answer; hold the Ingress \
             in front of it, or write appProtocol: http where it is none"
        ));
    }
    let app_protocol = port.app_protocol.as_deref()?;
    let long_lived = ["ws", "kubernetes.io/ws", "grpc", "grpc-web"];
    is_any_of(app_protocol, &long_lived)
        .then(|| format!("port {number} ({app_protocol}): {LONG_LIVED}"))
}

fn restricts_egress(policy: &NetworkPolicy) -> bool {
    let Some(spec) = &policy.spec else {
        return false;
    };
    let is_about_egress = match &spec.policy_types {
        Some(types) => types.iter().any(|of| of == "Egress"),
        None => spec.egress.is_some(),
    };
    let mut rules = spec.egress.iter().flatten();
    is_about_egress && !rules.any(allows_all)
}

fn allows_all(rule: &NetworkPolicyEgressRule) -> bool {
    let is_empty = |length: Option<usize>| length.unwrap_or_default() == 0;
    is_empty(rule.to.as_ref().map(Vec::len)) && is_empty(rule.ports.as_ref().map(Vec::len))
}

fn is_true(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
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
    use crate::plan::controllers::of_ingress_class;
    use crate::plan::testing::object;

    fn ingress(annotation: &str, value: &str) -> Vec<String> {
        of_ingress(&object(&format!(
            "{{metadata: {{name: web, annotations: {{{annotation}: '{value}'}}}}}}"
        )))
    }

    fn service(yaml: &str) -> Vec<String> {
        of_service(&object(yaml))
    }

    #[test]
    fn own_pages_for_503_are_warned_of_and_those_for_other_codes_are_not() {
        let annotation = "nginx.ingress.kubernetes.io/custom-http-errors";
        assert_eq!(
            ingress(annotation, "404, 503"),
            [format!("the annotation {annotation}: {OWN_ERROR_PAGES}")]
        );
        assert_eq!(ingress(annotation, "404,500"), [""; 0]);
        assert_eq!(ingress(annotation, "5030"), [""; 0]);
    }

    #[test]
    fn a_protocol_that_the_backend_speaks_is_not_warned_of() {
        for (annotation, fine, not) in [
            (
                "nginx.ingress.kubernetes.io/backend-protocol",
                "GRPC",
                "HTTPS",
            ),
            ("haproxy-ingress.github.io/backend-protocol", "h2", "h1-ssl"),
            (
                "nginx.ingress.kubernetes.io/ssl-passthrough",
                "false",
                "true",
            ),
            (
                "alb.ingress.kubernetes.io/backend-protocol",
                "HTTP",
                "HTTPS",
            ),
        ] {
            assert_eq!(ingress(annotation, fine), [""; 0], "{annotation}: {fine}");
            assert_eq!(ingress(annotation, not).len(), 1, "{annotation}: {not}");
        }
    }

    #[test]
    fn an_ingress_without_such_annotations_is_not_warned_of() {
        assert_eq!(of_ingress(&object("{metadata: {name: web}}")), [""; 0]);
        assert_eq!(
            ingress("nginx.ingress.kubernetes.io/rewrite-target", "/"),
            [""; 0]
        );
    }

    #[test]
    fn a_port_that_looks_like_https_is_warned_of_unless_it_says_otherwise() {
        let https = "{spec: {ports: [{port: 443}]}}";
        assert_eq!(
            service(https),
            [
                "port 443 looks like HTTPS: who speaks TLS to it gets no answer; hold the Ingress \
                 in front of it, or write appProtocol: http where it is none"
            ]
        );
        assert_eq!(
            service("{spec: {ports: [{port: 8443, name: https-api}]}}").len(),
            1
        );
        assert_eq!(
            service("{spec: {ports: [{port: 443, appProtocol: http}]}}"),
            [""; 0]
        );
        assert_eq!(
            service("{spec: {ports: [{port: 80, name: http}]}}"),
            [""; 0]
        );
    }

    #[test]
    fn long_lived_connections_are_warned_of() {
        let sockets = "{spec: {ports: [{port: 80, appProtocol: kubernetes.io/ws}]}}";
        assert_eq!(
            service(sockets),
            [
                "port 80 (kubernetes.io/ws): connections that are open when the window starts stay \
                 with the app until one side closes them"
            ]
        );
    }

    #[test]
    fn routes_of_a_load_balancer_in_a_cloud_take_minutes() {
        let of = |name| of_controller(of_ingress_class(name).unwrap());
        assert_eq!(
            of("ingress.k8s.aws/alb").unwrap(),
            "routes of this controller (AWS Load Balancer Controller) take minutes to change; \
             write hold: Services"
        );
        assert_eq!(of("traefik.io/ingress-controller"), None);
    }

    #[test]
    fn of_many_policies_the_first_few_are_named() {
        let policies = (0..6).map(|number| -> NetworkPolicy {
            object(&format!(
                "{{metadata: {{name: out-{number}}}, spec: {{podSelector: {{}}, egress: []}}}}"
            ))
        });
        let policies: Vec<_> = policies.collect();
        let named = |policies| of_policies(policies).remove(0);
        let six = named(&policies[..]);
        let start = "NetworkPolicy out-0, out-1, out-2, out-3 and 2 more: ";
        assert!(six.starts_with(start), "{six}");
        let four = named(&policies[..4]);
        assert!(
            four.starts_with("NetworkPolicy out-0, out-1, out-2, out-3: "),
            "{four}"
        );
    }

    #[test]
    fn policies_that_say_where_pods_may_go_are_named() {
        let policy = |name: &str, spec: &str| -> NetworkPolicy {
            object(&format!("{{metadata: {{name: {name}}}, spec: {spec}}}"))
        };
        let policies = [
            policy("in", "{podSelector: {}, policyTypes: [Ingress]}"),
            policy("out", "{podSelector: {}, policyTypes: [Ingress, Egress]}"),
            policy("old", "{podSelector: {}, egress: []}"),
            policy(
                "open",
                "{podSelector: {}, policyTypes: [Egress], egress: [{}]}",
            ),
        ];
        let found = of_policies(&policies);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("NetworkPolicy out, old: "),
            "{found:?}"
        );
        assert_eq!(of_policies(&policies[..1]), [""; 0]);
    }
}
