//! The protocol of hold and release, searched: every order in which a controller, the one that led
//! before, the platform, a user, a GitOps tool and a crash can come between each other's steps.
//!
//! It is a search of our own and not a model in the crate `stateright`, because of two things that it
//! shows more: the steps of a controller are the plans that ship (`entracte::plan`), on real objects,
//! and not a copy of them that may be right where they are wrong; and what has to come true in the end
//! is judged on all ways that are fair, cycles included, which stateright's `eventually` does not
//! (it says so of itself).
//!
//! | file | what is in it |
//! |---|---|
//! | `search.rs` | breadth-first over hashed states; rest, livelock, and the shortest way to a flaw |
//! | `cluster.rs` | an API server, controllers with stale caches, the platform, adversaries |
//! | `service.rs`, `ingress.rs` | the kinds, and what people and tools write to them |
//! | `services.rs`, `ingresses.rs` | what is searched |
//! | `store.rs`, `time.rs` | real objects as small numbers; time without a clock |
//!
//! What has to be true, of every step: nothing of a user's is changed but for our marks; a slice of
//! ours leads to a window's port of the backend and nowhere else; and no step of ours or the
//! platform's takes the last endpoint away (app and backend are ready, always). In the end: an
//! uncovered target is what the user last wrote, with nothing of ours; a covered one is held.
//!
//! What is assumed: a cache is any earlier state of a kind, as old as it likes. One thing alone is
//! timed: what a controller or the platform has begun to read is written, or refused, before
//! `STALE_VIEW` has passed, and the platform begins before the linger is over. It is needed for the
//! last endpoint and for nothing else; a test shows that. Left out is what changes no routing: whose
//! the fields are, bridges and notices, status.
//!
//! The budgets (changes of windows, edits, crashes) are small, to take seconds. Services: 1,0,1; 2,0,0
//! with two windows; 1,1,0; with mistakes 2,1,1; late calls 2,0,1 for the gap, and 2,0,0 but for gaps;
//! made anew in its window 2,1,0. Ingresses: 2,1,0 with two windows.
//! `ENTRACTE_MODEL=2,1,1` searches further, and a search of more than 1.5 million states gives up.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod ingress;
#[cfg(test)]
mod ingresses;
#[cfg(test)]
mod search;
#[cfg(test)]
mod service;
#[cfg(test)]
mod services;
#[cfg(test)]
mod store;
#[cfg(test)]
mod time;
