//! What one window over one target writes, by kind: before its start, for the hold, and for the
//! release and what lingers.

use std::time::Duration;

use chrono::TimeDelta;
use entracte_testbed::api_proxy::{Recorded, count};
use entracte_testbed::app::App;
use entracte_testbed::target::Kind;
use kube::api::PostParams;
use serde_json::json;
use tokio::time::sleep;

use crate::Result;
use crate::figures::Writes;
use crate::stage::{LINGER, Occurrence, Stage, manifest, objects, sleep_until};

const KINDS: [Kind; 3] = [Kind::Service, Kind::Ingress, Kind::HttpRoute];

/// A bridge settles for up to a second and a half.
const LEAD: TimeDelta = TimeDelta::seconds(5);
const LENGTH: TimeDelta = TimeDelta::seconds(3);

const APP: &str = "web";
const WINDOW: &str = "db-upgrade";

/// The targets are in namespaces of their own, all in one run.
pub(crate) async fn measure(stage: &Stage) -> Result<Vec<Writes>> {
    let mut namespaces = Vec::new();
    let mut apps = Vec::new();
    for kind in KINDS {
        let namespace = stage.cluster.namespace("writes").await?;
        apps.push(App::create(&stage.cluster, &namespace, APP, 1).await?);
        if kind == Kind::HttpRoute {
            let route = serde_json::from_value(manifest(kind, APP, APP))?;
            let routes = objects(stage.client(), kind, &namespace);
            routes.create(&PostParams::default(), &route).await?;
        }
        namespaces.push(namespace);
    }
    stage.quiet().await?;
    let mark = stage.proxy.mark();
    let occurrence = Occurrence::in_(LEAD, LENGTH);
    for (kind, namespace) in KINDS.iter().zip(&namespaces) {
        let targets = json!([{"kind": kind.as_str(), "name": APP}]);
        stage.window(namespace, WINDOW, occurrence, targets).await?;
        // Else they would race for one port, and one of them write twice.
        sleep(Duration::from_millis(500)).await;
    }
    let lingers = TimeDelta::from_std(LINGER)? + TimeDelta::seconds(3);
    sleep_until(occurrence.end + lingers).await;
    let requests = stage.proxy.writes_since(mark);
    let writes = KINDS.iter().zip(&namespaces);
    let writes = writes.map(|(kind, namespace)| {
        let about = |from, until| {
            let these = requests.iter().filter(move |write| {
                write.is_about(namespace) && from <= write.received && write.received < until
            });
            told(these)
        };
        let (start, end) = (occurrence.start, occurrence.end);
        Writes {
            kind: kind.as_str(),
            before: about(start - LEAD * 2, start),
            hold: about(start, end),
            release: about(end, end + lingers),
        }
    });
    Ok(writes.collect())
}

/// How many there were of each verb and resource.
fn told<'a>(writes: impl Iterator<Item = &'a Recorded>) -> Vec<(String, usize)> {
    count(writes)
        .into_iter()
        .map(|((verb, resource), count)| (format!("{verb} {resource}"), count))
        .collect()
}
