//! The temporary folder of one run: its programs, its logs, and the data of its cluster.
//!
//! ```text
//! /tmp/entracte-testbed-4711/
//!   owner     locked by the supervisor for as long as it lives
//!   bin/      links to the programs: kube-apiserver, kubectl, …, entracte; and to definitions
//!   logs/     one file for each process
//!   data/     certificates, tokens, kubeconfigs, etcd
//! ```

use std::{
    env,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// The variable by which the process inside learns of the folder.
pub(crate) const VARIABLE: &str = "ENTRACTE_TESTBED_RUN";

const PREFIX: &str = "entracte-testbed-";
const OWNER: &str = "owner";
const REMOVAL_LIMIT: Duration = Duration::from_secs(3);

/// The folder of this run, seen from inside.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// The folder of the run that this process is the inside of, or `None` outside.
    ///
    /// The variable alone would mislead a testbed that is started inside another one, as from
    /// the shell of `cargo testbed`: the inside of a run is PID 1 as well.
    pub(crate) fn of_this_process() -> Option<Self> {
        let path = env::var_os(VARIABLE)?;
        (process::id() == 1).then(|| Self { path: path.into() })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder with one log for each process. It is kept when the run fails.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The folder with the data of the cluster.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// The folder with the programs: what to put first in `PATH`.
    pub fn programs(&self) -> PathBuf {
        self.path.join("bin")
    }

    /// Where the program of this name is, if the run has it.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }
}

/// The folder of a run, seen from its supervisor.
#[derive(Debug)]
pub(crate) struct OwnedRunFolder {
    folder: RunFolder,
    _lock: File,
}

impl OwnedRunFolder {
    /// Makes a folder that only this user can read: it holds an administrator's token.
    pub(crate) fn create() -> io::Result<Self> {
        let path = create_unique(&env::temp_dir())?;
        let folder = RunFolder { path };
        for part in [folder.logs(), folder.data(), folder.programs()] {
            fs::create_dir(part)?;
        }
        let lock = claim(folder.path())?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(crate) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Makes a program available to the run under a name.
    pub(crate) fn link(&self, name: &str, program: &Path) -> io::Result<()> {
        symlink(program, self.folder.program(name))
    }

    /// Removes the folder.
    pub(crate) async fn remove(self) -> io::Result<()> {
        remove_all(self.folder.path()).await
    }

    /// Removes everything but the logs and says where they are.
    pub(crate) async fn keep_logs(self) -> io::Result<PathBuf> {
        remove_all(&self.folder.data()).await?;
        remove_all(&self.folder.programs()).await?;
        fs::remove_file(self.folder.path().join(OWNER))?;
        Ok(self.folder.logs())
    }
}

/// Removes the folders of runs whose supervisor was killed before it could.
///
/// What cannot be removed belongs to another user, whose next run will.
pub(crate) fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if ours && owner_is_dead(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn create_unique(parent: &Path) -> io::Result<PathBuf> {
    let id = process::id();
    let names = (0_u32..).map(|n| match n {
        0 => format!("{PREFIX}{id}"),
        n => format!("{PREFIX}{id}-{n}"),
    });
    for name in names {
        let path = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(|()| path),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Locks the owner's file before it gets its name, so that no sweep finds it unlocked.
fn claim(folder: &Path) -> io::Result<File> {
    let unnamed = folder.join("owner.new");
    let file = File::create_new(&unnamed)?;
    file.lock()?;
    fs::rename(unnamed, folder.join(OWNER))?;
    Ok(file)
}

/// The kernel drops the lock with its owner. A folder without the file holds kept logs, or is
/// just being made.
fn owner_is_dead(folder: &Path) -> bool {
    File::options()
        .write(true)
        .open(folder.join(OWNER))
        .is_ok_and(|file| file.try_lock().is_ok())
}

/// A process that was killed this instant may still have made a file while we looked.
async fn remove_all(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + REMOVAL_LIMIT;
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_swept_only_when_its_owner_is_gone() {
        let path = create_unique(&env::temp_dir()).unwrap();
        assert!(
            !owner_is_dead(&path),
            "a folder without an owner's file is left alone"
        );
        let lock = claim(&path).unwrap();
        assert!(!owner_is_dead(&path), "the owner lives");
        drop(lock);
        assert!(owner_is_dead(&path));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn two_folders_of_one_process_have_different_names() {
        let first = create_unique(&env::temp_dir()).unwrap();
        let second = create_unique(&env::temp_dir()).unwrap();
        assert_ne!(first, second);
        fs::remove_dir_all(first).unwrap();
        fs::remove_dir_all(second).unwrap();
    }

    #[tokio::test]
    async fn kept_logs_are_all_that_is_kept() {
        let owned = OwnedRunFolder::create().unwrap();
        let path = owned.folder().path().to_owned();
        fs::write(owned.folder().logs().join("etcd.log"), "").unwrap();
        owned.keep_logs().await.unwrap();
        let left: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["logs"]);
        fs::remove_dir_all(path).unwrap();
    }
}
