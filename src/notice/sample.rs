//! The sample of a notice that the tests go by.

use chrono::{DateTime, Utc};

use super::{Notice, WindowRef};

pub(super) fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().unwrap()
}

/// A window from one to three o'clock, with a message.
pub(super) fn notice() -> Notice {
    Notice {
        start: Some(at("2026-12-06T01:00:00Z")),
        until: Some(at("2026-12-06T03:00:00Z")),
        message: Some("We are upgrading our database.".into()),
        ..always()
    }
}

pub(super) fn with_message(message: &str) -> Notice {
    Notice {
        message: Some(message.to_owned()),
        ..notice()
    }
}

/// A window that always holds, without a message.
pub(super) fn always() -> Notice {
    let window = WindowRef {
        namespace: "shop".into(),
        name: "db-upgrade".into(),
    };
    Notice::new(window, "1".into(), 20_001)
}
