//! Contour and its Envoy: a pair for Ingresses and a pair for HTTPRoutes.
//!
//! One Contour could serve both, but without a Gateway it would then listen nowhere.

use std::{fs, net::SocketAddr, path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    Cluster, ClusterError, Proxy,
    gateway_api::GATEWAYS,
    proxies,
    start::{LIMIT, answers_ok, flag, succeeded},
};
use crate::{
    network::NODE,
    process::Process,
    programs::{CONTOUR, CONTOUR_CRDS, ENVOY},
};

/// Kinds that are not in the standard channel of the Gateway API, or not of the version that
/// Contour reads: without their definitions it does not start.
const FEATURES_OFF: [&str; 4] = ["tlsroutes", "grpcroutes", "tcproutes", "backendtlspolicies"];

/// No Ingress has this class.
const NO_CLASS: &str = "none";

/// One Contour and the Envoy that it tells what to do.
struct Pair {
    /// What it is for.
    name: &'static str,
    /// The class of the Ingresses that it serves.
    class: &'static str,
    /// Where Envoy listens for requests; a Gateway says the port itself.
    listen: SocketAddr,
    /// Its own ports are `base + 0..=5`, on 127.0.0.1.
    base: u16,
    /// What the configuration file says, besides the ports.
    config: Value,
}

/// What the ports of a pair are for.
#[derive(Clone, Copy)]
enum Port {
    /// Envoy asks Contour what to do.
    Xds,
    /// Contour says how it is.
    Health,
    /// Contour's metrics.
    Metrics,
    /// Contour's profiles.
    Debug,
    /// Envoy says how it is.
    Stats,
    /// Envoy's admin interface.
    Admin,
}

pub(super) async fn start_for_ingresses(cluster: &Cluster) -> Result<(), ClusterError> {
    let pair = Pair {
        name: "ingresses",
        class: Proxy::Contour.name(),
        listen: proxies::CONTOUR,
        base: 8500,
        config: json!({}),
    };
    pair.start(cluster).await
}

/// The Gateway has to be there.
pub(super) async fn start_for_gateway(cluster: &Cluster) -> Result<(), ClusterError> {
    let gateway = json!({"namespace": GATEWAYS, "name": Proxy::Contour.name()});
    let pair = Pair {
        name: "gateway",
        class: NO_CLASS,
        listen: SocketAddr::from((NODE, 0)),
        base: 8510,
        config: json!({"gateway": {"gatewayRef": gateway}}),
    };
    pair.start(cluster).await
}

impl Pair {
    async fn start(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        cluster
            .shared
            .contour_crds
            .get_or_try_init(|| cluster.apply_definitions(CONTOUR_CRDS))
            .await?;
        let contour = self.start_contour(cluster).await?;
        let envoy = self.start_envoy(cluster).await?;
        cluster
            .shared
            .processes
            .lock()
            .await
            .extend([contour, envoy]);
        Ok(())
    }

    async fn start_contour(&self, cluster: &Cluster) -> Result<Process, ClusterError> {
        let mut command = Command::new(cluster.run().program(CONTOUR));
        command
            .args(["serve", "--no-incluster", "--insecure"])
            .arg("--disable-leader-election")
            .arg(flag("kubeconfig", cluster.kubeconfig().display()))
            .arg(flag("config-path", self.write_config(cluster)?.display()))
            .arg(flag("ingress-class-name", self.class))
            .arg(flag("ingress-status-address", NODE))
            .arg(flag("envoy-service-http-address", self.listen.ip()))
            .arg(flag("envoy-service-http-port", self.listen.port()))
            .args(FEATURES_OFF.map(|feature| flag("disable-feature", feature)));
        for (purpose, port) in [
            ("xds", Port::Xds),
            ("health", Port::Health),
            ("http", Port::Metrics),
            ("debug-http", Port::Debug),
            ("stats", Port::Stats),
        ] {
            command
                .arg(format!("--{purpose}-address=127.0.0.1"))
                .arg(format!("--{purpose}-port={}", self.port(port)));
        }
        let name = format!("contour-{}", self.name);
        let mut contour = Process::start(&name, command, &cluster.run().logs())?;
        let health = self.address(Port::Health);
        contour
            .ready(LIMIT, async || answers_ok(&health, "/healthz").await)
            .await?;
        Ok(contour)
    }

    async fn start_envoy(&self, cluster: &Cluster) -> Result<Process, ClusterError> {
        let bootstrap = self.bootstrap(cluster).await?;
        let mut command = Command::new(cluster.run().program(ENVOY));
        command
            .arg("--config-path")
            .arg(bootstrap)
            .args(["--service-cluster", "testbed", "--service-node", self.name])
            // Its shared memory would be shared with every other Envoy of this machine.
            .arg("--disable-hot-restart");
        let name = format!("envoy-{}", self.name);
        let mut envoy = Process::start(&name, command, &cluster.run().logs())?;
        let stats = self.address(Port::Stats);
        envoy
            .ready(LIMIT, async || answers_ok(&stats, "/ready").await)
            .await?;
        Ok(envoy)
    }

    /// Has Contour write down where Envoy finds it.
    async fn bootstrap(&self, cluster: &Cluster) -> Result<PathBuf, ClusterError> {
        let folder = cluster.run().data();
        let path = folder.join(format!("envoy-{}.json", self.name));
        let admin = folder.join(format!("envoy-{}.sock", self.name));
        let output = Command::new(cluster.run().program(CONTOUR))
            .arg("bootstrap")
            .arg(&path)
            .args(["--xds-address=127.0.0.1", "--xds-resource-version=v3"])
            .arg(flag("xds-port", self.port(Port::Xds)))
            .arg(flag("admin-address", admin.display()))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| ClusterError::Write {
                path: path.clone(),
                source,
            })?;
        succeeded("contour bootstrap", &output)?;
        Ok(path)
    }

    /// Every JSON document is a YAML document.
    fn write_config(&self, cluster: &Cluster) -> Result<PathBuf, ClusterError> {
        let mut config = self.config.clone();
        config["network"] = json!({"admin-port": self.port(Port::Admin)});
        let path = cluster
            .run()
            .data()
            .join(format!("contour-{}.json", self.name));
        fs::write(&path, config.to_string()).map_err(|source| ClusterError::Write {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    fn port(&self, port: Port) -> u16 {
        self.base + port as u16
    }

    fn address(&self, port: Port) -> String {
        format!("127.0.0.1:{}", self.port(port))
    }
}
