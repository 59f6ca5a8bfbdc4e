//! A real Kubernetes cluster without containers, for the tests and the demo of Entracte.
//!
//! The process that a user starts stays outside as a supervisor. It checks what is needed,
//! builds the programs, and runs itself again in a network and PID namespace of its own, where
//! the cluster lives on the loopback device:
//!
//! ```text
//!  outside    preflight ─► programs ─► run folder ─► supervisor ── removes what is left
//!                                                        │
//!  inside     ┌──────────── user, net and pid namespace ─▼──────────────────────────────┐
//!             │ etcd ◄─ kube-apiserver ◄─┬─ kube-controller-manager                     │
//!             │                          ├─ kube-proxy ── nftables: ClusterIPs          │
//!             │                          ├─ Traefik ── 10.0.0.1:8000: Ingresses         │
//!             │                          ├─ on demand: Contour ─► Envoy, and a second   │
//!             │                          │  of each proxy for the Gateway API           │
//!             │                          └─ operator: controller, backend pods          │
//!             │ app pods: a process on 10.244.x.y:8080 and a Pod object each            │
//!             └─────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The process inside is PID 1 of its namespace. When it goes, for whatever reason, the kernel
//! kills every other process in there (`pid_namespaces(7)`), and the network goes with them:
//! that, and no clean-up code, is the guarantee that nothing is left behind.
//!
//! | room | what is in it |
//! |---|---|
//! | [`launcher`] | from `main` to the inside |
//! | [`crew`] | several insides at once, which take orders |
//! | [`preflight`] | what is missing, all of it at once, with what to do |
//! | [`programs`] | the real programs, built from their Go modules and cached |
//! | [`namespace`] | how the namespaces are made |
//! | [`run_folder`] | the temporary folder of one run |
//! | [`network`] | addresses on the loopback device |
//! | [`process`] | a process with a log, which is ready or says why not |
//! | [`cluster`] | the control plane, kube-proxy, and the proxies: Traefik, Contour with Envoy |
//! | [`pod`] | the Pod object of a process |
//! | [`app`] | an app under test: pods, Service, Ingress, HTTPRoute |
//! | [`operator`] | the operator under test, under the RBAC of `deploy/` |
//! | [`request`] | one HTTP request |
//! | [`load`] | clients that keep asking, and judge every answer |
//! | [`api_proxy`] | between operator and API server: counts, records, cuts |
//! | [`target`] | what a window names, and the operator's patches of it |
//! | [`verdict`] | what clients saw beside what the operator wrote, judged |

#[cfg(not(unix))]
compile_error!(
    "the testbed needs Linux (its namespaces and nftables): use a Linux machine, a virtual one or WSL 2"
);

pub mod api_proxy;
pub mod app;
pub mod cluster;
pub mod crew;
pub mod launcher;
pub mod load;
pub mod namespace;
pub mod network;
pub mod operator;
pub mod pod;
pub mod preflight;
pub mod process;
pub mod programs;
pub mod request;
pub mod run_folder;
mod supervisor;
pub mod target;
pub mod verdict;

pub use launcher::{Launcher, main};
