//! A steady state makes no requests, and the controller has the rights that it uses.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use entracte_testbed::api_proxy::{Outcome, Recorded, Verb};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use kube::api::ListParams;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::denials::DENIED;
use crate::objects::eventually;
use crate::scene::{Scene, always, create, named, once, soon};

/// Longer than the controller ever sleeps.
const LONG: Duration = Duration::from_secs(35);

pub(crate) async fn a_steady_state_makes_no_requests(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "steady").await?;
    scene
        .window("held", always(), &[Kind::Ingress, Kind::Service])
        .await?;
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
    let mut requests = bench.proxy.since(settled);
    // Watches end and begin anew for as long as the controller runs.
    requests.retain(|recorded| recorded.request.verb != Verb::Watch);
    assert_eq!(requests, []);
    Ok(())
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

/// The last test: what all of them needed is what `deploy/` grants.
pub(crate) async fn the_controller_has_the_rights_it_uses_and_no_others(bench: &Bench) -> Result {
    let requests = bench.proxy.requests();
    let is_denied_on_purpose = |recorded: &&Recorded| {
        let namespace = recorded.request.namespace.as_ref();
        namespace.is_some_and(|namespace| namespace.starts_with(DENIED))
    };
    let forbidden: Vec<&Recorded> = requests
        .iter()
        .filter(|recorded| matches!(recorded.outcome, Outcome::Answered { status: 403, .. }))
        .filter(|recorded| !is_denied_on_purpose(recorded))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");

    let read_after_a_conflict =
        ["ingresses", "httproutes"].map(|kind| (kind.to_owned(), "get".to_owned()));
    let used: BTreeSet<(String, String)> = requests
        .iter()
        .map(|recorded| {
            (
                recorded.request.resource.clone(),
                recorded.request.verb.to_string(),
            )
        })
        .collect();
    let name = "entracte-controller";
    let everywhere = Api::<ClusterRole>::all(bench.client()).get(name).await?;
    let here = Api::<Role>::namespaced(bench.client(), "entracte-system")
        .get(name)
        .await?;
    let granted: BTreeSet<(String, String)> = [everywhere.rules, here.rules]
        .into_iter()
        .flatten()
        .flatten()
        .flat_map(rights)
        .collect();
    let unused: Vec<_> = granted.difference(&used).collect();
    assert!(
        unused
            .iter()
            .all(|right| read_after_a_conflict.contains(right)),
        "{unused:?}"
    );
    Ok(())
}

fn rights(rule: PolicyRule) -> impl Iterator<Item = (String, String)> {
    let verbs = rule.verbs;
    rule.resources
        .unwrap_or_default()
        .into_iter()
        .flat_map(move |resource| {
            verbs
                .clone()
                .into_iter()
                .map(move |verb| (resource.clone(), verb))
        })
}
