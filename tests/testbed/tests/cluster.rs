//! The testbed itself, tried: one cluster for all of these tests.

use std::{
    error::Error,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use entracte_testbed::{
    app::{APP_HEADER, Answer, App, Routes},
    cluster::{Cluster, Proxy, TRAEFIK},
    request,
    run_folder::RunFolder,
    target::Kind,
};
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

/// The promise of the testbed's design: ready within ten seconds once built.
const READY_WITHIN: Duration = Duration::from_secs(10);

type TestResult = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    entracte_testbed::main(|launcher| {
        let arguments = Arguments::from_args();
        if arguments.list {
            return libtest_mimic::run(&arguments, tests(None)).exit_code();
        }
        launcher.run(|run| inside(&arguments, &run))
    })
}

fn inside(arguments: &Arguments, run: &RunFolder) -> ExitCode {
    match Bench::start(run) {
        Ok(bench) => libtest_mimic::run(arguments, tests(Some(&bench))).exit_code(),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone)]
struct Bench {
    cluster: Cluster,
    runtime: Arc<Runtime>,
    ready_after: Duration,
    /// Who needs the Gateway API, and who takes it away.
    gateway_api: Arc<Mutex<()>>,
}

impl Bench {
    fn start(run: &RunFolder) -> Result<Self, Box<dyn Error>> {
        let runtime = Runtime::new()?;
        let started = Instant::now();
        let cluster = runtime.block_on(Cluster::start(run))?;
        Ok(Self {
            cluster,
            runtime: Arc::new(runtime),
            ready_after: started.elapsed(),
            gateway_api: Arc::default(),
        })
    }
}

/// Without a bench the tests can only be listed.
fn tests(bench: Option<&Bench>) -> Vec<Trial> {
    let test = |name: &str, body: fn(&Bench) -> TestResult| {
        let bench = bench.cloned();
        Trial::test(name, move || match &bench {
            Some(bench) => body(bench).map_err(|error| Failed::from(error.to_string())),
            None => Err("the cluster was not started".into()),
        })
    };
    vec![
        test("the_cluster_is_ready_within_ten_seconds", |bench| {
            println!("ready after {:?}", bench.ready_after);
            assert!(
                bench.ready_after < READY_WITHIN,
                "it took {:?}",
                bench.ready_after
            );
            Ok(())
        }),
        test("an_app_answers_through_service_and_ingress", |bench| {
            bench.runtime.block_on(an_app_answers(&bench.cluster))
        }),
        test("each_proxy_serves_its_own_ingresses_and_routes", |bench| {
            let _turn = bench.gateway_api.lock();
            bench.runtime.block_on(each_proxy_serves(&bench.cluster))
        }),
        test("the_gateway_api_goes_and_comes_back", |bench| {
            let _turn = bench.gateway_api.lock();
            bench.runtime.block_on(gateway_api_goes(&bench.cluster))
        }),
        test("a_pod_that_is_not_ready_gets_no_requests", |bench| {
            bench
                .runtime
                .block_on(a_pod_that_is_not_ready(&bench.cluster))
        }),
        test("pods_come_and_go", |bench| {
            bench.runtime.block_on(pods_come_and_go(&bench.cluster))
        }),
        test("kubectl_sees_the_cluster", |bench| {
            bench
                .runtime
                .block_on(kubectl_sees_the_cluster(&bench.cluster))
        }),
    ]
}

async fn an_app_answers(cluster: &Cluster) -> TestResult {
    let namespace = cluster.namespace("answers").await?;
    let mut app = App::create(cluster, &namespace, "web", 2).await?;
    app.set_answer(&Answer {
        status: 201,
        body: Some("changed".into()),
    })
    .await?;
    for address in [app.service_address(), TRAEFIK] {
        let answer = request::get(address, &app.host(), "/").await?;
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()["x-app"], "web");
        assert_eq!(answer.body(), "changed");
    }
    Ok(())
}

async fn each_proxy_serves(cluster: &Cluster) -> TestResult {
    let behind = async |proxy| {
        let routes = Routes {
            ingress: proxy,
            http_route: Some(proxy),
        };
        let namespace = cluster.namespace("proxies").await?;
        App::create_behind(cluster, &namespace, proxy.name(), 1, routes).await
    };
    // Each has been reached on every way when it is returned.
    let traefik = behind(Proxy::Traefik).await?;
    let contour = behind(Proxy::Contour).await?;
    for kind in [Kind::Ingress, Kind::HttpRoute] {
        for (proxy, host) in [(&contour, traefik.host()), (&traefik, contour.host())] {
            let answer = request::get(proxy.address(kind)?, &host, "/").await?;
            assert_eq!(answer.status(), 404, "{host}");
        }
    }
    Ok(())
}

async fn gateway_api_goes(cluster: &Cluster) -> TestResult {
    let routes = Routes {
        ingress: Proxy::Contour,
        http_route: Some(Proxy::Contour),
    };
    let namespace = cluster.namespace("gateway-api").await?;
    let before = App::create_behind(cluster, &namespace, "before", 1, routes).await?;
    cluster.remove_gateway_api().await?;
    let routes_of = ["get", "httproutes", "--all-namespaces"];
    assert!(!cluster.kubectl(routes_of).await?.status.success());
    let answer = request::get(before.address(Kind::Ingress)?, &before.host(), "/").await?;
    assert!(answer.headers().contains_key(APP_HEADER));

    cluster.install_gateway_api().await?;
    let after = App::create_behind(cluster, &namespace, "after", 1, routes).await?;
    let answer = request::get(after.address(Kind::HttpRoute)?, &after.host(), "/").await?;
    assert!(answer.headers().contains_key(APP_HEADER));
    Ok(())
}

async fn a_pod_that_is_not_ready(cluster: &Cluster) -> TestResult {
    let namespace = cluster.namespace("readiness").await?;
    let mut app = App::create(cluster, &namespace, "web", 2).await?;
    app.pod_mut("web-1")?.set_ready(false).await?;
    eventually(async || all_answers_are_from(&app, "web-2").await).await;
    app.pod_mut("web-1")?.set_ready(true).await?;
    app.pod_mut("web-2")?.set_ready(false).await?;
    eventually(async || all_answers_are_from(&app, "web-1").await).await;
    Ok(())
}

async fn pods_come_and_go(cluster: &Cluster) -> TestResult {
    let namespace = cluster.namespace("pods").await?;
    let mut app = App::create(cluster, &namespace, "web", 1).await?;
    let added = app.add_pod().await?;
    app.remove_pod("web-1").await?;
    assert!(
        all_answers_are_from(&app, &added).await,
        "{added} is the only pod"
    );
    app.crash_pod(&added).await?;
    assert!(app.pods().is_empty());
    Ok(())
}

async fn kubectl_sees_the_cluster(cluster: &Cluster) -> TestResult {
    let output = cluster.kubectl(["get", "nodes", "-o", "name"]).await?;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "node/node1\n");
    let output = cluster.kubectl(["get", "nonsense"]).await?;
    assert!(!output.status.success());
    Ok(())
}

async fn all_answers_are_from(app: &App, pod: &str) -> bool {
    for address in [app.service_address(), TRAEFIK] {
        for _ in 0..10 {
            let answer = request::get(address, &app.host(), "/").await;
            let from_pod =
                answer.is_ok_and(|answer| answer.body().ends_with(format!("{pod}\n").as_bytes()));
            if !from_pod {
                return false;
            }
        }
    }
    true
}

async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "it did not happen within 20 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
