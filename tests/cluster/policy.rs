//! The policy in `deploy/policy/`, which keeps a hold through whatever applies a manifest.

use std::fs;
use std::process::Stdio;

use entracte_testbed::target::Kind;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::Result;
use crate::bench::Bench;
use crate::flux::Flux;
use crate::objects::{api, eventually};
use crate::release_all::release_all;
use crate::scene::{APP, Scene, WINDOW, always};
use crate::tools::Tool;
use crate::twins::{FIRST, Twins};

/// What is written by hand to release a target.
const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gitops.md");

pub(crate) async fn a_hold_stays_through_every_apply_and_no_tool_sees_a_difference(
    bench: &Bench,
) -> Result {
    with_the_policy(bench, async || {
        let twins = Twins::install(bench, &[Kind::Service], &Tool::ALL).await?;
        twins.begin_maintenance().await?;
        for leads_to in [FIRST, "next"] {
            for pair in &twins.pairs {
                let what = format!("{:?} with {leads_to}", pair.covered.tool);
                let applies = pair.covered.tool.apply().is_some();
                if applies && leads_to == FIRST {
                    assert_eq!(pair.covered.diff(leads_to).await?, "", "{what}");
                }
                let made = twins.write(pair, leads_to).await?;
                // A manifest that replaces the object lacks our label, and so asks for a release.
                let keeps = pair.covered.tool != Tool::KubectlReplace;
                assert_eq!(pair.covered.is_held(&made), keeps, "{what}: {made:#}");
                assert_eq!(pair.covered.leads_to(&made), leads_to, "{what}");
                pair.covered.is_held_again().await?;
                if applies {
                    assert_eq!(pair.covered.diff(leads_to).await?, "", "{what}");
                    let again = twins.write(pair, leads_to).await?;
                    assert_eq!(version(&again), version(&made), "{what}: {again:#}");
                }
            }
        }
        twins.end_maintenance().await?;
        twins.are_alike("next").await
    })
    .await
}

fn version(object: &Value) -> &Value {
    &object["metadata"]["resourceVersion"]
}

pub(crate) async fn flux_need_not_look_away_where_the_policy_keeps_the_hold(
    bench: &Bench,
) -> Result {
    with_the_policy(bench, async || {
        let flux = Flux::install_service(bench).await?;
        flux.begin_maintenance().await?;
        assert_eq!(flux.tells(&flux.object().await?), None);
        assert!(flux.reconcile("next").await?);
        let held = flux.object().await?;
        let selector = &held["spec"]["selector"];
        assert!(selector["entracte.dev/hold"].is_string(), "{selector}");
        flux.end_maintenance().await?;
        let released = flux.object().await?;
        assert_eq!(released["spec"]["selector"], json!({"app": "next"}));
        Ok(())
    })
    .await
}

pub(crate) async fn a_person_releases_what_the_policy_keeps(bench: &Bench) -> Result {
    with_the_policy(bench, async || {
        for kind in [Kind::Service, Kind::Ingress] {
            let scene = Scene::set(bench, "by-hand").await?;
            let original = scene.object(kind).await?;
            scene.window(WINDOW, always(), &[kind]).await?;
            scene.held(WINDOW).await?;
            bench.operator().await.controller().kill().await?;
            for command in commands(kind)? {
                shell(bench, &command.replace("NAMESPACE", &scene.namespace)).await?;
            }
            assert_eq!(scene.object(kind).await?, original, "{kind:?}");
            bench.delete_windows().await?;
            bench.operator().await.controller().start().await?;
        }
        Ok(())
    })
    .await
}

pub(crate) async fn everything_is_released_in_spite_of_the_policy(bench: &Bench) -> Result {
    with_the_policy(bench, async || {
        let scene = Scene::set(bench, "released").await?;
        let original = scene.object(Kind::Service).await?;
        scene.window(WINDOW, always(), &[Kind::Service]).await?;
        scene.held(WINDOW).await?;
        bench.operator().await.controller().kill().await?;
        let output = release_all(bench).await?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(scene.object(Kind::Service).await?, original);
        Ok(())
    })
    .await
}

/// Runs a test while the policy is in force, and takes it away again.
async fn with_the_policy(bench: &Bench, test: impl AsyncFnOnce() -> Result) -> Result {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/policy");
    let installed = bench.cluster.kubectl(["apply", "-k", folder]).await?;
    assert!(
        installed.status.success(),
        "{}",
        String::from_utf8_lossy(&installed.stderr)
    );
    let result = async {
        in_force(bench).await?;
        test().await
    }
    .await;
    bench.cluster.kubectl(["delete", "-k", folder]).await?;
    result
}

/// The API server compiles a policy a moment after it was created.
async fn in_force(bench: &Bench) -> Result {
    let namespace = bench.cluster.namespace("in-force").await?;
    let services = api(bench, Kind::Service, &namespace);
    let held = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": APP, "labels": {"entracte.dev/held": "true"}},
        "spec": {"selector": {"app": APP, "entracte.dev/hold": "x"}, "ports": [{"port": 80}]},
    });
    let kubectl = PatchParams::apply("kubectl");
    // The controller would release it.
    bench.operator().await.controller().stop().await?;
    services.patch(APP, &kubectl, &Patch::Apply(held)).await?;
    let drop = Patch::Merge(json!({"spec": {"selector": {"entracte.dev/hold": null}}}));
    let dry_run = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    eventually("the policy is in force", async || {
        let made = services.patch(APP, &dry_run, &drop).await?;
        Ok(made.data["spec"]["selector"]["entracte.dev/hold"]
            .is_string()
            .then_some(()))
    })
    .await?;
    bench.operator().await.controller().start().await?;
    Ok(())
}

/// The commands that the guide gives for an object of a kind which is called `web`.
fn commands(kind: Kind) -> Result<Vec<String>> {
    let guide = fs::read_to_string(GUIDE)?;
    let heading = format!("### Release {} by hand", article(kind));
    let (_, section) = guide.split_once(&heading).ok_or("no such heading")?;
    let mut blocks = section.split("```");
    let block = blocks.nth(1).ok_or("no commands")?;
    let text = block.trim_start_matches("sh\n").replace("\\\n", " ");
    let commands: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(
        commands.iter().all(|line| line.starts_with("kubectl ")),
        "{commands:?}"
    );
    Ok(commands)
}

fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::Service => "a Service",
        Kind::Ingress => "an Ingress",
        Kind::HttpRoute => "an HTTPRoute",
    }
}

async fn shell(bench: &Bench, command: &str) -> Result {
    let run = bench.cluster.run();
    let path = format!("{}:/usr/bin:/bin", run.programs().display());
    let output = Command::new("sh")
        .args(["-c", command])
        .env("PATH", path)
        .env("KUBECONFIG", bench.cluster.kubeconfig())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command}: {error}").into())
}
