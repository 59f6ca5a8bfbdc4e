//! One connection, from its first bytes on.

use std::io;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::activity::Activity;
use super::proxy::{self, Header};
use super::stream::Stream;
use super::worker::Worker;

/// The first byte of a TLS connection: a record with a handshake in it (RFC 8446 §5.1). No request
/// begins with it.
const TLS: u8 = 0x16;

/// What is read at a time until it is known what a connection speaks.
const FIRST_READ: usize = 1024;

/// Why a connection is closed before there was a request.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("a header of the PROXY protocol is malformed")]
    Proxy,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Answers on `stream` until one of the sides closes it, whatever it speaks: a header of the PROXY
/// protocol or none, then TLS or none, then HTTP.
///
/// It is closed when its time is over (see [`Activity::look`]). A request that was read is always
/// answered first.
pub(super) async fn serve(mut stream: TcpStream, activity: &Rc<Activity>, worker: &Worker) {
    let first = tokio::select! {
        biased;
        first = first_bytes(&mut stream, activity) => first,
        _ = activity.ended() => return,
    };
    let first = match first {
        Ok(first) => first,
        Err(error) => return debug!(%error, "a connection broke before its first request"),
    };
    let speaks_tls = first.first() == Some(&TLS);
    let stream = Stream::new(first, stream, Rc::clone(activity));
    if !speaks_tls {
        return worker.http.serve(stream, activity).await;
    }
    let acceptor = TlsAcceptor::from(worker.tls.borrow().clone());
    let stream = tokio::select! {
        biased;
        stream = acceptor.accept(stream) => stream,
        _ = activity.ended() => return,
    };
    match stream {
        Ok(stream) => worker.http.serve(stream, activity).await,
        Err(error) => debug!(%error, "no TLS"),
    }
}

/// The first bytes behind the header of the PROXY protocol, where there is one: at least one byte,
/// or none where the client has closed.
async fn first_bytes(stream: &mut TcpStream, activity: &Activity) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    let mut header = None;
    loop {
        match header {
            None => match proxy::header(&bytes) {
                Header::Absent => return Ok(bytes.freeze()),
                Header::Malformed => return Err(Error::Proxy),
                Header::Whole(end) => {
                    bytes.advance(end);
                    header = Some(end);
                    continue;
                }
                Header::Unfinished => {}
            },
            Some(_) if !bytes.is_empty() => return Ok(bytes.freeze()),
            Some(_) => {}
        }
        // Nothing is reserved while there is nothing to read.
        stream.readable().await?;
        bytes.reserve(FIRST_READ);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(bytes.freeze());
        }
        activity.hear();
    }
}
