//! Lists that the proxy remembers, to answer with them again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

use super::forward::{Answer, Broken};

/// What the API server last answered to each list that was asked for in pages, as who follows a
/// resource asks for it before the watch.
#[derive(Clone, Debug, Default)]
pub struct Lists(HashMap<String, Response<Bytes>>);

impl Lists {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is remembered, and what is still to be answered from memory.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Lists,
    to_replay: Lists,
}

impl Memory {
    pub(super) fn last(&self) -> Lists {
        self.lock().last.clone()
    }

    pub(super) fn replay(&self, lists: Lists) {
        self.lock().to_replay = lists;
    }

    pub(super) fn to_replay(&self) -> usize {
        self.lock().to_replay.len()
    }

    /// The old answer to a list, once.
    pub(super) fn replayed(&self, uri: &Uri) -> Option<Response<Bytes>> {
        self.lock().to_replay.0.remove(&key(uri)?)
    }

    /// Reads an answer as a whole, and remembers it.
    pub(super) async fn remembered(
        &self,
        uri: &Uri,
        answer: Response<Incoming>,
    ) -> Result<Response<Answer>, Broken> {
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        let whole = Response::from_parts(head, body);
        if let Some(key) = key(uri).filter(|_| whole.status().is_success()) {
            self.lock().last.0.insert(key, whole.clone());
        }
        Ok(whole.map(answer_of))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that is known as a whole.
pub(super) fn answer_of(body: Bytes) -> Answer {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// By what a list is known; `None` for one that is asked for in one piece.
fn key(uri: &Uri) -> Option<String> {
    let whole = uri.path_and_query()?.as_str();
    let mut parameters = uri.query()?.split('&');
    parameters
        .any(|parameter| parameter.starts_with("limit="))
        .then(|| whole.to_owned())
}
