//! The least that a server can do: one thread, `epoll` (through mio, as tokio does it), and for each
//! request head that it sees a constant string. It knows no HTTP but the empty line that ends a head.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::Result;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    /// The file with what it writes
    #[arg(long)]
    answer: PathBuf,
    /// Close the connection after an answer
    #[arg(long)]
    close: bool,
}

const LISTENER: Token = Token(usize::MAX);

/// How many answers are written at once at most.
const AT_ONCE: usize = 64;

/// What ends a head, and how much of it may still be to come.
const END: &[u8; 4] = b"\r\n\r\n";
const REST: usize = END.len() - 1;

struct Connection {
    stream: TcpStream,
    /// What a read ended with when it did not end with a head.
    rest: ([u8; REST], usize),
    /// How many bytes of answers are still to be written.
    owed: usize,
    asked: bool,
}

/// Never returns but with an error.
pub(crate) fn serve(arguments: &Arguments) -> Result {
    let answer = fs::read(&arguments.answer)?;
    let answers = answer.repeat(AT_ONCE);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut listener = TcpListener::bind(arguments.listen)?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections, &mut free)?;
                continue;
            }
            let Token(place) = event.token();
            let Some(connection) = connections.get_mut(place).and_then(Option::as_mut) else {
                continue;
            };
            let stays = connection.advance(&mut buffer, &answers, answer.len());
            if !stays || (arguments.close && connection.asked && connection.owed == 0) {
                connections[place] = None;
                free.push(place);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> Result {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        stream.set_nodelay(true)?;
        let place = free.pop().unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(place), interest)?;
        connections[place] = Some(Connection {
            stream,
            rest: ([0; REST], 0),
            owed: 0,
            asked: false,
        });
    }
}

impl Connection {
    /// Reads and writes what there is, and says whether the connection stays. A read that does not
    /// fill the buffer was the last: a new event tells of more (`epoll(7)`).
    fn advance(&mut self, buffer: &mut [u8], answers: &[u8], length: usize) -> bool {
        loop {
            if !self.pay(answers) {
                return false;
            }
            if self.owed > 0 {
                return true;
            }
            let (rest, held) = self.rest;
            buffer[..held].copy_from_slice(&rest[..held]);
            let read = match self.stream.read(&mut buffer[held..]) {
                Ok(0) => return false,
                Ok(read) => read,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            };
            let end = held + read;
            self.owed = self.heads(&buffer[..end]) * length;
            self.asked |= self.owed > 0;
            if !self.pay(answers) {
                return false;
            }
            if end < buffer.len() {
                return true;
            }
        }
    }

    /// How many heads end here; what may be the start of an end is kept.
    fn heads(&mut self, bytes: &[u8]) -> usize {
        self.rest.1 = 0;
        if !bytes.ends_with(END) {
            let held = bytes.len().min(REST);
            self.rest.0[..held].copy_from_slice(&bytes[bytes.len() - held..]);
            self.rest.1 = held;
        }
        bytes.windows(END.len()).filter(|end| end == END).count()
    }

    /// Writes what is owed, as much as the socket takes. Where it is in an answer is found from the
    /// end, because what is owed ends with one.
    fn pay(&mut self, answers: &[u8]) -> bool {
        while self.owed > 0 {
            let due = match self.owed % answers.len() {
                0 => answers.len(),
                part => part,
            };
            match self.stream.write(&answers[answers.len() - due..]) {
                Ok(0) => return false,
                Ok(written) => self.owed -= written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        true
    }
}
