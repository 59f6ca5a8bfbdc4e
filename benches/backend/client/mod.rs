//! What loads a server over HTTP/1.1. It is a process of its own, on a core of its own, and cheaper
//! for its core than the clients that there are: two calls for a request and its answer, as at a
//! server that does nothing else. All answers of a server are equally long, and so they are found
//! without being parsed; each has to begin as it should.
//!
//! | file | what is in it |
//! |---|---|
//! | `closed` | the next requests of a connection when all before are answered |
//! | `fresh` | a connection for each request |
//! | `paced` | a constant rate, whatever the server does, and how late the answers are |
//! | `idle` | connections that do nothing any more |

mod closed;
mod fresh;
mod idle;
mod paced;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

use crate::answer::STATUS;
use crate::{Result, usage};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// How long every answer is
    #[arg(long)]
    pub(crate) length: usize,
    #[arg(long)]
    pub(crate) connections: usize,
    #[arg(long, value_parser = crate::seconds, default_value = "1")]
    pub(crate) seconds: Duration,
    #[command(subcommand)]
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub(crate) enum How {
    Closed { pipelined: usize },
    Fresh,
    Paced { rate: f64 },
    Idle,
}

/// What a client says at its end, in a line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// How many requests were answered in how many seconds.
    pub(crate) answered: u64,
    pub(crate) seconds: f64,
    /// The 99th percentile of the time from when a request was due to the last byte of its answer,
    /// where requests are due at all.
    pub(crate) p99_ms: Option<f64>,
    /// How much of its core the client itself took, where it says so.
    pub(crate) busy: Option<f64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let report = match arguments.how {
        How::Closed { pipelined } => closed::load(arguments, pipelined)?,
        How::Fresh => fresh::load(arguments)?,
        How::Paced { rate } => paced::load(arguments, rate)?,
        How::Idle => return idle::hold(arguments),
    };
    say(&report)
}

fn say(report: &impl Serialize) -> Result {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(report)?)?;
    Ok(out.flush()?)
}

impl Report {
    fn new(answered: u64, began: Instant) -> Result<Self> {
        let seconds = began.elapsed().as_secs_f64();
        Ok(Self {
            answered,
            seconds,
            p99_ms: None,
            busy: Some(usage::cpu(std::process::id())?.as_secs_f64() / seconds),
        })
    }
}

/// Follows the answers of a connection through what is read from it.
#[derive(Clone, Copy, Debug)]
struct Reader {
    length: usize,
    /// How much of the present answer was read.
    read: usize,
}

impl Reader {
    fn new(length: usize) -> Self {
        Self { length, read: 0 }
    }

    /// Reads what there is, and says how many answers ended.
    fn read(&mut self, mut stream: &TcpStream, buffer: &mut [u8]) -> Result<u64> {
        let mut ended = 0;
        loop {
            match stream.read(buffer) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => {
                    ended += self.follow(&buffer[..count])?;
                    // Of more tells a new event (`epoll(7)`).
                    if count < buffer.len() {
                        return Ok(ended);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(ended),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn follow(&mut self, mut bytes: &[u8]) -> Result<u64> {
        let mut ended = 0;
        while !bytes.is_empty() {
            let due = (self.length - self.read).min(bytes.len());
            if let Some(status) = STATUS.get(self.read..) {
                let known = status.len().min(due);
                if bytes[..known] != status[..known] {
                    let text = String::from_utf8_lossy(&bytes[..due]);
                    return Err(format!("not an answer of {} bytes: {text}", self.length).into());
                }
            }
            self.read += due;
            bytes = &bytes[due..];
            if self.read == self.length {
                self.read = 0;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

/// A connection that is kept.
struct Connection {
    stream: TcpStream,
    reader: Reader,
    /// How many requests are not answered.
    open: u64,
    /// When the request was due, where requests are due at all.
    due: Instant,
}

/// The connections of a load, and what happens on them.
struct Connections {
    poll: Poll,
    events: Events,
    all: Vec<Connection>,
    buffer: Vec<u8>,
}

impl Connections {
    fn open(arguments: &Arguments) -> Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::new();
        for place in 0..arguments.connections {
            let stream = std::net::TcpStream::connect(arguments.server)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(place), Interest::READABLE)?;
            all.push(Connection {
                stream,
                reader: Reader::new(arguments.length),
                open: 0,
                due: Instant::now(),
            });
        }
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            all,
            buffer: vec![0; 64 * 1024],
        })
    }

    /// Waits so long for answers, and tells of each connection that has some how many they are.
    fn wait(
        &mut self,
        patience: Duration,
        mut answered: impl FnMut(usize, &mut Connection, u64) -> Result,
    ) -> Result {
        match self.poll.poll(&mut self.events, Some(patience)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            let Token(place) = event.token();
            let connection = &mut self.all[place];
            let answers = connection
                .reader
                .read(&connection.stream, &mut self.buffer)?;
            connection.open = connection
                .open
                .checked_sub(answers)
                .ok_or("more answers than requests")?;
            if answers > 0 {
                answered(place, connection, answers)?;
            }
        }
        Ok(())
    }
}

impl Connection {
    /// Everything at once: what is under way is little enough for any socket.
    fn send(&mut self, requests: &[u8], count: u64) -> Result {
        self.open += count;
        if self.stream.write(requests)? < requests.len() {
            return Err("a socket did not take the requests".into());
        }
        Ok(())
    }
}

/// How long a client waits for the answers to what it sent last.
const LAST: Duration = Duration::from_secs(5);
