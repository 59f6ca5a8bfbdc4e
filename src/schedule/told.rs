//! What callers are told.

use crate::notice::RetryAfterRule;

/// What callers are told while a window holds its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What they are to read. Absent: a sentence of ours.
    pub message: Option<String>,
    /// How Retry-After is computed.
    pub retry_after: RetryAfterRule,
    /// The paths that are answered 200: at most 16.
    pub health_checks: Vec<String>,
}
