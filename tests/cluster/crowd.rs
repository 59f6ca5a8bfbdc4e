//! Many targets at once, each in a namespace of its own, and looked at together: what takes its
//! time (a bridge that settles, a linger) takes it once for all of them.
//!
//! No proxy reads them: a Service without pods, an Ingress of a class that nobody serves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entracte::notice::Notice;
use entracte::plan::bridge;
use entracte_testbed::target::Kind;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PropagationPolicy};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, everywhere};
use crate::scene::{APP, create, named};

/// How long all of them may take to get anywhere, the linger included; a busy machine is slow.
const LIMIT: Duration = Duration::from_secs(60);

/// How often all of them are looked at.
const POLL: Duration = Duration::from_millis(200);

/// How many requests of a test's own are under way at once.
const AT_ONCE: usize = 8;

/// The label by which the targets of one crowd are found.
const CROWD: &str = "crowd";

/// What makes the manifest its applier's own, as Helm does it.
const MANAGER: &str = "helm";

/// Targets that are tried side by side.
pub(crate) struct Crowd<'b> {
    pub(crate) bench: &'b Bench,
    pub(crate) members: Vec<Member>,
    label: String,
}

/// One target.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) kind: Kind,
    pub(crate) namespace: String,
    original: Value,
}

impl<'b> Crowd<'b> {
    /// Creates a target of each of `kinds`, in their order.
    pub(crate) async fn set(bench: &'b Bench, prefix: &str, kinds: &[Kind]) -> Result<Self> {
        let label = bench.cluster.namespace(prefix).await?;
        let members = stream::iter(kinds.iter().copied())
            .map(|kind| Member::set(bench, prefix, &label, kind))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Self {
            bench,
            members,
            label,
        })
    }

    /// Creates a window over every target.
    pub(crate) async fn windows(&self, name: &str, schedule: &Value) -> Result {
        self.each(async |member| member.window(self.bench, name, schedule).await)
            .await
    }

    /// Every target leads to `app` from now on, as who applies manifests by force sends it; that
    /// is what has to be there after a window.
    pub(crate) async fn upgrade(&mut self, app: &str) -> Result {
        let (bench, label) = (self.bench, self.label.clone());
        for member in &mut self.members {
            let objects = api(bench, member.kind, &member.namespace);
            let apply = PatchParams::apply(MANAGER).force();
            let manifest = manifest(member.kind, &label, app);
            let applied = objects.patch(APP, &apply, &Patch::Apply(manifest)).await?;
            member.lead_to(app);
            member.was_applied(&applied)?;
        }
        Ok(())
    }

    /// Deletes every target, and makes another of its name at once; that one is what has to be
    /// there after a window.
    pub(crate) async fn make_anew(&mut self, propagation: PropagationPolicy) -> Result {
        let (bench, label) = (self.bench, self.label.clone());
        let delete = DeleteParams {
            propagation_policy: Some(propagation),
            ..DeleteParams::default()
        };
        for member in &mut self.members {
            let objects = api(bench, member.kind, &member.namespace);
            objects.delete(APP, &delete).await?;
            // The garbage collector takes a finalizer away first.
            eventually("it is gone", async || {
                Ok(objects.get_opt(APP).await?.is_none().then_some(()))
            })
            .await?;
            member.original = member.apply(bench, &label).await?;
        }
        Ok(())
    }

    /// Does something to every member, several at a time.
    pub(crate) async fn each(&self, act: impl AsyncFn(&Member) -> Result) -> Result {
        let act = &act;
        stream::iter(&self.members)
            .map(|member| async move {
                act(member)
                    .await
                    .map_err(|error| format!("{member:?}: {error}"))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(())
    }

    /// Waits until each is where it belongs, and names those that are not.
    pub(crate) async fn all(
        &self,
        what: &str,
        is_there: impl Fn(&Member, &View) -> bool,
    ) -> Result {
        let deadline = Instant::now() + LIMIT;
        loop {
            let view = self.look().await?;
            let mut missing = self.members.iter().filter(|it| !is_there(it, &view));
            let Some(first) = missing.next() else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let others = missing.count();
                let seen = view.of(first);
                return Err(format!(
                    "not within {LIMIT:?}: {what}: {first:?} and {others} others; seen: {seen:#?}"
                )
                .into());
            }
            sleep(POLL).await;
        }
    }

    /// Everything at one moment, or nearly.
    pub(crate) async fn look(&self) -> Result<View> {
        let mut objects = BTreeMap::new();
        let kinds: BTreeSet<&str> = self.members.iter().map(|it| it.kind.as_str()).collect();
        let in_crowd = ListParams::default().labels(&format!("{CROWD}={}", self.label));
        for name in kinds {
            let Some(member) = self.members.iter().find(|it| it.kind.as_str() == name) else {
                continue;
            };
            let listed = everywhere(self.bench, member.kind).list(&in_crowd).await?;
            objects.extend(
                listed
                    .into_iter()
                    .map(|it| (it.namespace().unwrap_or_default(), it)),
            );
        }
        let client = || self.bench.client();
        let slices = "endpointslice.kubernetes.io/managed-by=entracte.dev";
        Ok(View {
            objects,
            slices: list(Api::all(client()), slices).await?,
            bridges: list(Api::all(client()), "entracte.dev/window").await?,
            notices: list(Api::all(client()), "entracte.dev/notice").await?,
        })
    }
}

