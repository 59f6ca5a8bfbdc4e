//! `cargo demo`: one maintenance window on a real cluster, seen through the eyes of clients.
//!
//! | act | what happens |
//! |---|---|
//! | [`stage`] | a cluster, two apps, the operator under the RBAC of `deploy/`, clients |
//! | [`window`] | the window that is applied |
//! | [`formats`] | what three kinds of clients are told, as `curl` shows it |
//! | [`show`] | what clients see and `kubectl get mw` says, as it goes |
//! | [`summary`] | PURE: the tables at the end, and the line of JSON |

mod formats;
mod show;
mod stage;
mod story;
mod summary;
mod window;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use chrono::Utc;
use clap::Parser;
use entracte_testbed::{cluster::Proxy, run_folder::RunFolder, verdict::Verdict};

use crate::{
    show::Show,
    stage::{Stage, StageError},
    story::Story,
    summary::Summary,
};

/// Shows a maintenance window on a real cluster, which is started on this machine for it: two
/// apps, clients that keep asking, and what they see before, during and after the window.
///
/// Exits with 1 when a client got a wrong answer, or a flip came too early, too late or never.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// End standard output with one line of JSON; what else there is to say goes to standard
    /// error.
    #[arg(long)]
    json: bool,

    /// The proxy through which the Ingress is asked for
    #[arg(long, value_enum, default_value_t)]
    proxy: Proxy,
}

fn main() -> ExitCode {
    entracte_testbed::main(|launcher| {
        let arguments = Arguments::parse();
        let launcher = launcher.with_operator();
        launcher.run(|run| match inside(&arguments, &run) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("The demo could not be given: {error}");
                ExitCode::FAILURE
            }
        })
    })
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("cannot write the line of JSON: {0}")]
    Print(#[from] io::Error),
}

#[tokio::main]
async fn inside(arguments: &Arguments, run: &RunFolder) -> Result<ExitCode, DemoError> {
    let mut story = if arguments.json {
        Story::on_standard_error()
    } else {
        Story::on_standard_output()
    };
    let began = Instant::now();
    let verdicts = play(run, arguments.proxy, &mut story).await?;
    let took = began.elapsed();
    finale(&mut story, &verdicts, took);
    if arguments.json {
        let line = Summary::new(&verdicts, took)
            .to_json()
            .map_err(io::Error::from)?;
        writeln!(io::stdout(), "{line}")?;
    }
    let right = verdicts.iter().all(|verdict| verdict.faults.is_empty());
    Ok(if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn play(
    run: &RunFolder,
    proxy: Proxy,
    story: &mut Story,
) -> Result<Vec<Verdict>, StageError> {
    let stage = Box::pin(Stage::set(run, proxy, story)).await?;
    let clients = stage.clients(story).await?;
    let occurrence = window::starting_soon(Utc::now());
    for client in &clients {
        client.load.expectation().set_end(Some(occurrence.end));
    }
    stage.apply(occurrence, story).await?;
    let mut show = Show::new(story, occurrence, clients);
    show.run(&stage).await?;
    let seen = show.stop().await;
    Ok(stage.judge(occurrence, &seen))
}

/// What the columns of the flips mean.
const LEGEND: &str = "\
written: the API server had answered the patch of the target
seen:    the first new answer came
settled: the last old answer came, if one came after the first new one

Proxies follow in their own time: kube-proxy writes its rules at most once a second, Traefik takes
up changes at most every two, Contour within half a second. Until then clients get either answer,
and never neither.";

fn finale(story: &mut Story, verdicts: &[Verdict], took: Duration) {
    story.gap();
    story.text(&summary::answers(verdicts));
    story.gap();
    story.text(&summary::flips(verdicts));
    story.gap();
    story.text(LEGEND);
    story.gap();
    let mut right = true;
    for verdict in verdicts {
        for fault in &verdict.faults {
            right = false;
            story.wrong(&format!("{}: {fault}", verdict.target));
        }
    }
    let took = took.as_secs_f64();
    if right {
        story.right(&format!(
            "Every request was answered: by its app, or by a 503 with a true Retry-After. \
             The demo took {took:.0} s."
        ));
    } else {
        story.wrong(&format!(
            "That is not as it should be. The demo took {took:.0} s."
        ));
    }
}
