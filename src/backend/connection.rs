//! One connection, from its first bytes on.

use std::rc::Rc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use super::activity::Activity;
use super::plain::{self, Next};
use super::stream::Stream;
use super::worker::Worker;

/// Answers on `stream` until one of the sides closes it, whatever it speaks: a header of the PROXY
/// protocol or none, then TLS or none, then HTTP.
///
/// It is closed when its time is over (see [`Activity::look`]). A request that was read is always
/// answered first.
pub(super) async fn serve(mut stream: TcpStream, activity: &Rc<Activity>, worker: &Worker) {
    let next = plain::serve(&mut stream, activity, &worker.buffers).await;
    let whole = |before| Stream::new(before, stream, Rc::clone(activity));
    // Boxed: few connections come here, and those that do not should not have the room for it.
    match next {
        Next::Closed => {}
        Next::Http(before) => Box::pin(worker.http.serve(whole(before), activity)).await,
        Next::Tls(before) => Box::pin(tls(whole(before), activity, worker)).await,
    }
}

async fn tls(stream: Stream<TcpStream>, activity: &Rc<Activity>, worker: &Worker) {
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
