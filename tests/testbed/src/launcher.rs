//! From `main` to the inside of a run.

use std::{
    env, fs,
    io::{self, Write},
    path::PathBuf,
    process::{Command, ExitCode},
    sync::Arc,
    thread,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::{mpsc::unbounded_channel, oneshot};

use crate::{
    app::server,
    crew::{Crew, Member, Orders},
    namespace::Right,
    operator::binary,
    preflight,
    programs::{self, Plan},
    run_folder::{self, OwnedRunFolder, RunFolder},
    supervisor::{self, Ended, OnInterrupt},
};

/// Wraps a `main` that uses the testbed. It has to be called before anything else: the program
/// runs itself again, as the inside of a run and as the process of each app pod.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     entracte_testbed::main(|launcher| {
///         // Outside and inside: parse arguments, answer `--help` and `--list`.
///         launcher.run(|run| {
///             // Inside: start a runtime, `Cluster::start(&run)`, and so on.
///             ExitCode::SUCCESS
///         })
///     })
/// }
/// ```
pub fn main(body: impl FnOnce(Launcher) -> ExitCode) -> ExitCode {
    match server::Arguments::of_this_process() {
        Some(arguments) => server::run(arguments),
        None => body(Launcher {
            operator: Binary::None,
            on_interrupt: OnInterrupt::Kill,
        }),
    }
}

/// What a run needs, until it is started.
#[derive(Debug)]
#[must_use = "a launcher does nothing until it is run"]
pub struct Launcher {
    operator: Binary,
    on_interrupt: OnInterrupt,
}

/// Where the binary `entracte` comes from.
#[derive(Debug)]
enum Binary {
    None,
    Built,
    At(PathBuf),
}

impl Launcher {
    /// Builds the binary `entracte` too; the inside finds it among the programs of the run.
    pub fn with_operator(self) -> Self {
        Self {
            operator: Binary::Built,
            ..self
        }
    }

    /// Takes a binary `entracte` that was built already; the inside finds it among the programs
    /// of the run.
    pub fn with_operator_at(self, binary: impl Into<PathBuf>) -> Self {
        Self {
            operator: Binary::At(binary.into()),
            ..self
        }
    }

    /// Gives the inside five seconds to end by itself after a first Ctrl-C.
    pub fn wait_on_interrupt(self) -> Self {
        Self {
            on_interrupt: OnInterrupt::Wait,
            ..self
        }
    }

    /// Prepares everything, and calls `inside` in the namespaces of this run. Returns its exit
    /// code; 1 with sentences on standard error when the testbed cannot run; and 128 + n when it
    /// was ended by signal n.
    ///
    /// `inside` runs in another process, with the same arguments. It needs to stop nothing: when
    /// it returns, panics or is killed, everything goes. Its run folder is removed as well, but
    /// for the logs when it failed.
    pub fn run(self, inside: impl FnOnce(RunFolder) -> ExitCode) -> ExitCode {
        match RunFolder::of_this_process() {
            Some(folder) => inside(folder),
            None => self.outside(),
        }
    }

    /// The same with several processes inside, up to `size` at once, each in namespaces of its own:
    /// `inside` follows orders, and `outside` gives them. `outside` may run on any thread, and
    /// blocks as long as it likes; its exit code is what is returned.
    pub fn run_crew(
        self,
        size: usize,
        inside: impl FnOnce(RunFolder, Orders) -> ExitCode,
        outside: impl FnOnce(Arc<Crew>) -> ExitCode + Send + 'static,
    ) -> ExitCode {
        match RunFolder::of_this_process() {
            Some(folder) => inside(folder, Orders::of_this_process()),
            None => in_one_thread(self.prepare_and_supervise_crew(size, outside)),
        }
    }

    fn outside(&self) -> ExitCode {
        in_one_thread(self.prepare_and_supervise())
    }

    async fn prepare_and_supervise(&self) -> Result<ExitCode, LaunchError> {
        let prepared = self.prepare().await?;
        let (folder, command) = prepared.inside()?;
        Ok(ExitCode::from(self.supervise(folder, command).await?.code))
    }

    async fn prepare_and_supervise_crew(
        &self,
        size: usize,
        outside: impl FnOnce(Arc<Crew>) -> ExitCode + Send + 'static,
    ) -> Result<ExitCode, LaunchError> {
        let prepared = self.prepare().await?;
        let (requests, mut requested) = unbounded_channel();
        let (finished, finish) = oneshot::channel();
        // No task of the runtime, which would wait for it after an interrupt.
        let crew = Arc::new(Crew::new(size, requests));
        thread::spawn(move || finished.send(outside(crew)));
        let mut members = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(request) = requested.recv() => {
                    let made = prepared.member().map(|(folder, command, member)| {
                        members.push(self.supervise(folder, command));
                        member
                    });
                    // Who asked may be gone by now.
                    let _ = request.send(made);
                }
                // Of one that failed, so has its order.
                Some(ended) = members.next() => if let Ended { code, on_request: true } = ended? {
                    while members.next().await.is_some() {}
                    return Ok(ExitCode::from(code));
                },
                else => break,
            }
        }
        Ok(finish.await.unwrap_or(ExitCode::FAILURE))
    }

    /// Has everything made that a run needs.
    async fn prepare(&self) -> Result<Prepared, LaunchError> {
        run_folder::sweep();
        let plan = Plan::from_environment()?;
        let right = preflight::check(&plan).map_err(LaunchError::Missing)?;
        programs::build(&plan).await?;
        let operator = match &self.operator {
            Binary::None => None,
            Binary::Built => Some(binary::build().await?),
            Binary::At(path) => Some(path.clone()),
        };
        Ok(Prepared {
            plan,
            right,
            operator,
        })
    }

    /// Runs the inside to its end, and removes its folder.
    async fn supervise(&self, folder: OwnedRunFolder, command: Command) -> io::Result<Ended> {
        let ended = supervisor::supervise(command, self.on_interrupt).await;
        clean_up(folder, ended.as_ref().ok().copied()).await?;
        ended
    }
}

