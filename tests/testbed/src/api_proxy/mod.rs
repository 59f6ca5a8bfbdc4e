//! A proxy between the operator and the API server, which counts, keeps and breaks requests.
//!
//! It passes everything on as it comes, frame by frame, so watches work; the bodies of writes
//! alone are read as a whole first, to be shown when a test fails. It listens without TLS and
//! passes the client's bearer token on, so what the API server sees is the client's own identity.
//! (client-go sends no token without TLS: kubectl goes to the API server itself.) Upgraded
//! connections, as `exec` and `port-forward` use them, do not pass.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use entracte_testbed::api_proxy::{ApiProxy, Fault, Side};
//!
//! let upstream = "https://10.0.0.1:6443".parse()?;
//! let proxy = ApiProxy::start(([10, 0, 0, 1], 0).into(), &upstream, "ca.crt".as_ref()).await?;
//! // … start the operator with proxy.url() as its API server, and let it settle …
//! let settled = proxy.mark();
//! // … wait …
//! assert_eq!(proxy.writes_since(settled), []);
//!
//! proxy.arm(Fault::cut(2, Side::After));
//! // … apply a window; the answer to the second write from now is lost …
//! # Ok(())
//! # }
//! ```

mod fault;
mod forward;
mod lists;
mod path;
mod record;
#[cfg(test)]
mod tests;
mod watches;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use self::fault::Faults;
pub use self::fault::{Fault, Harm, Side};
use self::forward::{Client, Forwarder};
pub use self::lists::Lists;
use self::lists::Memory;
pub use self::path::{RequestInfo, Verb};
use self::record::Record;
pub use self::record::{Counts, Mark, Outcome, Recorded, count};
pub use self::watches::Delay;
use self::watches::Watches;

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The upstream is not a URL of a server.
    #[error("{0} names no API server; write https://ADDRESS:PORT")]
    Upstream(Uri),
    /// The file with the API server's CA cannot be read.
    #[error("cannot read certificates from {}: {source}; is it the API server's CA, in PEM?", .path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The TLS library refuses its settings or a certificate.
    #[error("cannot trust the API server's CA: {0}")]
    Tls(#[from] rustls::Error),
    /// The address to listen on is taken or not on this machine.
    #[error("cannot listen on {address}: {source}; is it an address of this network namespace?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A proxy that is running. Dropping it stops it.
///
/// The record grows with every request for as long as the proxy runs.
#[derive(Debug)]
pub struct ApiProxy {
    address: SocketAddr,
    record: Arc<Record>,
    faults: Arc<Faults>,
    watches: Arc<Watches>,
    memory: Arc<Memory>,
    stop: oneshot::Sender<()>,
    accepting: JoinHandle<()>,
}

impl ApiProxy {
    /// Listens on an address, port 0 for any, and passes requests on to the API server at
    /// `upstream`, whose certificate must be signed by one in the PEM file `ca`.
    pub async fn start(listen: SocketAddr, upstream: &Uri, ca: &Path) -> Result<Self, StartError> {
        let authority = upstream
            .authority()
            .ok_or_else(|| StartError::Upstream(upstream.clone()))?;
        let client = client(ca)?;
        let cannot_listen = |source| StartError::Listen {
            address: listen,
            source,
        };
        let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        Ok(Self::serve(listener, address, authority.clone(), client))
    }

    fn serve(
        listener: TcpListener,
        address: SocketAddr,
        upstream: Authority,
        client: Client,
    ) -> Self {
        let record = Arc::new(Record::default());
        let faults = Arc::new(Faults::default());
        let watches = Arc::new(Watches::default());
        let memory = Arc::new(Memory::default());
        let (stop, stopped) = oneshot::channel();
        let forwarder = Forwarder {
            client,
            upstream,
            record: record.clone(),
            faults: faults.clone(),
            watches: watches.clone(),
            memory: memory.clone(),
        };
        Self {
            address,
            record,
            faults,
            watches,
            memory,
            stop,
            accepting: tokio::spawn(accept(listener, Arc::new(forwarder), stopped)),
        }
    }

    /// What a client takes for the API server's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.record.all()
    }

    /// How many requests there were so far of each verb and resource.
    pub fn counts(&self) -> Counts {
        self.record.counts()
    }

    /// A place to look from later.
    pub fn mark(&self) -> Mark {
        self.record.mark()
    }

    /// The requests that came after a mark.
    pub fn since(&self, mark: Mark) -> Vec<Recorded> {
        self.record.since(mark)
    }

    /// The writes that came after a mark, whatever came of them.
    pub fn writes_since(&self, mark: Mark) -> Vec<Recorded> {
        let mut requests = self.since(mark);
        requests.retain(Recorded::is_write);
        requests
    }

    /// Harms one write from now.
    pub fn arm(&self, fault: Fault) {
        self.faults.arm(fault);
    }

    /// The faults that have not struck yet.
    pub fn faults_left(&self) -> Vec<Fault> {
        self.faults.armed()
    }

    /// Forgets the faults that have not struck yet, and ends those that strike for good.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Holds the events of watches back, also of those that are open, until they are let go.
    pub fn delay_watches(&self, delay: Delay) {
        self.watches.delay(delay);
    }

    /// Passes on at once what was held back, and what comes.
    pub fn let_watches_go(&self) {
        self.watches.let_go();
    }

    /// Closes every connection without an answer, and ends every watch, until
    /// [`ApiProxy::come_back`].
    pub fn go_away(&self) {
        self.watches.set_away(true);
    }

    /// Ends what [`ApiProxy::go_away`] began.
    pub fn come_back(&self) {
        self.watches.set_away(false);
    }

    /// The last lists, to be given once more later.
    pub fn lists(&self) -> Lists {
        self.memory.last()
    }

    /// Answers each of these lists once more with what it was answered with then: who asks gets an
    /// older state than it might have seen before, as from an API server whose cache lags behind.
    pub fn replay(&self, lists: Lists) {
        self.memory.replay(lists);
    }

    /// How many lists are still to be answered from before.
    pub fn lists_to_replay(&self) -> usize {
        self.memory.to_replay()
    }

    /// Closes all connections and stops listening. Afterwards nothing is passed on.
    pub async fn stop(self) {
        // It is gone only if it has stopped already.
        let _ = self.stop.send(());
        let _ = self.accepting.await;
    }
}

fn client(ca: &Path) -> Result<Client, StartError> {
    let cannot_read = |source| StartError::Ca {
        path: ca.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(cannot_read)? {
        roots.add(certificate.map_err(cannot_read)?)?;
    }
    if roots.is_empty() {
        return Err(cannot_read(pem::Error::NoItemsFound));
    }
    let tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // Not HTTP/2: what a client gives up must end one connection, and not be queued behind others.
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector))
}

/// Accepts until it is told to stop or its owner is gone.
async fn accept(
    listener: TcpListener,
    forwarder: Arc<Forwarder>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, forwarder.clone()));
                }
                // No file descriptors, say: the next connection may fare better.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn serve_connection(stream: TcpStream, forwarder: Arc<Forwarder>) {
    // Watch events are small frames, which must not wait for one another.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let forwarder = forwarder.clone();
        async move { forwarder.forward(request).await }
    });
    // Why a connection ended stands in the record of its request.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
