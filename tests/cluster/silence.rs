//! A steady state makes no requests, and neither does a change that concerns nobody.

use std::time::Duration;

use chrono::TimeDelta;
use entracte_testbed::api_proxy::{Mark, Verb};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, merge};
use crate::routes::BEHIND_A_GATEWAY;
use crate::scene::{APP, Scene, always, create, named, once, soon};

const KINDS: [Kind; 3] = [Kind::Ingress, Kind::Service, Kind::HttpRoute];

/// Longer than the controller ever sleeps.
const LONG: Duration = Duration::from_secs(35);

pub(crate) async fn a_steady_state_makes_no_requests(bench: &Bench) -> Result {
    let scene = Scene::set_behind(bench, "steady", BEHIND_A_GATEWAY).await?;
    scene.window("held", always(), &KINDS).await?;
    let tomorrow = soon(60).start + TimeDelta::days(1);
    let later = Occurrence {
        start: tomorrow,
        end: tomorrow + TimeDelta::hours(1),
    };
    scene.window("later", once(later), &[Kind::Ingress]).await?;
    let gone = Occurrence {
        start: tomorrow - TimeDelta::days(2),
        end: tomorrow - TimeDelta::days(1),
    };
    let missing = vec![named(Kind::Service, "missing")];
    create(bench, &scene.namespace, "over", once(gone), missing.clone()).await?;
    create(bench, &scene.namespace, "waiting", always(), missing).await?;
    scene.held("held").await?;
    nothing_lingers(bench).await?;

    sleep(Duration::from_secs(2)).await;
    let settled = bench.proxy.mark();
    sleep(LONG).await;
    nothing_was_asked_since(bench, settled);

    let settled = bench.proxy.mark();
    for kind in KINDS {
        let objects = api(bench, kind, &scene.namespace);
        let labelled = json!({"metadata": {"labels": {"team": "web"}}});
        merge(&objects, APP, labelled).await?;
    }
    let services = Api::<Service>::namespaced(bench.client(), &scene.namespace);
    let bystander = json!({
        "metadata": {"name": "bystander"},
        "spec": {"selector": {"app": "bystander"}, "ports": [{"port": 80}]},
    });
    let bystander = serde_json::from_value(bystander)?;
    services.create(&PostParams::default(), &bystander).await?;
    sleep(Duration::from_secs(3)).await;
    nothing_was_asked_since(bench, settled);
    Ok(())
}

fn nothing_was_asked_since(bench: &Bench, settled: Mark) {
    let mut requests = bench.proxy.since(settled);
    // Watches end and begin anew for as long as the controller runs.
    requests.retain(|recorded| recorded.request.verb != Verb::Watch);
    assert_eq!(requests, []);
}

/// Two windows are active: the other notices go when their linger is over.
async fn nothing_lingers(bench: &Bench) -> Result {
    let notices = Api::<ConfigMap>::namespaced(bench.client(), "entracte-system");
    let labelled = ListParams::default().labels("entracte.dev/notice");
    eventually("the notices of other tests are gone", async || {
        Ok((notices.list(&labelled).await?.items.len() == 2).then_some(()))
    })
    .await
}
