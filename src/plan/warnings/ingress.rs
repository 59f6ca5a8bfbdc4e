//! Warnings of an Ingress: a table of annotations, each with the page of its controller's
//! documentation that defines it.
//!
//! PURE.

use k8s_openapi::api::networking::v1::Ingress;

use super::{LONG_LIVED, OTHER_PROTOCOL, OVER_TLS, PROBED, Swallows, annotated, is_any_of};

const OWN_ERROR_PAGES: &str = "the proxy puts a page of its own in the place of every 503, without \
                               our Retry-After; take 503 out of the list for the time of the window";
const PASSTHROUGH: &str = "TLS is passed through to the backend: clients get no answer unless it has a \
                           certificate that they take (--tls-folder); let the proxy end TLS for the \
                           time of the window";

/// Sources: ingress-nginx, "Annotations"; HAProxy Ingress, "Configuration keys"; HAProxy Technologies'
/// ingress controller, "Ingress annotations"; NGINX Ingress Controller, "Advanced configuration with
/// annotations"; AWS Load Balancer Controller, "Ingress annotations"; Contour, "Annotations
/// reference"; Traefik, "Kubernetes Ingress routing configuration".
const ON_AN_INGRESS: [Swallows; 17] = [
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
        does: |protocol| is_any_of(protocol, &["HTTPS", "GRPCS", "AUTO_HTTP"]),
        warning: OVER_TLS,
    },
    Swallows {
        annotation: "nginx.ingress.kubernetes.io/backend-protocol",
        does: |protocol| is_any_of(protocol, &["FCGI"]),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "haproxy-ingress.github.io/backend-protocol",
        does: |protocol| is_any_of(protocol, &["h1-ssl", "h2-ssl", "https", "grpcs"]),
        warning: OVER_TLS,
    },
    Swallows {
        annotation: "haproxy-ingress.github.io/backend-protocol",
        does: |protocol| is_any_of(protocol, &["fcgi"]),
        warning: OTHER_PROTOCOL,
    },
    Swallows {
        annotation: "haproxy.org/server-ssl",
        does: is_true,
        warning: OVER_TLS,
    },
    Swallows {
        annotation: "nginx.org/ssl-services",
        does: |_| true,
        warning: OVER_TLS,
    },
    Swallows {
        annotation: "alb.ingress.kubernetes.io/backend-protocol",
        does: |protocol| !is_any_of(protocol, &["HTTP"]),
        warning: OVER_TLS,
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
        warning: OVER_TLS,
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
        assert_eq!(
            ingress("haproxy.org/send-proxy-protocol", "proxy-v2"),
            [""; 0]
        );
    }

    #[test]
    fn tls_and_what_is_no_http_are_warned_of_in_words_of_their_own() {
        let annotation = "nginx.ingress.kubernetes.io/backend-protocol";
        for (protocol, warning) in [("GRPCS", OVER_TLS), ("FCGI", OTHER_PROTOCOL)] {
            let warned = format!("the annotation {annotation}: {warning}");
            assert_eq!(ingress(annotation, protocol), [warned]);
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
