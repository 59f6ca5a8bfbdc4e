//! What callers are told.

use super::PageRef;
use crate::notice::RetryAfterRule;

/// What callers are told while a window holds its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What they are to read. Absent: a sentence of ours.
    pub message: Option<String>,
    /// The page that people see. Absent: ours.
    pub page: Option<PageRef>,
    /// How Retry-After is computed.
    pub retry_after: RetryAfterRule,
    /// The paths that are answered 200: at most 16.
    pub health_checks: Vec<String>,
}
