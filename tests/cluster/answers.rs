//! What a window says about Retry-After and health checks is what a client of its Service gets.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use entracte_testbed::request;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use http::{Response, StatusCode};
use hyper::body::Bytes;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::Result;
use crate::bench::Bench;
use crate::objects::{eventually, windows};
use crate::scene::{Scene, WINDOW, once};

/// How often a client asks: some turns of either backend pod.
const ASKED: usize = 40;

/// Within this an edit shows: the controller writes the notice at once, and the backend watches it.
const SHOWS: Duration = Duration::from_secs(3);

/// Longer than kube-proxy needs to follow a hold (1 s, its `minSyncPeriod`): until then clients get
/// either answer.
const FOLLOWED: Duration = Duration::from_secs(2);

/// Longer than the controller goes without asking a backend pod whether it still answers.
const ASKED_AGAIN: Duration = Duration::from_secs(12);

impl Scene<'_> {
    async fn ask(&self, path: &str) -> Result<Response<Bytes>> {
        let address = self.app.service_address();
        Ok(request::get(address, &self.app.host(), path).await?)
    }

    /// The values of Retry-After that a client gets, one after the other.
    async fn waits(&self) -> Result<Vec<String>> {
        let mut waits = Vec::new();
        for _ in 0..ASKED {
            let answer = self.ask("/cart").await?;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            waits.push(answer.headers()["retry-after"].to_str()?.to_owned());
        }
        Ok(waits)
    }

    async fn gets(&self, path: &str, status: StatusCode) -> Result<Duration> {
        let waiting = Instant::now();
        eventually(&format!("{path} is answered {status}"), async || {
            Ok((self.ask(path).await?.status() == status).then_some(()))
        })
        .await?;
        Ok(waiting.elapsed())
    }
}

fn are_different(waits: &[String]) {
    let different: BTreeSet<_> = waits.iter().collect();
    assert!(different.len() >= 10, "{different:?}");
}

pub(crate) async fn retry_after_and_health_checks_are_as_the_window_has_them_and_follow_an_edit(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "answers").await?;
    let start = Utc::now().trunc_subsecs(3);
    let end = start + TimeDelta::hours(1);
    let an_hour = once(Occurrence { start, end });
    scene.window(WINDOW, an_hour, &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    scene
        .gets("/healthz", StatusCode::SERVICE_UNAVAILABLE)
        .await?;
    sleep(FOLLOWED).await;

    let asked = Utc::now();
    let waits = scene.waits().await?;
    let answered = Utc::now();
    are_different(&waits);
    for wait in &waits {
        let wait = TimeDelta::seconds(wait.parse()?);
        assert!(answered + wait >= end, "{wait} is before the end");
        let latest = end + TimeDelta::seconds(30 + 1);
        assert!(asked + wait < latest, "{wait} is after end and jitter");
    }

    let response = json!({
        "retryAfter": {"format": "HTTPDate", "jitter": "2m", "minimum": "10s"},
        "healthChecks": [{"path": "/healthz"}, {"path": "/"}],
    });
    scene.change(WINDOW, json!({"response": response})).await?;
    let shown = scene.gets("/healthz", StatusCode::OK).await?;
    println!("an edit of the window shows after {} ms", shown.as_millis());
    assert!(shown < SHOWS, "only after {shown:?}");
    // The other pod may hear of it a moment later.
    sleep(Duration::from_secs(1)).await;

    let waits = scene.waits().await?;
    are_different(&waits);
    for wait in &waits {
        let back = date(wait)?;
        let latest = end + TimeDelta::seconds(120 + 1);
        assert!((end..latest).contains(&back), "{back} for {end}");
    }

    // That a path is answered 200 does not make the controller think that nobody answers.
    sleep(ASKED_AGAIN).await;
    assert_eq!(scene.ask("/").await?.status(), StatusCode::OK);
    assert_eq!(scene.ask("/").await?.body().as_ref(), b"ok\n");
    scene.waits().await?;
    scene.held(WINDOW).await?;

    let always = json!({
        "schedule": {"once": null, "always": {}},
        "response": {"retryAfter": {"format": "Seconds", "minimum": "1s", "endUnknown": "7s"}},
    });
    scene.change(WINDOW, always).await?;
    eventually("the wait of a window that always holds", async || {
        let waits: BTreeSet<_> = scene.waits().await?.into_iter().collect();
        Ok((waits == BTreeSet::from(["7".to_owned()])).then_some(()))
    })
    .await?;

    let windows = windows(bench, &scene.namespace);
    windows.delete(WINDOW, &DeleteParams::default()).await?;
    scene.gets("/cart", StatusCode::OK).await?;
    Ok(())
}

fn date(text: &str) -> Result<DateTime<Utc>> {
    Ok(NaiveDateTime::parse_from_str(text, "%a, %d %b %Y %H:%M:%S GMT")?.and_utc())
}
