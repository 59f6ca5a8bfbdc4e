//! One window over many targets: until the last one is patched, until the last one answers from the
//! backend, and what the same writes take a plain client.

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entracte_testbed::api_proxy::{Mark, Outcome, Recorded, Verb};
use entracte_testbed::app::{APP_HEADER, App};
use entracte_testbed::request;
use entracte_testbed::target::{Kind, Target, To, patches};
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::figures::Many;
use crate::plain::{self, What};
use crate::stage::{Occurrence, Stage, all_of, eventually, name, sleep_until};

/// Longer than it takes to prepare a window, and to list everything.
const LEAD: TimeDelta = TimeDelta::seconds(8);

const WINDOW: &str = "db-upgrade";

/// The app behind every Service.
pub(crate) const APP: &str = "web";

/// Every so many Services one is asked all the time, and so are as many of the last.
const SAMPLED: usize = 25;
const LAST: usize = 10;

/// How often each of them is asked.
const PERIOD: Duration = Duration::from_millis(250);

/// After so many answers of the backend in a row a Service is taken to have followed on every endpoint;
/// kube-proxy needs a second.
const ENOUGH: usize = 12;

/// How long a hold of everything may take, and a client may wait.
const LENGTH: TimeDelta = TimeDelta::seconds(20);

/// How many requests pay: more at once are no faster on any machine that was tried.
pub(crate) const AT_ONCE: usize = 32;

/// Objects of one kind: those of the window, and those of the plain client.
pub(crate) struct Crowd {
    kind: Kind,
    count: usize,
    namespace: String,
    plain: String,
    /// Whose pods are behind the Services.
    _app: Option<App>,
}

impl Crowd {
    pub(crate) async fn set(stage: &Stage, kind: Kind, count: usize) -> Result<Self> {
        let namespace = stage.cluster.namespace("many").await?;
        let plain = stage.cluster.namespace("plain").await?;
        let app = match kind {
            Kind::Service => Some(App::create(&stage.cluster, &namespace, APP, 2).await?),
            Kind::Ingress | Kind::HttpRoute => None,
        };
        stage.crowd(kind, &namespace, count, APP).await?;
        stage.crowd(kind, &plain, count, APP).await?;
        Ok(Self {
            kind,
            count,
            namespace,
            plain,
            _app: app,
        })
    }

    /// Waits until the platform has done its part for Services.
    pub(crate) async fn stands(&self, stage: &Stage) -> Result {
        if self.kind == Kind::Service {
            stage.sliced(&self.namespace, self.count).await?;
            stage.sliced(&self.plain, self.count).await?;
        }
        stage.quiet().await
    }

    /// Sends the writes by a plain client, and then lets a window do the same, and give it back.
    pub(crate) async fn measure(&self, stage: &mut Stage) -> Result<Many> {
        stage.operator.controller().stop().await?;
        let takes = async |stage: &Stage, what| {
            plain::takes(stage, self.kind, &self.plain, what, AT_ONCE).await
        };
        let plain = takes(stage, What::Patch).await?;
        let with_slices = match self.kind {
            Kind::Service => Some(takes(stage, What::SlicesAndPatch).await?),
            Kind::Ingress | Kind::HttpRoute => None,
        };
        stage.operator.controller().start().await?;
        stage.quiet().await?;

        let occurrence = Occurrence::in_(LEAD, LENGTH);
        let addresses = self.sample(stage).await?;
        let targets = all_of(self.kind);
        stage
            .window(&self.namespace, WINDOW, occurrence, targets)
            .await?;
        sleep_until(occurrence.start - TimeDelta::milliseconds(300)).await;
        let mark = stage.proxy.mark();
        let clients: JoinSet<_> = addresses.into_iter().map(Seen::by_a_client).collect();
        let everything = u32::try_from(self.count)?;
        stage
            .status(&self.namespace, WINDOW, "all are held", |status| {
                let held = status.target_counts.map(|counts| counts.held);
                held.and_then(|held| u32::try_from(held).ok()) == Some(everything)
            })
            .await?;
        let said = Utc::now() - occurrence.start;
        let mut last_app = None;
        for seen in clients.join_all().await {
            let seen = seen?;
            if seen.others > 0 {
                return Err(format!("{} answers of nobody's", seen.others).into());
            }
            last_app = last_app.max(seen.last_app);
        }
        self.given_back_by(stage, mark, 1).await?;
        let requests = stage.proxy.since(mark);
        let written = self.written(&requests, To::Hold, occurrence.start)?;
        let released = self.released(stage, mark, occurrence.end).await?;
        Ok(Many {
            kind: self.kind.as_str(),
            released,
            targets: self.count,
            first: written[0],
            patched: written[written.len() - 1],
            effective: last_app.map(|at| at - occurrence.start),
            said,
            given_back: self.given_back(&requests)? - occurrence.start,
            plain,
            with_slices,
            requests: requests.len(),
        })
    }

