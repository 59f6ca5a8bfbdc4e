//! Traefik: one for Ingresses, which is there from the start, and one for HTTPRoutes.

use std::net::SocketAddr;

use kube::Client;
use tokio::process::Command;

use super::{
    Cluster, ClusterError, Credentials, Proxy,
    gateway_api::TRAEFIK_GATEWAY,
    proxies,
    start::{LIMIT, answers_ok, flag},
};
use crate::{network::NODE, process::Process, programs::TRAEFIK, run_folder::RunFolder};

/// The process of the one for Ingresses.
const NAME: &str = "traefik";

/// Where the two answer `/ping`, away from the ports of the routes.
const PING_OF_INGRESSES: &str = "10.0.0.1:8082";
const PING_OF_GATEWAY: &str = "10.0.0.1:8083";

pub(super) async fn start_for_ingresses(
    run: &RunFolder,
    credentials: &Credentials,
    client: &Client,
) -> Result<Process, ClusterError> {
    proxies::create_ingress_class(client, Proxy::Traefik).await?;
    let mut command = command(run, credentials, super::TRAEFIK, PING_OF_INGRESSES);
    command
        .arg("--providers.kubernetesingress=true")
        .arg(flag("providers.kubernetesingress.ingressendpoint.ip", NODE));
    start(NAME, command, run, PING_OF_INGRESSES).await
}

impl Cluster {
    /// Ends the Traefik of Ingresses, for who measures and asks for none: it reads whatever changes.
    pub async fn end_traefik(&self) -> Result<(), ClusterError> {
        let mut processes = self.shared.processes.lock().await;
        let mut names = processes.iter().map(Process::name);
        if let Some(index) = names.position(|name| name == NAME) {
            processes.remove(index).kill().await?;
        }
        Ok(())
    }
}

/// The Gateway API has to be there.
pub(super) async fn start_for_gateway(
    run: &RunFolder,
    credentials: &Credentials,
) -> Result<Process, ClusterError> {
    let mut command = command(run, credentials, TRAEFIK_GATEWAY, PING_OF_GATEWAY);
    command
        .arg("--providers.kubernetesgateway=true")
        .arg(flag("providers.kubernetesgateway.statusaddress.ip", NODE));
    start("traefik-gateway", command, run, PING_OF_GATEWAY).await
}

fn command(run: &RunFolder, credentials: &Credentials, listen: SocketAddr, ping: &str) -> Command {
    let mut command = Command::new(run.program(TRAEFIK));
    command
        .env("KUBECONFIG", credentials.admin_kubeconfig())
        .arg(flag("entrypoints.web.address", listen))
        .arg(flag("entrypoints.traefik.address", ping))
        .arg("--ping=true")
        .arg("--global.checknewversion=false")
        .arg("--global.sendanonymoususage=false");
    command
}

async fn start(
    name: &str,
    command: Command,
    run: &RunFolder,
    ping: &str,
) -> Result<Process, ClusterError> {
    let mut traefik = Process::start(name, command, &run.logs())?;
    traefik
        .ready(LIMIT, async || answers_ok(ping, "/ping").await)
        .await?;
    Ok(traefik)
}
