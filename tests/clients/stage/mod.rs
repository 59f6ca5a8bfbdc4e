//! What a client meets: the shipped binary, and what stands around it on loopback.
//!
//! | file | what is in it |
//! |---|---|
//! | `backend` | a process of the shipped binary, with the notices of a folder |
//! | `door` | a Service: new connections go to the backend until the end, and to the app after it |
//! | `site` | a small web server: the app, or a page of another origin |
//! | `ending` | a window that is about to end, and who came when |
//! | `programs` | the clients that are built or fetched once |

pub(crate) mod backend;
pub(crate) mod door;
pub(crate) mod ending;
pub(crate) mod programs;
pub(crate) mod site;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of loopback that nobody listens on. It lies below those that the kernel gives to
/// clients, of which the tests have many.
pub(crate) fn free_address() -> SocketAddr {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(process::id() % 50).unwrap() * 200;
    loop {
        let port = first + TRIED.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
