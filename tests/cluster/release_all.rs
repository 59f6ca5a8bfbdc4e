//! `entracte release --all` needs no operator.

use std::process::{Output, Stdio};

use chrono::{TimeDelta, Utc};
use entracte_testbed::app::Routes;
use entracte_testbed::cluster::Proxy;
use entracte_testbed::load::{Class, Expected};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use tokio::process::Command;

use crate::Result;
use crate::bench::Bench;
use crate::objects::ours;
use crate::scene::{Scene, WINDOW, once, settled, sleep_until, soon};

const KINDS: [Kind; 3] = [Kind::Ingress, Kind::Service, Kind::HttpRoute];

pub(crate) async fn everything_is_released_without_the_operator(bench: &Bench) -> Result {
    // Behind Contour there are rehearsals too.
    let routes = Routes {
        ingress: Proxy::Contour,
        http_route: Some(Proxy::Contour),
    };
    let scene = Scene::set_behind(bench, "released", routes).await?;
    let mut originals = Vec::new();
    let mut clients = Vec::new();
    for kind in KINDS {
        originals.push(scene.object(kind).await?);
        clients.push(scene.clients(kind).await?);
    }
    let occurrence = soon(60);
    for load in &clients {
        load.expectation().set_end(Some(occurrence.end));
    }
    scene.window(WINDOW, once(occurrence), &KINDS).await?;
    scene.held(WINDOW).await?;
    sleep_until(occurrence.start + TimeDelta::seconds(3)).await;

    bench.operator().await.controller().kill().await?;
    let began = Utc::now();
    for load in &clients {
        let early = |expected: &mut Expected| expected.may_be_released = true;
        load.expectation().change(early);
    }
    let output = release_all(bench).await?;
    let said = String::from_utf8(output.stdout)?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for kind in KINDS {
        let line = format!("{} {}/web: released", kind.as_str(), scene.namespace);
        assert!(said.contains(&line), "{said}");
    }
    assert!(said.contains(&format!(
        "Bridge {}/entracte-{WINDOW}: deleted",
        scene.namespace
    )));

    for kind in [Kind::Ingress, Kind::HttpRoute] {
        let rehearsal = format!(
            "Rehearsal {} {}/entracte-web-rehearsal: deleted",
            kind.as_str(),
            scene.namespace
        );
        assert!(said.contains(&rehearsal), "{said}");
    }

    settled(began).await;
    for ((kind, load), original) in KINDS.into_iter().zip(clients).zip(originals) {
        let report = load.stop().await;
        assert_eq!(report.others().collect::<Vec<_>>(), []);
        let released = Occurrence {
            start: occurrence.start,
            end: began,
        };
        let seen = report.flip_at(released.end, None, Class::App);
        assert!(seen.is_some(), "{kind:?} is not seen to be released");
        assert_eq!(scene.object(kind).await?, original);
    }
    assert_eq!(ours(bench).await?, [""; 0]);
    Ok(())
}

pub(crate) async fn it_says_so_where_nothing_is_held(bench: &Bench) -> Result {
    bench.operator().await.controller().stop().await?;
    let _whatever_lingered = release_all(bench).await?;
    let output = release_all(bench).await?;
    assert_eq!(String::from_utf8(output.stdout)?, "Nothing is held.\n");
    assert!(output.status.success());
    Ok(())
}

pub(crate) async fn release_all(bench: &Bench) -> Result<Output> {
    let output = Command::new(env!("CARGO_BIN_EXE_entracte"))
        .args(["release", "--all"])
        .env("KUBECONFIG", bench.cluster.kubeconfig())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    Ok(output)
}
