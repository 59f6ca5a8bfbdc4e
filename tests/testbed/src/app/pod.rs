//! One pod of an app: a process and its Pod object.

use std::{
    collections::BTreeMap,
    env, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

use super::{
    AppError,
    server::{Answer, Arguments, PORT},
};
use crate::{
    cluster::{Cluster, ClusterError},
    network,
    pod::{PodObject, PodTemplate},
    process::Process,
};

/// How long a process may take to listen, or to change its answer.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a pod that is being deleted goes on serving, like the usual `preStop` hook that
/// sleeps: kube-proxy learns within a second that its endpoint is terminating, Traefik within
/// two.
const PRE_STOP: Duration = Duration::from_secs(3);

/// One pod of an app.
#[derive(Debug)]
pub struct AppPod {
    object: PodObject,
    process: Process,
    input: ChildStdin,
    confirmations: Lines<BufReader<ChildStdout>>,
}

impl AppPod {
    /// Starts the process, and creates the object when it listens; then says that it is ready.
    pub(super) async fn start(
        cluster: &Cluster,
        namespace: &str,
        app: &str,
        name: &str,
        addresses: Vec<IpAddr>,
    ) -> Result<Self, AppError> {
        let (process, input, confirmations) =
            start_process(cluster, namespace, app, name, &addresses)?;
        let client = cluster.client();
        let object = PodObject::create(client, namespace, name, template(app)?, addresses).await?;
        let mut pod = Self {
            object,
            process,
            input,
            confirmations,
        };
        pod.confirmed().await?;
        pod.set_ready(true).await?;
        Ok(pod)
    }

    /// The pod's name.
    pub fn name(&self) -> &str {
        self.object.name()
    }

    /// Where the pod listens, first of all.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.object.addresses()[0], PORT)
    }

    /// Makes the pod ready or not. Its process answers either way.
    pub async fn set_ready(&self, ready: bool) -> Result<(), AppError> {
        Ok(self.object.set_ready(ready).await?)
    }

    /// Changes what the pod answers; on return every new request gets it.
    pub async fn set_answer(&mut self, answer: &Answer) -> Result<(), AppError> {
        let mut line = serde_json::to_vec(answer).map_err(io::Error::from)?;
        line.push(b'\n');
        self.input.write_all(&line).await?;
        self.confirmed().await
    }

    /// Deletes the pod as a rollout does: it is terminating, goes on serving for three seconds,
    /// and is gone.
    pub(super) async fn delete(self) -> Result<(), AppError> {
        self.object.begin_deletion().await?;
        sleep(PRE_STOP).await;
        self.crash().await
    }

    /// Ends process and object at once, without a warning.
    pub(super) async fn crash(self) -> Result<(), AppError> {
        let Self {
            object, process, ..
        } = self;
        process.kill().await.map_err(ClusterError::from)?;
        object.delete_now().await?;
        for address in object.addresses() {
            network::remove_address(*address)
                .await
                .map_err(ClusterError::from)?;
        }
        Ok(())
    }

    async fn confirmed(&mut self) -> Result<(), AppError> {
        match timeout(LIMIT, self.confirmations.next_line()).await {
            Ok(Ok(Some(_))) => Ok(()),
            _ => Err(AppError::Pod {
                pod: self.object.name().to_owned(),
                log: self.process.log().to_owned(),
            }),
        }
    }
}

fn template(app: &str) -> Result<PodTemplate, AppError> {
    let spec = serde_json::from_value(json!({
        "containers": [{
            "name": "app",
            "image": "a-process-of-the-testbed",
            "ports": [{"name": "http", "containerPort": PORT}],
        }],
    }));
    Ok(PodTemplate {
        labels: BTreeMap::from([("app".to_owned(), app.to_owned())]),
        spec: spec.map_err(kube::Error::SerdeError)?,
    })
}

type Dialogue = (Process, ChildStdin, Lines<BufReader<ChildStdout>>);

fn start_process(
    cluster: &Cluster,
    namespace: &str,
    app: &str,
    pod: &str,
    addresses: &[IpAddr],
) -> Result<Dialogue, AppError> {
    let arguments = Arguments {
        app: app.to_owned(),
        pod: pod.to_owned(),
        addresses: addresses.to_vec(),
    };
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments.to_args());
    let log = format!("{namespace}-{pod}");
    let (process, input, output) = Process::start_dialogue(&log, command, &cluster.run().logs())
        .map_err(ClusterError::from)?;
    Ok((process, input, BufReader::new(output).lines()))
}
