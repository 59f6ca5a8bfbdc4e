//! A window that is about to end, and who came when.

use std::net::SocketAddr;

use chrono::{DateTime, TimeDelta, Utc};
use entracte::notice::{Notice, RetryAfterFormat, RetryAfterRule};
use similar_asserts::assert_eq;

use super::backend::{Backend, Turn, notice, rounded_up};
use super::door::{Door, Lead, Whom};

/// In how long the window ends: connections are closed by then, which they are from 3 s before.
const REST: TimeDelta = TimeDelta::milliseconds(2900);
/// How late a client may be that has to start first, beside others on the same cores.
const LATE: TimeDelta = TimeDelta::seconds(2);

/// A window that is about to end.
pub(crate) struct Ending {
    pub(crate) until: DateTime<Utc>,
    rule: RetryAfterRule,
    backend: Backend,
    door: Door,
}

impl Ending {
    /// A window whose Retry-After has that form. From its end on, `app` answers.
    pub(crate) async fn soon(format: RetryAfterFormat, app: SocketAddr) -> Self {
        let rule = RetryAfterRule {
            format,
            jitter: 1,
            minimum: 1,
            ..RetryAfterRule::default()
        };
        let turn = Turn::beside_others().await;
        let until = Utc::now() + REST;
        let notice = Notice {
            until: Some(until),
            retry_after: rule,
            ..notice()
        };
        let backend = Backend::start_in(turn, &notice, &[]).await;
        let lead = Lead {
            backend: backend.address,
            until,
            app,
        };
        Self {
            until,
            rule,
            backend,
            door: Door::open(lead).await,
        }
    }

    /// Where the client asks.
    pub(crate) fn address(&self) -> SocketAddr {
        self.door.address
    }

    /// Where the client asks.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address())
    }

    /// What only the process knows.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Asserts that the client came twice: to the backend, and to the app by a new connection, at
    /// an instant that Retry-After allowed.
    pub(crate) fn assert_the_client_came_back_in_time(&self) {
        let visits = self.door.visits();
        let whom: Vec<_> = visits.iter().map(|visit| visit.to).collect();
        assert_eq!(whom, [Whom::Backend, Whom::App]);
        let latest = rounded_up(self.until)
            + TimeDelta::seconds(self.rule.jitter.into())
            + TimeDelta::seconds(1)
            + LATE;
        let came = visits[1].at;
        assert!(came >= self.until, "{came} is before {}", self.until);
        assert!(came <= latest, "{came} is after {latest}");
    }
}