async fn list<K>(api: Api<K>, labels: &str) -> Result<Vec<K>>
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let labelled = ListParams::default().labels(labels);
    Ok(api.list(&labelled).await?.items)
}

impl Member {
    async fn set(bench: &Bench, prefix: &str, label: &str, kind: Kind) -> Result<Self> {
        let mut member = Self {
            kind,
            namespace: bench.cluster.namespace(prefix).await?,
            original: Value::Null,
        };
        member.original = member.apply(bench, label).await?;
        Ok(member)
    }

    /// Makes the target, and returns what has to be there after a window.
    async fn apply(&self, bench: &Bench, label: &str) -> Result<Value> {
        let objects = api(bench, self.kind, &self.namespace);
        let apply = PatchParams::apply(MANAGER);
        let manifest = manifest(self.kind, label, APP);
        let object = objects.patch(APP, &apply, &Patch::Apply(manifest)).await?;
        Ok(what_is_the_users(&object))
    }

    fn lead_to(&mut self, app: &str) {
        let spec = &mut self.original["spec"];
        match self.kind {
            Kind::Service => spec["selector"]["app"] = json!(app),
            Kind::Ingress => {
                let backend = &mut spec["rules"][0]["http"]["paths"][0]["backend"];
                backend["service"]["name"] = json!(app);
            }
            Kind::HttpRoute => spec["rules"][0]["backendRefs"][0]["name"] = json!(app),
        }
    }

    /// What the applier owns is its own as of now.
    fn was_applied(&mut self, object: &DynamicObject) -> Result {
        let is_its = |entry: &&ManagedFieldsEntry| entry.manager.as_deref() == Some(MANAGER);
        let mut entries = object.metadata.managed_fields.iter().flatten();
        let entry = entries.find(is_its).ok_or("its applier owns nothing")?;
        let owners = self.original["owners"].as_array_mut();
        let mut owners = owners.into_iter().flatten();
        let owner = owners.find(|owner| owner["manager"] == MANAGER);
        owner.ok_or("nobody applied it before")?["time"] = json!(entry.time);
        Ok(())
    }

    pub(crate) async fn window(&self, bench: &Bench, name: &str, schedule: &Value) -> Result {
        let targets = vec![named(self.kind, APP)];
        create(bench, &self.namespace, name, schedule.clone(), targets).await
    }
}

fn manifest(kind: Kind, label: &str, app: &str) -> Value {
    let metadata = json!({"name": APP, "labels": {CROWD: label}});
    match kind {
        Kind::Service => json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80}]},
        }),
        Kind::Ingress => json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata,
            "spec": {"ingressClassName": "nobody", "rules": [{"host": "web.test", "http": {"paths": [{
                "path": "/",
                "pathType": "Prefix",
                "backend": {"service": {"name": app, "port": {"number": 80}}},
            }]}}]},
        }),
        Kind::HttpRoute => json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata,
            "spec": {
                "parentRefs": [{"name": "nobody"}],
                "rules": [{"backendRefs": [{"name": app, "port": 80}]}],
            },
        }),
    }
}

