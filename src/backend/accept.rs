//! One listener of one worker: accept, and keep the desk of its connections.

use std::iter;
use std::rc::Rc;

use futures::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::activity::Activity;
use super::connection;
use super::desk::{Desk, Standing};
use super::worker::Worker;
use crate::listen::accept;

/// Accepts until the port is closed, which is when nobody holds the other end of `standing`.
///
/// Whoever connected before that is answered: what waits in the kernel is accepted first.
pub(super) async fn serve(
    listener: TcpListener,
    mut standing: watch::Receiver<Standing>,
    worker: Rc<Worker>,
) {
    let desk = Rc::new(Desk::new(standing.borrow_and_update().clone()));
    let mut accepted = None;
    loop {
        tokio::select! {
            biased;
            changed = standing.changed() => {
                if changed.is_err() {
                    break;
                }
                desk.change(standing.borrow_and_update().clone());
            }
            stream = accept(&listener), if accepted.is_none() => accepted = Some(stream),
            () = worker.roster.room(), if accepted.is_some() => {
                if let Some(stream) = accepted.take() {
                    begin(stream, &desk, &worker);
                }
            }
        }
    }
    desk.leave();
    let in_kernel = iter::from_fn(|| {
        let stream = unconstrained(listener.accept()).now_or_never()?;
        Some(stream.ok()?.0)
    });
    for stream in accepted.into_iter().chain(in_kernel) {
        begin(stream, &desk, &worker);
    }
}

fn begin(stream: TcpStream, desk: &Rc<Desk>, worker: &Rc<Worker>) {
    let activity = Activity::new(Rc::clone(desk), Instant::now());
    let place = worker.roster.enter(&activity);
    spawn_local(connection::serve(
        stream,
        activity,
        place,
        Rc::clone(worker),
    ));
}
