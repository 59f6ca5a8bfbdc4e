//! Warnings of a Service: its annotations, each with the page of the documentation that defines it,
//! and its ports.
//!
//! PURE.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::{LONG_LIVED, OVER_TLS, PROBED, Swallows, annotated, is_any_of};

/// Sources: Traefik, "Kubernetes Ingress routing configuration"; Contour, "Annotations reference";
/// GKE, "Ingress configuration: HTTPS between load balancer and application"; HAProxy Technologies'
/// ingress controller, "Service annotations".
const ON_A_SERVICE: [Swallows; 4] = [
    Swallows {
        annotation: "haproxy.org/check-http",
        does: |path| !path.is_empty(),
        warning: PROBED,
    },
    Swallows {
        annotation: "traefik.ingress.kubernetes.io/service.serversscheme",
        does: |scheme| !is_any_of(scheme, &["http", "h2c"]),
        warning: OVER_TLS,
    },
    Swallows {
        annotation: "projectcontour.io/upstream-protocol.tls",
        does: |ports| !ports.is_empty(),
        warning: OVER_TLS,
    },
    Swallows {
        annotation: "cloud.google.com/app-protocols",
        does: |ports| ports.to_ascii_uppercase().contains("HTTPS"),
        warning: OVER_TLS,
    },
];

/// What may keep clients of a held Service from the answer.
pub fn of_service(service: &Service) -> Vec<String> {
    let spec = service.spec.as_ref();
    let ports = spec.and_then(|spec| spec.ports.as_deref());
    let on_ports = ports.unwrap_or_default().iter().filter_map(of_port);
    annotated(&service.metadata, &ON_A_SERVICE)
        .chain(on_ports)
        .collect()
}

fn of_port(port: &ServicePort) -> Option<String> {
    let number = port.port;
    let name = port.name.as_deref().unwrap_or_default();
    let plain = port.app_protocol.is_some();
    if !plain && (number == 443 || name.starts_with("https")) {
        return Some(format!(
            "port {number} looks like HTTPS: who checks certificates gets no answer, unless the backend \
             has one that he takes (--tls-folder); hold the Ingress in front of it, or write \
             appProtocol: http where it is none"
        ));
    }
    let app_protocol = port.app_protocol.as_deref()?;
    let long_lived = ["ws", "kubernetes.io/ws", "grpc", "grpc-web"];
    is_any_of(app_protocol, &long_lived)
        .then(|| format!("port {number} ({app_protocol}): {LONG_LIVED}"))
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;
    use crate::plan::testing::object;

    fn service(yaml: &str) -> Vec<String> {
        of_service(&object(yaml))
    }

    #[test]
    fn a_port_that_looks_like_https_is_warned_of_unless_it_says_otherwise() {
        let https = "{spec: {ports: [{port: 443}]}}";
        assert_eq!(
            service(https),
            [
                "port 443 looks like HTTPS: who checks certificates gets no answer, unless the backend \
                 has one that he takes (--tls-folder); hold the Ingress in front of it, or write \
                 appProtocol: http where it is none"
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
}
