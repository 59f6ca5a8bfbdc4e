//! What an answer costs, beside other servers that give the same one: `cargo bench --bench backend`.
//!
//! Each server runs on one core and what loads it on another. The servers take turns, in every round
//! in another order, each time as a fresh process. What they answer is fetched before it is measured,
//! and has to be the operator's answer: its body, its header fields. Every answer under load is
//! looked at as well: a server that answers anything else fails the run.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | the arguments; the programs that this one is when it is started by itself |
//! | `cases` | what is measured, and how much load that is |
//! | `answer` | the request, and the answer that all servers give |
//! | `server` | the servers: started, pinned, stopped; `server/peers` is how they are told what to answer |
//! | `floor` | the least that a server can do: a socket loop that writes a constant |
//! | `client` | what loads: HTTP/1.1 in a closed loop, on new connections, at a constant rate; idle clients |
//! | `load` | runs these, and h2load for HTTP/2 |
//! | `measure` | rounds |
//! | `usage` | what a process took, by the kernel's account |
//! | `figures` | medians, ratios; a table, and `target/bench/backend.json` |

mod answer;
mod cases;
mod client;
mod figures;
mod floor;
mod load;
mod measure;
mod server;
mod usage;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cases::Case;
use crate::server::Kind;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Measures what an answer costs, beside other servers that give the same one.
///
/// nginx and Envoy come from Python wheels, Debian's nginx, HAProxy and h2load from its packages; all
/// are kept in the cache of the testbed. One that cannot be had is left out, and it is said why.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    options: Options,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// Measure these alone
    #[arg(long = "case", value_enum)]
    cases: Vec<Case>,
    /// Measure these alone
    #[arg(long = "server", value_enum)]
    servers: Vec<Kind>,
    /// How often each server is measured in each case
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each time
    #[arg(long, default_value = "2", value_parser = seconds)]
    seconds: Duration,
    /// The core that the servers run on
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core that the clients run on
    #[arg(long, default_value_t = 1)]
    client_core: usize,
}

/// What this program is when it is started by itself.
#[derive(Debug, Subcommand)]
enum Part {
    #[command(hide = true)]
    Floor(floor::Arguments),
    #[command(hide = true)]
    Client(client::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.part {
        Some(Part::Floor(floor)) => floor::serve(floor),
        Some(Part::Client(client)) => client::run(client),
        None => measured(&arguments.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn measured(options: &Options) -> Result {
    allow_many_files()?;
    let (figures, measured) = measure::all(options).await?;
    figures.print();
    measured?;
    let folder = target()?.join("bench");
    fs::create_dir_all(&folder)?;
    let text = serde_json::to_string_pretty(&figures)?;
    fs::write(folder.join("backend.json"), text + "\n")?;
    Ok(())
}

/// For this process and those that it starts: as many as the system lets us.
fn allow_many_files() -> Result {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// `target`, wherever that is.
fn target() -> Result<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    Ok(target.ok_or("no target folder")?.to_owned())
}

fn say(what: &str) {
    eprintln!("{}  {what}", chrono::Utc::now().format("%H:%M:%S"));
}

fn seconds(text: &str) -> std::result::Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let duration = duration.filter(|duration| *duration >= Duration::from_millis(100));
    duration.ok_or_else(|| "write a number of seconds, at least 0.1".to_owned())
}
