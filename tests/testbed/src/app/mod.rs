//! An app under test: pods, a Service and an Ingress.

mod pod;
pub(crate) mod server;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use k8s_openapi::api::{core::v1::Service, networking::v1::Ingress};
use kube::{Api, api::PostParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

pub use pod::AppPod;
pub use server::{APP_HEADER, Answer, PORT};

use crate::{
    cluster::{self, Cluster, ClusterError, INGRESS_CLASS},
    request,
};

/// The port of the Service.
pub const SERVICE_PORT: u16 = 80;

const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// An app whose pods are processes of ours.
#[derive(Debug)]
pub struct App {
    cluster: Cluster,
    namespace: String,
    name: String,
    cluster_ip: IpAddr,
    pods: Vec<AppPod>,
    started: usize,
}

/// The app did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The cluster did not.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The API server refused.
    #[error("the API server of the testbed answered: {0}")]
    Api(#[from] kube::Error),
    /// The process of a pod could not be started or told something.
    #[error("cannot talk to the process of a pod: {0}")]
    Io(#[from] io::Error),
    /// The process of a pod ended or hangs.
    #[error("the process of the pod {pod} does not answer; its log is {log}")]
    Pod {
        /// The pod's name.
        pod: String,
        /// Its log.
        log: PathBuf,
    },
    /// There is no pod of that name.
    #[error("the app {app} has no pod {pod}")]
    NoSuchPod {
        /// The app's name.
        app: String,
        /// The name that was asked for.
        pod: String,
    },
    /// The Service got no ClusterIP.
    #[error("the Service {0} got no ClusterIP")]
    NoClusterIp(String),
    /// Nobody, or somebody else, answers for the app.
    #[error("the app {app} was not reached through {path} within {LIMIT:?}: {answer}")]
    Unreachable {
        /// The app's name.
        app: String,
        /// The way that was tried.
        path: &'static str,
        /// What came back last.
        answer: String,
    },
}

impl App {
    /// Creates an app with that many pods, a Service (port 80, called `http`) and an Ingress
    /// (host [`App::host`]) of the same name, and waits until it answers through both.
    pub async fn create(
        cluster: &Cluster,
        namespace: &str,
        name: &str,
        pods: usize,
    ) -> Result<Self, AppError> {
        let cluster_ip = create_service(cluster, namespace, name).await?;
        let mut app = Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cluster_ip,
            pods: Vec::new(),
            started: 0,
        };
        create_ingress(&app).await?;
        for _ in 0..pods {
            app.add_pod().await?;
        }
        if pods > 0 {
            app.reachable("its ClusterIP", app.service_address())
                .await?;
            app.reachable("its Ingress", cluster::TRAEFIK).await?;
        }
        Ok(app)
    }

    /// The app's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the app, its Service and its Ingress.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host of the Ingress: `name.namespace.test`. Ask [`cluster::TRAEFIK`] for it.
    pub fn host(&self) -> String {
        format!("{}.{}.test", self.name, self.namespace)
    }

    /// ClusterIP and port of the Service.
    pub fn service_address(&self) -> SocketAddr {
        SocketAddr::new(self.cluster_ip, SERVICE_PORT)
    }

    /// The pods that the app has now.
    pub fn pods(&self) -> &[AppPod] {
        &self.pods
    }

    /// Adds a pod, which is ready on return, and returns its name. Proxies learn of it later.
    pub async fn add_pod(&mut self) -> Result<String, AppError> {
        self.started += 1;
        let name = format!("{}-{}", self.name, self.started);
        let pod = AppPod::start(&self.cluster, &self.namespace, &self.name, &name).await?;
        self.pods.push(pod);
        Ok(name)
    }

    /// Takes a pod away as a rollout does: it is terminating, goes on serving for three seconds,
    /// and is gone on return.
    pub async fn remove_pod(&mut self, pod: &str) -> Result<(), AppError> {
        self.take(pod)?.delete().await
    }

    /// Ends a pod's process and removes its object at once, as if its node had gone.
    pub async fn crash_pod(&mut self, pod: &str) -> Result<(), AppError> {
        self.take(pod)?.crash().await
    }

    /// Makes every pod ready or not.
    pub async fn set_ready(&self, ready: bool) -> Result<(), AppError> {
        for pod in &self.pods {
            pod.set_ready(ready).await?;
        }
        Ok(())
    }

    /// Changes what every pod answers.
    pub async fn set_answer(&mut self, answer: &Answer) -> Result<(), AppError> {
        for pod in &mut self.pods {
            pod.set_answer(answer).await?;
        }
        Ok(())
    }

    /// One pod, to change it alone.
    pub fn pod_mut(&mut self, pod: &str) -> Result<&mut AppPod, AppError> {
        let index = self.index(pod)?;
        Ok(&mut self.pods[index])
    }

    fn take(&mut self, pod: &str) -> Result<AppPod, AppError> {
        let index = self.index(pod)?;
        Ok(self.pods.remove(index))
    }

    fn index(&self, pod: &str) -> Result<usize, AppError> {
        let found = self
            .pods
            .iter()
            .position(|candidate| candidate.name() == pod);
        found.ok_or_else(|| AppError::NoSuchPod {
            app: self.name.clone(),
            pod: pod.to_owned(),
        })
    }

    async fn reachable(&self, path: &'static str, address: SocketAddr) -> Result<(), AppError> {
        let deadline = Instant::now() + LIMIT;
        let host = self.host();
        loop {
            let answer = match request::get(address, &host, "/").await {
                Ok(answer) if is_of_app(&answer, &self.name) => return Ok(()),
                Ok(answer) => answer.status().to_string(),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(AppError::Unreachable {
                    app: self.name.clone(),
                    path,
                    answer,
                });
            }
            sleep(POLL).await;
        }
    }
}

fn is_of_app<B>(answer: &http::Response<B>, app: &str) -> bool {
    answer
        .headers()
        .get(APP_HEADER)
        .is_some_and(|value| value == app)
}

async fn create_service(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<IpAddr, AppError> {
    let api: Api<Service> = Api::namespaced(cluster.client().clone(), namespace);
    let service = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": SERVICE_PORT, "targetPort": PORT}],
        },
    }));
    let service = service.map_err(kube::Error::SerdeError)?;
    let created = api.create(&PostParams::default(), &service).await?;
    let address = created.spec.and_then(|spec| spec.cluster_ip);
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| AppError::NoClusterIp(name.to_owned()))
}

async fn create_ingress(app: &App) -> Result<(), AppError> {
    let api: Api<Ingress> = Api::namespaced(app.cluster.client().clone(), &app.namespace);
    let backend = json!({"service": {"name": app.name, "port": {"name": "http"}}});
    let ingress = serde_json::from_value(json!({
        "metadata": {"name": app.name, "labels": {"app": app.name}},
        "spec": {
            "ingressClassName": INGRESS_CLASS,
            "rules": [{
                "host": app.host(),
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
            }],
        },
    }));
    let ingress = ingress.map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &ingress).await?;
    Ok(())
}
