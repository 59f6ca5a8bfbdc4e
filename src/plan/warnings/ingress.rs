//! Warnings of an Ingress: a table of annotations, each with the page of its controller's
//! documentation that defines it.
//!
//! PURE.

use k8s_openapi::api::networking::v1::Ingress;

use super::{LONG_LIVED, OTHER_PROTOCOL, PROBED, Swallows, annotated, is_any_of};

const OWN_ERROR_PAGES: &str = "the proxy puts a page of its own in the place of every 503, without \
                               our Retry-After; take 503 out of the list for the time of the window";
const PASSTHROUGH: &str = "TLS is passed through to the backend, which speaks none: clients get no \
                           answer; let the proxy end TLS for the time of the window";

/// Sources: ingress-nginx, "Annotations"; HAProxy Ingress, "Configuration keys"; HAProxy Technologies'
/// ingress controller, "Ingress annotations"; NGINX Ingress Controller, "Advanced configuration with
/// annotations"; AWS Load Balancer Controller, "Ingress annotations"; Contour, "Annotations
/// reference"; Traefik, "Kubernetes Ingress routing configuration".
const ON_AN_INGRESS: [Swallows; 16] = [
    Swallows {
        annotation: "haproxy.org/check-http",
        does: |path| !path.is_empty(),
        warning: PROBED,
    },
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

/// What may keep clients of a held Ingress from the answer.
///
/// Only what is about the way from the proxy to the backend: under `hold: Services` it is the same
/// way.
pub fn of_ingress(ingress: &Ingress) -> Vec<String> {
    annotated(&ingress.metadata, &ON_AN_INGRESS).collect()
}

fn is_true(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;
    use crate::plan::testing::object;

    fn ingress(annotation: &str, value: &str) -> Vec<String> {
        of_ingress(&object(&format!(
            "{{metadata: {{name: web, annotations: {{{annotation}: '{value}'}}}}}}"
        )))
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
}
