//! What is known of the controllers that turn routes into a proxy's configuration: one table.
//!
//! PURE. A controller is known by what `IngressClass.spec.controller` and
//! `GatewayClass.spec.controllerName` say. Of one that is not in here nothing is assumed.

use chrono::TimeDelta;

/// What is known of one controller.
#[derive(Debug, PartialEq, Eq)]
pub struct Controller {
    /// What people call it.
    pub name: &'static str,
    /// What its IngressClasses name.
    ingress: &'static [Names],
    /// What its GatewayClasses name.
    gateway: &'static [Names],
    /// Whether a route of ours makes its flips seamless.
    pub rehearsal: Rehearsal,
    /// Which objects tell it of endpoints.
    pub reads: Reads,
    /// Which condition of an endpoint it goes by.
    pub goes_by: GoesBy,
    /// How long it may take to follow a change, where that is known.
    pub follows_within: Option<TimeDelta>,
    /// Where its proxy is.
    pub place: Place,
    /// What else may keep clients from the answer, however its routes are held.
    pub but: Option<&'static str>,
    /// Where that is from.
    pub source: &'static str,
}

/// How a controller's name is written in a class.
#[derive(Debug, PartialEq, Eq)]
enum Names {
    Just(&'static str),
    /// It, or it with a path behind it that whoever installs the controller chooses.
    Below(&'static str),
}

/// Whether a standing route of ours, a rehearsal, is made for the routes of a controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// Its proxy learns of a Service from a route that leads there, and the two arrive in any
    /// order.
    Needed,
    /// Its flips are seamless without one.
    Unneeded,
    /// Nobody has tried its flips with this operator, and none is made.
    Untried,
}

/// Which objects tell a controller of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// EndpointSlices, whoever made them.
    Slices,
    /// Endpoints, which nobody writes for a Service without a selector, unless it is told to read
    /// slices.
    Endpoints,
}

/// Which condition of an endpoint a controller goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesBy {
    /// `ready`.
    Ready,
    /// `serving`: an endpoint that terminates is drained.
    Serving,
}

/// Where a proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the cluster: a route costs nothing.
    Cluster,
    /// Outside: a route may cost a load balancer, and take minutes.
    Cloud,
}

