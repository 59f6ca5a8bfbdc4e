//! The fifteen nastiest cases, each with the tests that show it; those that no other file shows are
//! here. Where a proxy would be needed that the testbed does not have, the last column says which,
//! and what is shown without it. (`tests/house.rs` sees to it that each test is there.)
//!
//! | case | shown by | without |
//! |---|---|---|
//! | 1. A user takes the selector away and writes it again in the window: no mirrored or stale address of the app serves | `nastiest::a_selector_that_a_user_takes_away_and_writes_again_lets_no_stale_endpoint_serve` | |
//! | 2. A GitOps tool changes the selector in the window: that survives the release, with Argo CD client-side and server-side, Flux, Helm 3 and 4 | `gitops::what_a_tool_writes_in_the_window_is_held_within_a_second_and_stays`, `policy::a_hold_stays_through_every_apply_and_no_tool_sees_a_difference` | |
//! | 3. The operator is killed after each of its writes: it converges, and no traffic stays mixed | `crashes::a_controller_may_die_at_any_write_of_a_hold`, `crashes::a_controller_may_die_at_any_write_of_a_release`, `crashes::a_controller_may_die_at_any_write_when_another_window_takes_the_lead`, `crashes::a_controller_may_die_at_any_write_after_the_window_was_deleted`, `model/services::a_window_comes_and_goes_under_two_leaders` | |
//! | 4. Windows overlap, either ends first, under two leaders at once | `nastiest/leaders::of_windows_that_overlap_either_may_end_first_under_two_leaders`, `model/services::a_window_takes_the_lead_under_two_leaders`, `model/routes::windows_come_and_go_while_a_user_and_a_tool_write_under_two_leaders` | |
//! | 5. A target is deleted in the window and made anew under another uid | `denials::a_target_that_is_made_anew_in_the_window_is_held_anew`, `model/services::a_service_made_anew_in_its_window_keeps_its_last_endpoint` | |
//! | 6. An Ingress rule is inserted before the patched ones: nothing is put back in a wrong place | `edits::what_a_user_writes_to_a_held_ingress_is_kept`, `plan/ingress_tests::a_rule_inserted_before_the_held_ones_misplaces_nothing`, `plan/httproute_tests::a_rule_inserted_before_the_held_ones_misplaces_nothing`, `properties/ingresses::a_release_leaves_what_was_written_while_it_was_held` | |
//! | 7. Flux comes between the flip and the annotation (which are one write); after the release it is gone, and what Flux waited with is applied | `plan/flux::flux_is_told_by_the_patch_that_holds_and_by_no_other`, `flux::flux_looks_away_from_what_is_held_and_applies_what_came_meanwhile` | |
//! | 8. Helm 4 changes the selector after the release: no conflict | `ownership::an_upgrade_meets_no_conflict_in_the_window_nor_after_it` | |
//! | 9. Several ports, with numbers for target ports that differ | `nastiest::several_ports_with_numbers_for_target_ports_answer_in_the_window_and_lead_home_after_it`, `plan/service_tests::a_slice_of_ours_bears_every_port_name_and_every_condition` | ingress-nginx and Skipper: through kube-proxy and Traefik. Our slices bear one number for every port, so Skipper, which takes that of the last port for all, cannot take a wrong one; ingress-nginx also tries the Service's own number on the backend, and goes on to the right one when nobody listens there (docs/routing.md) |
//! | 10. `internalTrafficPolicy: Local` on a node without a backend pod | `targets::an_unfit_target_is_not_touched_and_the_status_says_why`, `targets::a_target_that_becomes_fit_is_held`, `plan/service_tests::a_service_that_becomes_unfit_while_it_is_held_is_given_back` | |
//! | 11. A dual-stack Service (`RequireDualStack`) and a client over IPv6; endpoints say that they are ready | `nastiest/families::a_service_that_requires_both_families_is_held_for_the_clients_of_both`, `plan/service_tests::a_dual_stack_service_is_held_when_pods_have_answered_over_both_families`, `plan/service_tests::a_slice_of_ours_bears_every_port_name_and_every_condition` | haproxytech's controller, which takes an endpoint that does not say so for one that is not ready: each condition of ours is written out |
//! | 12. An open WebSocket or gRPC connection across a flip: reported, and not claimed to be drained | `nastiest::a_web_socket_that_is_open_stays_with_the_app_is_warned_of_and_not_claimed_to_be_drained`, `backend/tests/answering::a_web_socket_is_refused_with_the_same_answer` | |
//! | 13. Traefik at the instant without endpoints: no 404; outlier detection and retries of a mesh: Retry-After survives | `selection::an_ingress_is_held_by_its_services_on_time_and_not_written`, `nastiest/mesh::retry_after_survives_the_retries_and_the_outlier_detection_of_a_mesh` | Istio: Envoy, which it drives, with Istio's defaults |
//! | 14. A namespace is terminating; a right is taken away between hold and release; the CRD is deleted with windows on | `denials::a_namespace_goes_with_what_is_held_in_it`, `denials::a_right_taken_away_in_the_window_is_named_and_waited_for`, `absent::without_our_definition_everything_is_released_and_readiness_says_why` | |
//! | 15. A backup from mid-window is restored in a new cluster: the hold is swept, slices with dead addresses go, the app serves | `nastiest/backup::a_backup_from_mid_window_serves_in_a_new_cluster` | Velero, which is no proxy: what it keeps of an object is restored in its order |

