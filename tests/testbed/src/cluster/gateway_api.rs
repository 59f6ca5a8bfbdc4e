//! The Gateway API: its definitions, which may be absent, come and go; and a Gateway for each proxy
//! that has been asked for.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Cluster, ClusterError, Proxy, contour,
    start::{LIMIT, POLL},
    traefik,
};
use crate::{network::NODE, programs::GATEWAY_API_CRDS};

/// The namespace of the Gateways. They take HTTPRoutes from every namespace.
pub const GATEWAYS: &str = "gateways";

/// Where Traefik listens for requests to the hosts of HTTPRoutes.
pub(super) const TRAEFIK_GATEWAY: SocketAddr = SocketAddr::new(IpAddr::V4(NODE), 8001);

/// Where Envoy listens for them: on the port of the Gateway's listener, plus 8000
/// (`toContainerPort` in Contour's `internal/gatewayapi/listeners.go`).
const CONTOUR_GATEWAY: SocketAddr = SocketAddr::new(IpAddr::V4(NODE), 8080);

const FIELD_MANAGER: &str = "entracte-testbed";

/// What there is of it.
#[derive(Debug, Default)]
pub(super) struct GatewayApi {
    installed: bool,
    /// The proxies that run.
    proxies: Vec<Proxy>,
}

impl Proxy {
    fn gateway_controller(self) -> &'static str {
        match self {
            Self::Traefik => "traefik.io/gateway-controller",
            Self::Contour => "projectcontour.io/gateway-controller",
        }
    }

    fn gateway_address(self) -> SocketAddr {
        match self {
            Self::Traefik => TRAEFIK_GATEWAY,
            Self::Contour => CONTOUR_GATEWAY,
        }
    }

    /// The port of the Gateway's listener.
    fn gateway_port(self) -> u16 {
        match self {
            // It has to be that of an entry point.
            Self::Traefik => TRAEFIK_GATEWAY.port(),
            Self::Contour => CONTOUR_GATEWAY.port() - 8000,
        }
    }
}

impl Cluster {
    /// Where a proxy answers for the HTTPRoutes of its Gateway ([`Proxy::name`] in [`GATEWAYS`]).
    /// It is started if it is not there, and so is the Gateway API installed.
    pub async fn gateway(&self, proxy: Proxy) -> Result<SocketAddr, ClusterError> {
        let mut api = self.shared.gateway_api.lock().await;
        self.install(&mut api).await?;
        if !api.proxies.contains(&proxy) {
            self.apply_gateway(proxy).await?;
            match proxy {
                Proxy::Traefik => {
                    let credentials = &self.shared.credentials;
                    let traefik = traefik::start_for_gateway(self.run(), credentials).await?;
                    self.shared.processes.lock().await.push(traefik);
                }
                Proxy::Contour => contour::start_for_gateway(self).await?,
            }
            api.proxies.push(proxy);
        }
        Ok(proxy.gateway_address())
    }

    /// Installs the definitions of the Gateway API, standard channel, if they are not there, and
    /// the Gateways that were there before they were removed. Proxies that ran through a removal
    /// find out within half a minute.
    pub async fn install_gateway_api(&self) -> Result<(), ClusterError> {
        let mut api = self.shared.gateway_api.lock().await;
        self.install(&mut api).await
    }

    /// Removes the definitions, and with them every Gateway and HTTPRoute.
    pub async fn remove_gateway_api(&self) -> Result<(), ClusterError> {
        let mut api = self.shared.gateway_api.lock().await;
        if api.installed {
            self.kubectl_ok(&["delete", "-f", &self.definitions()])
                .await?;
            api.installed = false;
        }
        Ok(())
    }

    async fn install(&self, api: &mut GatewayApi) -> Result<(), ClusterError> {
        if api.installed {
            return Ok(());
        }
        self.apply_definitions(GATEWAY_API_CRDS).await?;
        for proxy in &api.proxies {
            self.apply_gateway(*proxy).await?;
        }
        api.installed = true;
        Ok(())
    }

    fn definitions(&self) -> String {
        self.run().program(GATEWAY_API_CRDS).display().to_string()
    }

    /// Applies a file of custom resource definitions, and waits until they are served.
    pub(super) async fn apply_definitions(&self, file: &str) -> Result<(), ClusterError> {
        let path = self.run().program(file).display().to_string();
        self.kubectl_ok(&["apply", "--server-side", "-f", &path])
            .await?;
        self.kubectl_ok(&["wait", "--for=condition=Established", "-f", &path])
            .await
    }

    async fn apply_gateway(&self, proxy: Proxy) -> Result<(), ClusterError> {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": GATEWAYS},
        });
        let namespaces: Api<Namespace> = Api::all(self.client().clone());
        let ours = PatchParams::apply(FIELD_MANAGER);
        namespaces
            .patch(GATEWAYS, &ours, &Patch::Apply(&namespace))
            .await?;
        self.apply(
            "GatewayClass",
            None,
            proxy,
            &json!({"controllerName": proxy.gateway_controller()}),
        )
        .await?;
        let listener = json!({
            "name": "http",
            "protocol": "HTTP",
            "port": proxy.gateway_port(),
            "allowedRoutes": {"namespaces": {"from": "All"}},
        });
        self.apply(
            "Gateway",
            Some(GATEWAYS),
            proxy,
            &json!({"gatewayClassName": proxy.name(), "listeners": [listener]}),
        )
        .await
    }

    /// A definition that is established may still be unknown for a moment.
    async fn apply(
        &self,
        kind: &str,
        namespace: Option<&str>,
        proxy: Proxy,
        spec: &Value,
    ) -> Result<(), ClusterError> {
        let resource = gateway_resource(kind);
        let client = self.client().clone();
        let objects: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &resource),
            None => Api::all_with(client, &resource),
        };
        let object = json!({
            "apiVersion": resource.api_version,
            "kind": kind,
            "metadata": {"name": proxy.name()},
            "spec": spec,
        });
        let ours = PatchParams::apply(FIELD_MANAGER);
        let deadline = Instant::now() + LIMIT;
        loop {
            let applied = objects
                .patch(proxy.name(), &ours, &Patch::Apply(&object))
                .await;
            match applied {
                Ok(_) => return Ok(()),
                Err(kube::Error::Api(status))
                    if status.is_not_found() && Instant::now() < deadline =>
                {
                    sleep(POLL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A kind of the Gateway API that is served as v1.
pub fn gateway_resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(
        "gateway.networking.k8s.io",
        "v1",
        kind,
    ))
}
