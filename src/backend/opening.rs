//! The first bytes of a connection: what it speaks.

use super::proxy::{Header, header};

/// The first byte of a TLS connection: a record with a handshake in it (RFC 8446 §5.1). No request
/// begins with it.
const TLS: u8 = 0x16;

/// How far a connection has come with its opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// There may be a header of the PROXY protocol.
    #[default]
    New,
    /// There was one, and nothing since.
    Proxied,
    /// It speaks HTTP.
    Open,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening<'a> {
    /// Too little to tell.
    Unfinished,
    /// A header that is none.
    Malformed,
    /// TLS, from these bytes on.
    Tls(&'a [u8]),
    /// HTTP, from these bytes on.
    Http(&'a [u8]),
}

impl Stage {
    /// Says what `input` is: all that has arrived, but for what was answered.
    pub(super) fn open<'a>(&mut self, input: &'a [u8]) -> Opening<'a> {
        if *self == Self::Open {
            return Opening::Http(input);
        }
        let mut rest = input;
        if *self == Self::New {
            match header(input) {
                Header::Absent => {}
                Header::Unfinished => return Opening::Unfinished,
                Header::Malformed => return Opening::Malformed,
                Header::Whole(end) => rest = &input[end..],
            }
        }
        if rest.first() == Some(&TLS) {
            return Opening::Tls(rest);
        }
        *self = if rest.is_empty() {
            Self::Proxied
        } else {
            Self::Open
        };
        Opening::Http(rest)
    }
}
