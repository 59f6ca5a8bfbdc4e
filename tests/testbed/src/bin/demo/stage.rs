//! What stands before the window comes: a cluster, two apps, the operator, clients.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Stdio,
    time::Instant,
};

use entracte_testbed::{
    api_proxy::{ApiProxy, StartError},
    app::{App, AppError, Routes},
    cluster::{Cluster, ClusterError, Proxy},
    load::{self, Load, Report},
    network::{self, NetworkError},
    operator::{self, Operator, OperatorError},
    programs::KUBECTL,
    run_folder::RunFolder,
    target::{Kind, Target, patches},
    verdict::{self, Occurrence, Verdict},
};
use tokio::{io::AsyncWriteExt, process::Command, try_join};

use crate::{
    formats::{self, CurlError},
    story::Story,
    window,
};

const NAMESPACE: &str = "shop";

/// The pods of each app.
const PODS: usize = 2;

/// Requests per second of the clients of each target.
const PER_SECOND: u32 = 150;

/// From how many addresses the clients connect: each request is a new connection, and an address
/// runs out of ports.
const SOURCES: u8 = 6;

/// What the demo needs could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error("the proxy before the API server did not start: {0}")]
    Proxy(#[from] StartError),
    #[error("the API server has no URL: {0}")]
    Url(#[from] http::uri::InvalidUri),
    #[error("the clients have no addresses: {0}")]
    Network(#[from] NetworkError),
    #[error("the certificate of the API server cannot be written: {0}")]
    Certificate(io::Error),
    #[error(transparent)]
    Curl(#[from] CurlError),
    #[error("kubectl cannot be run: {0}")]
    KubectlStart(io::Error),
    #[error("`kubectl {command}` failed: {message}")]
    Kubectl { command: String, message: String },
}

/// Clients that keep asking for one target.
pub(crate) struct Client {
    pub(crate) target: Target,
    pub(crate) load: Load,
}

/// All that stands. It falls when it is dropped.
pub(crate) struct Stage {
    cluster: Cluster,
    /// Between controller and API server: it knows when a patch was sent, and when it was written.
    proxy: ApiProxy,
    _operator: Operator,
    proxy_of_ingresses: Proxy,
    web: App,
    api: App,
}

impl Stage {
    /// Sets everything up and says so.
    pub(crate) async fn set(
        run: &RunFolder,
        proxy_of_ingresses: Proxy,
        story: &mut Story,
    ) -> Result<Self, StageError> {
        story.line(
            "Starting etcd, kube-apiserver, kube-controller-manager, kube-proxy and Traefik …",
        );
        let began = Instant::now();
        let cluster = Cluster::start(run).await?;
        ready(story, began);

        if proxy_of_ingresses == Proxy::Contour {
            story.line("Starting Contour and Envoy …");
            let began = Instant::now();
            cluster.ingress(Proxy::Contour).await?;
            ready(story, began);
        }

        story
            .line("Deploying two apps, web and api: each has two pods, a Service and an Ingress …");
        let began = Instant::now();
        kubectl(&cluster, &["create", "namespace", NAMESPACE], None).await?;
        let routes = Routes {
            ingress: proxy_of_ingresses,
            http_route: None,
        };
        let (web, api) = try_join!(
            App::create_behind(&cluster, NAMESPACE, "web", PODS, routes),
            App::create_behind(&cluster, NAMESPACE, "api", PODS, routes),
        )?;
        ready(story, began);

        story.line(
            "Installing deploy/ and starting a controller and two backend pods under its RBAC …",
        );
        let began = Instant::now();
        let proxy = api_proxy(&cluster).await?;
        let options = operator::Options {
            controller_server: proxy.url(),
            ..operator::Options::shipped(&cluster)
        };
        let operator = Operator::start(&cluster, options).await?;
        ready(story, began);
        Ok(Self {
            cluster,
            proxy,
            _operator: operator,
            proxy_of_ingresses,
            web,
            api,
        })
    }

    /// Lets clients begin to ask, and says what for.
    pub(crate) async fn clients(&self, story: &mut Story) -> Result<[Client; 2], StageError> {
        let addresses = (1..=SOURCES).map(|last| IpAddr::from(Ipv4Addr::new(10, 1, 0, last)));
        let sources: Vec<IpAddr> = addresses.collect();
        for source in &sources {
            network::add_address(*source).await?;
        }
        let load = |address: SocketAddr, host: &str| {
            Load::start(load::Options {
                sources: sources.clone(),
                per_second: PER_SECOND,
                ..load::Options::new(address, host)
            })
        };
        let (host, address) = (self.web.host(), self.api.service_address());
        let [web, api] = self.targets();
        let clients = [
            Client {
                load: load(self.web.address(web.kind)?, &host),
                target: web,
            },
            Client {
                load: load(address, &self.api.host()),
                target: api,
            },
        ];
        story.gap();
        story.line(format!(
            "Clients ask {PER_SECOND} times a second, each time over a new connection:"
        ));
        story.line(format!(
            "    for web through its Ingress:   http://{host}/ (class {})",
            self.proxy_of_ingresses
        ));
        story.line(format!(
            "    for api through its Service:   http://{address}/ (the ClusterIP)"
        ));
        story.gap();
        Ok(clients)
    }

    /// What the window names.
    fn targets(&self) -> [Target; 2] {
        [(Kind::Ingress, &self.web), (Kind::Service, &self.api)].map(|(kind, app)| Target {
            kind,
            namespace: app.namespace().to_owned(),
            name: app.name().to_owned(),
        })
    }

    /// Applies the manifest of the window as a user does.
    pub(crate) async fn apply(
        &self,
        occurrence: Occurrence,
        story: &mut Story,
    ) -> Result<(), StageError> {
        let manifest = window::manifest(occurrence, NAMESPACE, &self.targets());
        story.command("kubectl apply -f - <<END");
        story.quote(&format!("{manifest}END"));
        let said = kubectl(&self.cluster, &["apply", "-f", "-"], Some(&manifest)).await?;
        story.quote(&said);
        Ok(())
    }

    /// Shows what `kubectl get mw` says now.
    pub(crate) async fn get_windows(
        &self,
        story: &mut Story,
        options: &[&str],
    ) -> Result<(), StageError> {
        let arguments = [&["get", "mw", "--namespace", NAMESPACE], options].concat();
        let said = kubectl(&self.cluster, &arguments, None).await?;
        story.command(&format!("kubectl {}", arguments.join(" ")));
        story.quote(&said);
        Ok(())
    }

    /// Shows what clients of the Service are told now, in three formats.
    pub(crate) async fn ask_with_curl(&self, story: &mut Story) -> Result<(), StageError> {
        Ok(formats::tell(self.api.service_address(), story).await?)
    }

    /// Judges what the clients saw beside what the operator wrote.
    pub(crate) fn judge(&self, occurrence: Occurrence, seen: &[(Target, Report)]) -> Vec<Verdict> {
        let requests = self.proxy.requests();
        let judge = |(target, report): &(Target, Report)| {
            verdict::judge(occurrence, target, report, &patches(target, &requests))
        };
        seen.iter().map(judge).collect()
    }
}

fn ready(story: &mut Story, began: Instant) {
    story.line(format!(
        "    ready after {:.1} s",
        began.elapsed().as_secs_f64()
    ));
}

async fn api_proxy(cluster: &Cluster) -> Result<ApiProxy, StageError> {
    let certificate = cluster.run().data().join("demo-ca.crt");
    fs::write(&certificate, cluster.certificate_authority()).map_err(StageError::Certificate)?;
    let anywhere = SocketAddr::new(network::NODE.into(), 0);
    Ok(ApiProxy::start(anywhere, &cluster.url().parse()?, &certificate).await?)
}

/// Runs `kubectl` as the administrator, with `input` on its standard input, and returns what it
/// says.
async fn kubectl(
    cluster: &Cluster,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<String, StageError> {
    let mut child = Command::new(cluster.run().program(KUBECTL))
        .args(arguments)
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(StageError::KubectlStart)?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // One that closes its input early has something to say about it.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(StageError::KubectlStart)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(StageError::Kubectl {
        command: arguments.join(" "),
        message: text(&output.stderr),
    })
}