/// What has to be there again after a window.
fn what_is_the_users(object: &DynamicObject) -> Value {
    let mut owners = object.metadata.managed_fields.clone().unwrap_or_default();
    owners.retain(|entry| entry.subresource.is_none());
    json!({
        "owners": owners,
        "labels": object.metadata.labels,
        "annotations": object.metadata.annotations,
        "spec": object.data["spec"],
    })
}

/// What there was at one moment.
pub(crate) struct View {
    objects: BTreeMap<String, DynamicObject>,
    slices: Vec<EndpointSlice>,
    bridges: Vec<Service>,
    notices: Vec<ConfigMap>,
}

impl View {
    /// Whether the target answers from the port of this window.
    pub(crate) fn is_led_by(&self, member: &Member, window: &str) -> bool {
        let Some(object) = self.objects.get(&member.namespace) else {
            return false;
        };
        let spec = &object.data["spec"];
        let bridge = bridge::name(window);
        let (is_held, in_front) = match member.kind {
            Kind::Service => {
                let key = &spec["selector"]["entracte.dev/hold"];
                (*key == json!(object.metadata.uid), APP)
            }
            Kind::Ingress => {
                let backend = &spec["rules"][0]["http"]["paths"][0]["backend"];
                (backend["service"]["name"] == bridge, bridge.as_str())
            }
            Kind::HttpRoute => {
                let backend = &spec["rules"][0]["backendRefs"][0];
                (backend["name"] == bridge, bridge.as_str())
            }
        };
        is_held && self.port_behind(member, in_front) == self.port_of(member, window)
    }

    /// Whether the target is as it was before any window, and nothing of ours is left about it.
    pub(crate) fn is_as_before(&self, member: &Member) -> bool {
        self.is_released(member) && self.of(member).ours.is_empty()
    }

    /// Whether the target is as it was before any window, though something may linger.
    pub(crate) fn is_released(&self, member: &Member) -> bool {
        let object = self.objects.get(&member.namespace);
        object.map(what_is_the_users).as_ref() == Some(&member.original)
    }

    /// The port of the backend to which a Service leads over slices of ours.
    fn port_behind(&self, member: &Member, service: &str) -> Option<i32> {
        let label = |slice: &&EndpointSlice| {
            slice
                .labels()
                .get("kubernetes.io/service-name")
                .map(String::as_str)
                == Some(service)
        };
        let mut slices = self.slices.iter().filter(|slice| is_in(*slice, member));
        let slice = slices.find(label)?;
        slice.ports.as_deref()?.first()?.port
    }

    /// The port of the backend that a window has.
    fn port_of(&self, member: &Member, window: &str) -> Option<i32> {
        let mut notices = self.notices_of(member);
        let notice = notices.find(|notice| notice.window.name == window)?;
        Some(notice.port.into())
    }

    fn notices_of(&self, member: &Member) -> impl Iterator<Item = Notice> {
        self.notices
            .iter()
            .filter_map(|notice| Notice::from_data(notice.data.as_ref()?).ok())
            .filter(|notice| notice.window.namespace == member.namespace)
    }

    /// What there is about one target, for a person.
    pub(crate) fn of(&self, member: &Member) -> Seen {
        let slices = self.slices.iter().filter(|it| is_in(*it, member));
        let bridges = self.bridges.iter().filter(|it| is_in(*it, member));
        let notices = self.notices_of(member);
        Seen {
            object: self.objects.get(&member.namespace).map(what_is_the_users),
            ours: slices
                .map(|slice| format!("EndpointSlice {}", slice.name_any()))
                .chain(bridges.map(|bridge| format!("Service {}", bridge.name_any())))
                .chain(notices.map(|notice| format!("notice of {}", notice.window)))
                .collect(),
        }
    }
}

fn is_in(object: &impl ResourceExt, member: &Member) -> bool {
    object.namespace().as_ref() == Some(&member.namespace)
}

/// A target and what is ours about it.
#[derive(Debug)]
pub(crate) struct Seen {
    #[expect(dead_code, reason = "printed when a test fails")]
    object: Option<Value>,
    ours: Vec<String>,
}
