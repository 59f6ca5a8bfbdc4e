//! From `main` to the inside of a run.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use crate::{
    app::server,
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

    fn outside(&self) -> ExitCode {
        // One thread: what we spawn dies with the thread that spawned it.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let result = match runtime {
            Ok(runtime) => runtime.block_on(self.prepare_and_supervise()),
            Err(error) => Err(error.into()),
        };
        result.unwrap_or_else(|error| {
            say(&error.to_string());
            ExitCode::FAILURE
        })
    }

    async fn prepare_and_supervise(&self) -> Result<ExitCode, LaunchError> {
        run_folder::sweep();
        let plan = Plan::from_environment()?;
        let right = preflight::check(&plan).map_err(LaunchError::Missing)?;
        programs::build(&plan).await?;
        let operator = match &self.operator {
            Binary::None => None,
            Binary::Built => Some(binary::build().await?),
            Binary::At(path) => Some(path.clone()),
        };

        let folder = OwnedRunFolder::create()?;
        for (name, file) in plan.files() {
            folder.link(name, &file)?;
        }
        if let Some(operator) = operator {
            folder.link(binary::NAME, &operator)?;
        }
        let ended = self.supervise(right, folder.folder()).await;
        clean_up(folder, ended.as_ref().ok().copied()).await?;
        Ok(ExitCode::from(ended?.code))
    }

    async fn supervise(&self, right: Right, folder: &RunFolder) -> io::Result<Ended> {
        let mut command = right.isolate(env::current_exe()?.as_os_str());
        command
            .args(env::args_os().skip(1))
            .env(run_folder::VARIABLE, folder.path());
        supervisor::supervise(command, self.on_interrupt).await
    }
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
