//! A process with a log: it becomes ready, or its failure names the log and shows its end.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, geteuid, getrlimit, kill_process, setrlimit};
use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

use crate::namespace::search_path;

const LINES_OF_LOG: usize = 10;
const POLL: Duration = Duration::from_millis(20);

/// A running process. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

/// A process did not do what it is there for. The message ends with the end of its log.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {name} ({program}): {source}")]
    Start {
        /// What it is called.
        name: String,
        /// What was run.
        program: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("{name} ended ({status}) before it was ready; its log {log} ends with\n{tail}")]
    Ended {
        /// What it is called.
        name: String,
        /// Its exit code or signal.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// It runs but is not ready in time.
    #[error("{name} was not ready within {limit:?}; its log {log} ends with\n{tail}")]
    NotReady {
        /// What it is called.
        name: String,
        /// How long we waited.
        limit: Duration,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// It could not be waited for, or not be sent a signal.
    #[error("cannot end, pause or resume {name}: {source}")]
    End {
        /// What it is called.
        name: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// A program that is sent a signal such as `TERM` when we die, also when we are killed: strictly,
/// when the thread goes that spawned it (`PR_SET_PDEATHSIG`). It is looked for where system
/// programs are, too.
pub fn mortal(program: impl AsRef<OsStr>, signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", signal])
        .arg(program)
        .env("PATH", search_path())
        .stdin(Stdio::null());
    command
}

/// Lets this process, and what it starts from now on, have so many files and sockets open, as far
/// as the user may.
pub fn raise_open_files(count: u64) -> io::Result<()> {
    let has = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.map(|limit| limit.max(count));
    let wanted = Rlimit {
        current: enough(has.current),
        maximum: enough(has.maximum),
    };
    Ok(setrlimit(Resource::Nofile, wanted)?)
}

/// Whether this user may do everything.
pub fn is_root() -> bool {
    geteuid().is_root()
}

impl Process {
    /// Starts `command` with its output appended to `logs/name.log`.
    ///
    /// It is in a process group of its own: a Ctrl-C in the terminal is for the program that the
    /// user started, and the cluster has to outlive that program's last words.
    pub fn start(name: &str, command: Command, logs: &Path) -> Result<Self, ProcessError> {
        Self::spawn(name, command, logs, |command, log| {
            command.stdin(Stdio::null()).stdout(log);
        })
    }

    /// Starts `command` with only its standard error in the log; input and output are returned,
    /// to talk with it.
    pub fn start_dialogue(
        name: &str,
        command: Command,
        logs: &Path,
    ) -> Result<(Self, ChildStdin, ChildStdout), ProcessError> {
        let mut process = Self::spawn(name, command, logs, |command, _| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
        })?;
        match (process.child.stdin.take(), process.child.stdout.take()) {
            (Some(input), Some(output)) => Ok((process, input, output)),
            _ => Err(process.end_error(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn spawn(
        name: &str,
        mut command: Command,
        logs: &Path,
        redirect: impl FnOnce(&mut Command, File),
    ) -> Result<Self, ProcessError> {
        let log = logs.join(format!("{name}.log"));
        let spawn = |command: &mut Command| {
            let output = File::options().create(true).append(true).open(&log)?;
            redirect(command, output.try_clone()?);
            command
                .stderr(output)
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
        };
        match spawn(&mut command) {
            Ok(child) => Ok(Self {
                name: name.to_owned(),
                log,
                child,
            }),
            Err(source) => {
                let program = command.as_std().get_program().display().to_string();
                Err(ProcessError::Start {
                    name: name.to_owned(),
                    program,
                    source,
                })
            }
        }
    }

    /// What the process is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id, until it was seen to have ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until `probe` answers true; fails when the process ends, or at the time limit.
    pub async fn ready(
        &mut self,
        limit: Duration,
        mut probe: impl AsyncFnMut() -> bool,
    ) -> Result<(), ProcessError> {
        let deadline = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                let (name, log, tail) = self.for_error();
                return Err(ProcessError::Ended {
                    name,
                    status,
                    log,
                    tail,
                });
            }
            // A probe that hangs must not outlast the limit.
            if let Ok(true) = timeout(limit, probe()).await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let (name, log, tail) = self.for_error();
                return Err(ProcessError::NotReady {
                    name,
                    limit,
                    log,
                    tail,
                });
            }
            sleep(POLL).await;
        }
    }

    /// Whether the process has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub async fn kill(mut self) -> Result<(), ProcessError> {
        let result = self.child.kill().await;
        result.map_err(|source| self.end_error(source))
    }

    /// Stops the process in the middle of whatever it does (SIGSTOP), until it is resumed. A
    /// stopped process can be killed.
    pub fn pause(&self) -> Result<(), ProcessError> {
        self.signal(Signal::STOP)
    }

    /// Lets a process that was paused go on.
    pub fn resume(&self) -> Result<(), ProcessError> {
        self.signal(Signal::CONT)
    }

    /// Sends SIGTERM and waits until the process is gone; one that takes longer than `patience`
    /// is killed.
    pub async fn terminate(mut self, patience: Duration) -> Result<(), ProcessError> {
        self.signal(Signal::TERM)?;
        match timeout(patience, self.child.wait()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(self.end_error(source)),
            Err(_) => self.kill().await,
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let id = self.child.id().map(u32::cast_signed);
        match id.and_then(Pid::from_raw) {
            Some(pid) => kill_process(pid, signal).map_err(|errno| self.end_error(errno.into())),
            None => Ok(()),
        }
    }

    fn for_error(&self) -> (String, PathBuf, String) {
        (self.name.clone(), self.log.clone(), last_lines(&self.log))
    }

    fn end_error(&self, source: io::Error) -> ProcessError {
        ProcessError::End {
            name: self.name.clone(),
            source,
        }
    }
}

fn last_lines(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_OF_LOG)..].join("\n")
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_process_that_ends_says_how_and_shows_its_log() {
        let logs = env::temp_dir();
        let name = format!("entracte-process-test-{}", std::process::id());
        let mut process = Process::start(&name, shell("echo no disk; exit 3"), &logs).unwrap();
        let error = process
            .ready(Duration::from_secs(5), async || false)
            .await
            .unwrap_err();
        fs::remove_file(process.log()).unwrap();
        let message = error.to_string();
        assert!(
            message.contains("exit status: 3") && message.ends_with("no disk"),
            "{message}"
        );
    }
}
