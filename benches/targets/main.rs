//! How fast many targets are held, and how late few: `cargo bench --bench targets`.
//!
//! A real cluster with the operator as it is shipped, in a network namespace of its own (see
//! `tests/testbed`). What the operator did and when is what the proxy between it and the API server
//! recorded.
//!
//! | file | what it measures |
//! |---|---|
//! | `many.rs` | one window over 1,000 targets, beside the same writes by a plain client (`plain.rs`) |
//! | `writes.rs` | what one window over one target writes, by kind |
//! | `late.rs` | how late flips are written, with few and with many other windows waiting |
//!
//! `stage.rs` is what these share, and `figures.rs` what comes out: a table, and the same as JSON in
//! `target/bench/targets.json`.

mod figures;
mod late;
mod many;
mod plain;
mod stage;
mod writes;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use entracte_testbed::run_folder::RunFolder;
use entracte_testbed::target::Kind;

use crate::figures::{Figures, Machine};
use crate::late::{Often, Pace};
use crate::many::Crowd;
use crate::stage::Stage;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures how fast many targets are held, and how late few.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many targets the window has
    #[arg(long, default_value_t = 1000)]
    targets: usize,
    /// How many windows wait, where many do
    #[arg(long, default_value_t = 1000)]
    windows: usize,
    /// How often a window is moved, to see how late it is
    #[arg(long, default_value_t = 25)]
    repetitions: usize,
    /// Measure these alone
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Services,
    Ingresses,
    Writes,
    Late,
}

fn main() -> ExitCode {
    entracte_testbed::main(|launcher| {
        let arguments = Arguments::parse();
        let launcher = launcher.with_operator_at(env!("CARGO_BIN_EXE_entracte"));
        launcher.run(|run| match inside(&arguments, &run) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        })
    })
}

#[tokio::main]
async fn inside(arguments: &Arguments, run: &RunFolder) -> Result {
    let began = Instant::now();
    let mut stage = Stage::start(run).await?;
    let mut figures = Figures {
        machine: Machine::this(),
        many: Vec::new(),
        writes: Vec::new(),
        late: Vec::new(),
        seconds: 0.0,
    };
    let measured = measure(arguments, &mut stage, &mut figures).await;
    figures.seconds = began.elapsed().as_secs_f64();
    figures.print();
    measured?;
    write(&figures)
}

/// The platform needs a while to follow so many Services: nothing is measured meanwhile.
async fn measure(arguments: &Arguments, stage: &mut Stage, figures: &mut Figures) -> Result {
    let is_asked = |part| arguments.only.is_empty() || arguments.only.contains(&part);
    let crowd = async |kind, part| {
        if is_asked(part) {
            Crowd::set(stage, kind, arguments.targets).await.map(Some)
        } else {
            Ok(None)
        }
    };
    if is_asked(Part::Writes) {
        say("counting writes");
        figures.writes = writes::measure(stage).await?;
    }
    say("making what is held");
    let ingresses = crowd(Kind::Ingress, Part::Ingresses).await?;
    let services = crowd(Kind::Service, Part::Services).await?;
    stage.cluster.end_traefik().await?;
    for crowd in [&ingresses, &services].into_iter().flatten() {
        crowd.stands(stage).await?;
    }
    if let Some(crowd) = ingresses {
        say("holding Ingresses");
        figures.many.push(crowd.measure(stage).await?);
    }
    if is_asked(Part::Late) {
        late(arguments, stage, figures).await?;
    }
    // The last, because the platform is busy for a minute after it.
    if let Some(crowd) = services {
        say("holding Services");
        figures.many.push(crowd.measure(stage).await?);
    }
    Ok(())
}

async fn late(arguments: &Arguments, stage: &Stage, figures: &mut Figures) -> Result {
    say("one window, again and again");
    let often = Often::set(stage).await?;
    late::wait_elsewhere(stage, 1).await?;
    let repetitions = arguments.repetitions;
    let what = "1 more window waits";
    let few = often.measure(stage, what, Pace::FAST, repetitions);
    figures.late.push(few.await?);
    say("… beside many others");
    late::wait_elsewhere(stage, arguments.windows).await?;
    let what = format!("{} more wait in other namespaces", arguments.windows);
    let many = often.measure(stage, &what, Pace::FAST, repetitions);
    figures.late.push(many.await?);
    say("… in its own namespace");
    often.wait_here(stage, arguments.windows).await?;
    let what = format!("{} more wait in its own", arguments.windows);
    let here = often.measure(stage, &what, Pace::SLOW, repetitions.div_ceil(5));
    figures.late.push(here.await?);
    Ok(())
}

fn say(what: &str) {
    eprintln!("{}  {what}", chrono::Utc::now().format("%H:%M:%S"));
}

fn write(figures: &Figures) -> Result {
    let folder = folder()?;
    fs::create_dir_all(&folder)?;
    let text = serde_json::to_string_pretty(figures)?;
    fs::write(folder.join("targets.json"), text + "\n")?;
    Ok(())
}

/// `target/bench`, wherever that is.
fn folder() -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    Ok(target.ok_or("no target folder")?.join("bench"))
}
