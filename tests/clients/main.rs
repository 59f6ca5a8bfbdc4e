//! Real clients, driven against the shipped binary: `entracte backend --notices FOLDER`.
//!
//! Each test starts a backend of its own on loopback. Clients that come back after the end ask
//! where a Service would be: what reaches the app, and when, is read there and not believed.
//!
//! | client | file | what is asked | what comes out |
//! |---|---|---|---|
//! | curl | `curl` | every version of HTTP, formats, HEAD, uploads, `Expect`, WebSocket, TLS, PROXY protocol | the notice |
//! | curl, urllib3, requests, go-retryablehttp | `curl`, `python`, `go` | once, before the end, with their own retries | the app, after the end: by both forms of Retry-After |
//! | grpc-go | `go` | a call, without and with a retry policy | UNAVAILABLE with the message; the app, when it was told to come back |
//! | Chromium | `chromium` | `fetch` from a page of another origin; the page itself | the status, body and Retry-After; message, countdown, no complaint, and the app after the end |
//! | those who mean harm | `abuse` | too slow, too much, without end, and what is no HTTP | everybody else is answered; memory and time are bounded |
//! | h2spec | `h2spec` | what RFC 9113 and RFC 7541 say | nothing that fails |
//!
//! What they need is installed by the tests: programs of the system where they may, and Go modules
//! and Python packages, pinned in `go/` and `python/`, into the cache of the testbed.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod curl;
#[cfg(test)]
mod go;
#[cfg(test)]
mod h2spec;
#[cfg(test)]
mod python;
#[cfg(test)]
mod stage;
