//! The programs of a cluster: how each is called, and when it is ready.

use std::{fs, net::SocketAddr, path::Path};

use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::{process::Command, try_join};

use super::{
    API_SERVER, ClusterError, Credentials, NODE_NAME,
    start::{LIMIT, answers_ok, connects, flag, object},
    traefik,
};
use crate::{
    network::{self, API_SERVICE, NODE, NODE_V6, PODS, PODS_V6, SERVICES, SERVICES_V6},
    process::Process,
    programs::{ETCD, KUBE_APISERVER, KUBE_CONTROLLER_MANAGER, KUBE_PROXY},
    run_folder::RunFolder,
};

const ETCD_CLIENTS: &str = "127.0.0.1:2379";
const ETCD_PEERS: &str = "127.0.0.1:2380";

/// Starts everything: etcd, then the API server, then all that need it, at once.
pub(super) async fn start(
    run: &RunFolder,
    credentials: &Credentials,
) -> Result<(Client, Vec<Process>), ClusterError> {
    let etcd = start_etcd(run).await?;
    let (api_server, client) = start_api_server(run, credentials).await?;
    let (controllers, proxy, traefik) = try_join!(
        start_controller_manager(run, credentials, &client),
        start_node(run, credentials, &client),
        traefik::start_for_ingresses(run, credentials, &client),
    )?;
    Ok((client, vec![etcd, api_server, controllers, proxy, traefik]))
}

async fn start_etcd(run: &RunFolder) -> Result<Process, ClusterError> {
    let mut command = Command::new(run.program(ETCD));
    command
        .arg(flag("data-dir", run.data().join("etcd").display()))
        // Its data need not survive a power cut.
        .arg("--unsafe-no-fsync")
        .arg("--log-level=error")
        .arg(format!("--listen-client-urls=http://{ETCD_CLIENTS}"))
        .arg(format!("--advertise-client-urls=http://{ETCD_CLIENTS}"))
        .arg(format!("--listen-peer-urls=http://{ETCD_PEERS}"));
    let mut etcd = Process::start("etcd", command, &run.logs())?;
    etcd.ready(LIMIT, async || answers_ok(ETCD_CLIENTS, "/readyz").await)
        .await?;
    Ok(etcd)
}

async fn start_api_server(
    run: &RunFolder,
    credentials: &Credentials,
) -> Result<(Process, Client), ClusterError> {
    let mut command = Command::new(run.program(KUBE_APISERVER));
    command
        .arg(format!("--etcd-servers=http://{ETCD_CLIENTS}"))
        .arg(flag(
            "service-cluster-ip-range",
            network::of_families(SERVICES, SERVICES_V6),
        ))
        .arg(flag("bind-address", NODE))
        .arg(flag("advertise-address", NODE))
        .arg(flag("secure-port", API_SERVER.port()))
        .arg(flag(
            "tls-cert-file",
            credentials.serving_certificate().display(),
        ))
        .arg(flag(
            "tls-private-key-file",
            credentials.serving_key().display(),
        ))
        .arg(flag("token-auth-file", credentials.tokens().display()))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(flag(
            "service-account-key-file",
            credentials.token_public_key().display(),
        ))
        .arg(flag(
            "service-account-signing-key-file",
            credentials.token_key().display(),
        ))
        // A pod's service account would have to be there before the pod, and its token mounted.
        .arg("--disable-admission-plugins=ServiceAccount");
    let mut api_server = Process::start("kube-apiserver", command, &run.logs())?;
    let client = client(&credentials.admin_kubeconfig()).await?;
    let is_ready = async || match readyz() {
        Ok(request) => client.request_text(request).await.is_ok(),
        Err(_) => false,
    };
    api_server.ready(LIMIT, is_ready).await?;
    Ok((api_server, client))
}

fn readyz() -> Result<http::Request<Vec<u8>>, http::Error> {
    http::Request::get("/readyz").body(Vec::new())
}

async fn client(kubeconfig: &Path) -> Result<Client, ClusterError> {
    let failed = |error| kube::Error::InferKubeconfig(error);
    let kubeconfig = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(failed)?;
    Ok(Client::try_from(config)?)
}

async fn start_controller_manager(
    run: &RunFolder,
    credentials: &Credentials,
    client: &Client,
) -> Result<Process, ClusterError> {
    let mut command = Command::new(run.program(KUBE_CONTROLLER_MANAGER));
    command
        .arg(flag("kubeconfig", credentials.admin_kubeconfig().display()))
        .arg("--leader-elect=false")
        // There is no kubelet that would renew the node's lease.
        .arg("--controllers=*,-node-lifecycle-controller,-taint-eviction-controller,-node-ipam-controller")
        .arg(flag("service-account-private-key-file", credentials.token_key().display()))
        .arg("--use-service-account-credentials=false")
        .arg("--bind-address=127.0.0.1");
    let mut controllers = Process::start("kube-controller-manager", command, &run.logs())?;
    // The controllers run when one of them has done its work.
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    controllers
        .ready(LIMIT, async || accounts.get("default").await.is_ok())
        .await?;
    Ok(controllers)
}

/// Creates the node and starts kube-proxy on it.
async fn start_node(
    run: &RunFolder,
    credentials: &Credentials,
    client: &Client,
) -> Result<Process, ClusterError> {
    create_node(client).await?;
    let config = run.data().join("kube-proxy.json");
    let content = kube_proxy_config(&credentials.admin_kubeconfig()).to_string();
    fs::write(&config, content).map_err(|source| ClusterError::Write {
        path: config.clone(),
        source,
    })?;
    let mut command = Command::new(run.program(KUBE_PROXY));
    command.arg(flag("config", config.display()));
    let mut proxy = Process::start("kube-proxy", command, &run.logs())?;
    // ClusterIPs work when the API server is reached through its own.
    let api_service = SocketAddr::from((API_SERVICE, 443));
    proxy
        .ready(LIMIT, async || connects(api_service).await)
        .await?;
    Ok(proxy)
}

async fn create_node(client: &Client) -> Result<(), ClusterError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = object(json!({"metadata": {"name": NODE_NAME}}))?;
    nodes.create(&PostParams::default(), &node).await?;
    let mut addresses = vec![
        json!({"type": "InternalIP", "address": NODE}),
        json!({"type": "Hostname", "address": NODE_NAME}),
    ];
    if network::has_ipv6() {
        addresses.push(json!({"type": "InternalIP", "address": NODE_V6}));
    }
    let status = json!({"status": {
        "addresses": addresses,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Testbed"}],
    }});
    nodes
        .patch_status(NODE_NAME, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(())
}

fn kube_proxy_config(kubeconfig: &Path) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "mode": "nftables",
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": network::of_families(PODS, PODS_V6),
        "healthzBindAddress": format!("{NODE}:10256"),
        // These belong to the whole machine, and an ordinary user may not set them.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    })
}
