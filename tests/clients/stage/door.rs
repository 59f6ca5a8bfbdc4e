//! A Service: new connections go to the backend until the end, and to the app after it, as a
//! ClusterIP's do. A connection stays with whom it once reached.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// Whom a connection reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Backend,
    App,
}

/// One connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    /// When it came.
    pub(crate) at: DateTime<Utc>,
    pub(crate) to: Whom,
}

/// The Service's address.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    visits: Arc<Mutex<Vec<Visit>>>,
    _accepting: AbortOnDropHandle<()>,
}

/// Where connections lead.
#[derive(Clone, Copy)]
pub(crate) struct Lead {
    pub(crate) backend: SocketAddr,
    pub(crate) until: DateTime<Utc>,
    pub(crate) app: SocketAddr,
}

impl Door {
    pub(crate) async fn open(lead: Lead) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let visits = Arc::default();
        let accepting = tokio::spawn(accept(listener, lead, Arc::clone(&visits)));
        Self {
            address,
            visits,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// The connections so far.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap().clone()
    }
}

impl Lead {
    fn now(self) -> (Visit, SocketAddr) {
        let at = Utc::now();
        let (to, address) = if at < self.until {
            (Whom::Backend, self.backend)
        } else {
            (Whom::App, self.app)
        };
        (Visit { at, to }, address)
    }
}

async fn accept(listener: TcpListener, lead: Lead, visits: Arc<Mutex<Vec<Visit>>>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let (visit, address) = lead.now();
        visits.lock().unwrap().push(visit);
        tokio::spawn(async move {
            let mut server = TcpStream::connect(address).await.unwrap();
            // Either side may reset the connection.
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
