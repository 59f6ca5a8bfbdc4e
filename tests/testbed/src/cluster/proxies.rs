//! The proxies through which requests come into the cluster, each for one kind of route.
//!
//! | proxy | Ingresses | HTTPRoutes |
//! |---|---|---|
//! | Traefik | from the start | a second Traefik, when it is asked for |
//! | Contour with Envoy | when it is asked for | a second pair, when it is asked for |
//!
//! One for each kind, so that Ingresses are served whether or not there is a Gateway API.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use k8s_openapi::api::networking::v1::IngressClass;
use kube::{Api, Client, api::PostParams};
use serde_json::json;

use super::{Cluster, ClusterError, TRAEFIK, contour, start::object};
use crate::network::NODE;

/// Where Envoy listens for requests to the hosts of Ingresses of the class `contour`.
pub(super) const CONTOUR: SocketAddr = SocketAddr::new(IpAddr::V4(NODE), 8002);

/// What Traefik's IngressClass names; see `traefikDefaultIngressClassController` in Traefik's
/// `pkg/provider/kubernetes/ingress/kubernetes.go`.
const TRAEFIK_INGRESSES: &str = "traefik.io/ingress-controller";
/// What the IngressClass of Contour's own Helm chart names, installed as `contour` in the
/// namespace `projectcontour`. Contour itself reads no IngressClass: it goes by the name.
const CONTOUR_INGRESSES: &str = "projectcontour.io/projectcontour/contour-contour";

/// A proxy, and what tells it where to send requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Proxy {
    /// Traefik, which knows every Service that it is told of.
    #[default]
    Traefik,
    /// Contour with Envoy, which knows a Service for as long as a route refers to it.
    Contour,
}

impl Proxy {
    /// The name of its IngressClass, of its GatewayClass, and of its Gateway.
    pub fn name(self) -> &'static str {
        match self {
            Self::Traefik => "traefik",
            Self::Contour => "contour",
        }
    }

    fn ingress_controller(self) -> &'static str {
        match self {
            Self::Traefik => TRAEFIK_INGRESSES,
            Self::Contour => CONTOUR_INGRESSES,
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl Cluster {
    /// Where a proxy answers for the Ingresses of its class. It is started if it is not there.
    pub async fn ingress(&self, proxy: Proxy) -> Result<SocketAddr, ClusterError> {
        match proxy {
            Proxy::Traefik => Ok(TRAEFIK),
            Proxy::Contour => {
                self.shared
                    .contour_for_ingresses
                    .get_or_try_init(|| self.start_contour_for_ingresses())
                    .await?;
                Ok(CONTOUR)
            }
        }
    }

    async fn start_contour_for_ingresses(&self) -> Result<(), ClusterError> {
        create_ingress_class(self.client(), Proxy::Contour).await?;
        contour::start_for_ingresses(self).await
    }
}

pub(super) async fn create_ingress_class(
    client: &Client,
    proxy: Proxy,
) -> Result<(), ClusterError> {
    let classes: Api<IngressClass> = Api::all(client.clone());
    let class = object(json!({
        "metadata": {"name": proxy.name()},
        "spec": {"controller": proxy.ingress_controller()},
    }))?;
    classes.create(&PostParams::default(), &class).await?;
    Ok(())
}
