//! HTTP/1 for requests that can be answered by themselves: ready bytes, one write.
//!
//! A connection that is idle holds no buffer. What is read goes to a buffer of the worker, what is
//! answered comes from another one, and what cannot be answered here goes to hyper with all that was
//! read, and stays there.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::activity::{Activity, Ending};
use super::desk::{Desk, Given};
use super::opening::{Opening, Stage};
use super::request::{Plain, Request, request};
use super::shelf::line;

/// How much is read at a time at most. Of a head that is longer hyper takes care.
const INPUT: usize = 16 * 1024;

/// From how much on answers are written before others are added.
const OUTPUT: usize = 16 * 1024;

/// The buffers of a worker, which none of its connections keeps while it waits.
#[derive(Debug)]
pub(super) struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

/// What becomes of a connection.
#[derive(Debug)]
pub(super) enum Next {
    Closed,
    /// It speaks TLS; these bytes were read.
    Tls(Bytes),
    /// It is for hyper, and so is what was read.
    Http(Bytes),
}

/// What a connection keeps while it waits: nothing, mostly.
#[derive(Debug, Default)]
struct Kept {
    /// What was read and not answered yet.
    input: Vec<u8>,
    /// The answers that the client has not taken yet begin at `taken`.
    output: Vec<u8>,
    taken: usize,
    then: Then,
}

/// What comes after the answers that were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Then {
    /// The client's next bytes.
    #[default]
    Read,
    /// More answers: there may be whole requests in what was read.
    Answer,
    /// What was read is not for us to answer.
    HandOver,
    Tls,
    /// The end, of which the client knows: it has asked for it.
    Close,
    /// The end, of which the client does not know yet: what it still sends is read and thrown away,
    /// for it would lose the last answer otherwise (RFC 9112 §9.6).
    ShutDown,
    Linger,
}

/// One connection, as long as it is plain.
struct Connection<'a> {
    stream: &'a mut TcpStream,
    activity: &'a Activity,
    buffers: &'a RefCell<Buffers>,
    stage: Stage,
    /// The longest head that the buffers have room for.
    longest: usize,
    kept: Option<Box<Kept>>,
}

/// Answers on `stream` for as long as only plain requests are read from it.
pub(super) fn serve<'a>(
    stream: &'a mut TcpStream,
    activity: &'a Activity,
    buffers: &'a RefCell<Buffers>,
) -> impl Future<Output = Next> {
    let mut connection = Connection {
        stream,
        activity,
        buffers,
        stage: Stage::default(),
        longest: buffers.borrow().input.len(),
        kept: None,
    };
    poll_fn(move |cx| connection.poll(cx))
}

impl Buffers {
    /// For heads of at most `longest` bytes.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            input: vec![0; INPUT.min(longest)],
            output: Vec::new(),
        }
    }
}

