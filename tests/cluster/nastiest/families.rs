//! Both families of addresses.

use std::net::{IpAddr, SocketAddr};

use chrono::Utc;
use entracte::api::status::TargetState;
use entracte_testbed::app::{APP_HEADER, SERVICE_PORT};
use entracte_testbed::load::{Class, Load, Options};
use entracte_testbed::network;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, merge, status, windows};
use crate::scene::{APP, Scene, WINDOW, always, settled};

pub(crate) async fn a_service_that_requires_both_families_is_held_for_the_clients_of_both(
    bench: &Bench,
) -> Result {
    if !network::has_ipv6() {
        println!("not tried: this machine has no IPv6");
        return Ok(());
    }
    let mut scene = Scene::set(bench, "families").await?;
    scene.app.add_dual_stack_pod().await?;
    let services = api(bench, Kind::Service, &scene.namespace);
    let both =
        json!({"spec": {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]}});
    let service = merge(&services, APP, both).await?;
    let original = scene.object(Kind::Service).await?;
    let addresses: Vec<IpAddr> =
        serde_json::from_value(service.data["spec"]["clusterIPs"].clone())?;
    assert!(
        addresses[0].is_ipv4() && addresses[1].is_ipv6(),
        "{addresses:?}"
    );
    let mut clients = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address, SERVICE_PORT);
        eventually(&format!("the app answers at {address}"), async || {
            let asked = request::get(address, &scene.app.host(), "/").await;
            let answers = asked.is_ok_and(|answer| answer.headers().contains_key(APP_HEADER));
            Ok(answers.then_some(()))
        })
        .await?;
        clients.push(Load::start(Options {
            per_second: 100,
            ..Options::new(address, &scene.app.host())
        }));
    }

    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    let what = "no backend pod has an address of the other family";
    let refused = status(bench, &scene.namespace, WINDOW, what, |status| {
        status
            .targets
            .iter()
            .any(|line| line.state == TargetState::Refused)
    })
    .await?;
    let message = refused.targets[0].message.clone().unwrap_or_default();
    assert!(
        message.contains("no backend pod has an IPv6 address"),
        "{message}"
    );
    assert_eq!(scene.object(Kind::Service).await?, original);

    let backend = bench.operator().await.add_dual_stack_backend().await?;
    let began = Utc::now();
    let result = async {
        scene.held(WINDOW).await?;
        each_family_is_said_to_be_ready(&scene).await?;
        settled(Utc::now()).await;
        let followed = Utc::now();
        settled(followed).await;
        let ended = Utc::now();
        windows(bench, &scene.namespace)
            .delete(WINDOW, &DeleteParams::default())
            .await?;
        settled(ended).await;
        for load in clients {
            let report = load.stop().await;
            assert_eq!(report.others().collect::<Vec<_>>(), []);
            assert_eq!(report.count(Class::Maintenance, ..began), 0);
            assert_eq!(report.count(Class::App, followed..ended), 0);
            assert!(report.count(Class::Maintenance, followed..ended) > 0);
            assert!(report.count(Class::App, ended..) > 0);
        }
        assert_eq!(scene.object(Kind::Service).await?, original);
        Ok(())
    }
    .await;
    bench.operator().await.remove_backend(&backend).await?;
    result
}

/// There is a slice of ours for each family, which leads somewhere and leaves no condition out.
async fn each_family_is_said_to_be_ready(scene: &Scene<'_>) -> Result {
    let slices = Api::<EndpointSlice>::namespaced(scene.bench.client(), &scene.namespace);
    let ours = "endpointslice.kubernetes.io/managed-by=entracte.dev";
    let slices = slices
        .list(&ListParams::default().labels(ours))
        .await?
        .items;
    let mut families: Vec<&str> = slices.iter().map(|slice| &*slice.address_type).collect();
    families.sort_unstable();
    assert_eq!(families, ["IPv4", "IPv6"]);
    for slice in &slices {
        assert!(!slice.endpoints.is_empty(), "{slice:?}");
        for endpoint in &slice.endpoints {
            assert_eq!(
                json!(endpoint.conditions),
                json!({"ready": true, "serving": true, "terminating": false})
            );
        }
    }
    Ok(())
}