/// What is known. "Measured" is what `tests/cluster` shows. (Skipper, which reads Endpoints unless
/// it is told otherwise, is not in here: no IngressClass names it, it goes by the name of the class.)
const TABLE: [Controller; 11] = [
    Controller {
        name: "Traefik",
        ingress: &[Names::Just("traefik.io/ingress-controller")],
        gateway: &[Names::Just("traefik.io/gateway-controller")],
        rehearsal: Rehearsal::Unneeded,
        reads: Reads::Slices,
        goes_by: GoesBy::Serving,
        follows_within: Some(TimeDelta::seconds(2)),
        place: Place::Cluster,
        but: None,
        source: "measured; providersThrottleDuration; pkg/provider/kubernetes/ingress/kubernetes.go",
    },
    Controller {
        name: "Contour",
        // Its own Helm chart writes `projectcontour.io/<namespace>/<release>-contour`, other people
        // `projectcontour.io/ingress-controller`: Contour itself reads no IngressClass.
        ingress: &[Names::Below("projectcontour.io")],
        gateway: &[Names::Below("projectcontour.io")],
        rehearsal: Rehearsal::Needed,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: Some(TimeDelta::milliseconds(500)),
        place: Place::Cluster,
        but: None,
        source: "measured; HoldoffMaxDelay in cmd/contour/serve.go; the chart's ingressclass.yaml",
    },
    Controller {
        name: "ingress-nginx",
        ingress: &[Names::Below("k8s.io/ingress-nginx")],
        gateway: &[],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: None,
        place: Place::Cluster,
        but: None,
        source: "internal/ingress/controller/endpointslices.go; --sync-rate-limit, one Lua sync a second",
    },
    Controller {
        name: "HAProxy Kubernetes Ingress Controller",
        ingress: &[Names::Below("haproxy.org/ingress-controller")],
        gateway: &[Names::Just("haproxy.org/gateway-controller")],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: Some(TimeDelta::seconds(5)),
        place: Place::Cluster,
        but: None,
        source: "haproxytech/kubernetes-ingress: pkg/k8s/informers.go; --sync-period",
    },
    Controller {
        name: "HAProxy Ingress",
        ingress: &[Names::Below("haproxy-ingress.github.io/controller")],
        gateway: &[Names::Below("haproxy-ingress.github.io/controller")],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: Some(TimeDelta::seconds(2)),
        place: Place::Cluster,
        but: None,
        source: "jcmoraisjr/haproxy-ingress: --rate-limit-update 0.5, --wait-before-update 200ms",
    },
    Controller {
        name: "Cilium",
        ingress: &[Names::Just("cilium.io/ingress-controller")],
        gateway: &[Names::Just("io.cilium/gateway-controller")],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Serving,
        follows_within: None,
        place: Place::Cluster,
        but: None,
        source: "cilium/cilium: pkg/k8s/endpoints.go",
    },
    Controller {
        name: "Envoy Gateway",
        ingress: &[],
        gateway: &[Names::Just("gateway.envoyproxy.io/gatewayclass-controller")],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Serving,
        follows_within: None,
        place: Place::Cluster,
        but: None,
        source: "envoyproxy/gateway: internal/gatewayapi/route.go",
    },
    Controller {
        name: "Istio",
        ingress: &[Names::Just("istio.io/ingress-controller")],
        gateway: &[Names::Just("istio.io/gateway-controller")],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: Some(TimeDelta::seconds(10)),
        place: Place::Cluster,
        but: None,
        source: "istio/istio: PILOT_DEBOUNCE_AFTER 100ms, PILOT_DEBOUNCE_MAX 10s",
    },
    Controller {
        name: "AWS Load Balancer Controller",
        ingress: &[Names::Just("ingress.k8s.aws/alb")],
        gateway: &[
            Names::Just("gateway.k8s.aws/alb"),
            Names::Just("gateway.k8s.aws/nlb"),
        ],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: None,
        place: Place::Cloud,
        but: Some(
            "with target-type: ip it finds backend pods of another namespace from its version \
             2.10.1 on; clients of an older one get an error of the load balancer's",
        ),
        source: "kubernetes-sigs/aws-load-balancer-controller: pkg/backend/endpoint_resolver.go, \
                 which looked in the Service's own namespace before c701a42ce",
    },
    Controller {
        name: "Application Gateway Ingress Controller",
        ingress: &[Names::Just("azure/application-gateway")],
        gateway: &[],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: None,
        place: Place::Cloud,
        but: Some(
            "its health probes take a 503 for a failure, and then clients get a 502 of the \
             gateway's: have them take 503 for healthy for the time of the window \
             (appgw.ingress.kubernetes.io/health-probe-status-codes)",
        ),
        source: "Azure/application-gateway-kubernetes-ingress: docs/annotations.md; \
                 Microsoft Learn, \"Application Gateway health probes overview\"",
    },
    Controller {
        name: "GKE Gateway",
        ingress: &[],
        gateway: &[Names::Just("networking.gke.io/gateway")],
        rehearsal: Rehearsal::Untried,
        reads: Reads::Slices,
        goes_by: GoesBy::Ready,
        follows_within: None,
        place: Place::Cloud,
        but: None,
        source: "kubernetes/ingress-gce: pkg/neg/syncers/utils.go",
    },
];

/// What is known of the controller that an IngressClass names.
pub fn of_ingress_class(controller: &str) -> Option<&'static Controller> {
    TABLE
        .iter()
        .find(|known| known.ingress.iter().any(|names| names.fit(controller)))
}

/// What is known of the controller that a GatewayClass names.
pub fn of_gateway_class(controller: &str) -> Option<&'static Controller> {
    TABLE
        .iter()
        .find(|known| known.gateway.iter().any(|names| names.fit(controller)))
}

impl Names {
    fn fit(&self, controller: &str) -> bool {
        match self {
            Self::Just(name) => controller == *name,
            Self::Below(name) => controller
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(controller: &str) -> Option<&'static str> {
        of_ingress_class(controller).map(|known| known.name)
    }

    #[test]
    fn a_controller_is_known_by_what_its_class_names() {
        for (controller, name) in [
            ("traefik.io/ingress-controller", Some("Traefik")),
            ("projectcontour.io/ingress-controller", Some("Contour")),
            (
                "projectcontour.io/projectcontour/contour-contour",
                Some("Contour"),
            ),
            ("k8s.io/ingress-nginx", Some("ingress-nginx")),
            ("k8s.io/internal-ingress-nginx", None),
            ("projectcontour.io.example.com/x", None),
            ("", None),
        ] {
            assert_eq!(named(controller), name, "{controller}");
        }
        let gateway = of_gateway_class("projectcontour.io/gateway-controller").unwrap();
        assert_eq!(
            (gateway.name, gateway.rehearsal),
            ("Contour", Rehearsal::Needed)
        );
    }

    #[test]
    fn no_route_is_made_that_could_cost_a_load_balancer() {
        for known in &TABLE {
            let is_made = known.rehearsal == Rehearsal::Needed;
            assert!(!is_made || known.place == Place::Cluster, "{}", known.name);
        }
    }

    #[test]
    fn every_line_has_its_source_and_a_class() {
        for known in &TABLE {
            assert!(!known.source.is_empty(), "{}", known.name);
            assert!(
                !known.ingress.is_empty() || !known.gateway.is_empty(),
                "{}",
                known.name
            );
        }
    }
}