impl Connection<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        // What has arrived by the end is read and answered.
        match (self.advance(cx), self.activity.poll_ended(cx)) {
            (Poll::Ready(next), _) => Poll::Ready(next.unwrap_or(Next::Closed)),
            (Poll::Pending, None) => Poll::Pending,
            (Poll::Pending, Some(ending)) => self.end(ending),
        }
    }

    /// Ends a connection that waits for its client: in order means with the answers that were given, and
    /// those of whole requests that were read.
    fn end(&mut self, ending: Ending) -> Poll<Next> {
        match self.kept.as_mut() {
            Some(kept) if ending == Ending::InOrder && kept.owes() => {
                if kept.then == Then::Read {
                    kept.then = Then::Close;
                }
                Poll::Pending
            }
            _ => Poll::Ready(Next::Closed),
        }
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        loop {
            ready!(self.poll_write(cx))?;
            let then = self.kept.as_ref().map_or(Then::Read, |kept| kept.then);
            match then {
                Then::Read | Then::Linger => ready!(self.poll_read(cx))?,
                Then::Answer => self.answer_kept(cx)?,
                Then::ShutDown => ready!(self.poll_shut_down(cx))?,
                Then::Close => return Poll::Ready(Ok(Next::Closed)),
                Then::HandOver => return Poll::Ready(Ok(Next::Http(self.input()))),
                Then::Tls => return Poll::Ready(Ok(Next::Tls(self.input()))),
            }
        }
    }

    /// Writes what the client has not taken yet.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(kept) = &mut self.kept else {
            return Poll::Ready(Ok(()));
        };
        while kept.owes() {
            let rest = &kept.output[kept.taken..];
            let written = Pin::new(&mut *self.stream).poll_write(cx, rest);
            self.activity.write(written.is_pending());
            kept.taken += ready!(written)?;
        }
        (kept.output, kept.taken) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Reads, and answers.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffers = self.buffers.borrow_mut();
        let Buffers { input, output } = &mut *buffers;
        let mut read = ReadBuf::new(input);
        if let Some(kept) = &self.kept {
            read.put_slice(&kept.input);
        }
        let before = read.filled().len();
        ready!(Pin::new(&mut *self.stream).poll_read(cx, &mut read))?;
        let end = read.filled().len();
        if end == before {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        let now = Instant::now();
        self.activity.hear(now);
        if self
            .kept
            .as_ref()
            .is_none_or(|kept| kept.then != Then::Linger)
        {
            self.answer(&input[..end], output, now, cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Answers more of what was read before.
    fn answer_kept(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let kept = self.kept.take().unwrap_or_default();
        let mut buffers = self.buffers.borrow_mut();
        self.answer(&kept.input, &mut buffers.output, Instant::now(), cx)
    }

    /// Answers what of `input` is whole, in one write, and keeps what is left.
    fn answer(
        &mut self,
        input: &[u8],
        output: &mut Vec<u8>,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        output.clear();
        let (rest, then) = match self.stage.open(input) {
            Opening::Unfinished => (input, Then::Read),
            Opening::Malformed => (&[][..], Then::Close),
            Opening::Tls(rest) => (rest, Then::Tls),
            Opening::Http(rest) => self.answers(rest, output, now),
        };
        let mut taken = 0;
        if !output.is_empty() {
            match Pin::new(&mut *self.stream).poll_write(cx, output) {
                Poll::Ready(written) => taken = written?,
                Poll::Pending => self.activity.write(true),
            }
        }
        let is_done = taken == output.len() && rest.is_empty() && then == Then::Read;
        self.kept = (!is_done).then(|| {
            Box::new(Kept {
                input: rest.to_vec(),
                output: output[taken..].to_vec(),
                taken: 0,
                then,
            })
        });
        Ok(())
    }

    /// Answers the requests that `input` begins with; returns what is left of it, and what comes then.
    fn answers<'a>(&self, input: &'a [u8], output: &mut Vec<u8>, now: Instant) -> (&'a [u8], Then) {
        let mut rest = input;
        while !rest.is_empty() {
            let plain = match request(rest) {
                Request::Plain(plain) => plain,
                Request::Unfinished if rest.len() < self.longest => break,
                Request::Unfinished | Request::Other => return (rest, Then::HandOver),
            };
            let is_last = respond(&plain, output, self.activity.desk(), now);
            self.activity.answer(now);
            rest = &rest[plain.length..];
            if is_last || !plain.persists {
                let knows = !plain.persists && rest.is_empty();
                return (&[], if knows { Then::Close } else { Then::ShutDown });
            }
            if output.len() >= OUTPUT && !rest.is_empty() {
                return (rest, Then::Answer);
            }
        }
        (rest, Then::Read)
    }

    /// Tells the client that there will be no more, and gives it a while to go.
    fn poll_shut_down(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut *self.stream).poll_shutdown(cx))?;
        self.activity.linger(Instant::now());
        if let Some(kept) = &mut self.kept {
            (kept.input, kept.then) = (Vec::new(), Then::Linger);
        }
        Poll::Ready(Ok(()))
    }

    fn input(&mut self) -> Bytes {
        let kept = self.kept.take().unwrap_or_default();
        kept.input.into()
    }
}

impl Kept {
    fn owes(&self) -> bool {
        self.taken < self.output.len()
    }
}

/// Writes an answer as hyper does, byte for byte; true where the connection is to end with it for a
/// reason of ours.
fn respond(request: &Plain<'_>, output: &mut Vec<u8>, desk: &Desk, now: Instant) -> bool {
    let Given {
        choice,
        ready,
        is_last,
    } = desk.give(&request.head, now);
    let start = output.len();
    output.extend_from_slice(&ready.head);
    if !request.is_1_1 {
        output[start + "HTTP/1.".len()] = b'0';
    }
    for (name, value) in choice.origin_fields() {
        line(output, name.as_str(), value.as_bytes());
    }
    match (request.is_1_1, request.persists && !is_last) {
        (true, false) => output.extend_from_slice(b"connection: close\r\n"),
        (false, true) => output.extend_from_slice(b"connection: keep-alive\r\n"),
        (false, false) if is_last => output.extend_from_slice(b"connection: close\r\n"),
        _ => {}
    }
    output.extend_from_slice(&ready.end);
    if !choice.without_body {
        output.extend_from_slice(&ready.answer.body);
    }
    is_last
}
