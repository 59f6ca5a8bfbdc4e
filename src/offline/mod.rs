//! Commands that need nothing but files: what is wrong in them, and when their windows are on.
//!
//! ```text
//! FILE… ──read──► documents ──► trees with lines ──check──► problems
//!                                      │                       ▲
//!                                      └──────► resource ──parse──► Window ──► occurrences
//! ```
//!
//! What the API server would check with the schema is checked here against the same schema
//! ([`crd::definition`]), and what the controller would refuse is refused by the same
//! [`crate::schedule::parse()`], so that a file in which nothing is found is one that is honoured.

mod documents;
mod fields;
pub mod lint;
mod node;
mod notes;
pub mod schedule;
mod suggest;
mod table;
mod window;

use std::io::{self, Write};

use thiserror::Error;

use crate::api::crd;

/// Why a command could not say what it was asked, or said something bad.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {file}: {source}; name files that you may read, or - for standard input")]
    Read {
        /// The file as it was named.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Files are read, not searched for.
    #[error("{0} is a directory: name the files in it, as in {0}/*.yaml")]
    Directory(String),
    /// A file holds something else than text.
    #[error("{0} is not text in UTF-8: name files of YAML or JSON")]
    NotText(String),
    /// There is nothing to look at.
    #[error(
        "no MaintenanceWindow in what was read: name files that hold documents with \
         apiVersion: entracte.dev/v1alpha1 and kind: MaintenanceWindow"
    )]
    NoWindow,
    /// Something was found, and said.
    #[error("found {0}: correct what is named above")]
    Problems(String),
    /// Nothing can be in between.
    #[error("--until is not after --from: give a later --until")]
    UntilBeforeFrom,
    /// The schema is not to be had.
    #[error(transparent)]
    Schema(#[from] crd::Error),
    /// The result cannot be written as JSON.
    #[error("cannot write JSON: {0}; this is a fault of this build")]
    Json(#[from] serde_json::Error),
    /// The result cannot be written as YAML.
    #[error("cannot write YAML: {0}; this is a fault of this build")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// Nobody reads what is said.
    #[error("cannot write to standard output: {0}")]
    Print(io::Error),
}

fn print(text: &str) -> Result<(), Error> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(Error::Print)
}

/// Whether a command is content with what it found.
fn verdict(windows: usize, problems: usize) -> Result<(), Error> {
    match (windows, problems) {
        (0, 0) => Err(Error::NoWindow),
        (_, 0) => Ok(()),
        _ => Err(Error::Problems(count(problems, "problem"))),
    }
}

/// `1 window`, `2 windows`.
fn count(number: usize, thing: &str) -> String {
    if number == 1 {
        format!("1 {thing}")
    } else {
        format!("{number} {thing}s")
    }
}

/// A line as it may be shown on a terminal, which a file may have been written to deceive.
fn printable(line: &str) -> String {
    line.replace(char::is_control, "\u{fffd}")
}
