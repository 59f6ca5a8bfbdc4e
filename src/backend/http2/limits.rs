//! What the connections of a worker go by.

use std::cell::RefCell;
use std::time::Duration;

use super::request::Scratch;
use crate::backend::LimitArgs;

/// What a client may take, and what requests are read in: one for all connections of a worker.
#[derive(Debug)]
pub(in crate::backend) struct Limits {
    /// The most bytes of a header list (RFC 9113 §6.5.2).
    pub(super) max_head: u32,
    pub(super) max_streams: u32,
    pub(super) max_resets: u32,
    pub(super) max_body: u64,
    pub(super) body_timeout: Duration,
    /// How long an answer may wait for the client's windows without any of it being sent.
    pub(super) write_timeout: Duration,
    /// Who reads takes it, and puts it back.
    pub(super) scratch: RefCell<Scratch>,
}

impl From<&LimitArgs> for Limits {
    fn from(args: &LimitArgs) -> Self {
        Self {
            max_head: args.max_head,
            max_streams: args.max_streams,
            max_resets: args.max_resets.into(),
            max_body: args.max_body.into(),
            body_timeout: args.body_timeout,
            write_timeout: args.write_timeout,
            scratch: RefCell::default(),
        }
    }
}

impl Limits {
    pub(super) fn max_list(&self) -> usize {
        usize::try_from(self.max_head).unwrap_or(usize::MAX)
    }

    pub(super) fn max_streams(&self) -> usize {
        usize::try_from(self.max_streams).unwrap_or(usize::MAX)
    }

    /// The most bytes of a block that comes in several frames. HPACK makes a list shorter, so that one
    /// that is longer than twice as much is far above the limit, and is not read to its end.
    pub(super) fn max_block(&self) -> usize {
        self.max_list().saturating_mul(2)
    }
}
