//! The operator under test: the shipped binary, under the RBAC of `deploy/`, as a controller pod
//! and backend pods.

pub(crate) mod binary;
mod deployment;
mod install;
mod pod;

use std::{net::IpAddr, path::PathBuf};

use crate::{
    cluster::{Cluster, ClusterError, User},
    process::ProcessError,
};

pub use binary::BinaryError;
pub use install::{InstallError, install};
pub use pod::OperatorPod;

use deployment::PodRecipe;
use pod::Role;

/// The namespace of the operator, as in `deploy/`.
pub const NAMESPACE: &str = "entracte-system";

/// Which operator is started, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The binary `entracte`.
    pub binary: PathBuf,
    /// Where the controller finds the API server: a proxy may stand in between.
    pub controller_server: String,
    /// Where the backend pods find it.
    pub backend_server: String,
    /// How many backend pods there are at first.
    pub backends: usize,
    /// More arguments for `entracte controller`.
    pub controller_arguments: Vec<String>,
    /// More arguments for `entracte backend`.
    pub backend_arguments: Vec<String>,
}

impl Options {
    /// The operator as it is shipped: the binary that the launcher built, two backend pods, and
    /// nothing between it and the API server.
    pub fn shipped(cluster: &Cluster) -> Self {
        Self {
            binary: cluster.run().program(binary::NAME),
            controller_server: cluster.url(),
            backend_server: cluster.url(),
            backends: 2,
            controller_arguments: Vec::new(),
            backend_arguments: Vec::new(),
        }
    }
}

/// A running operator. One to a cluster; what runs is killed when it is dropped.
#[derive(Debug)]
pub struct Operator {
    cluster: Cluster,
    backend: Role,
    controller_role: Role,
    controller: OperatorPod,
    backends: Vec<OperatorPod>,
    started: usize,
}

/// The operator did not start, or did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// `deploy/` could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The cluster failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A process of the operator failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The API server refused.
    #[error("the API server of the testbed answered: {0}")]
    Api(#[from] kube::Error),
    /// There is no backend pod of that name.
    #[error("the operator has no backend pod {0}")]
    NoSuchBackend(String),
}

impl Operator {
    /// Installs `deploy/` and starts a controller and the backend pods. All are ready on return.
    pub async fn start(cluster: &Cluster, options: Options) -> Result<Self, OperatorError> {
        cluster
            .installed()
            .get_or_try_init(|| install(cluster))
            .await?;
        let (controller_role, backend) = roles(cluster, &options).await?;
        let address = cluster.pod_address().await?;
        let created = OperatorPod::create(cluster, controller_role.clone(), 1, vec![address]);
        // What it takes to make a pod is large.
        let controller = Box::pin(created).await?;
        let mut operator = Self {
            cluster: cluster.clone(),
            backend,
            controller_role,
            controller,
            backends: Vec::new(),
            started: 0,
        };
        operator.controller.launch()?;
        for _ in 0..options.backends {
            operator.launch_backend().await?;
        }
        for backend in &mut operator.backends {
            backend.ready().await?;
        }
        operator.controller.ready().await?;
        Ok(operator)
    }

    /// The controller: to kill it, stop it and start it again.
    pub fn controller(&mut self) -> &mut OperatorPod {
        &mut self.controller
    }

    /// A second controller, which is ready on return, beside the one that there is: as where the old
    /// leader does not know yet that another one leads. Let it [`OperatorPod::crash`] in the end.
    pub async fn another_controller(&self) -> Result<OperatorPod, OperatorError> {
        let address = self.cluster.pod_address().await?;
        let role = self.controller_role.clone();
        let mut another = OperatorPod::create(&self.cluster, role, 2, vec![address]).await?;
        another.start().await?;
        Ok(another)
    }

    /// The backend pods that there are now.
    pub fn backends(&self) -> &[OperatorPod] {
        &self.backends
    }

    /// One backend pod, to kill its process and start it again.
    pub fn backend_mut(&mut self, pod: &str) -> Result<&mut OperatorPod, OperatorError> {
        let index = self.index(pod)?;
        Ok(&mut self.backends[index])
    }

    /// Adds a backend pod, which is ready on return, and returns its name.
    pub async fn add_backend(&mut self) -> Result<String, OperatorError> {
        let pod = self.launch_backend().await?;
        pod.ready().await?;
        Ok(pod.name().to_owned())
    }

    /// The same, with an address of each family. It needs IPv6 ([`crate::network::has_ipv6`]).
    pub async fn add_dual_stack_backend(&mut self) -> Result<String, OperatorError> {
        let addresses = self.cluster.dual_stack_pod_addresses().await?;
        let pod = self.launch_backend_at(addresses).await?;
        pod.ready().await?;
        Ok(pod.name().to_owned())
    }

    /// Takes a backend pod away as a rollout does: it is terminating, gets a SIGTERM, and is
    /// gone on return.
    pub async fn remove_backend(&mut self, pod: &str) -> Result<(), OperatorError> {
        let index = self.index(pod)?;
        self.backends.remove(index).delete().await
    }

    /// Ends a backend pod at once, object and process, as if its node had gone.
    pub async fn crash_backend(&mut self, pod: &str) -> Result<(), OperatorError> {
        let index = self.index(pod)?;
        self.backends.remove(index).crash().await
    }

    /// Stops controller and backend with SIGTERM and removes their pods. `deploy/` stays.
    pub async fn stop(self) -> Result<(), OperatorError> {
        self.controller.delete().await?;
        for backend in self.backends {
            backend.delete().await?;
        }
        Ok(())
    }

    async fn launch_backend(&mut self) -> Result<&mut OperatorPod, OperatorError> {
        let address = self.cluster.pod_address().await?;
        self.launch_backend_at(vec![address]).await
    }

    async fn launch_backend_at(
        &mut self,
        addresses: Vec<IpAddr>,
    ) -> Result<&mut OperatorPod, OperatorError> {
        self.started += 1;
        let role = self.backend.clone();
        let created = OperatorPod::create(&self.cluster, role, self.started, addresses);
        let mut pod = Box::pin(created).await?;
        pod.launch()?;
        self.backends.push(pod);
        let last = self.backends.len() - 1;
        Ok(&mut self.backends[last])
    }

    fn index(&self, pod: &str) -> Result<usize, OperatorError> {
        let found = self
            .backends
            .iter()
            .position(|candidate| candidate.name() == pod);
        found.ok_or_else(|| OperatorError::NoSuchBackend(pod.to_owned()))
    }
}

/// What the controller's pod and the backend's pods run.
async fn roles(cluster: &Cluster, options: &Options) -> Result<(Role, Role), OperatorError> {
    let controller = Role {
        recipe: PodRecipe::read(cluster, "entracte-controller").await?,
        binary: options.binary.clone(),
        kubeconfig: cluster.kubeconfig_for(User::Controller, &options.controller_server)?,
        arguments: options.controller_arguments.clone(),
    };
    let backend = Role {
        recipe: PodRecipe::read(cluster, "entracte-backend").await?,
        binary: options.binary.clone(),
        kubeconfig: cluster.kubeconfig_for(User::Backend, &options.backend_server)?,
        arguments: options.backend_arguments.clone(),
    };
    Ok((controller, backend))
}
