//! Entracte puts applications into scheduled maintenance mode and brings them back.
//!
//! A map of the house. The desired routing of a target is a pure function of all windows and
//! the clock; everything left of `apply` is pure, takes `now` as an argument and does no I/O.
//!
//! ```text
//!  MaintenanceWindow ──parse──► Window ─┐
//!  clock ───────────────────────────────┼─► Coverage(target) ─┐
//!  Service/Ingress/HTTPRoute ──read──► Observed ──────────────┴─► Plan ──apply──► API
//!                                         ▲      (pure)             │
//!                                         └──────────── watch ◄─────┘
//!  Coverage ──compile──► Notice ──ConfigMap──► backend pods ──► 503 + Retry-After
//! ```
//!
//! | room | touches the cluster or the clock | what is in it |
//! |---|---|---|
//! | [`api`] | no | the custom resource, and the names of labels and annotations |
//! | [`schedule`] | no | a window, parsed once; window × now → occurrence |
//! | [`reach`] | no | windows × objects → what each window reaches now |
//! | [`coverage`] | no | windows × target × now → coverage and the next wake-up |
//! | [`plan`] | no | observed × coverage → the edits that hold or release a target |
//! | [`notice`] | no | request head × notice × now → answer |
//! | [`controller`] | yes | observe, plan, apply, report |
//! | [`backend`] | yes | the server that answers 503 |
//! | [`release`] | yes | `entracte release --all`, which needs no operator |
//! | [`offline`] | the clock, and files | `entracte lint` and `entracte schedule`, which need no cluster |
//! | [`telemetry`] | the clock | logs, health checks, readiness that names what is missing |
//! | [`listen`], [`shutdown`] | no | sockets for both address families; signals |
//! | [`cli`] | no | arguments: one flattened group for each concern |

pub mod api;
pub mod backend;
pub mod cli;
pub mod controller;
pub mod coverage;
pub mod listen;
pub mod notice;
pub mod offline;
pub mod plan;
pub mod reach;
pub mod release;
pub mod schedule;
pub mod shutdown;
pub mod telemetry;
