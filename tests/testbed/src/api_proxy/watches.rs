//! What the proxy does to the streams of watches: it holds their events back, or ends them.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::forward::{Answer, Broken};

/// Watch events that come late: a stale view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// How long each event is held back after it has come.
    pub by: Duration,
    /// Events of this resource alone, as [`super::RequestInfo::resource`] has it.
    pub resource: Option<String>,
}

impl Delay {
    /// Holds the events of every watch back.
    pub fn by(by: Duration) -> Self {
        let resource = None;
        Self { by, resource }
    }

    /// Holds the events of `resource` alone back.
    #[must_use]
    pub fn of(self, resource: &str) -> Self {
        Self {
            resource: Some(resource.to_owned()),
            ..self
        }
    }
}

/// What is done to every stream now.
#[derive(Debug, Default)]
struct Weather {
    is_away: bool,
    delays: Vec<Delay>,
}

impl Weather {
    fn delay_of(&self, resource: &str) -> Duration {
        let concerns = |delay: &&Delay| delay.resource.as_deref().is_none_or(|it| it == resource);
        let delays = self.delays.iter().filter(concerns);
        delays.map(|delay| delay.by).max().unwrap_or_default()
    }
}

/// The streams that pass through the proxy.
#[derive(Debug)]
pub(super) struct Watches(watch::Sender<Weather>);

impl Default for Watches {
    fn default() -> Self {
        Self(watch::Sender::new(Weather::default()))
    }
}

impl Watches {
    pub(super) fn delay(&self, delay: Delay) {
        self.0.send_modify(|weather| weather.delays.push(delay));
    }

    pub(super) fn let_go(&self) {
        self.0.send_modify(|weather| weather.delays.clear());
    }

    pub(super) fn set_away(&self, is_away: bool) {
        self.0.send_modify(|weather| weather.is_away = is_away);
    }

    pub(super) fn is_away(&self) -> bool {
        self.0.borrow().is_away
    }

    /// Passes the answer to a watch of `resource` on as [`Delay`]s say.
    pub(super) fn pass(&self, resource: &str, answer: Response<Incoming>) -> Response<Answer> {
        let (sender, come) = mpsc::unbounded_channel();
        let passing = Passing {
            resource: resource.to_owned(),
            weather: self.0.subscribe(),
            come,
            next: None,
        };
        answer.map(|body| {
            tokio::spawn(read(body, sender));
            let frames = stream::unfold(passing, |mut passing| async {
                let frame = passing.next().await?;
                Some((frame, passing))
            });
            StreamBody::new(frames).boxed_unsync()
        })
    }
}

/// A frame, and when it had come.
type Come = (Instant, Result<Frame<Bytes>, Broken>);

/// Reads ahead of who is made to wait, until there is no more or nobody waits any more.
async fn read(mut body: Incoming, sender: mpsc::UnboundedSender<Come>) {
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = sender.closed() => return,
        };
        let Some(frame) = frame else {
            return;
        };
        if sender
            .send((Instant::now(), frame.map_err(Broken::from)))
            .is_err()
        {
            return;
        }
    }
}

/// One stream on its way.
struct Passing {
    resource: String,
    weather: watch::Receiver<Weather>,
    come: mpsc::UnboundedReceiver<Come>,
    next: Option<Come>,
}

impl Passing {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, Broken>> {
        loop {
            let (is_away, delay) = {
                let weather = self.weather.borrow_and_update();
                (weather.is_away, weather.delay_of(&self.resource))
            };
            if is_away {
                return Some(Err(Broken::Away));
            }
            let Some((came, frame)) = self.next.take() else {
                tokio::select! {
                    come = self.come.recv() => self.next = Some(come?),
                    _ = self.weather.changed() => {}
                }
                continue;
            };
            let due = came + delay;
            if due <= Instant::now() {
                return Some(frame);
            }
            self.next = Some((came, frame));
            tokio::select! {
                () = sleep_until(due) => {}
                _ = self.weather.changed() => {}
            }
        }
    }
}
