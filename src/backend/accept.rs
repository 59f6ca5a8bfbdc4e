//! The listeners of a worker: accept, and keep the desk of their connections.

use std::io::{self, ErrorKind};
use std::net;
use std::rc::Rc;

use mio::Interest;
use mio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::activity::Activity;
use super::connection::Connection;
use super::desk::{Desk, Standing};
use super::event_loop::Source;
use super::worker::Worker;
use crate::listen::concerns_one_connection;

/// How many connections are accepted before others have their turn.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    desk: Rc<Desk>,
    /// Somebody waits in the kernel, for room or for the system to have some: there is no event for him.
    somebody_waits: bool,
}

/// What accepting one connection came to.
enum Accepted {
    Connection(TcpStream),
    /// Nobody is there.
    Nobody,
    /// The system has no file or no memory for another one.
    NoMore,
}

impl Listener {
    fn accept(&self) -> Accepted {
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => return Accepted::Connection(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Accepted::Nobody,
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    warn!(%error, "cannot accept connections; trying again");
                    return Accepted::NoMore;
                }
            }
        }
    }
}

/// Serves a listener until the port is closed, which is when nobody holds the other end of `standing`.
///
/// Whoever connected before that is answered: what waits in the kernel is accepted first.
pub(super) async fn serve(
    socket: net::TcpListener,
    mut standing: watch::Receiver<Standing>,
    worker: Rc<Worker>,
) -> io::Result<()> {
    let desk = Rc::new(Desk::new(standing.borrow_and_update().clone()));
    let key = worker.listen(socket, &desk)?;
    while standing.changed().await.is_ok() {
        desk.change(standing.borrow_and_update().clone());
    }
    desk.leave();
    worker.close(key);
    Ok(())
}

impl Worker {
    fn listen(&self, socket: net::TcpListener, desk: &Rc<Desk>) -> io::Result<usize> {
        let mut listener = Listener {
            socket: TcpListener::from_std(socket),
            desk: Rc::clone(desk),
            somebody_waits: false,
        };
        let mut listeners = self.listeners.borrow_mut();
        let entry = listeners.vacant_entry();
        let (key, token) = (entry.key(), Source::Listener(entry.key()).token());
        self.registry
            .register(&mut listener.socket, token, Interest::READABLE)?;
        entry.insert(listener);
        Ok(key)
    }

    /// Accepts who is there, while there is room.
    ///
    /// Where there is none, one that was idle for long ends: so whoever connects and asks nothing takes
    /// nobody's place. While none was, who comes waits, and those behind him in the kernel.
    pub(super) fn accept(self: &Rc<Self>, key: usize) {
        let now = Instant::now();
        for _ in 0..AT_ONCE {
            let is_full = self.roster.borrow().is_full();
            let has_room = !is_full || self.make_room(now);
            let mut listeners = self.listeners.borrow_mut();
            let Some(listener) = listeners.get_mut(key) else {
                return;
            };
            listener.somebody_waits = !has_room;
            if !has_room {
                return;
            }
            match listener.accept() {
                Accepted::Connection(stream) => self.enter(stream, &listener.desk, now),
                Accepted::Nobody => return,
                Accepted::NoMore => {
                    listener.somebody_waits = true;
                    return;
                }
            }
        }
        self.again.borrow_mut().push(Source::Listener(key));
    }

    /// Accepts those who may wait.
    pub(super) fn accept_waiting(self: &Rc<Self>) {
        let waiting: Vec<_> = {
            let listeners = self.listeners.borrow();
            let waiting = listeners
                .iter()
                .filter(|(_, listener)| listener.somebody_waits);
            waiting.map(|(key, _)| key).collect()
        };
        for key in waiting {
            self.accept(key);
        }
    }

    /// Closes a listener. Who is there has connected in time, and is served though there be no room.
    fn close(&self, key: usize) {
        let Some(listener) = self.listeners.borrow_mut().try_remove(key) else {
            return;
        };
        while let Accepted::Connection(stream) = listener.accept() {
            self.enter(stream, &listener.desk, Instant::now());
        }
    }

    fn enter(&self, mut stream: TcpStream, desk: &Rc<Desk>, now: Instant) {
        let interest = Interest::READABLE | Interest::WRITABLE;
        let mut roster = self.roster.borrow_mut();
        let token = Source::Connection(roster.next_key()).token();
        // Where it fails the system has no memory for it, and the client sees it closed.
        if self.registry.register(&mut stream, token, interest).is_ok() {
            let activity = Activity::new(Rc::clone(desk), now);
            roster.enter(Connection::new(stream, activity));
        }
    }
}
