//! What a process of ours lets others see of it: logs, and the admin server with its health.

mod admin;
mod readiness;

use std::io::{self, IsTerminal};

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

pub use admin::AdminServer;
pub use readiness::{Condition, Readiness, Report};

/// What the watches of kube-runtime warn of, we say in our own words.
const DEFAULT_FILTER: &str = "info,kube_runtime=error";

/// What is logged.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or levels by module such as
    /// `info,entracte=debug`
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "ENTRACTE_LOG",
        default_value = DEFAULT_FILTER
    )]
    pub log: String,
}

/// Why there can be no logs.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error("--log {filter}: {source}: write a level, or levels by module: `info,entracte=debug`")]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Somebody has set up logs in this process already.
    #[error("logs are set up already: call `telemetry::init` once: {0}")]
    Twice(#[from] TryInitError),
}

/// Sets up the logs of the whole process, once: text for a person where standard error is a
/// terminal, one line of JSON for each event elsewhere. They go to standard error, so that
/// standard output is the program's own.
pub fn init(args: &LogArgs) -> Result<(), LogError> {
    let filter = parse(&args.log)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    if io::stderr().is_terminal() {
        registry.with(layer).try_init()?;
    } else {
        registry.with(layer.json().flatten_event(true)).try_init()?;
    }
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|source| LogError::Filter {
            filter: filter.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_not_understood_says_what_to_write() {
        assert!(parse("info,entracte=debug").is_ok());
        assert!(parse(DEFAULT_FILTER).is_ok());
        let error = parse("entracte=loud").unwrap_err().to_string();
        assert!(error.starts_with("--log entracte=loud: "), "{error}");
        assert!(error.ends_with("write a level, or levels by module: `info,entracte=debug`"));
    }
}
