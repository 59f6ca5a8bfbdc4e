//! Step 0, continued: which custom resources there are, for their definitions may be absent, come
//! and go. Touches the cluster: a watch of each definition.
//!
//! That there are no windows means that everything is released, and that there are no routes means
//! that their bridges go: neither may ever be concluded from an answer that did not come or was
//! refused. Nor from a 404 of the kind itself: an API server answers so too while a definition is
//! not served yet, or in another version than ours, and whatever stands in front of it may have
//! reasons of its own. So the definition is asked for, because no object can be without it: only a
//! list of definitions that was answered without it (a quorum read), or the event of its deletion,
//! says that there is no object of its kind. Whatever else happens, what was seen last is used.

use futures::StreamExt;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, CustomResource};
use serde::{Deserialize, Serialize};
use tokio::sync::watch::{Receiver, Sender};

use super::backoff;
use crate::telemetry::Condition;

/// What is known of a custom resource definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Installed {
    /// Nothing yet.
    Unknown,
    /// Objects of our version can be read.
    Served,
    /// It is there, and so may its objects be, but not in our version, or not yet.
    Unserved,
    /// There is none, and so no object of its kind.
    Absent,
}

impl Installed {
    /// Whether no object can be read, as far as is known.
    pub(super) fn is_unreadable(self) -> bool {
        matches!(self, Self::Absent | Self::Unserved)
    }
}

/// As much of a definition as tells whether its objects can be read: the rest of it is long.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug)]
#[kube(
    group = "apiextensions.k8s.io",
    version = "v1",
    kind = "CustomResourceDefinition",
    root = "Definition",
    plural = "customresourcedefinitions",
    status = "DefinitionStatus",
    schema = "disabled"
)]
struct DefinitionSpec {
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Version {
    name: String,
    served: bool,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct DefinitionStatus {
    #[serde(default)]
    conditions: Vec<Status>,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Status {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

impl Definition {
    fn serves(&self, version: &str) -> bool {
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        let mut established = conditions.filter(|condition| condition.type_ == "Established");
        let mut versions = self.spec.versions.iter();
        established.any(|condition| condition.status == "True")
            && versions.any(|other| other.name == version && other.served)
    }
}

/// Follows the definition called `name` for ever, of whose objects `version` is read.
pub(super) fn follow(
    client: &Client,
    config: watcher::Config,
    name: &'static str,
    version: &'static str,
) -> Receiver<Installed> {
    let definitions = Api::<Definition>::all(client.clone());
    let config = config.fields(&format!("metadata.name={name}"));
    let known = Sender::new(Installed::Unknown);
    let installed = known.subscribe();
    tokio::spawn(async move {
        let mut events = watcher(definitions, config)
            .backoff(backoff::of_watches())
            .boxed();
        let mut listed = Installed::Absent;
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    let learned = learn(event, version, &mut listed);
                    tell_once(name, learned, &known);
                }
                Err(error) => tracing::warn!(
                    name, %error,
                    "cannot watch a CustomResourceDefinition; what was known of it last is used"
                ),
            }
        }
    });
    installed
}

/// What an event says; nothing where it is one of a list that is not complete.
fn learn(event: Event<Definition>, version: &str, listed: &mut Installed) -> Option<Installed> {
    let of = |definition: &Definition| {
        if definition.serves(version) {
            Installed::Served
        } else {
            Installed::Unserved
        }
    };
    match event {
        Event::Init => {
            *listed = Installed::Absent;
            None
        }
        Event::InitApply(definition) => {
            *listed = of(&definition);
            None
        }
        Event::InitDone => Some(*listed),
        Event::Apply(definition) => Some(of(&definition)),
        Event::Delete(_) => Some(Installed::Absent),
    }
}

fn tell_once(name: &str, learned: Option<Installed>, known: &Sender<Installed>) {
    let Some(now) = learned else {
        return;
    };
    if known.send_if_modified(|known| std::mem::replace(known, now) != now) {
        tracing::info!(name, installed = ?now, "a CustomResourceDefinition");
    }
}

/// What readiness says of a kind that cannot be read, and whether the work goes on without it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Without {
    pub(super) is_ready: bool,
    pub(super) absent: &'static str,
    pub(super) unserved: &'static str,
}

/// Says in `condition` for ever what there is to say of a kind.
pub(super) async fn tell(
    condition: Condition,
    mut installed: Receiver<Installed>,
    mut listed: Receiver<bool>,
    without: Without,
) {
    let without_it = |said| {
        if without.is_ready {
            condition.met(said);
        } else {
            condition.missing(said);
        }
    };
    loop {
        let is_listed = *listed.borrow_and_update();
        match *installed.borrow_and_update() {
            Installed::Absent => without_it(without.absent),
            Installed::Unserved => without_it(without.unserved),
            Installed::Served | Installed::Unknown if is_listed => condition.met("listed"),
            Installed::Served | Installed::Unknown => condition.missing("not listed yet"),
        }
        let news = tokio::select! {
            news = installed.changed() => news,
            news = listed.changed() => news,
        };
        // The senders live as long as the process.
        if news.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(served: bool, established: &str) -> Definition {
        let manifest = format!(
            "{{metadata: {{name: x}}, spec: {{versions: [{{name: v1, served: {served}}}]}}, \
             status: {{conditions: [{{type: Established, status: '{established}'}}]}}}}"
        );
        serde_saphyr::from_str(&manifest).unwrap()
    }

    fn after(events: Vec<Event<Definition>>) -> Option<Installed> {
        let mut listed = Installed::Absent;
        let mut learned = None;
        for event in events {
            learned = learn(event, "v1", &mut listed).or(learned);
        }
        learned
    }

    #[test]
    fn only_a_whole_list_or_a_deletion_says_that_there_is_none() {
        let there = || definition(true, "True");
        let listed = || vec![Event::Init, Event::InitApply(there()), Event::InitDone];
        assert_eq!(after(vec![Event::Init]), None);
        assert_eq!(
            after(vec![Event::Init, Event::InitDone]),
            Some(Installed::Absent)
        );
        assert_eq!(after(listed()), Some(Installed::Served));
        let mut events = listed();
        events.push(Event::Init);
        assert_eq!(after(events.clone()), Some(Installed::Served));
        events.push(Event::InitDone);
        assert_eq!(after(events), Some(Installed::Absent));
        let mut events = listed();
        events.push(Event::Delete(there()));
        assert_eq!(after(events.clone()), Some(Installed::Absent));
        events.push(Event::Apply(there()));
        assert_eq!(after(events), Some(Installed::Served));
    }

    #[test]
    fn what_is_not_served_is_not_absent() {
        for unserved in [definition(false, "True"), definition(true, "False")] {
            assert_eq!(
                after(vec![Event::Apply(unserved)]),
                Some(Installed::Unserved)
            );
        }
        let mut other = definition(true, "True");
        other.spec.versions[0].name = "v1beta1".to_owned();
        assert_eq!(after(vec![Event::Apply(other)]), Some(Installed::Unserved));
    }
}
