//! How the namespaces are made that everything runs in.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::Command,
};

/// Where the system keeps `ip` and `nft`. Debian leaves these folders out of an ordinary user's
/// `PATH`, and kube-proxy looks for `nft` there.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// By which right the namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// The process has `CAP_SYS_ADMIN`.
    Administrator,
    /// The process becomes root in a user namespace of its own, as any user may where the system
    /// does not withhold it (`user_namespaces(7)`).
    UserNamespace,
}

impl Right {
    /// Every right, the one that asks least of the system first.
    pub const ALL: [Self; 2] = [Self::Administrator, Self::UserNamespace];

    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Administrator => &[],
            Self::UserNamespace => &["--user", "--map-root-user"],
        }
    }

    /// A command that runs `program` as PID 1 of a new PID namespace, in a new network namespace.
    ///
    /// Everything in there is killed when `program` ends, when the returned process is killed,
    /// and when the *thread* that spawned it ends (`PR_SET_PDEATHSIG`, `prctl(2)`): spawn it from
    /// the main thread.
    pub fn isolate(self, program: &OsStr) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(self.flags())
            .args(["--net", "--pid", "--fork", "--kill-child=KILL", "--"])
            .arg(program)
            .env("PATH", search_path());
        command
    }
}

/// The user's `PATH`, and after it the folders of system programs.
pub fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.map(Into::into))
        .collect::<Vec<_>>();
    env::join_paths(folders).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &Command) -> Vec<&str> {
        command.get_args().filter_map(OsStr::to_str).collect()
    }

    #[test]
    fn an_administrator_makes_no_user_namespace() {
        let command = Right::Administrator.isolate(OsStr::new("/bin/true"));
        let expected = "--pdeathsig KILL unshare --net --pid --fork --kill-child=KILL -- /bin/true";
        assert_eq!(arguments(&command).join(" "), expected);
    }

    #[test]
    fn an_ordinary_user_becomes_root_in_a_user_namespace() {
        let command = Right::UserNamespace.isolate(OsStr::new("/bin/true"));
        assert!(
            arguments(&command)
                .join(" ")
                .contains("unshare --user --map-root-user --net")
        );
    }

    #[test]
    fn the_search_path_ends_with_the_folders_of_system_programs() {
        let path = search_path();
        let folders: Vec<_> = env::split_paths(&path).collect();
        assert!(folders.ends_with(&SYSTEM_FOLDERS.map(Into::into)));
    }
}
