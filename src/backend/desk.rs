//! What is answered at one port by one worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::shelf::{Ready, Shelf};
use crate::notice::{Choice, Head, Notice, Page, choose, own_page};

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
        let take = |variant| self.shelf.borrow_mut().take(variant, notice, now);
        let mut ready = take(choice.variant);
        if let Some(error) = &ready.answer.page_failed {
            complain(notice, error);
            ready = take(choice.instead);
        }
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

/// Once for each notice: it may be of every request, and the controller has tried the page.
fn complain(notice: &Notice, error: &own_page::Error) {
    let page = notice.page.as_ref();
    if page.is_some_and(Page::is_first_to_complain) {
        let window = &notice.window;
        warn!(%window, %error, "a window's own page cannot be shown; ours is shown while it fails");
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;
    use crate::notice::{Render, WindowRef};

    fn desk(page: &str) -> Desk {
        let window = WindowRef {
            namespace: "shop".into(),
            name: "db-upgrade".into(),
        };
        let notice = Notice {
            page: Some(Page::new(Render::Template, page.to_owned())),
            ..Notice::new(window, "1".into(), 20_001)
        };
        Desk::new(Standing {
            notice: notice.into(),
            leaving: None,
        })
    }

    fn shown(desk: &Desk, language: &[u8]) -> String {
        let mut head = Head::new("GET", "/");
        head.field("accept", b"text/html");
        head.field("accept-language", language);
        let given = desk.give(&head, Instant::now());
        String::from_utf8(given.ready.answer.body.to_vec()).unwrap()
    }

    #[test]
    fn a_page_that_fails_gives_way_to_ours_in_the_language_of_each_and_is_complained_of_once() {
        let failing = desk("{{ 1 // (retry_after - 30) }}");
        for (language, words) in [
            ("de", "Wartungsarbeiten"),
            ("fr", "Maintenance en cours"),
            ("de", "Wartungsarbeiten"),
        ] {
            let page = shown(&failing, language.as_bytes());
            assert!(page.contains(words), "{page}");
        }
        let notice = Arc::clone(&failing.standing.borrow().notice);
        assert!(!notice.page.as_ref().unwrap().is_first_to_complain());
    }

    #[test]
    fn a_page_that_can_be_shown_is_the_same_to_all_and_nobody_complains() {
        let own = desk("<p>{{ window.name }}");
        for language in ["de", "fr"] {
            assert_eq!(shown(&own, language.as_bytes()), "<p>db-upgrade");
        }
        let notice = Arc::clone(&own.standing.borrow().notice);
        assert!(notice.page.as_ref().unwrap().is_first_to_complain());
    }
}
