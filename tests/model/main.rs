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
//! | `cluster.rs`, `cluster/` | an API server, and who acts (below) |
//! | `kind.rs` | what is different from kind to kind |
//! | `service.rs`, `service/` | a Service and its slices |
//! | `route.rs`, `route/` | an Ingress or an HTTPRoute, for which one piece of code serves |
//! | `services.rs`, `routes.rs` | what is searched |
//! | `store.rs`, `time.rs` | real objects as small numbers; time without a clock |
//!
//! Who acts, in any order:
//!
//! | who | where |
//! |---|---|
//! | the controller that leads, and one that did before and does not know it | `cluster/controllers.rs` |
//! | its watches: the target, what is behind it, windows, each by itself | `cluster.rs` |
//! | the platform's controller of slices, with a stale cache of its own, also while we empty its slices | `cluster/platform.rs` |
//! | windows that start, end and take the lead | `cluster/adversaries.rs` |
//! | a crash, a call whose answer is lost, a restart that lists an older state, another leader | `cluster/adversaries.rs` |
//! | a GitOps tool (by force, or the whole manifest) and a user's edits | `service/edits.rs`, `route.rs`, `route/` |
//!
//! What has to be true, and where that is looked at:
//!
//! | what | where |
//! |---|---|
//! | of every state: nothing of a user's is changed but for our marks; a release would give it back | `wrong_for_the_user` in `service/invariants.rs`, `wrong` in `route.rs` |
//! | of every state: each endpoint and each backend is the app's or ours | `wrong_slice_…` in `service/invariants.rs`, `is_right` in `route.rs` |
//! | of every step of ours or the platform's: the last endpoint does not go (app and backend are ready, always) | `gap` in `service/invariants.rs` |
//! | of every step of ours: a route is held as a whole, or not at all | `wrong_step` in `route.rs` |
//! | in the end: an uncovered target is what the user last wrote, with nothing of ours; a covered one is held, by the window that leads | `wrong_at_rest` in `route.rs`, `not_released` and `not_held` in `service/invariants.rs` |
//! | without an adversary it comes to an end: no livelock | `judge` in `search.rs` |
//!
//! What is assumed: a cache is any earlier state of a kind, as old as it likes. One thing alone is
//! timed: what a controller or the platform has begun to read is written, or refused, before
//! `STALE_VIEW` has passed, the platform's cache is no further behind, and the platform begins before
//! the linger is over. It is needed for the last endpoint and for nothing else; a test shows that. Left
//! out is what changes no routing: whose the fields are, bridges and notices, status.
//!
//! The budgets (changes of windows, edits, crashes) are small, to take seconds; they stand with each
//! search. `ENTRACTE_MODEL=2,1,1` searches further, and a search of more than 1.5 million states gives
//! up.

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod kind;
#[cfg(test)]
mod route;
#[cfg(test)]
mod routes;
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
