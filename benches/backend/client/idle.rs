//! Connections that made a request and then stay. It says when they do, and at its end, which is that
//! of its input, how many still did.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::{Arguments, LAST, Report, say};
use crate::Result;
use crate::answer::{STATUS, request};

pub(super) fn hold(arguments: &Arguments) -> Result {
    let began = Instant::now();
    let request = request(false);
    let mut answer = vec![0; arguments.length];
    let mut streams = Vec::new();
    for _ in 0..arguments.connections {
        let mut stream = TcpStream::connect(arguments.server)?;
        stream.set_read_timeout(Some(LAST))?;
        stream.write_all(&request)?;
        stream.read_exact(&mut answer)?;
        if !answer.starts_with(STATUS) {
            return Err("not the answer".into());
        }
        streams.push(stream);
    }
    say(&Report::new(u64::try_from(streams.len())?, began)?)?;
    io::stdin().read_to_end(&mut Vec::new())?;
    let mut stayed = 0_u64;
    for mut stream in streams {
        stream.set_nonblocking(true)?;
        let read = stream.read(&mut answer);
        stayed += u64::from(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    }
    say(&stayed)
}