use std::net::SocketAddr;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use entracte::api::status::{Phase, TargetState};
use entracte_testbed::app::{APP_HEADER, PORT};
use entracte_testbed::cluster::TRAEFIK;
use entracte_testbed::load::{Class, WINDOW_HEADER};
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, eventually, merge, status, windows};
use crate::scene::{APP, Scene, WINDOW, always, once, settled, soon};

mod backup;
mod families;
mod leaders;
mod mesh;

pub(crate) use backup::a_backup_from_mid_window_serves_in_a_new_cluster;
pub(crate) use families::a_service_that_requires_both_families_is_held_for_the_clients_of_both;
pub(crate) use leaders::of_windows_that_overlap_either_may_end_first_under_two_leaders;
pub(crate) use mesh::retry_after_survives_the_retries_and_the_outlier_detection_of_a_mesh;

/// Longer than any proxy of the testbed takes to follow.
const FOLLOWED: Duration = Duration::from_secs(4);

/// How long a peer may take that is there.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn a_selector_that_a_user_takes_away_and_writes_again_lets_no_stale_endpoint_serve(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "selectorless").await?;
    let original = scene.object(Kind::Service).await?;
    let clients = [
        scene.clients(Kind::Service).await?,
        scene.clients(Kind::Ingress).await?,
    ];
    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    sleep(FOLLOWED).await;

    // The platform leaves its slices as they are now, and mirrors what Endpoints say.
    let followed = Utc::now();
    let services = api(bench, Kind::Service, &scene.namespace);
    let selector = |value: Value| json!({"spec": {"selector": value}});
    merge(&services, APP, selector(Value::Null)).await?;
    let refused = status(bench, &scene.namespace, WINDOW, "it is refused", |status| {
        status
            .targets
            .iter()
            .any(|line| line.state == TargetState::Refused)
    })
    .await?;
    let message = refused.targets[0].message.clone().unwrap_or_default();
    assert!(message.contains("the Service has no selector"), "{message}");
    sleep(FOLLOWED).await;
    let pods = pods(&scene);
    let mut stale = endpoints(&scene).await?;
    stale.retain(|address| pods.contains(address));
    assert_eq!(stale, [""; 0]);

    let written = Utc::now();
    merge(&services, APP, selector(json!({"app": APP}))).await?;
    scene.held(WINDOW).await?;
    sleep(FOLLOWED).await;
    let again = Utc::now();
    sleep(Duration::from_secs(1)).await;
    let ended = Utc::now();
    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    settled(ended).await;
    for load in clients {
        let report = load.stop().await;
        assert_eq!(
            report.count(Class::App, followed..written),
            0,
            "selectorless"
        );
        assert_eq!(report.count(Class::App, again..ended), 0, "held again");
        assert!(report.count(Class::Maintenance, again..ended) > 0);
        assert!(report.count(Class::App, ended..) > 0);
    }
    assert_eq!(scene.object(Kind::Service).await?, original);
    assert_eq!(endpoints(&scene).await?, pods, "each once, and nobody else");
    Ok(())
}

