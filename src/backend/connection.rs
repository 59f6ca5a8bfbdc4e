//! One connection, from its first bytes on.

use std::rc::Rc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::activity::Activity;
use super::plain::{self, Next};
use super::roster::Place;
use super::stream::Stream;
use super::worker::Worker;

/// Answers on `stream` until one of the sides closes it, whatever it speaks: a header of the PROXY
/// protocol or none, then TLS or none, then HTTP.
///
/// It is closed when its time is over (see [`Activity::look`]). A request that was read is always
/// answered first.
///
/// What is returned is small, for there is one for each idle connection: what few come to is boxed.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn keeps its arguments twice"
)]
pub(super) fn serve(
    mut stream: TcpStream,
    activity: Rc<Activity>,
    place: Place,
    worker: Rc<Worker>,
) -> impl Future<Output = ()> {
    async move {
        match plain::serve(&mut stream, &activity, &worker.buffers).await {
            Next::Closed => {}
            Next::Http(before) => Box::pin(http(before, stream, activity, worker)).await,
            Next::Tls(before) => Box::pin(tls(before, stream, activity, worker)).await,
        }
        drop(place);
    }
}

async fn http(before: Bytes, stream: TcpStream, activity: Rc<Activity>, worker: Rc<Worker>) {
    let stream = Stream::new(before, stream, Rc::clone(&activity));
    worker.http.serve(stream, &activity).await;
}

async fn tls(before: Bytes, stream: TcpStream, activity: Rc<Activity>, worker: Rc<Worker>) {
    let stream = Stream::new(before, stream, Rc::clone(&activity));
    let acceptor = TlsAcceptor::from(worker.tls.borrow().clone());
    let stream = tokio::select! {
        biased;
        stream = acceptor.accept(stream) => stream,
        _ = activity.ended() => return,
    };
    match stream {
        Ok(stream) => worker.http.serve(stream, &activity).await,
        Err(error) => debug!(%error, "no TLS"),
    }
}
