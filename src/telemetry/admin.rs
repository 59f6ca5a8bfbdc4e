//! The admin server: whether the process lives, and whether it is ready.

use std::convert::Infallible;
use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

use super::Readiness;
use crate::listen::{self, accept, listen};

/// How long a connection may take to send its next request: longer than any prober's interval.
const IDLE: Duration = Duration::from_secs(60);

/// Answers about the process itself, on a port that no client of the product can reach.
///
/// | path | answer |
/// |---|---|
/// | `/healthz` | 200 as long as the process runs |
/// | `/readyz` | 200 while it is ready, with what there is to know; else 503, naming what is missing |
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    readiness: Readiness,
}

impl AdminServer {
    /// Listens on `port` of `ip`; see [`listen()`]. Nobody is answered before [`AdminServer::serve`].
    pub fn bind(ip: IpAddr, port: u16, readiness: Readiness) -> Result<Self, listen::Error> {
        Ok(Self {
            listener: listen(ip, port)?,
            readiness,
        })
    }

    /// Where it listens: of use where it was given port 0.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the future is dropped: to the very end of the process, also while it drains.
    pub async fn serve(self) -> Infallible {
        loop {
            let stream = accept(&self.listener).await;
            tokio::spawn(serve_connection(stream, self.readiness.clone()));
        }
    }
}

async fn serve_connection(stream: TcpStream, readiness: Readiness) {
    let service = service_fn(move |request: Request<Incoming>| {
        ready(Ok::<_, Infallible>(respond(
            request.uri().path(),
            &readiness,
        )))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        debug!(%error, "an admin connection broke");
    }
}

fn respond(path: &str, readiness: &Readiness) -> Response<Full<Bytes>> {
    let (status, text) = match path {
        "/healthz" => (StatusCode::OK, "alive\n".to_owned()),
        "/readyz" => {
            let report = readiness.report();
            let status = if report.ready {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (status, report.to_string())
        }
        _ => (
            StatusCode::NOT_FOUND,
            "there are /healthz and /readyz\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use similar_asserts::assert_eq;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    #[tokio::test]
    async fn a_process_lives_before_it_is_ready_and_says_what_it_waits_for() {
        let readiness = Readiness::default();
        let notices = readiness.missing("notices", "the first list has not arrived");
        let server = AdminServer::bind(Ipv4Addr::LOCALHOST.into(), 0, readiness).unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(server.serve());

        assert_eq!(
            get(address, "/healthz").await,
            ("HTTP/1.1 200 OK".into(), "alive\n".into())
        );
        assert_eq!(
            get(address, "/readyz").await,
            (
                "HTTP/1.1 503 Service Unavailable".into(),
                "not ready\nnotices: the first list has not arrived\n".into()
            )
        );
        notices.met("0");
        assert_eq!(
            get(address, "/readyz").await,
            ("HTTP/1.1 200 OK".into(), "ready\nnotices: 0\n".into())
        );
        assert_eq!(get(address, "/").await.0, "HTTP/1.1 404 Not Found");
    }
}
