//! Python packages in a folder: `pip` fetches them and checks their hashes.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::build::last_lines;
use crate::process::mortal;

/// Python packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// Python could not be started.
    #[error("cannot run `python3`: {0}; install the packages python3 and python3-pip")]
    Run(io::Error),
    /// `pip` refused or found nothing for this machine.
    #[error(
        "`python3 -m pip install` of {requirements} failed:\n{output}\nIs the package index of \
         pip reachable, and python3-pip installed?"
    )]
    Install {
        /// The file with the pins.
        requirements: PathBuf,
        /// The end of what `pip` wrote.
        output: String,
    },
}

/// Leaves the pinned packages in a folder.
pub(super) async fn install(pins: &Path, into: &Path) -> Result<(), PackagesError> {
    let requirements = pins.join("requirements.txt");
    let mut command = mortal("python3", "TERM");
    command
        .args(["-m", "pip", "--disable-pip-version-check", "install"])
        .args(["--quiet", "--no-input", "--no-deps"])
        .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
        .arg(&requirements)
        .arg("--target")
        .arg(into);
    let output = command.output().await.map_err(PackagesError::Run)?;
    if output.status.success() {
        return Ok(());
    }
    let output = last_lines(&output);
    Err(PackagesError::Install {
        requirements,
        output,
    })
}
