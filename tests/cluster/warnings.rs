//! What may keep clients from the answer is said before the start.

use chrono::TimeDelta;
use entracte::api::conditions::ConditionType;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, is, merge, status};
use crate::routes::BEHIND_A_GATEWAY;
use crate::scene::{APP, Scene, WINDOW, once, soon};

const OWN_PAGES: &str = "nginx.ingress.kubernetes.io/custom-http-errors";

pub(crate) async fn what_may_keep_clients_from_the_answer_is_named_before_the_start(
    bench: &Bench,
) -> Result {
    let scene = Scene::set_behind(bench, "warned", BEHIND_A_GATEWAY).await?;
    let ingresses = api(bench, Kind::Ingress, &scene.namespace);
    let own_pages = |codes: Option<&str>| json!({"metadata": {"annotations": {OWN_PAGES: codes}}});
    merge(&ingresses, APP, own_pages(Some("404,503"))).await?;
    let routes = api(bench, Kind::HttpRoute, &scene.namespace);
    let mut rules = routes.get(APP).await?.data["spec"]["rules"].clone();
    rules[0]["filters"] = json!([{"type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": "Retry-After", "value": "5"}]}}]);
    merge(&routes, APP, json!({"spec": {"rules": rules}})).await?;
    let policies: Api<NetworkPolicy> = Api::namespaced(bench.client(), &scene.namespace);
    // Of pods that are not there: what it says matters, and not whether the cluster goes by it.
    let egress: NetworkPolicy = serde_json::from_value(json!({
        "metadata": {"name": "egress"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "nobody"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {}}]}],
        },
    }))?;
    policies.create(&PostParams::default(), &egress).await?;
    let tomorrow = soon(60).start + TimeDelta::days(1);
    let occurrence = Occurrence {
        start: tomorrow,
        end: tomorrow + TimeDelta::hours(1),
    };
    let targets = [Kind::Ingress, Kind::Service, Kind::HttpRoute];
    scene.window(WINDOW, once(occurrence), &targets).await?;

    let namespace = &scene.namespace;
    let what = "the Ingress, the HTTPRoute and the policy are named";
    let warned = status(bench, namespace, WINDOW, what, |status| {
        status.warnings.len() == 3
    })
    .await?;
    let annotation = format!("Ingress {APP}: the annotation {OWN_PAGES}: ");
    let filter = format!("HTTPRoute {APP}: the rule of /: a filter changes the header Retry-After");
    for about in [
        annotation.as_str(),
        filter.as_str(),
        "NetworkPolicy egress: ",
    ] {
        let mut warnings = warned.warnings.iter();
        assert!(
            warnings.any(|warning| warning.starts_with(about)),
            "{about} {:?}",
            warned.warnings
        );
    }
    assert_eq!(is(&warned, ConditionType::Ready), Some(true));

    merge(&ingresses, APP, own_pages(None)).await?;
    rules[0]["filters"] = json!([]);
    merge(&routes, APP, json!({"spec": {"rules": rules}})).await?;
    let what = "the policy alone is named";
    let warned = status(bench, namespace, WINDOW, what, |status| {
        status.warnings.len() == 1
    })
    .await?;
    assert!(warned.warnings[0].starts_with("NetworkPolicy egress: "));
    policies.delete("egress", &DeleteParams::default()).await?;
    status(bench, namespace, WINDOW, "nothing is named", |status| {
        status.warnings.is_empty()
    })
    .await?;
    Ok(())
}
