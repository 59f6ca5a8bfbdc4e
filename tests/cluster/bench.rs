//! What all tests share: a cluster, the operator, and the proxy between controller and API server.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use entracte::api::MaintenanceWindow;
use entracte_testbed::api_proxy::{ApiProxy, Lists, Mark, Recorded};
use entracte_testbed::cluster::Cluster;
use entracte_testbed::load::Report;
use entracte_testbed::network;
use entracte_testbed::operator::{Operator, Options};
use entracte_testbed::run_folder::RunFolder;
use entracte_testbed::target::{Target, patches};
use entracte_testbed::verdict::{self, Occurrence, Verdict};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard};

use crate::Result;
use crate::rights::Asked;

/// Short enough for a test to see what comes after it.
pub(crate) const LINGER: Duration = Duration::from_secs(10);

/// The ports of the backend: more than the windows of any test.
pub(crate) const PORTS: u16 = 200;

/// The first of them.
pub(crate) const FIRST_PORT: u16 = 20000;

/// How many backend pods each test finds.
const BACKENDS: usize = 2;

/// A bench and the runtime on which it lives.
pub(crate) struct Shared {
    runtime: Runtime,
    bench: Bench,
}

/// The cluster with the operator on it.
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) proxy: ApiProxy,
    operator: Mutex<Operator>,
}

impl Shared {
    pub(crate) fn start(run: &RunFolder) -> Result<Self> {
        let runtime = Runtime::new()?;
        let bench = runtime.block_on(Bench::start(run))?;
        Ok(Self { runtime, bench })
    }

    /// Runs the test of that name. Returns what the controller asked the API server for.
    pub(crate) fn run(&self, name: &str) -> std::result::Result<String, String> {
        let test = crate::tests().into_iter().find(|test| test.name == name);
        let test = test.ok_or_else(|| format!("there is no test {name}"))?;
        let mark = self.bench.proxy.mark();
        (test.body)(self).map_err(|error| error.to_string())?;
        let asked = Asked::of(&self.bench.proxy.since(mark));
        serde_json::to_string(&asked).map_err(|error| error.to_string())
    }

    /// Runs one test with an operator that is whole and no window, whatever the test before left.
    pub(crate) fn on_the_bench(&self, test: impl AsyncFnOnce(&Bench) -> Result) -> Result {
        self.runtime.block_on(async {
            self.bench.mend().await?;
            test(&self.bench).await
        })
    }
}

impl Bench {
    async fn start(run: &RunFolder) -> Result<Self> {
        let cluster = Cluster::start(run).await?;
        let certificate = run.data().join("proxy-ca.crt");
        fs::write(&certificate, cluster.certificate_authority())?;
        let anywhere = SocketAddr::new(network::NODE.into(), 0);
        let proxy = ApiProxy::start(anywhere, &cluster.url().parse()?, &certificate).await?;
        let options = Options {
            controller_server: proxy.url(),
            controller_arguments: vec![
                format!("--linger={}s", LINGER.as_secs()),
                format!("--ports={FIRST_PORT}-{}", FIRST_PORT + PORTS - 1),
            ],
            backends: BACKENDS,
            ..Options::shipped(&cluster)
        };
        let operator = Operator::start(&cluster, options).await?;
        Ok(Self {
            cluster,
            proxy,
            operator: Mutex::new(operator),
        })
    }

    /// A client with an administrator's rights, which does not go through the proxy.
    pub(crate) fn client(&self) -> Client {
        self.cluster.client().clone()
    }

    pub(crate) async fn operator(&self) -> MutexGuard<'_, Operator> {
        self.operator.lock().await
    }

    /// What clients of `target` saw beside what the operator wrote to it.
    pub(crate) fn judge(
        &self,
        occurrence: Occurrence,
        target: &Target,
        report: &Report,
    ) -> Verdict {
        let patches = patches(target, &self.proxy.requests());
        verdict::judge(occurrence, target, report, &patches)
    }

    /// What the controller wrote in `namespace` after `mark`, but for the status of windows.
    pub(crate) fn writes_in(&self, namespace: &str, mark: Mark) -> Vec<Recorded> {
        let mut writes = self.proxy.writes_since(mark);
        writes.retain(|recorded| {
            let request = &recorded.request;
            request.namespace.as_deref() == Some(namespace)
                && request.resource != "maintenancewindows/status"
        });
        writes
    }

    async fn mend(&self) -> Result {
        self.proxy.clear_faults();
        self.proxy.let_watches_go();
        self.proxy.come_back();
        self.proxy.replay(Lists::default());
        self.cluster.resume_controllers().await?;
        let mut operator = self.operator().await;
        operator.controller().start().await?;
        while operator.backends().len() < BACKENDS {
            operator.add_backend().await?;
        }
        self.delete_windows().await
    }

    /// Deletes every window of the cluster.
    pub(crate) async fn delete_windows(&self) -> Result {
        let windows = Api::<MaintenanceWindow>::all(self.client());
        for window in windows.list_metadata(&ListParams::default()).await? {
            let (namespace, name) = (window.namespace().unwrap_or_default(), window.name_any());
            let windows = Api::<MaintenanceWindow>::namespaced(self.client(), &namespace);
            windows.delete(&name, &DeleteParams::default()).await?;
        }
        Ok(())
    }
}
