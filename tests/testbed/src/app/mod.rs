//! An app under test: pods, a Service, an Ingress, and an HTTPRoute if one is asked for.

mod objects;
mod pod;
pub(crate) mod server;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{Instant, sleep};

pub use pod::AppPod;
pub use server::{APP_HEADER, Answer, PORT};

use crate::{
    cluster::{Cluster, ClusterError, Proxy},
    request,
    target::Kind,
};

/// The port of the Service.
pub const SERVICE_PORT: u16 = 80;

const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// The proxies that lead to an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// The class of its Ingress; Traefik's unless it is said.
    pub ingress: Proxy,
    /// The Gateway of its HTTPRoute, if it has one.
    pub http_route: Option<Proxy>,
}

/// An app whose pods are processes of ours.
#[derive(Debug)]
pub struct App {
    cluster: Cluster,
    namespace: String,
    name: String,
    cluster_ip: IpAddr,
    /// Where to ask for the host of its Ingress.
    ingress: SocketAddr,
    /// Where to ask for the hostname of its HTTPRoute.
    http_route: Option<SocketAddr>,
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
    /// The app was made without an HTTPRoute.
    #[error("the app {0} has no HTTPRoute: name a Gateway when it is created")]
    NoHttpRoute(String),
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
    /// Creates an app with that many pods, a Service (port 80, called `http`) and an Ingress of
    /// Traefik's (host [`App::host`]) of the same name, and waits until it answers through both.
    pub async fn create(
        cluster: &Cluster,
        namespace: &str,
        name: &str,
        pods: usize,
    ) -> Result<Self, AppError> {
        Self::create_behind(cluster, namespace, name, pods, Routes::default()).await
    }

    /// As [`App::create`], with an Ingress, and perhaps an HTTPRoute, for the given proxies, which
    /// are started if they are not there.
    pub async fn create_behind(
        cluster: &Cluster,
        namespace: &str,
        name: &str,
        pods: usize,
        routes: Routes,
    ) -> Result<Self, AppError> {
        let http_route = match routes.http_route {
            Some(proxy) => Some(cluster.gateway(proxy).await?),
            None => None,
        };
        let mut app = Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            cluster_ip: objects::create_service(cluster, namespace, name).await?,
            ingress: cluster.ingress(routes.ingress).await?,
            http_route,
            pods: Vec::new(),
            started: 0,
        };
        objects::create_ingress(&app, routes.ingress).await?;
        if let Some(proxy) = routes.http_route {
            objects::create_http_route(&app, proxy).await?;
        }
        for _ in 0..pods {
            app.add_pod().await?;
        }
        if pods > 0 {
            app.answers().await?;
        }
        Ok(app)
    }

    /// Waits until it answers on every way that leads to it.
    async fn answers(&self) -> Result<(), AppError> {
        self.reachable("its ClusterIP", self.service_address())
            .await?;
        self.reachable("its Ingress", self.ingress).await?;
        match self.http_route {
            Some(address) => self.reachable("its HTTPRoute", address).await,
            None => Ok(()),
        }
    }

    /// The app's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the app, its Service, its Ingress and its HTTPRoute.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host of the Ingress and of the HTTPRoute: `name.namespace.test`.
    pub fn host(&self) -> String {
        format!("{}.{}.test", self.name, self.namespace)
    }

    /// ClusterIP and port of the Service.
    pub fn service_address(&self) -> SocketAddr {
        SocketAddr::new(self.cluster_ip, SERVICE_PORT)
    }

    /// Where to ask for [`App::host`] so that a target of this kind is on the way.
    pub fn address(&self, kind: Kind) -> Result<SocketAddr, AppError> {
        match kind {
            Kind::Service => Ok(self.service_address()),
            Kind::Ingress => Ok(self.ingress),
            Kind::HttpRoute => self
                .http_route
                .ok_or_else(|| AppError::NoHttpRoute(self.name.clone())),
        }
    }

    /// The pods that the app has now.
    pub fn pods(&self) -> &[AppPod] {
        &self.pods
    }

    /// Adds a pod, which is ready on return, and returns its name. Proxies learn of it later.
    pub async fn add_pod(&mut self) -> Result<String, AppError> {
        let address = self.cluster.pod_address().await?;
        self.add_pod_at(vec![address]).await
    }

    /// The same, with an address of each family. It needs IPv6 ([`crate::network::has_ipv6`]).
    pub async fn add_dual_stack_pod(&mut self) -> Result<String, AppError> {
        let addresses = self.cluster.dual_stack_pod_addresses().await?;
        self.add_pod_at(addresses).await
    }

    async fn add_pod_at(&mut self, addresses: Vec<IpAddr>) -> Result<String, AppError> {
        self.started += 1;
        let name = format!("{}-{}", self.name, self.started);
        let (cluster, namespace) = (&self.cluster, &self.namespace);
        let pod = AppPod::start(cluster, namespace, &self.name, &name, addresses).await?;
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
