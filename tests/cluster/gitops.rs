//! What tools write to a held target: taken as the new truth, held again, and given back.

use std::time::Duration;

use entracte::api::conditions::ConditionType;
use entracte_testbed::target::Kind;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{api, status, why};
use crate::scene::{APP, Scene, WINDOW, always, patched};
use crate::tools::{Tool, leads_to};
use crate::twins::{FIRST, Twins};

const KINDS: [Kind; 2] = [Kind::Service, Kind::Ingress];

/// How soon a hold that a tool undid is put back.
const PUT_BACK: Duration = Duration::from_secs(1);

pub(crate) async fn what_a_tool_writes_in_the_window_is_held_within_a_second_and_stays(
    bench: &Bench,
) -> Result {
    let twins = Twins::install(bench, &KINDS, &Tool::ALL).await?;
    twins.begin_maintenance().await?;
    let mut slowest = Duration::ZERO;
    for leads_to in [FIRST, "next"] {
        for pair in &twins.pairs {
            let written = &pair.covered;
            let what = format!("{:?} of {:?} with {leads_to}", written.kind, written.tool);
            let made = twins.write(pair, leads_to).await?;
            // What is merged into a selector keeps our key; what is written as a whole does not.
            let keeps = written.kind == Kind::Service && !written.tool.writes_as_a_whole();
            assert_eq!(written.is_held(&made), keeps, "{what}: {made:#}");
            let took = written.is_held_again().await?;
            assert!(took < PUT_BACK, "{what}: the hold is back after {took:?}");
            slowest = slowest.max(took);
        }
    }
    println!("the slowest hold was put back after {slowest:?}");
    twins.end_maintenance().await?;
    twins.are_alike("next").await
}

pub(crate) async fn a_manager_that_undoes_a_hold_again_and_again_is_named_and_not_fought(
    bench: &Bench,
) -> Result {
    for kind in KINDS {
        let scene = Scene::set(bench, "contended").await?;
        let clients = scene.clients(kind).await?;
        let targets = vec![patched(kind, APP)];
        scene.window_over(WINDOW, always(), targets).await?;
        let healer = Healer {
            bench,
            namespace: &scene.namespace,
            kind,
        };
        let undone = healer.heal_for(Duration::from_secs(20)).await?;
        // Three times at once, and then after 2, 4 and 8 seconds; the next pause is one of 16.
        assert!((6..=7).contains(&undone), "{kind:?}: {undone} times");
        let message = healer.named().await?;
        assert!(message.contains("argocd-controller"), "{message}");
        let advice = match kind {
            Kind::Service => "deploy/policy/",
            Kind::Ingress | Kind::HttpRoute => "hold: Services",
        };
        assert!(message.contains(advice), "{message}");

        // The app answers in the pause, and nobody beside it.
        let report = clients.stop().await;
        assert_eq!(report.others().collect::<Vec<_>>(), []);
        let clients = scene.clients(kind).await?;
        sleep(Duration::from_secs(3)).await;
        let report = clients.stop().await;
        assert_eq!(report.others().collect::<Vec<_>>(), []);

        // Once nobody undoes it, the hold is put back when the pause is over.
        scene.held(WINDOW).await?;
        bench.delete_windows().await?;
    }
    Ok(())
}

/// A tool that heals itself.
struct Healer<'a> {
    bench: &'a Bench,
    namespace: &'a str,
    kind: Kind,
}

impl Healer<'_> {
    /// Undoes the hold as soon as it is seen; how often that was.
    async fn heal_for(&self, duration: Duration) -> Result<usize> {
        let objects = api(self.bench, self.kind, self.namespace);
        let leaf = match self.kind {
            Kind::Service => "selector",
            Kind::Ingress | Kind::HttpRoute => "rules",
        };
        let patch = json!([{
            "op": "replace",
            "path": format!("/spec/{leaf}"),
            "value": objects.get(APP).await?.data["spec"][leaf],
        }]);
        let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
        let manager = PatchParams {
            field_manager: Some("argocd-controller".to_owned()),
            ..PatchParams::default()
        };
        let began = Instant::now();
        let mut undone = 0;
        while began.elapsed() < duration {
            if self.is_held(&objects.get(APP).await?.data) {
                objects.patch(APP, &manager, &patch).await?;
                undone += 1;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(undone)
    }

    fn is_held(&self, object: &Value) -> bool {
        match self.kind {
            Kind::Service => object["spec"]["selector"]["entracte.dev/hold"].is_string(),
            Kind::Ingress | Kind::HttpRoute => {
                leads_to(self.kind, object) == format!("entracte-{WINDOW}")
            }
        }
    }

    /// What `Ready` says of it.
    async fn named(&self) -> Result<String> {
        let what = "who undoes the hold is named";
        let said = status(self.bench, self.namespace, WINDOW, what, |status| {
            why(status, ConditionType::Ready).is_some_and(|(reason, _)| reason == "Contended")
        })
        .await?;
        Ok(why(&said, ConditionType::Ready).unwrap_or_default().1)
    }
}
