//! What is answered at one port by one worker.

use std::cell::{Ref, RefCell};
use std::sync::Arc;

use tokio::time::Instant;

use crate::notice::Notice;

/// What the connections of a port go by.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The notice that is answered with.
    pub(super) notice: Arc<Notice>,
    /// Since when connections are asked to go: the notice is over or deleted, it asks its clients to
    /// connect anew, or the process ends.
    pub(super) leaving: Option<Instant>,
}

/// The standing of a port as one worker knows it: its connections look at it without a lock.
#[derive(Debug)]
pub(super) struct Desk {
    standing: RefCell<Standing>,
}

impl Desk {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            standing: RefCell::new(standing),
        }
    }

    pub(super) fn change(&self, standing: Standing) {
        *self.standing.borrow_mut() = standing;
    }

    /// Asks the connections to go, where nobody has yet.
    pub(super) fn leave(&self) {
        let leaving = &mut self.standing.borrow_mut().leaving;
        *leaving = leaving.or_else(|| Some(Instant::now()));
    }

    pub(super) fn standing(&self) -> Ref<'_, Standing> {
        self.standing.borrow()
    }

    pub(super) fn leaving(&self) -> Option<Instant> {
        self.standing.borrow().leaving
    }
}
