//! A small web server: the app, or a page of another origin.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// It answers every request 200 with the same body.
pub(crate) struct Site {
    /// Where.
    pub(crate) address: SocketAddr,
    _accepting: AbortOnDropHandle<()>,
}

impl Site {
    /// Serves HTML.
    pub(crate) async fn of(html: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, html)));
        Self {
            address,
            _accepting: accepting,
        }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

async fn accept(listener: TcpListener, html: &'static str) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |_: Request<Incoming>| {
            let response = Response::builder().header(CONTENT_TYPE, "text/html; charset=utf-8");
            let response = response.body(Full::new(Bytes::from_static(html.as_bytes())));
            ready(Ok::<_, Infallible>(response.unwrap()))
        });
        let server = auto::Builder::new(TokioExecutor::new());
        tokio::spawn(async move {
            // A client that goes away is its own business.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
