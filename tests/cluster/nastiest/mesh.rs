//! Envoy as a mesh drives it: it tries again where it gets a 503, and sends nothing for a while to
//! who answers so.
//!
//! Istio cannot be had here; Envoy is the same program. The figures are Istio's own defaults, but for
//! the shorter interval, and for how many endpoints may be ejected: of the backend's two pods that
//! would be none.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use entracte_testbed::load::{Class, Load, Options, WINDOW_HEADER};
use entracte_testbed::network;
use entracte_testbed::process::Process;
use entracte_testbed::programs::ENVOY;
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use http::header::RETRY_AFTER;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::sleep;

use crate::Result;
use crate::bench::Bench;
use crate::scene::{APP, Scene, WINDOW, always};

/// Where it listens.
const MESH: SocketAddr = SocketAddr::new(IpAddr::V4(network::NODE), 8590);
/// Where it says what it did.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(network::NODE), 8591);

/// As long as several intervals of its outlier detection.
const A_WHILE: Duration = Duration::from_secs(3);

pub(crate) async fn retry_after_survives_the_retries_and_the_outlier_detection_of_a_mesh(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "mesh").await?;
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    let slices = Api::<EndpointSlice>::namespaced(bench.client(), &scene.namespace);
    let slice = slices.get(&format!("{APP}-entracte-ipv4")).await?;
    let mesh = start(bench, &slice).await?;

    let clients = Load::start(Options {
        per_second: 100,
        ..Options::new(MESH, &scene.app.host())
    });
    sleep(A_WHILE).await;
    let report = clients.stop().await;
    assert_eq!(report.others().collect::<Vec<_>>(), []);
    assert!(report.count(Class::Maintenance, ..) > 0);
    let [retried, ejected] = [
        counted("cluster.lenient.upstream_rq_retry").await?,
        counted("cluster.lenient.outlier_detection.ejections_active").await?,
    ];
    println!(
        "through a mesh: {:?}, {retried} retries, {ejected} ejected",
        report.counts()
    );
    assert!(retried > 0, "it never tried again");
    assert_eq!(ejected, 1, "a pod of the backend is ejected");

    // Said in docs/routing.md: where every endpoint may be ejected, nobody is left to answer.
    for _ in 0..50 {
        request::get(MESH, "strict.test", "/").await?;
    }
    let answer = request::get(MESH, "strict.test", "/").await?;
    assert_eq!(answer.status(), 503);
    assert!(!answer.headers().contains_key(WINDOW_HEADER));
    assert!(!answer.headers().contains_key(RETRY_AFTER));
    mesh.kill().await?;
    Ok(())
}

/// What Envoy has counted.
async fn counted(name: &str) -> Result<u64> {
    let path = format!("/stats?filter=^{name}$");
    let answer = request::get(ADMIN, "envoy", &path).await?;
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    let (_, count) = said
        .rsplit_once(": ")
        .ok_or_else(|| format!("{name}: {said}"))?;
    Ok(count.trim().parse()?)
}

/// Starts an Envoy that leads to the endpoints of a slice.
async fn start(bench: &Bench, slice: &EndpointSlice) -> Result<Process> {
    let run = bench.cluster.run();
    let path = run.data().join("envoy-mesh.json");
    fs::write(&path, config(slice).to_string())?;
    let mut command = Command::new(run.program(ENVOY));
    command
        .arg("--config-path")
        .arg(path)
        .args(["--service-cluster", "testbed", "--service-node", "mesh"])
        .arg("--disable-hot-restart");
    let mut envoy = Process::start("envoy-mesh", command, &run.logs())?;
    envoy
        .ready(Duration::from_secs(30), async || {
            let ready = request::get(ADMIN, "envoy", "/ready").await;
            ready.is_ok_and(|answer| answer.status() == 200)
        })
        .await?;
    Ok(envoy)
}

fn config(slice: &EndpointSlice) -> Value {
    json!({
        "admin": {"address": socket(&ADMIN.ip().to_string(), i32::from(ADMIN.port()))},
        "static_resources": {
            "listeners": [{
                "name": "mesh",
                "address": socket(&MESH.ip().to_string(), i32::from(MESH.port())),
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": {
                        "@type": extension(
                            "filters.network.http_connection_manager.v3.HttpConnectionManager",
                        ),
                        "stat_prefix": "mesh",
                        "route_config": {"virtual_hosts": [
                            virtual_host("strict", "strict.test"),
                            virtual_host("lenient", "*"),
                        ]},
                        "http_filters": [{
                            "name": "envoy.filters.http.router",
                            "typed_config": {"@type": extension("filters.http.router.v3.Router")},
                        }],
                    },
                }]}],
            }],
            "clusters": [cluster("lenient", slice, 50), cluster("strict", slice, 100)],
        },
    })
}

fn extension(name: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.{name}")
}

fn socket(address: &str, port: i32) -> Value {
    json!({"socket_address": {"address": address, "port_value": port}})
}

/// With the retries that Istio gives every route.
fn virtual_host(cluster: &str, domain: &str) -> Value {
    json!({
        "name": cluster,
        "domains": [domain],
        "routes": [{"match": {"prefix": "/"}, "route": {
            "cluster": cluster,
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,unavailable,cancelled,\
                             retriable-status-codes",
                "retriable_status_codes": [503],
                "num_retries": 2,
            },
        }}],
    })
}

fn cluster(name: &str, slice: &EndpointSlice, most_ejected: u32) -> Value {
    let port = slice.ports.iter().flatten().find_map(|port| port.port);
    let addresses = slice
        .endpoints
        .iter()
        .flat_map(|endpoint| &endpoint.addresses);
    let endpoints: Vec<Value> = addresses
        .map(|address| json!({"endpoint": {"address": socket(address, port.unwrap_or_default())}}))
        .collect();
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": endpoints}],
        },
        "outlier_detection": {
            "consecutive_5xx": 5,
            "interval": "0.5s",
            "base_ejection_time": "30s",
            "max_ejection_percent": most_ejected,
        },
        // Istio leaves no way to an endpoint that is ejected (minHealthPercent: 0).
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    })
}
