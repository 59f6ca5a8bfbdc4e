//! The cluster: etcd, the control plane, kube-proxy, one node, and proxies: Traefik for Ingresses
//! from the start, the others when they are asked for.

mod contour;
mod control_plane;
mod credentials;
mod gateway_api;
mod proxies;
mod start;
mod traefik;

use std::{
    ffi::OsStr,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    process::Command,
    sync::{Mutex, OnceCell},
};

pub use credentials::{CredentialsError, User};
pub use gateway_api::{GATEWAYS, gateway_resource};
pub use proxies::Proxy;

use crate::{
    network::{self, NetworkError},
    process::{Process, ProcessError},
    programs::{KUBE_CONTROLLER_MANAGER, KUBECTL},
    run_folder::RunFolder,
};
use credentials::Credentials;
use gateway_api::GatewayApi;

/// The name of the only node.
pub const NODE_NAME: &str = "node1";

/// Where the API server listens.
pub const API_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(network::NODE), 6443);

/// Where Traefik listens for requests to the hosts of Ingresses.
pub const TRAEFIK: SocketAddr = SocketAddr::new(IpAddr::V4(network::NODE), 8000);

/// The first address that a pod gets is 10.244.0.2.
const FIRST_POD: u16 = 2;

/// A running cluster. Clones are handles to the same one; there is one to a process, since its
/// addresses are fixed.
#[derive(Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

struct Shared {
    run: RunFolder,
    credentials: Credentials,
    client: Client,
    processes: Mutex<Vec<Process>>,
    pods: AtomicU16,
    namespaces: AtomicU32,
    installed: OnceCell<()>,
    contour_crds: OnceCell<()>,
    contour_for_ingresses: OnceCell<()>,
    gateway_api: Mutex<GatewayApi>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("run", self.run())
            .finish_non_exhaustive()
    }
}

/// The cluster could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The loopback device could not be set up.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Certificates, tokens or kubeconfigs could not be made.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A program failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The API server refused.
    #[error("the API server of the testbed answered: {0}")]
    Api(#[from] kube::Error),
    /// `kubectl` could not be run.
    #[error("cannot run kubectl: {0}")]
    Kubectl(io::Error),
    /// A command that prepares something failed.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The program and its arguments.
        command: String,
        /// What it wrote to standard error.
        message: String,
    },
    /// A file of the run could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Cluster {
    /// Starts everything and waits until it is ready. Call it inside a run, and once.
    pub async fn start(run: &RunFolder) -> Result<Self, ClusterError> {
        network::set_up().await?;
        let credentials = Credentials::create(&run.data())?;
        let (client, processes) = control_plane::start(run, &credentials).await?;
        let shared = Shared {
            run: run.clone(),
            credentials,
            client,
            processes: Mutex::new(processes),
            pods: AtomicU16::new(FIRST_POD),
            namespaces: AtomicU32::new(1),
            installed: OnceCell::new(),
            contour_crds: OnceCell::new(),
            contour_for_ingresses: OnceCell::new(),
            gateway_api: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// A client with an administrator's rights.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The folder of the run that the cluster belongs to.
    pub fn run(&self) -> &RunFolder {
        &self.shared.run
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.shared.credentials.admin_kubeconfig()
    }

    /// Writes a kubeconfig with the rights of `user`, for the API server or for a proxy before
    /// it (`http://…` or `https://…`).
    pub fn kubeconfig_for(&self, user: User, server: &str) -> Result<PathBuf, ClusterError> {
        Ok(self.shared.credentials.write_kubeconfig(user, server)?)
    }

    /// The certificate that the API server's is signed by, as PEM: for a proxy that talks to it.
    pub fn certificate_authority(&self) -> &str {
        self.shared.credentials.certificate_authority()
    }

    /// Where the API server is, for [`Cluster::kubeconfig_for`].
    pub fn url(&self) -> String {
        format!("https://{API_SERVER}")
    }

    /// Creates a namespace of the caller's own. Its name begins with `prefix`.
    pub async fn namespace(&self, prefix: &str) -> Result<String, ClusterError> {
        let number = self.shared.namespaces.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        };
        let namespace = Namespace {
            metadata,
            ..Namespace::default()
        };
        let api = Api::all(self.client().clone());
        api.create(&PostParams::default(), &namespace).await?;
        Ok(name)
    }

    /// Runs `kubectl` as the administrator. Whether it succeeded is for the caller to see.
    pub async fn kubectl<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Output, ClusterError> {
        Command::new(self.run().program(KUBECTL))
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(ClusterError::Kubectl)
    }

    /// Runs `kubectl` as the administrator. That it fails is an error.
    async fn kubectl_ok(&self, arguments: &[&str]) -> Result<(), ClusterError> {
        let output = self.kubectl(arguments).await?;
        start::succeeded(&format!("kubectl {}", arguments.join(" ")), &output)
    }

    /// A pod address that nobody else has, put on the loopback device.
    pub async fn pod_address(&self) -> Result<IpAddr, ClusterError> {
        let address = self.pod_addresses()[0];
        network::add_address(address).await?;
        Ok(address)
    }

    /// The same, of both families. It needs IPv6 ([`network::has_ipv6`]).
    pub async fn dual_stack_pod_addresses(&self) -> Result<Vec<IpAddr>, ClusterError> {
        let addresses = self.pod_addresses();
        for address in addresses {
            network::add_address(address).await?;
        }
        Ok(addresses.into())
    }

    fn pod_addresses(&self) -> [IpAddr; 2] {
        let number = self.shared.pods.fetch_add(1, Ordering::Relaxed);
        let [high, low] = number.to_be_bytes();
        [
            Ipv4Addr::new(10, 244, high, low).into(),
            Ipv6Addr::new(0xfd00, 0x244, 0, 0, 0, 0, 0, number).into(),
        ]
    }

    /// Stops the platform's controllers (kube-controller-manager) in the middle of whatever they
    /// do: no slice follows its Service any more.
    pub async fn pause_controllers(&self) -> Result<(), ClusterError> {
        self.on_controllers(Process::pause).await
    }

    /// Lets the platform's controllers go on, whether or not they were paused.
    pub async fn resume_controllers(&self) -> Result<(), ClusterError> {
        self.on_controllers(Process::resume).await
    }

    async fn on_controllers(
        &self,
        act: fn(&Process) -> Result<(), ProcessError>,
    ) -> Result<(), ClusterError> {
        let processes = self.shared.processes.lock().await;
        for process in processes.iter() {
            if process.name() == KUBE_CONTROLLER_MANAGER {
                act(process)?;
            }
        }
        Ok(())
    }

    /// Kills the proxies and the control plane and waits until they are gone.
    pub async fn stop(&self) -> Result<(), ClusterError> {
        let mut processes = self.shared.processes.lock().await;
        while let Some(process) = processes.pop() {
            process.kill().await?;
        }
        Ok(())
    }

    /// Set when the manifests of the operator have been installed.
    pub(crate) fn installed(&self) -> &OnceCell<()> {
        &self.shared.installed
    }
}
