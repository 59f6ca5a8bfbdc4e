//! What is answered at one port by one worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use super::shelf::{Ready, Shelf};
use crate::notice::{Choice, Head, Notice, choose};

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
    shelf: RefCell<Shelf>,
}

/// What a request gets.
#[derive(Debug)]
pub(super) struct Given<'a> {
    /// What is its own.
    pub(super) choice: Choice<'a>,
    /// What others get as well.
    pub(super) ready: Rc<Ready>,
    /// Whether its connection is to end with it.
    pub(super) is_last: bool,
}

impl Desk {
    pub(super) fn new(standing: Standing) -> Self {
        Self {
            standing: RefCell::new(standing),
            shelf: RefCell::default(),
        }
    }

    pub(super) fn change(&self, standing: Standing) {
        *self.standing.borrow_mut() = standing;
        self.shelf.take();
    }

    /// Asks the connections to go, where nobody has yet.
    pub(super) fn leave(&self) {
        let leaving = &mut self.standing.borrow_mut().leaving;
        *leaving = leaving.or_else(|| Some(Instant::now()));
    }

    /// What the request of `head` gets at `now`.
    pub(super) fn give<'a>(&self, head: &Head<'a>, now: Instant) -> Given<'a> {
        let Standing { notice, leaving } = &*self.standing.borrow();
        let choice = choose(head, notice);
        let ready = self.shelf.borrow_mut().take(choice.variant, notice, now);
        Given {
            is_last: leaving.is_some() || ready.closes,
            choice,
            ready,
        }
    }

    pub(super) fn leaving(&self) -> Option<Instant> {
        self.standing.borrow().leaving
    }
}