/// The addresses of the app's pods, in order.
fn pods(scene: &Scene<'_>) -> Vec<String> {
    let pods = scene.app.pods().iter();
    let mut addresses: Vec<String> = pods.map(|pod| pod.address().ip().to_string()).collect();
    addresses.sort();
    addresses
}

/// Every address to which anybody's slices lead the Service, in order.
async fn endpoints(scene: &Scene<'_>) -> Result<Vec<String>> {
    let slices = Api::<EndpointSlice>::namespaced(scene.bench.client(), &scene.namespace);
    let of_app = ListParams::default().labels(&format!("kubernetes.io/service-name={APP}"));
    let slices = slices.list(&of_app).await?.items.into_iter();
    let endpoints = slices.flat_map(|slice| slice.endpoints);
    let mut addresses: Vec<String> = endpoints.flat_map(|endpoint| endpoint.addresses).collect();
    addresses.sort();
    Ok(addresses)
}

/// The port on which the app's pods listen as well.
const ADMIN_PORT: u16 = 9090;
/// The app that answers there.
const ADMIN: &str = "admin";

pub(crate) async fn several_ports_with_numbers_for_target_ports_answer_in_the_window_and_lead_home_after_it(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "ports").await?;
    let mut admin = JoinSet::new();
    for pod in scene.app.pods() {
        let listener = TcpListener::bind((pod.address().ip(), ADMIN_PORT)).await?;
        admin.spawn(answer_as_admin(listener));
    }
    let ports = json!([
        {"name": "http", "port": 80, "targetPort": PORT},
        {"name": ADMIN, "port": 81, "targetPort": ADMIN_PORT},
    ]);
    let services = api(bench, Kind::Service, &scene.namespace);
    merge(&services, APP, json!({"spec": {"ports": ports}})).await?;
    let to_admin = json!([{"op": "add", "path": "/spec/rules/0/http/paths/0", "value": {
        "path": "/admin",
        "pathType": "Prefix",
        "backend": {"service": {"name": APP, "port": {"number": 81}}},
    }}]);
    let to_admin = Patch::Json::<()>(serde_json::from_value(to_admin)?);
    let ingresses = api(bench, Kind::Ingress, &scene.namespace);
    ingresses
        .patch(APP, &PatchParams::default(), &to_admin)
        .await?;
    let original = scene.object(Kind::Service).await?;
    each_way_leads_to(&scene, [APP, ADMIN]).await?;

    scene.window(WINDOW, always(), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    each_way_leads_to(&scene, ["503", "503"]).await?;
    let slices = Api::<EndpointSlice>::namespaced(bench.client(), &scene.namespace);
    let slice = slices.get(&format!("{APP}-entracte-ipv4")).await?;
    let ports: Vec<_> = slice.ports.iter().flatten().collect();
    let names: Vec<_> = ports.iter().map(|port| port.name.as_deref()).collect();
    assert_eq!(names, [Some("http"), Some(ADMIN)]);
    assert_eq!(
        ports[0].port, ports[1].port,
        "one number, whichever is taken"
    );

    windows(bench, &scene.namespace)
        .delete(WINDOW, &DeleteParams::default())
        .await?;
    each_way_leads_to(&scene, [APP, ADMIN]).await?;
    eventually("our slices are gone", async || {
        Ok(slices
            .get_opt(&format!("{APP}-entracte-ipv4"))
            .await?
            .is_none()
            .then_some(()))
    })
    .await?;
    each_way_leads_to(&scene, [APP, ADMIN]).await?;
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

/// Waits until both ports answer so at the ClusterIP, and both paths at the Ingress.
async fn each_way_leads_to(scene: &Scene<'_>, [http, admin]: [&str; 2]) -> Result {
    let first = scene.app.service_address();
    let second = SocketAddr::new(first.ip(), 81);
    for (address, path, from) in [
        (first, "/", http),
        (second, "/", admin),
        (TRAEFIK, "/", http),
        (TRAEFIK, "/admin", admin),
    ] {
        eventually(&format!("{address}{path} answers {from}"), async || {
            let asked = request::get(address, &scene.app.host(), path).await;
            // Before the Service leads anywhere.
            let Ok(answer) = asked else {
                return Ok(None);
            };
            let found = match answer.headers().get(APP_HEADER) {
                Some(app) => app.to_str()?.to_owned(),
                None => answer.status().as_str().to_owned(),
            };
            let is_ours = from != "503" || answer.headers().contains_key(WINDOW_HEADER);
            Ok((found == from && is_ours).then_some(()))
        })
        .await?;
    }
    Ok(())
}

async fn answer_as_admin(listener: TcpListener) -> std::io::Result<()> {
    let answer = format!(
        "HTTP/1.1 200 OK\r\n{APP_HEADER}: {ADMIN}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut head = [0; 4096];
        // A client that goes away is its own business.
        if stream.read(&mut head).await.is_ok() {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}

pub(crate) async fn a_web_socket_that_is_open_stays_with_the_app_is_warned_of_and_not_claimed_to_be_drained(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "sockets").await?;
    let says_so =
        json!([{"op": "add", "path": "/spec/ports/0/appProtocol", "value": "kubernetes.io/ws"}]);
    let says_so = Patch::Json::<()>(serde_json::from_value(says_so)?);
    let services = api(bench, Kind::Service, &scene.namespace);
    services
        .patch(APP, &PatchParams::default(), &says_so)
        .await?;
    let ways = [scene.app.service_address(), TRAEFIK];
    let host = scene.app.host();
    let mut sockets = Vec::new();
    for way in ways {
        sockets.push(WebSocket::open(way, &host).await?);
    }

    let occurrence = soon(8);
    scene
        .window(WINDOW, once(occurrence), &[Kind::Ingress, Kind::Service])
        .await?;
    let scheduled = status(
        bench,
        &scene.namespace,
        WINDOW,
        "it is warned of",
        |status| !status.warnings.is_empty(),
    )
    .await?;
    assert_eq!(scheduled.phase, Some(Phase::Scheduled));
    assert_eq!(
        scheduled.warnings,
        [
            "Service web: port 80 (kubernetes.io/ws): connections that are open when the window \
             starts stay with the app until one side closes them"
        ]
    );
    scene.held(WINDOW).await?;
    sleep(FOLLOWED).await;
    assert!(
        Utc::now() < occurrence.end - TimeDelta::seconds(1),
        "in the window"
    );
    for (way, socket) in ways.into_iter().zip(&mut sockets) {
        socket.is_open("while it is held").await?;
        assert_eq!(
            WebSocket::asked(way, &host).await?.0,
            "HTTP/1.1 503 Service Unavailable"
        );
        let answer = request::get(way, &host, "/").await?;
        assert!(answer.headers().contains_key(WINDOW_HEADER), "{answer:?}");
    }
    let held = windows(bench, &scene.namespace).get(WINDOW).await?.status;
    let said = json!(held).to_string().to_lowercase();
    assert!(said.contains("stay with the app"), "{said}");
    assert!(!said.contains("drain"), "{said}");

    settled(occurrence.end).await;
    for socket in &mut sockets {
        socket.is_open("after the release").await?;
    }
    Ok(())
}

/// A connection that has been switched to another protocol.
struct WebSocket(TcpStream);

impl WebSocket {
    async fn open(way: SocketAddr, host: &str) -> Result<Self> {
        let (status, stream) = Self::asked(way, host).await?;
        assert_eq!(status, "HTTP/1.1 101 Switching Protocols", "at {way}");
        let mut socket = Self(stream);
        socket.is_open("at first").await?;
        Ok(socket)
    }

    /// Asks for one; the first line of the answer.
    async fn asked(way: SocketAddr, host: &str) -> Result<(String, TcpStream)> {
        let mut stream = TcpStream::connect(way).await?;
        let request = format!(
            "GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, stream.read_u8()).await??);
        }
        let head = String::from_utf8(head)?;
        let status = head.lines().next().unwrap_or_default().to_owned();
        Ok((status, stream))
    }

    /// What is sent comes back.
    async fn is_open(&mut self, when: &str) -> Result {
        self.0.write_all(when.as_bytes()).await?;
        let mut echo = vec![0; when.len()];
        timeout(PATIENCE, self.0.read_exact(&mut echo)).await??;
        assert_eq!(String::from_utf8(echo)?, when);
        Ok(())
    }
}
