//! One HTTP request over one connection: enough to see who answers.

use std::{io, net::SocketAddr, time::Duration};

use http::{
    Request, Response,
    header::{ACCEPT, HOST},
};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

const LIMIT: Duration = Duration::from_secs(2);

/// There was no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// No answer over the connection, or half of one.
    #[error("no answer: {0}")]
    Answer(#[from] hyper::Error),
    /// Host or path are malformed.
    #[error("not a request: {0}")]
    Request(#[from] http::Error),
    /// It took longer than two seconds.
    #[error("no answer within {LIMIT:?}")]
    Timeout,
}

/// Sends `GET path` with a Host header to an address, and reads the whole answer.
pub async fn get(
    address: SocketAddr,
    host: &str,
    path: &str,
) -> Result<Response<Bytes>, RequestError> {
    get_as(address, host, path, "*/*").await
}

/// The same of a client that takes what `accept` says.
pub async fn get_as(
    address: SocketAddr,
    host: &str,
    path: &str,
    accept: &str,
) -> Result<Response<Bytes>, RequestError> {
    timeout(LIMIT, get_unlimited(address, host, path, accept))
        .await
        .map_err(|_| RequestError::Timeout)?
}

async fn get_unlimited(
    address: SocketAddr,
    host: &str,
    path: &str,
    accept: &str,
) -> Result<Response<Bytes>, RequestError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path)
        .header(HOST, host)
        .header(ACCEPT, accept)
        .body(Empty::<Bytes>::new())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(head, body))
}
