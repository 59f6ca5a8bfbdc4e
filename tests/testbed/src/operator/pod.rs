//! One pod of the operator: its process, its Pod object, and the readiness probe in between.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    process::Command,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{NAMESPACE, OperatorError, deployment::PodRecipe};
use crate::{
    cluster::{Cluster, ClusterError},
    network,
    pod::PodObject,
    process::Process,
    request,
};

/// The port of `/readyz` on every pod of the operator.
const ADMIN_PORT: u16 = 8081;

/// How long a process may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The default `terminationGracePeriodSeconds`.
const GRACE: Duration = Duration::from_secs(30);

/// The kubelet's shortest period is a second; that is long for a test.
const PROBE_PERIOD: Duration = Duration::from_millis(100);

/// What a pod runs, and with whose rights.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) recipe: PodRecipe,
    pub(super) binary: PathBuf,
    pub(super) kubeconfig: PathBuf,
    /// What is added to the arguments of the recipe.
    pub(super) arguments: Vec<String>,
}

/// One pod of the operator. Its process can go and come while the pod stays, as a container does.
#[derive(Debug)]
pub struct OperatorPod {
    cluster: Cluster,
    role: Role,
    object: PodObject,
    process: Option<Process>,
    probe: JoinHandle<()>,
}

impl OperatorPod {
    /// Creates the object of the Deployment's pod of that number, without a process.
    pub(super) async fn create(
        cluster: &Cluster,
        role: Role,
        number: usize,
    ) -> Result<Self, OperatorError> {
        let address = cluster.pod_address().await?;
        let name = format!("{}-{number}", role.recipe.deployment);
        let template = role.recipe.template.clone();
        let object =
            PodObject::create(cluster.client(), NAMESPACE, &name, template, address).await?;
        let probe = tokio::spawn(probe(object.clone()));
        Ok(Self {
            cluster: cluster.clone(),
            role,
            object,
            process: None,
            probe,
        })
    }

    /// The pod's name.
    pub fn name(&self) -> &str {
        self.object.name()
    }

    /// The pod's address.
    pub fn address(&self) -> IpAddr {
        self.object.address()
    }

    /// Where the process answers `/healthz` and `/readyz`.
    pub fn admin_address(&self) -> SocketAddr {
        admin_address(&self.object)
    }

    /// Whether the process has not ended.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::is_running)
    }

    /// Starts the process, unless it runs, and waits until it is ready.
    pub async fn start(&mut self) -> Result<(), OperatorError> {
        if !self.is_running() {
            self.launch()?;
        }
        self.ready().await
    }

    /// Kills the process with SIGKILL. The pod stays.
    pub async fn kill(&mut self) -> Result<(), OperatorError> {
        match self.process.take() {
            Some(process) => Ok(process.kill().await?),
            None => Ok(()),
        }
    }

    /// Stops the process with SIGTERM, and after thirty seconds with SIGKILL. The pod stays.
    pub async fn stop(&mut self) -> Result<(), OperatorError> {
        match self.process.take() {
            Some(process) => Ok(process.terminate(GRACE).await?),
            None => Ok(()),
        }
    }

    /// Starts the process without waiting for it.
    ///
    /// All pods share one network namespace here: each has to listen on its own address.
    pub fn launch(&mut self) -> Result<(), OperatorError> {
        let Role {
            recipe,
            binary,
            kubeconfig,
            arguments,
        } = &self.role;
        let mut command = Command::new(binary);
        command
            .args(&recipe.arguments)
            .args(["--bind", &self.address().to_string()])
            .args(arguments)
            .envs(&recipe.environment)
            .env("KUBECONFIG", kubeconfig);
        let logs = self.cluster.run().logs();
        self.process = Some(Process::start(self.object.name(), command, &logs)?);
        Ok(())
    }

    /// Waits until the process says that it is ready.
    pub(super) async fn ready(&mut self) -> Result<(), OperatorError> {
        let address = self.admin_address();
        if let Some(process) = &mut self.process {
            process
                .ready(READY_LIMIT, async || is_ready(address).await)
                .await?;
        }
        Ok(())
    }

    /// Deletes the pod as the kubelet does.
    pub(super) async fn delete(mut self) -> Result<(), OperatorError> {
        self.object.begin_deletion().await?;
        self.stop().await?;
        self.forget().await
    }

    /// Ends process and object without a warning.
    pub(super) async fn crash(mut self) -> Result<(), OperatorError> {
        self.kill().await?;
        self.forget().await
    }

    async fn forget(&self) -> Result<(), OperatorError> {
        self.probe.abort();
        self.object.delete_now().await?;
        network::remove_address(self.address())
            .await
            .map_err(ClusterError::from)?;
        Ok(())
    }
}

impl Drop for OperatorPod {
    fn drop(&mut self) {
        self.probe.abort();
    }
}

/// Does what the kubelet does for a readiness probe: the object says what the process says, and
/// it is written only when that changes.
async fn probe(object: PodObject) {
    let mut written = false;
    let mut ticks = interval(PROBE_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let ready = is_ready(admin_address(&object)).await;
        // A write that failed is tried again at the next tick.
        if ready != written && object.set_ready(ready).await.is_ok() {
            written = ready;
        }
    }
}

fn admin_address(object: &PodObject) -> SocketAddr {
    SocketAddr::new(object.address(), ADMIN_PORT)
}

async fn is_ready(address: SocketAddr) -> bool {
    let answer = request::get(address, &address.to_string(), "/readyz").await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
