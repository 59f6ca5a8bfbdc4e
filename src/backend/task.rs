//! A connection that the event loop does not serve, and a task does: one that speaks TLS, or asks for
//! what only hyper answers.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::activity::Activity;
use super::event_loop::Place;
use super::http2::{self, Preface};
use super::http2_task;
use super::stream::Stream;

/// How much is read at a time.
const INPUT: usize = 16 * 1024;

/// Answers HTTP/1 on `stream`, of which `before` was read, until one of the sides closes it.
///
/// It is closed when its time is over (see `activity`). A request that was read is always
/// answered first.
pub(super) async fn http(before: Bytes, stream: TcpStream, place: Place) {
    let Place {
        worker, activity, ..
    } = &place;
    if becomes_writable(&stream, activity).await {
        let stream = Stream::new(before, stream, activity.clone());
        worker.http.serve(stream, activity).await;
    }
}

/// Waits until the runtime knows that `stream` can be written to: hyper forgets an answer that is ready
/// while the one before it cannot be written. False where the client takes too long.
async fn becomes_writable(stream: &TcpStream, activity: &Activity) -> bool {
    activity.write(true);
    tokio::select! {
        biased;
        writable = stream.writable() => {
            activity.write(false);
            writable.is_ok()
        }
        () = activity.ended_at_once() => false,
    }
}

/// Answers HTTP within TLS; see [`http`].
pub(super) async fn tls(before: Bytes, stream: TcpStream, place: Place) {
    let Place {
        worker, activity, ..
    } = &place;
    let opened = tokio::select! {
        biased;
        opened = open(before, stream, &place) => opened,
        _ = activity.ended() => return,
    };
    match opened {
        Ok((input, stream)) if http2::preface(&input) == Preface::Whole => {
            http2_task::serve(input, stream, &place).await;
        }
        Ok((input, stream)) => {
            let stream = Stream::new(input.into(), stream, activity.clone());
            worker.http.serve(stream, activity).await;
        }
        Err(error) => debug!(%error, "no TLS, or nothing in it"),
    }
}

/// Shakes hands, and reads until it is known which HTTP is spoken: not all who speak HTTP/2 say so by
/// ALPN. Returns what was read.
async fn open(
    before: Bytes,
    stream: TcpStream,
    place: &Place,
) -> io::Result<(Vec<u8>, TlsStream<Stream<TcpStream>>)> {
    let stream = Stream::new(before, stream, place.activity.clone());
    let acceptor = TlsAcceptor::from(place.worker.tls.borrow().clone());
    let mut stream = acceptor.accept(stream).await?;
    let mut input = Vec::new();
    while http2::preface(&input) == Preface::Unfinished {
        input.reserve(INPUT);
        if stream.read_buf(&mut input).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((input, stream))
}
