//! Schedules on a running cluster: cron, late starts, missed windows, exceptions, ends that move.

use chrono::{DateTime, DurationRound, TimeDelta, Timelike, Utc};
use entracte::api::status::Phase;
use entracte_testbed::load::Expected;
use entracte_testbed::target::Kind;
use entracte_testbed::verdict::Occurrence;
use serde_json::{Value, json};

use crate::Result;
use crate::bench::Bench;
use crate::objects::status;
use crate::scene::{Scene, WINDOW, once, settled, sleep_until, soon, text};

/// An hourly window that starts with this minute.
fn hourly(start: DateTime<Utc>, duration: &str) -> Value {
    let cron = format!("{} * * * *", start.minute());
    json!({"recurring": {"cron": cron, "timeZone": "Asia/Kathmandu", "duration": duration}})
}

/// An hourly window whose minute of the hour is another in Kathmandu (UTC+05:45).
fn in_kathmandu(start: DateTime<Utc>, duration: &str) -> Value {
    hourly(start + TimeDelta::minutes(45), duration)
}

fn this_minute() -> Result<DateTime<Utc>> {
    Ok(Utc::now().duration_trunc(TimeDelta::minutes(1))?)
}

pub(crate) async fn a_cron_window_starts_with_the_minute_and_comes_again(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "cron").await?;
    let original = scene.object(Kind::Service).await?;
    // With room for the preparation.
    let start = (Utc::now() + TimeDelta::seconds(65)).duration_trunc(TimeDelta::minutes(1))?;
    let occurrence = Occurrence {
        start,
        end: start + TimeDelta::seconds(6),
    };
    scene
        .window(WINDOW, in_kathmandu(start, "6s"), &[Kind::Service])
        .await?;
    let scheduled = status(
        bench,
        &scene.namespace,
        WINDOW,
        "it is scheduled",
        |status| status.phase == Some(Phase::Scheduled),
    )
    .await?;
    assert_eq!(scheduled.next.map(|next| next.start), Some(start));
    assert_eq!(
        scheduled.last, None,
        "what was before the window was created is not its past"
    );

    sleep_until(start - TimeDelta::seconds(3)).await;
    let clients = scene.clients(Kind::Service).await?;
    clients.expectation().set_end(Some(occurrence.end));
    settled(occurrence.end).await;
    let report = clients.stop().await;
    let verdict = bench.judge(occurrence, &scene.target(Kind::Service), &report);
    assert_eq!(verdict.faults, []);
    assert_eq!(scene.object(Kind::Service).await?, original);

    let again = status(
        bench,
        &scene.namespace,
        WINDOW,
        "it is scheduled again",
        |status| status.phase == Some(Phase::Scheduled) && status.last.is_some(),
    )
    .await?;
    assert_eq!(
        again.next.map(|next| next.start),
        Some(start + TimeDelta::hours(1))
    );
    assert_eq!(
        again.last.map(|last| (last.start, last.end)),
        Some((start, occurrence.end))
    );
    let summary = again.summary.ok_or("no summary")?;
    assert_eq!(summary.zone.as_deref(), Some("Asia/Kathmandu"));
    assert!(
        summary
            .start
            .is_some_and(|start| start.ends_with(":00+05:45"))
    );
    Ok(())
}

pub(crate) async fn a_window_that_has_begun_is_entered_late(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "late").await?;
    let start = Utc::now() - TimeDelta::minutes(10);
    let begun = Occurrence {
        start,
        end: start + TimeDelta::hours(1),
    };
    scene
        .window(WINDOW, once(begun), &[Kind::Ingress, Kind::Service])
        .await?;
    scene.held(WINDOW).await
}

pub(crate) async fn a_window_that_was_over_before_the_controller_was_back_changes_nothing(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "missed").await?;
    let original = scene.object(Kind::Service).await?;
    bench.operator().await.controller().kill().await?;
    let missed = soon(2);
    scene.window(WINDOW, once(missed), &[Kind::Service]).await?;
    sleep_until(missed.end + TimeDelta::seconds(1)).await;
    let back = bench.proxy.mark();
    bench.operator().await.controller().start().await?;

    let over = status(bench, &scene.namespace, WINDOW, "it has ended", |status| {
        status.phase == Some(Phase::Ended)
    })
    .await?;
    let last = over.last.ok_or("no last occurrence")?;
    assert_eq!((last.start, last.end), (missed.start, missed.end));
    assert_eq!((last.held_at, last.released_at), (None, None));
    assert_eq!(bench.writes_in(&scene.namespace, back), []);
    assert_eq!(scene.object(Kind::Service).await?, original);
    Ok(())
}

pub(crate) async fn an_exception_over_the_start_ends_an_occurrence_and_leaves_the_next(
    bench: &Bench,
) -> Result {
    let scene = Scene::set(bench, "except").await?;
    let original = scene.object(Kind::Service).await?;
    let start = this_minute()?;
    scene
        .window(WINDOW, in_kathmandu(start, "10m"), &[Kind::Service])
        .await?;
    scene.held(WINDOW).await?;

    let except = json!([{"start": text(start), "end": text(start + TimeDelta::minutes(1))}]);
    scene
        .change(
            WINDOW,
            json!({"schedule": {"recurring": {"except": except}}}),
        )
        .await?;
    scene.released(WINDOW).await?;
    assert_eq!(scene.object(Kind::Service).await?, original);
    let next = status(
        bench,
        &scene.namespace,
        WINDOW,
        "it waits for the next",
        |status| status.phase == Some(Phase::Scheduled),
    )
    .await?;
    assert_eq!(
        next.next.map(|next| next.start),
        Some(start + TimeDelta::hours(1))
    );
    Ok(())
}

pub(crate) async fn an_end_that_moves_away_is_waited_for(bench: &Bench) -> Result {
    let scene = Scene::set(bench, "extended").await?;
    let clients = scene.clients(Kind::Service).await?;
    let first = soon(5);
    clients.expectation().set_end(Some(first.end));
    scene.window(WINDOW, once(first), &[Kind::Service]).await?;
    scene.held(WINDOW).await?;
    let extended = Occurrence {
        end: first.end + TimeDelta::seconds(5),
        ..first
    };
    let longer = |expected: &mut Expected| expected.other_end = Some(extended.end);
    clients.expectation().change(longer);
    scene
        .change(WINDOW, json!({"schedule": once(extended)}))
        .await?;
    settled(extended.end).await;
    let report = clients.stop().await;
    let verdict = bench.judge(extended, &scene.target(Kind::Service), &report);
    assert_eq!(verdict.faults, []);
    Ok(())
}