/// One thread: what we spawn dies with the thread that spawned it.
fn in_one_thread(launch: impl Future<Output = Result<ExitCode, LaunchError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(launch),
        Err(error) => Err(error.into()),
    };
    result.unwrap_or_else(|error| {
        say(&error.to_string());
        ExitCode::FAILURE
    })
}

/// What every inside of a run shares.
struct Prepared {
    plan: Plan,
    right: Right,
    operator: Option<PathBuf>,
}

impl Prepared {
    /// A folder of its own, and the command that becomes an inside.
    fn inside(&self) -> io::Result<(OwnedRunFolder, Command)> {
        let folder = OwnedRunFolder::create()?;
        for (name, file) in self.plan.files() {
            folder.link(name, &file)?;
        }
        if let Some(operator) = &self.operator {
            folder.link(binary::NAME, operator)?;
        }
        let program = this_program(folder.folder())?;
        let mut command = self.right.isolate(program.as_os_str());
        command
            .args(env::args_os().skip(1))
            .env(run_folder::VARIABLE, folder.folder().path());
        Ok((folder, command))
    }

    fn member(&self) -> io::Result<(OwnedRunFolder, Command, Member)> {
        let (folder, mut command) = self.inside()?;
        let member = Member::at(&mut command)?;
        Ok((folder, command, member))
    }
}

/// The file of this program. Where it was built anew while we waited, a copy of what runs.
fn this_program(folder: &RunFolder) -> io::Result<PathBuf> {
    let path = env::current_exe()?;
    if path.exists() {
        return Ok(path);
    }
    let copy = folder.program("itself");
    fs::copy("/proc/self/exe", &copy)?;
    Ok(copy)
}

/// The logs are what a failure is understood by. Who interrupts a run does not want them.
async fn clean_up(folder: OwnedRunFolder, ended: Option<Ended>) -> io::Result<()> {
    match ended {
        Some(Ended {
            code: 1..,
            on_request: false,
        }) => {
            let logs = folder.keep_logs().await?;
            say(&format!("The logs of this run are in {}", logs.display()));
            Ok(())
        }
        _ => folder.remove().await,
    }
}

/// A closed standard error is no reason to fail.
fn say(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// The testbed cannot run.
#[derive(Debug, thiserror::Error)]
enum LaunchError {
    #[error("The testbed cannot run here:{}", list(.0))]
    Missing(Vec<preflight::Missing>),
    #[error("The testbed cannot run: {0}")]
    Plan(#[from] programs::PlanError),
    #[error("The programs of the testbed could not be built: {0}")]
    Build(#[from] programs::BuildError),
    #[error("The operator could not be built: {0}")]
    Operator(#[from] binary::BinaryError),
    #[error("The testbed could not be started: {0}")]
    Io(#[from] io::Error),
}

fn list(missing: &[preflight::Missing]) -> String {
    missing.iter().fold(String::new(), |list, missing| {
        format!("{list}\n- {missing}")
    })
}
