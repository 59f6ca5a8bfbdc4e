//! `cargo testbed -- COMMAND…`: runs a command, or a shell, beside a real cluster.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal},
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
};

use clap::Parser;
use entracte_testbed::{
    Launcher,
    cluster::{Cluster, ClusterError, GATEWAYS, Proxy, TRAEFIK},
    operator::{Operator, OperatorError, Options},
    run_folder::RunFolder,
};
use tokio::{process::Command, signal};

/// Starts a real Kubernetes cluster with the operator, runs COMMAND beside it with KUBECONFIG
/// set, and stops it.
#[derive(Debug, Parser)]
#[command(name = "cargo testbed")]
struct Arguments {
    /// Start the cluster alone
    #[arg(long)]
    without_operator: bool,

    /// Start Contour with Envoy too, for Ingresses of the class `contour`, and a Gateway for each
    /// proxy
    #[arg(long)]
    with_all_proxies: bool,

    /// What to run; without it a shell is opened
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The command was not run.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error("interrupted while the cluster was starting")]
    Interrupted,
    #[error("cannot wait for Ctrl-C: {0}")]
    Signal(io::Error),
    #[error("cannot run {program}: {source}")]
    Command { program: String, source: io::Error },
}

fn main() -> ExitCode {
    entracte_testbed::main(|launcher| {
        let arguments = Arguments::parse();
        launcher_for(launcher, &arguments).run(|run| {
            inside(&arguments, &run).unwrap_or_else(|error| {
                eprintln!("{error}");
                ExitCode::FAILURE
            })
        })
    })
}

fn launcher_for(launcher: Launcher, arguments: &Arguments) -> Launcher {
    // The terminal interrupts the command too, and it may have something to say.
    let launcher = launcher.wait_on_interrupt();
    if arguments.without_operator {
        launcher
    } else {
        launcher.with_operator()
    }
}

#[tokio::main]
async fn inside(arguments: &Arguments, run: &RunFolder) -> Result<ExitCode, Error> {
    let (cluster, _operator) = tokio::select! {
        started = start(arguments, run) => started?,
        interrupt = signal::ctrl_c() => {
            interrupt.map_err(Error::Signal)?;
            return Err(Error::Interrupted);
        }
    };
    let mut command = command(arguments, &cluster);
    command
        .env("KUBECONFIG", cluster.kubeconfig())
        .env("PATH", path_with(run));
    match command.status().await {
        Ok(status) => Ok(exit_code(status)),
        Err(source) => {
            let program = command.as_std().get_program().display().to_string();
            Err(Error::Command { program, source })
        }
    }
}

async fn start(
    arguments: &Arguments,
    run: &RunFolder,
) -> Result<(Cluster, Option<Operator>), Error> {
    let cluster = Cluster::start(run).await?;
    if arguments.with_all_proxies {
        start_proxies(&cluster).await?;
    }
    if arguments.without_operator {
        return Ok((cluster, None));
    }
    let operator = Operator::start(&cluster, Options::shipped(&cluster)).await?;
    Ok((cluster, Some(operator)))
}

/// Starts what is not there from the start, and says where each answers.
async fn start_proxies(cluster: &Cluster) -> Result<(), ClusterError> {
    for proxy in [Proxy::Traefik, Proxy::Contour] {
        let ingresses = cluster.ingress(proxy).await?;
        let routes = cluster.gateway(proxy).await?;
        eprintln!(
            "{proxy}: Ingresses of its class at http://{ingresses}, HTTPRoutes of the Gateway \
             {GATEWAYS}/{proxy} at http://{routes}"
        );
    }
    Ok(())
}

fn command(arguments: &Arguments, cluster: &Cluster) -> Command {
    match arguments.command.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        None => shell(cluster),
    }
}

fn shell(cluster: &Cluster) -> Command {
    if io::stdin().is_terminal() {
        eprintln!(
            "A shell beside a real cluster: kubectl is here and set up, and Traefik answers for\n\
             Ingresses (class traefik) at http://{TRAEFIK}. Logs are in {}.\n\
             `exit` stops everything.",
            cluster.run().logs().display(),
        );
    }
    Command::new(env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into()))
}

/// The programs of the run come first. The search path is left alone if it cannot be split.
fn path_with(run: &RunFolder) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [run.programs()].into_iter().chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}

/// The code of the command, or 128 + the number of the signal that ended it, as a shell has it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX)
        .into()
}
