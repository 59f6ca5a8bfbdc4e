//! A connection for each request, closed when the answer is whole.

use std::io::{ErrorKind, Write};
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::{Arguments, LAST, Reader, Report};
use crate::Result;
use crate::answer::request;

struct Visit {
    stream: TcpStream,
    reader: Reader,
    asked: bool,
}

pub(super) fn load(arguments: &Arguments) -> Result<Report> {
    let request = request(true);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    let began = Instant::now();
    let end = began + arguments.seconds;
    let mut visits = Vec::new();
    for place in 0..arguments.connections {
        visits.push(Some(Visit::begin(arguments, &poll, place)?));
    }
    let mut answered = 0;
    let mut waiting = visits.len();
    while waiting > 0 {
        let now = Instant::now();
        if now > end + LAST {
            return Err("requests were not answered".into());
        }
        match poll.poll(&mut events, Some(LAST)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            let Token(place) = event.token();
            // Of a connection that was closed while its event was on its way.
            let Some(visit) = &mut visits[place] else {
                continue;
            };
            if !visit.advance(&request, &mut buffer)? {
                continue;
            }
            answered += 1;
            visits[place] = None;
            if now < end {
                visits[place] = Some(Visit::begin(arguments, &poll, place)?);
            } else {
                waiting -= 1;
            }
        }
    }
    Report::new(answered, began)
}

impl Visit {
    fn begin(arguments: &Arguments, poll: &Poll, place: usize) -> Result<Self> {
        let mut stream = TcpStream::connect(arguments.server)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(place), interest)?;
        Ok(Self {
            stream,
            reader: Reader::new(arguments.length),
            asked: false,
        })
    }

    /// Whether it has its answer.
    fn advance(&mut self, request: &[u8], buffer: &mut [u8]) -> Result<bool> {
        if self.asked {
            return Ok(self.reader.read(&self.stream, buffer)? > 0);
        }
        match self.stream.write(request) {
            Ok(written) if written == request.len() => self.asked = true,
            Ok(_) => return Err("a socket did not take a request".into()),
            // Not connected yet.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(format!("cannot connect: {error}").into()),
        }
        Ok(false)
    }
}
