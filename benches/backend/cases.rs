//! What is measured, and how much load that is.

use serde::Serialize;

/// A way to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Case {
    /// HTTP/1.1, the next request of a connection after the answer to the one before
    H1Keepalive,
    /// HTTP/1.1, several requests at once on each connection
    H1Pipelined,
    /// HTTP/1.1, a new connection for each request
    H1Connect,
    /// HTTP/2 with prior knowledge, without TLS
    H2c,
    /// Connections that made a request and then stay
    #[value(name = "idle-10000")]
    #[serde(rename = "idle-10000")]
    Idle,
}

/// How many connections there are at a time over HTTP/1.1.
pub(crate) const CONNECTIONS: usize = 128;
/// How many requests are under way at once on a connection where there are several.
pub(crate) const PIPELINED: usize = 16;
/// The connections over HTTP/2, and the streams of each.
pub(crate) const H2: (usize, usize) = (32, 32);
/// How many connections idle.
pub(crate) const IDLE: usize = 10_000;

impl Case {
    /// In the order in which they are measured.
    pub(crate) const ALL: [Self; 5] = [
        Self::H1Keepalive,
        Self::H1Pipelined,
        Self::H1Connect,
        Self::H2c,
        Self::Idle,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::H1Keepalive => "h1-keepalive",
            Self::H1Pipelined => "h1-pipelined",
            Self::H1Connect => "h1-connect",
            Self::H2c => "h2c",
            Self::Idle => "idle-10000",
        }
    }

    /// What it is, in a line.
    pub(crate) fn title(self) -> String {
        match self {
            Self::H1Keepalive => format!("HTTP/1.1, {CONNECTIONS} connections"),
            Self::H1Pipelined => {
                format!("HTTP/1.1, {CONNECTIONS} connections, {PIPELINED} requests at once on each")
            }
            Self::H1Connect => {
                format!("HTTP/1.1, a new connection for each request, {CONNECTIONS} at a time")
            }
            Self::H2c => format!("h2c, {} connections, {} streams on each", H2.0, H2.1),
            Self::Idle => format!(
                "{IDLE} connections that idle after a request; the rate is that of opening them one after the other"
            ),
        }
    }
}
