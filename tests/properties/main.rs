//! What holds for every Service, Ingress and HTTPRoute, whatever anybody writes while it is held:
//! a release undoes our own edits, and nothing else. And what holds for every answer.
//!
//! | file | what is in it |
//! |---|---|
//! | `server.rs` | an API server that makes the edits of plans, and refuses what touches more than ours |
//! | `services.rs`, `ingresses.rs`, `routes.rs` | arbitrary objects, arbitrary edits, and what holds for them |
//! | `answers.rs` | arbitrary requests and notices, and what holds for their answers |

// Each is `cfg(test)`, although all of this program is, because that is how clippy knows that
// helpers beside the tests may unwrap as well.
#[cfg(test)]
mod answers;
#[cfg(test)]
mod ingresses;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod server;
#[cfg(test)]
mod services;
