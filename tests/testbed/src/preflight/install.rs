//! Installs the small programs of the system that are missing, where this process may.

use std::{
    io::{self, Write},
    process::Command,
};

use super::{is_installed, one_line, run};

/// A program of the system and the package that has it, by the same name in Debian, Fedora and
/// Alpine.
pub(super) struct SystemProgram {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    /// Whether we install it: util-linux is essential, and replacing it is not for us.
    ours_to_install: bool,
}

pub(super) const PROGRAMS: [SystemProgram; 5] = [
    SystemProgram {
        name: "nft",
        package: "nftables",
        ours_to_install: true,
    },
    SystemProgram {
        name: "ip",
        package: "iproute2",
        ours_to_install: true,
    },
    SystemProgram {
        name: "curl",
        package: "curl",
        ours_to_install: true,
    },
    SystemProgram {
        name: "unshare",
        package: "util-linux",
        ours_to_install: false,
    },
    SystemProgram {
        name: "setpriv",
        package: "util-linux",
        ours_to_install: false,
    },
];

/// A package manager: its name, and the commands that install packages.
type PackageManager = (&'static str, &'static [&'static [&'static str]]);

const PACKAGE_MANAGERS: [PackageManager; 3] = [
    (
        "apt-get",
        &[
            &["update"],
            &["install", "--yes", "--no-install-recommends"],
        ],
    ),
    ("dnf", &[&["install", "--assumeyes"]]),
    ("apk", &[&["add"]]),
];

/// Installs what is missing and ours to install. Returns why it failed, if we tried.
pub(super) fn install_where_we_may() -> Option<String> {
    let packages: Vec<_> = PROGRAMS
        .iter()
        .filter(|program| program.ours_to_install && !is_installed(program.name))
        .map(|program| program.package)
        .collect();
    packages_where_we_may(&packages)
}

/// Installs packages. Returns why it failed, if we tried.
pub(super) fn packages_where_we_may(packages: &[&str]) -> Option<String> {
    let (manager, steps) = PACKAGE_MANAGERS
        .iter()
        .find(|(name, _)| is_installed(name))?;
    if packages.is_empty() || !rustix::process::geteuid().is_root() {
        return None;
    }
    let packages = match *manager {
        "dnf" => packages
            .iter()
            .map(|package| package.replace("iproute2", "iproute"))
            .collect(),
        _ => packages.iter().map(ToString::to_string).collect::<Vec<_>>(),
    };
    let _ = writeln!(
        io::stderr(),
        "Installing {} with {manager}",
        packages.join(" and ")
    );
    install(manager, steps, &packages).err()
}

fn install(manager: &str, steps: &[&[&str]], packages: &[String]) -> Result<(), String> {
    for (index, step) in steps.iter().enumerate() {
        let mut command = Command::new(manager);
        command.args(*step).env("DEBIAN_FRONTEND", "noninteractive");
        if index + 1 == steps.len() {
            command.args(packages);
        }
        let output = run(&mut command).map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!(
                "`{manager} {}` failed: {}",
                step.join(" "),
                one_line(&output)
            ));
        }
    }
    Ok(())
}
