//! Installs `deploy/` as a user does.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, api::ListParams};
use tokio::time::{Instant, sleep};

use super::NAMESPACE;
use crate::cluster::{Cluster, ClusterError};

const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// `deploy/` could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The cluster failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The API server refused to list what was installed.
    #[error("the API server of the testbed answered: {0}")]
    Api(#[from] kube::Error),
    /// `kubectl` refused.
    #[error("`kubectl {command}` failed:\n{message}")]
    Kubectl {
        /// What it was called with.
        command: String,
        /// What it wrote to standard error.
        message: String,
    },
    /// A Deployment's pods are not ones that the testbed can run.
    #[error("the pods of the Deployment {0} do not have just one container")]
    Containers(String),
    /// A Deployment's environment is not one that the testbed can make.
    #[error(
        "the testbed cannot make the environment variable {0} of deploy/: teach it in \
         tests/testbed/src/operator/deployment.rs"
    )]
    Environment(String),
    /// The pods of the Deployments did not go.
    #[error("pods of the Deployments in {NAMESPACE} are still there after {LIMIT:?}")]
    PodsRemain,
}

/// Runs `kubectl apply -k deploy/` of this repository, which may be done again, and scales its
/// Deployments to nothing: there is no kubelet, and the pods of the operator are made by
/// [`super::Operator`].
pub async fn install(cluster: &Cluster) -> Result<(), InstallError> {
    let folder = folder().display().to_string();
    kubectl(cluster, &["apply", "-k", &folder]).await?;
    kubectl(
        cluster,
        &["wait", "--for=condition=Established", "crd", "--all"],
    )
    .await?;
    kubectl(
        cluster,
        &[
            "scale",
            "deployment",
            "--all",
            "--replicas=0",
            "-n",
            NAMESPACE,
        ],
    )
    .await?;
    without_pods(cluster).await
}

/// The folder `deploy/` of the workspace.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

async fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<(), InstallError> {
    let output = cluster.kubectl(arguments).await?;
    if output.status.success() {
        return Ok(());
    }
    Err(InstallError::Kubectl {
        command: arguments.join(" "),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

async fn without_pods(cluster: &Cluster) -> Result<(), InstallError> {
    let deadline = Instant::now() + LIMIT;
    while !is_scaled_down(cluster).await? {
        if Instant::now() >= deadline {
            return Err(InstallError::PodsRemain);
        }
        sleep(POLL).await;
    }
    Ok(())
}

/// Whether the controllers have seen the scale of nothing, and no pod of theirs is left.
async fn is_scaled_down(cluster: &Cluster) -> kube::Result<bool> {
    let deployments: Api<Deployment> = Api::namespaced(cluster.client().clone(), NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(cluster.client().clone(), NAMESPACE);
    let everything = ListParams::default();
    let seen = deployments.list(&everything).await?.iter().all(is_observed);
    let has_owner = |pod: &Pod| pod.metadata.owner_references.is_some();
    Ok(seen && !pods.list(&everything).await?.iter().any(has_owner))
}

fn is_observed(deployment: &Deployment) -> bool {
    let observed = deployment
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    observed == deployment.metadata.generation
}
