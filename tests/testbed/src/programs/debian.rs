//! Programs of Debian's packages, in the version that apt has at the moment: fetched and taken apart
//! without installing anything.
//!
//! Libraries that the machine may lack are packages in the same list. A program is a script of two
//! lines that names them to the linker and becomes the program itself.

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

/// Where a package has its programs.
const FOLDERS: [&str; 2] = ["usr/sbin", "usr/bin"];

/// Packages could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// Not a Debian.
    #[error("cannot run `{program}`: {source}; these packages can be had on Debian and its kin")]
    Run {
        /// What was run.
        program: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// apt or dpkg refused.
    #[error("`{program}` failed:\n{output}\nDoes `apt-get update` help?")]
    Failed {
        /// What was run.
        program: &'static str,
        /// The end of what it wrote.
        output: String,
    },
    /// The packages do not have it.
    #[error("the packages {packages} have no program {program}")]
    NoProgram {
        /// What was looked for.
        program: String,
        /// Where.
        packages: PathBuf,
    },
    /// A library is missing.
    #[error(
        "{program} needs libraries that are not here:\n{missing}\nInstall their packages, or add \
         these to {packages}"
    )]
    NoLibrary {
        /// What would not start.
        program: String,
        /// What `ldd` says.
        missing: String,
        /// The list that lacks them.
        packages: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot unpack {path}: {source}")]
    Unpack {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Leaves the programs in a folder, and what they need beside them.
pub(super) async fn unpack(pins: &Path, programs: &[&str], into: &Path) -> Result<(), DebianError> {
    let list = pins.join("packages.txt");
    let packages = fs::read_to_string(&list).map_err(|error| failed(&list, error))?;
    let fetched = into.join("packages");
    fs::create_dir(&fetched).map_err(|error| failed(&fetched, error))?;
    let mut apt = mortal("apt-get", "TERM");
    apt.args(["download", "--quiet"])
        .args(packages.split_whitespace())
        .current_dir(&fetched);
    run("apt-get", apt).await?;
    for package in files(&fetched).map_err(|error| failed(&fetched, error))? {
        let mut dpkg = mortal("dpkg", "TERM");
        dpkg.arg("--extract").arg(package).arg(into.join("root"));
        run("dpkg", dpkg).await?;
    }
    fs::remove_dir_all(&fetched).map_err(|error| failed(&fetched, error))?;
    for program in programs {
        launcher(program, into, &list).await?;
    }
    Ok(())
}

/// The script through which a program is run, wherever the folder is moved.
async fn launcher(program: &str, into: &Path, packages: &Path) -> Result<(), DebianError> {
    let mut places = FOLDERS
        .iter()
        .map(|folder| format!("root/{folder}/{program}"));
    let place = places.find(|place| into.join(place).is_file());
    let place = place.ok_or_else(|| DebianError::NoProgram {
        program: program.to_owned(),
        packages: packages.to_owned(),
    })?;
    let libraries = libraries(into)?;
    let missing = missing(&into.join(&place), &into.join(&libraries)).await?;
    if !missing.is_empty() {
        return Err(DebianError::NoLibrary {
            program: program.to_owned(),
            missing,
            packages: packages.to_owned(),
        });
    }
    let path = into.join(program);
    let script = format!(
        "#!/bin/sh\n\
         here=$(dirname \"$(readlink -f \"$0\")\")\n\
         LD_LIBRARY_PATH=$here/{libraries} exec \"$here/{place}\" \"$@\"\n"
    );
    fs::write(&path, script)
        .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o755)))
        .map_err(|error| failed(&path, error))
}

/// The folder of the libraries that were fetched, which is named after the processor.
fn libraries(into: &Path) -> Result<String, DebianError> {
    let folder = into.join("root/usr/lib");
    let found = match files(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        found => found.map_err(|error| failed(&folder, error))?,
    };
    let names = found.iter().filter_map(|path| path.file_name()?.to_str());
    let mut names = names.filter(|name| name.ends_with("-linux-gnu"));
    let name = names.next().unwrap_or_default();
    Ok(format!("root/usr/lib/{name}"))
}

/// What the linker does not find.
async fn missing(program: &Path, libraries: &Path) -> Result<String, DebianError> {
    let mut ldd = mortal("ldd", "TERM");
    ldd.arg(program).env("LD_LIBRARY_PATH", libraries);
    let output = run("ldd", ldd).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let missing: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| line.ends_with("not found"))
        .collect();
    Ok(missing.join("\n"))
}

async fn run(program: &'static str, mut command: Command) -> Result<Output, DebianError> {
    let output = command.output().await;
    let output = output.map_err(|source| DebianError::Run { program, source })?;
    if output.status.success() {
        return Ok(output);
    }
    let output = last_lines(&output);
    Err(DebianError::Failed { program, output })
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}

fn failed(path: &Path, source: io::Error) -> DebianError {
    DebianError::Unpack {
        path: path.to_owned(),
        source,
    }
}
