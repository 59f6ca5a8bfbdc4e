//! A small web server: the app, or a page of another origin.

use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
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
    asked: Asked,
    _accepting: AbortOnDropHandle<()>,
}

/// The methods and targets of its requests.
type Asked = Arc<Mutex<Vec<(Method, String)>>>;

impl Site {
    /// Serves HTML.
    pub(crate) async fn of(html: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let accepting = tokio::spawn(accept(listener, html, Arc::clone(&asked)));
        Self {
            address,
            asked,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }

    /// How it was asked for `target` so far.
    pub(crate) fn methods(&self, target: &str) -> Vec<Method> {
        let asked = self.asked.lock().unwrap();
        let of_target = asked.iter().filter(|(_, asked)| asked == target);
        of_target.map(|(method, _)| method.clone()).collect()
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

async fn accept(listener: TcpListener, html: &'static str, asked: Asked) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let asked = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Incoming>| {
            let ask = (request.method().clone(), request.uri().to_string());
            asked.lock().unwrap().push(ask);
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
