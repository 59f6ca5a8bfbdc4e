//! One worker of a load: opens connections, sends requests, hands over the answers.

use std::sync::Arc;

use http::Response;
use http::response::Parts;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval_at, timeout};

use super::Options;
use super::classify::{Reason, Verdict, classify};
use super::connection::{Connection, broken};
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

    /// Over the kept connection if there is one, or else over a new one. As a client does that
    /// keeps to RFC 9112 section 9.3.1: where a kept connection was closed before a byte of the
    /// answer came, the request is sent once more on a new one, and not a third time. Any other
    /// failure stands.
    async fn exchange(&mut self) -> Result<Exchanged, Reason> {
        if let Some(mut kept) = self.kept().await {
            match kept.send(&self.options).await {
                Ok(response) => return self.receive(kept, response).await,
                Err(unanswered) if unanswered.in_silence => self.shared.count_retry(),
                Err(unanswered) => return Err(unanswered.reason),
            }
        }
        let mut fresh = self.connect().await?;
        match fresh.send(&self.options).await {
            Ok(response) => self.receive(fresh, response).await,
            Err(unanswered) => Err(unanswered.reason),
        }
    }

    /// The connection of the request before, unless it was closed since or is one of a pool that
    /// is gone.
    async fn kept(&mut self) -> Option<Connection> {
        let mut kept = self.idle.take()?;
        (kept.pool == self.shared.pool() && kept.is_open().await).then_some(kept)
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
        let pool = self.shared.pool();
        let stream = socket
            .connect(self.options.address)
            .await
            .map_err(|e| Reason::Connect(e.to_string()))?;
        Connection::open(stream, pool).await
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
