//! One pod of the operator: its process, its Pod object, and the readiness probe in between.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use futures::future::{join_all, try_join_all};
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
    /// All pods share one network namespace here, where each has to listen on its own addresses: it
    /// is a process for each address.
    processes: Vec<Process>,
    probe: JoinHandle<()>,
}

impl OperatorPod {
    /// Creates the object of the Deployment's pod of that number, without a process.
    pub(super) async fn create(
        cluster: &Cluster,
        role: Role,
        number: usize,
        addresses: Vec<IpAddr>,
    ) -> Result<Self, OperatorError> {
        let name = format!("{}-{number}", role.recipe.deployment);
        let template = role.recipe.template.clone();
        let object =
            PodObject::create(cluster.client(), NAMESPACE, &name, template, addresses).await?;
        let probe = tokio::spawn(probe(object.clone()));
        Ok(Self {
            cluster: cluster.clone(),
            role,
            object,
            processes: Vec::new(),
            probe,
        })
    }

    /// The pod's name.
    pub fn name(&self) -> &str {
        self.object.name()
    }

    /// The pod's address; the first, where it has one of each family.
    pub fn address(&self) -> IpAddr {
        self.object.addresses()[0]
    }

    /// Where the process answers `/healthz` and `/readyz`.
    pub fn admin_address(&self) -> SocketAddr {
        SocketAddr::new(self.address(), ADMIN_PORT)
    }

    /// Whether the process has not ended.
    pub fn is_running(&mut self) -> bool {
        !self.processes.is_empty() && self.processes.iter_mut().all(Process::is_running)
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
        for process in self.processes.drain(..) {
            process.kill().await?;
        }
        Ok(())
    }

    /// Stops the process with SIGTERM, and after thirty seconds with SIGKILL. The pod stays.
    pub async fn stop(&mut self) -> Result<(), OperatorError> {
        let ending = self.processes.drain(..);
        try_join_all(ending.map(|process| process.terminate(GRACE))).await?;
        Ok(())
    }

    /// Starts the process without waiting for it.
    pub fn launch(&mut self) -> Result<(), OperatorError> {
        let Role {
            recipe,
            binary,
            kubeconfig,
            arguments,
        } = &self.role;
        let logs = self.cluster.run().logs();
        for address in self.object.addresses() {
            let mut command = Command::new(binary);
            command
                .args(&recipe.arguments)
                .args(["--bind", &address.to_string()])
                .args(arguments)
                .envs(&recipe.environment)
                .env("KUBECONFIG", kubeconfig);
            let process = Process::start(self.object.name(), command, &logs)?;
            self.processes.push(process);
        }
        Ok(())
    }

    /// Waits until the process says that it is ready.
    pub(super) async fn ready(&mut self) -> Result<(), OperatorError> {
        for (process, address) in self.processes.iter_mut().zip(self.object.addresses()) {
            process
                .ready(READY_LIMIT, async || is_ready(*address).await)
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
    pub async fn crash(mut self) -> Result<(), OperatorError> {
        self.kill().await?;
        self.forget().await
    }

    async fn forget(&self) -> Result<(), OperatorError> {
        self.probe.abort();
        self.object.delete_now().await?;
        for address in self.object.addresses() {
            network::remove_address(*address)
                .await
                .map_err(ClusterError::from)?;
        }
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
        let ready = join_all(object.addresses().iter().copied().map(is_ready)).await;
        let ready = ready.into_iter().all(|ready| ready);
        // A write that failed is tried again at the next tick.
        if ready != written && object.set_ready(ready).await.is_ok() {
            written = ready;
        }
    }
}

async fn is_ready(address: IpAddr) -> bool {
    let address = SocketAddr::new(address, ADMIN_PORT);
    let answer = request::get(address, &address.to_string(), "/readyz").await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
