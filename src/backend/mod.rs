//! The server that answers 503.
//!
//! It watches notices, listens on the port of each, and answers every request there with
//! [`notice::answer`](crate::notice::answer()). It needs to read the ConfigMaps of one namespace,
//! and nothing else: it faces the internet.
//!
//! | file | what is in it |
//! |---|---|
//! | this one | the process: wiring, and what may fail at its start |
//! | `args` | its arguments |
//! | `source` | ConfigMaps → the notices that are wanted |
//! | `folder` | files → the notices that are wanted, without a cluster |
//! | `listeners` | the notices that are wanted → one open port for each |
//! | `port` | one port: listeners for the workers, and the notice for their connections |
//! | `files` | how many connections the system allows |
//! | `tls` | the certificate: from files, or made at the start |
//!
//! That is done on the main thread. What follows is done by workers, each on a thread of its own,
//! which share nothing:
//!
//! | file | what is in it |
//! |---|---|
//! | `worker` | the threads |
//! | `event_loop` | what is ready has its turn: listeners, connections |
//! | `accept` | the listeners |
//! | `roster` | the connections: how many there may be, and which of them makes room for another |
//! | `desk` | what is answered at one port |
//! | `shelf` | answers of a port that are ready to be sent |
//! | `activity` | what a connection was last seen doing, and when it is to end |
//! | `connection` | one connection, from its first bytes on: read, answered, written |
//! | `opening` | what it speaks, by those |
//! | `proxy` | where a header of the PROXY protocol ends |
//! | `plain` | HTTP/1 for requests that can be answered by themselves |
//! | `request` | the head of such a request |
//! | `http2` | HTTP/2 |
//! | `task` | a connection with a task of its own: TLS, and all other HTTP/1 |
//! | `http2_task` | HTTP/2 within TLS |
//! | `http` | all other HTTP/1, by hyper |
//! | `stream` | a stream that begins with what was read before, and tells of what passes |

mod accept;
mod activity;
mod args;
mod connection;
mod desk;
mod event_loop;
mod files;
mod folder;
mod http;
mod http2;
mod http2_task;
mod listeners;
mod opening;
mod plain;
mod port;
mod proxy;
mod request;
mod roster;
mod shelf;
mod source;
mod stream;
mod task;
#[cfg(test)]
mod tests;
mod tls;
mod worker;

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;

use kube::Client;
use thiserror::Error;
use tokio::sync::watch;

pub use args::{Args, DrainArgs, LimitArgs, TlsArgs};
pub use tls::Error as TlsError;

use crate::listen;
use crate::shutdown::Shutdown;
use crate::telemetry::{AdminServer, Readiness};
use listeners::Listeners;
use source::Notices;
use tls::Tls;
use worker::Workers;

/// The most workers where nothing is said: more requests than these answer come to no pod.
const MOST_WORKERS: usize = 4;

/// Why the backend cannot run, or did not end in order.
#[derive(Debug, Error)]
pub enum Error {
    /// The system lets us handle no signals.
    #[error("cannot handle SIGTERM and SIGINT: {0}: the system or its sandbox forbids it")]
    Signals(#[source] io::Error),
    /// The admin port cannot be listened on.
    #[error("the admin server {0}")]
    Admin(#[from] listen::Error),
    /// There is no certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gives us no threads, or nothing to wait for sockets with.
    #[error("cannot start the workers: {0}: see the limits on processes and on open files")]
    Workers(#[source] io::Error),
    /// A worker's thread panicked.
    #[error("a worker has ended by a bug of ours: its message is above; the process starts anew")]
    Worker,
    /// Neither a namespace nor a folder was named.
    #[error("say where the notices are: --namespace NAME in a cluster, or --notices FOLDER")]
    Nowhere,
    /// There is no cluster to ask for notices.
    #[error("no way to the cluster: {0}: set KUBECONFIG, or run in a pod with a service account")]
    Cluster(#[source] kube::Error),
    /// A second signal came.
    #[error("stopped by a second signal while connections were being served")]
    Aborted,
}

/// Where notices come from.
enum Source {
    Folder(PathBuf),
    Cluster { client: Client, namespace: String },
}

impl Source {
    async fn new(folder: Option<PathBuf>, namespace: Option<String>) -> Result<Self, Error> {
        match (folder, namespace) {
            (Some(folder), _) => Ok(Self::Folder(folder)),
            (None, Some(namespace)) => {
                let client = Client::try_default().await.map_err(Error::Cluster)?;
                Ok(Self::Cluster { client, namespace })
            }
            (None, None) => Err(Error::Nowhere),
        }
    }

    async fn follow(self, wanted: watch::Sender<Option<Notices>>) -> Infallible {
        match self {
            Self::Folder(folder) => folder::follow(&folder, wanted).await,
            Self::Cluster { client, namespace } => source::follow(client, &namespace, wanted).await,
        }
    }
}

/// Runs the backend until a signal ends it; see [`DrainArgs`] for how.
pub async fn run(args: Args) -> Result<(), Error> {
    let shutdown = Shutdown::on_signals().map_err(Error::Signals)?;
    let readiness = Readiness::default();
    let admin = AdminServer::bind(args.bind, args.admin_port, readiness.clone())?;
    let (wanted, notices) = watch::channel(None);
    let source = Source::new(args.notices, args.namespace).await?;
    let tls = Tls::new(&args.tls)?;
    let count = args.workers.map_or_else(cores, usize::from);
    let limits = LimitArgs {
        max_connections: files::connections(args.limits.max_connections),
        ..args.limits
    };
    let workers = Workers::start(count, &limits, &tls.config()).map_err(Error::Workers)?;
    let alarm = workers.alarm();
    let listeners = Listeners::new(args.bind, workers, readiness);
    tokio::select! {
        never = admin.serve() => match never {},
        never = source.follow(wanted) => match never {},
        never = tls.follow() => match never {},
        () = alarm.cancelled() => Err(Error::Worker),
        () = shutdown.aborted() => Err(Error::Aborted),
        () = listeners.run(notices, &shutdown, &args.drain) => Ok(()),
    }
}

/// How many cores there are for this process, by its control group too; but no more than are of use:
/// each worker has answers of its own ready, which take memory.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| usize::from(cores).min(MOST_WORKERS))
}
