//! Arguments: one flattened group for each concern.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use thiserror::Error;

use crate::telemetry::{self, LogArgs};
use crate::{api, backend, controller, offline, release, schedule};

/// Scheduled maintenance mode for Kubernetes applications
#[derive(Debug, Parser)]
#[command(name = "entracte", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold and release what windows name (runs in the cluster)
    Controller(controller::Args),
    /// Answer 503 for held targets (runs in the cluster)
    Backend(backend::Args),
    /// Print the CustomResourceDefinition
    Crd,
    /// Release held targets without the operator
    Release(release::Args),
    /// Print when the windows in files are on (needs no cluster)
    Schedule(offline::schedule::Args),
    /// Print what is wrong with the windows in files (needs no cluster)
    Lint(offline::lint::Args),
    /// Print the version, and that of the time zone database
    Version,
}

/// Why a command failed.
#[derive(Debug, Error)]
enum Error {
    #[error(transparent)]
    Log(#[from] telemetry::LogError),
    #[error(transparent)]
    Controller(#[from] controller::Error),
    #[error(transparent)]
    Backend(#[from] backend::Error),
    #[error(transparent)]
    Crd(#[from] api::crd::Error),
    #[error(transparent)]
    Release(#[from] release::Error),
    #[error(transparent)]
    Offline(#[from] offline::Error),
    #[error("cannot write to standard output: {0}")]
    Print(#[from] std::io::Error),
}

impl Cli {
    /// Parses the arguments of the process; wrong ones end it with a sentence and code 2.
    pub fn from_arguments() -> Self {
        Self::parse()
    }

    /// Runs the command. The exit code is 0, or 1 with a sentence on standard error.
    pub async fn run(self) -> ExitCode {
        match self.dispatch().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("entracte: {error}");
                ExitCode::FAILURE
            }
        }
    }

    async fn dispatch(self) -> Result<(), Error> {
        telemetry::init(&self.log)?;
        match self.command {
            Command::Controller(args) => controller::run(args).await?,
            Command::Backend(args) => backend::run(args).await?,
            Command::Crd => print(&api::crd::yaml()?)?,
            Command::Release(args) => release::run(args).await?,
            Command::Schedule(args) => offline::schedule::run(&args)?,
            Command::Lint(args) => offline::lint::run(&args)?,
            Command::Version => print(&version())?,
        }
        Ok(())
    }
}

fn version() -> String {
    let (ours, zones) = (env!("CARGO_PKG_VERSION"), schedule::database());
    format!("entracte {ours}\ntime zones: {zones}\n")
}

fn print(text: &str) -> std::io::Result<()> {
    std::io::stdout().write_all(text.as_bytes())
}
