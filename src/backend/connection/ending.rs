//! How a connection ends that does not end by itself.

use tokio::time::Instant;

use super::{Connection, Next, Then};
use crate::backend::activity::Ending;
use crate::backend::worker::Worker;

impl Connection {
    /// Whether there is something to do that only the clock tells of.
    pub(in crate::backend) fn is_due(&self, now: Instant, worker: &Worker) -> bool {
        let http2 = self.http2.as_ref();
        http2.is_some_and(|http2| http2.has_deadlines())
            || self.activity.due(now, &worker.limits).is_some()
    }

    /// Looks at the clock. What has arrived by the end is read and answered.
    pub(in crate::backend) fn look(&mut self, now: Instant, worker: &Worker) -> Next {
        if let Some(http2) = &mut self.http2 {
            let mut output = Vec::new();
            http2.look(&mut output, &worker.http2, now);
            let next = self.say(&output, now, worker);
            if !matches!(next, Next::Waits) {
                return next;
            }
        }
        match self.activity.due(now, &worker.limits) {
            None => Next::Waits,
            Some(Ending::AtOnce) => self.end_at_once(now, worker),
            Some(Ending::InOrder) => match self.advance(true, now, worker) {
                Next::Waits if self.activity.due(now, &worker.limits).is_some() => {
                    self.end_in_order(now, worker)
                }
                next => next,
            },
        }
    }

    /// Ends a connection that has long asked nothing, so that there is room for another one; but not
    /// where its next request has arrived.
    pub(in crate::backend) fn make_room(&mut self, now: Instant, worker: &Worker) -> Next {
        match self.advance(true, now, worker) {
            Next::Waits if self.activity.idleness(now).is_some() => self.end_at_once(now, worker),
            next => next,
        }
    }

    fn end_at_once(&mut self, now: Instant, worker: &Worker) -> Next {
        if let Some(http2) = &mut self.http2 {
            let mut output = Vec::new();
            http2.close(&mut output);
            self.say(&output, now, worker);
        }
        Next::Closed
    }

    /// Ends a connection that waits for its client with the answers that were given, and those of whole
    /// requests that were read; and over HTTP/2 with a word of it, so that what is on its way is
    /// answered.
    fn end_in_order(&mut self, now: Instant, worker: &Worker) -> Next {
        let owes = self.kept.as_ref().is_some_and(|kept| kept.owes());
        if let Some(http2) = &mut self.http2 {
            let mut output = Vec::new();
            http2.leave(&mut output);
            if !owes && !http2.is_stalled() {
                self.activity.linger(now);
            }
            return self.say(&output, now, worker);
        }
        match &mut self.kept {
            Some(kept) if owes => {
                if kept.then == Then::Read {
                    kept.then = Then::ShutDown;
                }
                Next::Waits
            }
            _ => Next::Closed,
        }
    }

    /// Writes what nobody has asked for.
    fn say(&mut self, output: &[u8], now: Instant, worker: &Worker) -> Next {
        let kept = self.kept.get_or_insert_default();
        kept.output.extend_from_slice(output);
        if self.http2.as_ref().is_some_and(|http2| http2.is_over()) {
            kept.then = Then::ShutDown;
        }
        self.advance(false, now, worker)
    }
}
