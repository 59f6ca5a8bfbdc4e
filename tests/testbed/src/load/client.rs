//! One worker of a load: opens connections, sends requests, hands over the answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval_at, timeout};

use super::Options;
use super::classify::{Reason, Verdict, classify};
use super::report::{Answer, Moment};
use super::shared::Shared;

/// How much of a body is kept for a reason to quote.
const KEPT_BYTES: usize = 256;

pub(super) struct Worker {
    options: Arc<Options>,
    shared: Arc<Shared>,
    number: usize,
    /// Connections opened so far.
    opened: usize,
    idle: Option<Connection>,
}

/// An answer that came completely.
struct Exchanged {
    head: Parts,
    answered: Moment,
    body: Vec<u8>,
}

impl Worker {
    pub(super) fn new(options: Arc<Options>, shared: Arc<Shared>, number: usize) -> Self {
        Self {
            options,
            shared,
            number,
            opened: 0,
            idle: None,
        }
    }

    /// Sends requests at its share of the rate until it is told to stop or a bound is reached.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pace = self.pace();
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                _ = pace.tick() => {}
            }
            if !self.shared.begin_request(&self.options) {
                return;
            }
            self.request().await;
        }
    }

    /// The workers' ticks are spread evenly over the period.
    fn pace(&self) -> Interval {
        let period = self.options.period();
        let share = f64::from(u32::try_from(self.number).unwrap_or(0))
            / f64::from(u32::try_from(self.options.workers).unwrap_or(1));
        let start = tokio::time::Instant::now() + period.mul_f64(share);
        let mut pace = interval_at(start, period);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    }

    async fn request(&mut self) {
        let sent = self.shared.now();
        let before = self.shared.expected();
        let limit = self.options.timeout;
        let exchange = timeout(limit, self.exchange()).await;
        match exchange.unwrap_or(Err(Reason::TimedOut(limit))) {
            Ok(Exchanged {
                head,
                answered,
                body,
            }) => {
                let expected = [before, self.shared.expected()];
                let verdict = classify(&head, &body, sent.wall, answered.wall, expected);
                self.shared.record(
                    Answer {
                        sent,
                        answered,
                        verdict,
                    },
                    Some(&head),
                );
            }
            Err(reason) => {
                let answered = self.shared.now();
                let verdict = Verdict::Other(reason);
                self.shared.record(
                    Answer {
                        sent,
                        answered,
                        verdict,
                    },
                    None,
                );
            }
        }
    }

    async fn exchange(&mut self) -> Result<Exchanged, Reason> {
        if let Some(mut kept) = self.idle.take()
            && kept.is_open().await
        {
            match kept.send(&self.options).await {
                Ok(response) => return self.receive(kept, response).await,
                // The server closed it while the request was under way.
                Err(_) => self.shared.count_retry(),
            }
        }
        let mut fresh = self.connect().await?;
        let response = fresh.send(&self.options).await?;
        self.receive(fresh, response).await
    }

    async fn receive(
        &mut self,
        connection: Connection,
        response: Response<Incoming>,
    ) -> Result<Exchanged, Reason> {
        let answered = self.shared.now();
        let (head, mut incoming) = response.into_parts();
        let mut body = Vec::new();
        while let Some(frame) = incoming.frame().await {
            if let Ok(data) = frame.map_err(|e| broken(&e))?.into_data() {
                let room = KEPT_BYTES - body.len();
                body.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
        if self.options.keep_alive {
            self.idle = Some(connection);
        }
        Ok(Exchanged {
            head,
            answered,
            body,
        })
    }

    async fn connect(&mut self) -> Result<Connection, Reason> {
        let socket = self.socket().map_err(|e| Reason::Socket(e.to_string()))?;
        self.opened += 1;
        let stream = socket
            .connect(self.options.address)
            .await
            .map_err(|e| Reason::Connect(e.to_string()))?;
        Connection::open(stream).await
    }

    /// Workers begin with different source addresses and each takes them in turn.
    fn socket(&self) -> std::io::Result<TcpSocket> {
        let socket = if self.options.address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        socket.set_nodelay(true)?;
        if !self.options.sources.is_empty() {
            let turn = (self.number + self.opened) % self.options.sources.len();
            socket.bind((self.options.sources[turn], 0).into())?;
        }
        Ok(socket)
    }
}

struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    /// Reads and writes the socket; ends with the connection, and closes it when dropped.
    _driver: JoinSet<()>,
}

impl Connection {
    async fn open(stream: TcpStream) -> Result<Self, Reason> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| broken(&e))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What breaks it is told to whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            _driver: driver,
        })
    }

    async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    async fn send(&mut self, options: &Options) -> Result<Response<Incoming>, Reason> {
        let request = Request::get(options.path.as_str())
            .header(HOST, options.host.as_str())
            .body(Empty::new())
            .map_err(|e| Reason::Broken(format!("no request can be made of the options: {e}")))?;
        self.sender
            .send_request(request)
            .await
            .map_err(|e| broken(&e))
    }
}

/// Hyper's message with its causes: "connection error" alone does not say "reset by peer".
fn broken(error: &hyper::Error) -> Reason {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Reason::Broken(text)
}
