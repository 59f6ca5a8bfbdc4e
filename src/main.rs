//! Parse, run, exit code: nothing else.

use std::process::ExitCode;

use entracte::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::from_arguments().run().await
}
