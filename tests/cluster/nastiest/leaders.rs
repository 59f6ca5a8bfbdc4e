//! Two controllers at once: one leads, and one does not know yet that it does not.

use chrono::TimeDelta;
use entracte_testbed::load::{Class, Verdict};
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;

use crate::Result;
use crate::bench::Bench;
use crate::objects::eventually;
use crate::scene::{Scene, once, settled, soon};

/// The first of two windows ends last over the Service, and first over the Ingress, which outlasts the
/// Service that it leads to.
pub(crate) async fn of_windows_that_overlap_either_may_end_first_under_two_leaders(
    bench: &Bench,
) -> Result {
    let another = bench.operator().await.another_controller().await?;
    let result = overlap(bench).await;
    another.crash().await?;
    result
}

async fn overlap(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "leaders").await?;
    let first = soon(8);
    let within = Occurrence {
        start: first.start + TimeDelta::seconds(2),
        end: first.end - TimeDelta::seconds(2),
    };
    let beyond = Occurrence {
        start: within.start,
        end: first.end + TimeDelta::seconds(2),
    };
    let mut tried = Vec::new();
    for (kind, second) in [(Kind::Service, within), (Kind::Ingress, beyond)] {
        let name = kind.as_str().to_lowercase();
        let [outer, inner] = ["first", "second"].map(|which| format!("{which}-{name}"));
        let clients = scene.clients(kind).await?;
        clients.expectation().change(|expected| {
            expected.end = Some(first.end);
            expected.other_end = Some(second.end);
        });
        tried.push((kind, second, scene.object(kind).await?, clients));
        scene.window(&outer, once(first), &[kind]).await?;
        scene.window(&inner, once(second), &[kind]).await?;
    }
    settled(beyond.end).await;
    for (kind, second, original, clients) in tried {
        let report = clients.stop().await;
        let both = Occurrence {
            start: first.start,
            end: first.end.max(second.end),
        };
        let verdict = bench.judge(both, &scene.target(kind), &report);
        assert_eq!(verdict.faults, []);
        let followed = both.start + TimeDelta::seconds(3);
        assert_eq!(report.count(Class::App, followed..both.end), 0, "{kind:?}");
        let mut seen: Vec<&str> = report
            .answers
            .iter()
            .filter_map(|answer| match &answer.verdict {
                Verdict::Maintenance { window, .. } => window.split('/').nth(1)?.split('-').next(),
                _ => None,
            })
            .collect();
        seen.dedup();
        let leads = if second.end < first.end {
            "first"
        } else {
            "second"
        };
        assert_eq!(
            (seen.first(), seen.last()),
            (Some(&"first"), Some(&leads)),
            "{seen:?}"
        );
        eventually("it is as it was", async || {
            Ok((scene.object(kind).await? == original).then_some(()))
        })
        .await?;
    }
    Ok(())
}