    /// Where some of the Services are.
    async fn sample(&self, stage: &Stage) -> Result<Vec<SocketAddr>> {
        if self.kind != Kind::Service {
            return Ok(Vec::new());
        }
        let services = Api::<Service>::namespaced(stage.client(), &self.namespace);
        let listed = services.list(&ListParams::default()).await?;
        let is_sampled =
            |number: usize| number.is_multiple_of(SAMPLED) || number + LAST >= self.count;
        let names: Vec<String> = (0..self.count)
            .filter(|it| is_sampled(*it))
            .map(name)
            .collect();
        let sampled = listed.iter().filter(|it| names.contains(&it.name_any()));
        let mut addresses = Vec::new();
        for service in sampled {
            let spec = service.spec.as_ref().ok_or("no spec")?;
            let address = spec.cluster_ip.as_deref().ok_or("no ClusterIP")?;
            addresses.push(SocketAddr::new(address.parse()?, 80));
        }
        Ok(addresses)
    }

    /// When each target was first patched so, after an instant, in the order of time.
    fn written(
        &self,
        requests: &[Recorded],
        to: To,
        instant: DateTime<Utc>,
    ) -> Result<Vec<TimeDelta>> {
        let mut written = Vec::new();
        for number in 0..self.count {
            let target = Target {
                kind: self.kind,
                namespace: self.namespace.clone(),
                name: name(number),
            };
            let patches = patches(&target, requests);
            let mut done = patches.iter().filter(|patch| patch.to == to);
            let first = done.find_map(|patch| Some((patch.sent, patch.written?)));
            let (sent, at) = first.ok_or_else(|| format!("{target} was not patched"))?;
            if sent < instant {
                return Err(format!("{target} was patched early").into());
            }
            written.push(at - instant);
        }
        written.sort_unstable();
        Ok(written)
    }

    /// When the last target was released after the end, with nothing left to give back.
    async fn released(&self, stage: &Stage, mark: Mark, end: DateTime<Utc>) -> Result<TimeDelta> {
        sleep_until(end).await;
        self.given_back_by(stage, mark, 2).await?;
        let written = self.written(&stage.proxy.since(mark), To::Release, end)?;
        Ok(written[written.len() - 1])
    }

    /// Waits until the ownership of each target was given back so many times.
    async fn given_back_by(&self, stage: &Stage, mark: Mark, times: usize) -> Result {
        eventually("the ownership of fields is given back", async || {
            sleep(Duration::from_millis(500)).await;
            let requests = stage.proxy.since(mark);
            let back = requests.iter().filter(|it| self.gives_back(it)).count();
            Ok((back >= times * self.count).then_some(()))
        })
        .await
    }

    fn given_back(&self, requests: &[Recorded]) -> Result<DateTime<Utc>> {
        let back = requests.iter().filter(|it| self.gives_back(it));
        let last = back.filter_map(|it| match it.outcome {
            Outcome::Answered { at, .. } => Some(at),
            _ => None,
        });
        Ok(last.max().ok_or("nothing was given back")?)
    }

    fn gives_back(&self, recorded: &Recorded) -> bool {
        let request = &recorded.request;
        request.verb == Verb::Patch
            && request.namespace.as_ref() == Some(&self.namespace)
            && String::from_utf8_lossy(&recorded.body).contains("/metadata/managedFields")
            && recorded.status() == Some(200)
    }
}

/// What one client of a Service saw.
#[derive(Debug, Default)]
struct Seen {
    /// When the last request was sent that the app answered.
    last_app: Option<DateTime<Utc>>,
    /// How many answers were neither's.
    others: usize,
}

impl Seen {
    /// Asks until the backend has answered for a while.
    async fn by_a_client(address: SocketAddr) -> std::result::Result<Self, &'static str> {
        let mut seen = Self::default();
        let mut in_a_row = 0;
        let began = Instant::now();
        while in_a_row < ENOUGH {
            if began.elapsed() > LENGTH.to_std().unwrap_or_default() {
                return Err("a client was not answered from the backend");
            }
            sleep(PERIOD).await;
            let asked = Utc::now();
            match request::get(address, "many.test", "/").await {
                Ok(answer) if answer.headers().contains_key(APP_HEADER) => {
                    seen.last_app = Some(asked);
                    in_a_row = 0;
                }
                Ok(answer) if answer.headers().contains_key("entracte-window") => in_a_row += 1,
                _ => seen.others += 1,
            }
        }
        Ok(seen)
    }
}
