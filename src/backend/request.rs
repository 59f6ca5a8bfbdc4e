//! The head of a request that can be answered by itself.

use std::mem::MaybeUninit;
use std::str;

use httparse::Status;

use crate::notice::Head;

/// The most fields that are looked at: browsers send some twenty.
const FIELDS: usize = 48;

/// What some bytes begin with.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made, and never kept"
)]
#[derive(Debug)]
pub(super) enum Request<'a> {
    /// A head that is not whole yet, as far as one can tell.
    Unfinished,
    /// A request that ends with its head, and asks nothing of the connection but to be kept or
    /// closed.
    Plain(Plain<'a>),
    /// Anything else, well-formed or not.
    Other,
}

/// See [`Request::Plain`].
#[derive(Debug)]
pub(super) struct Plain<'a> {
    pub(super) head: Head<'a>,
    /// How many bytes it has.
    pub(super) length: usize,
    /// Whether it is HTTP/1.1, and not 1.0.
    pub(super) is_1_1: bool,
    /// Whether the client is to be answered over the same connection again (RFC 9112 §9.3).
    pub(super) persists: bool,
}

/// Reads the head that `bytes` begin with.
///
/// The parser is the one that hyper uses: both see the same lines in the same bytes. What could be
/// understood in two ways is left to hyper, which refuses it: a length or coding of the body, more
/// than one `Connection`, a target that is not a plain path.
pub(super) fn request(bytes: &[u8]) -> Request<'_> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Request::Unfinished,
        Err(_) => return Request::Other,
    };
    plain(&request, length).map_or(Request::Other, Request::Plain)
}

fn plain<'a>(request: &httparse::Request<'_, 'a>, length: usize) -> Option<Plain<'a>> {
    let (method, target) = (request.method?, request.path?);
    if !is_path(target) || method == "CONNECT" {
        return None;
    }
    let is_1_1 = request.version? == 1;
    let mut head = Head::new(method, target);
    let mut connection = None;
    for field in &*request.headers {
        let (name, value) = (field.name, field.value);
        if changes_the_message(name, value) {
            return None;
        }
        if name.eq_ignore_ascii_case("connection") && connection.replace(value).is_some() {
            return None;
        }
        head.field(name, value);
    }
    Some(Plain {
        head,
        length,
        is_1_1,
        persists: persists(is_1_1, connection.unwrap_or_default())?,
    })
}

/// Whether there is an empty line in `bytes` that ends after `known`. A line may end without CR
/// (RFC 9112 §2.2).
pub(super) fn has_empty_line(bytes: &[u8], known: usize) -> bool {
    let overlap = "\n\r".len();
    let new = &bytes[known.saturating_sub(overlap).min(bytes.len())..];
    new.windows(2).any(|end| end == b"\n\n") || new.windows(3).any(|end| end == b"\n\r\n")
}

/// A path, and maybe a query, of which nobody reads anything but what is there (RFC 3986 §3.3).
fn is_path(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| IN_PATH[usize::from(byte)])
}

const IN_PATH: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut others = b"/-._~!$&'()*+,;=:@%?".as_slice();
    while let [first, rest @ ..] = others {
        table[*first as usize] = true;
        others = rest;
    }
    table
};

/// Whether there may be more to the request than its head.
fn changes_the_message(name: &str, value: &[u8]) -> bool {
    match name.len() {
        6 => name.eq_ignore_ascii_case("expect"),
        7 => name.eq_ignore_ascii_case("upgrade"),
        14 => name.eq_ignore_ascii_case("content-length") && value != b"0",
        17 => name.eq_ignore_ascii_case("transfer-encoding"),
        _ => false,
    }
}

/// What `Connection` says of its end; `None` where it is no text.
fn persists(is_1_1: bool, connection: &[u8]) -> Option<bool> {
    if connection.is_empty() {
        return Some(is_1_1);
    }
    let connection = str::from_utf8(connection)
        .ok()
        .filter(|text| text.is_ascii())?;
    let says = |word: &str| {
        let mut options = connection.split(',');
        options.any(|option| option.trim().eq_ignore_ascii_case(word))
    };
    Some(!says("close") && (is_1_1 || says("keep-alive")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    const HEAD: &str = "GET /a HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n";

    #[test]
    fn a_head_is_unfinished_until_its_last_byte() {
        for end in 0..HEAD.len() {
            let request = request(&HEAD.as_bytes()[..end]);
            assert!(matches!(request, Request::Unfinished), "{end}: {request:?}");
        }
        let followed = [HEAD, "GET"].concat();
        let Request::Plain(plain) = request(followed.as_bytes()) else {
            panic!("not plain");
        };
        assert_eq!(
            (plain.length, plain.is_1_1, plain.persists),
            (HEAD.len(), true, true)
        );
    }

    #[test]
    fn a_connection_persists_as_its_version_and_its_options_say() {
        for (is_1_1, connection, expected) in [
            (true, "", Some(true)),
            (false, "", Some(false)),
            (true, "keep-alive", Some(true)),
            (false, "keep-alive", Some(true)),
            (false, "x,\tKEEP-ALIVE , y", Some(true)),
            (true, "close", Some(false)),
            (true, "te, CLOSE", Some(false)),
            (false, "keep-alive, close", Some(false)),
            (true, "closed", Some(true)),
            (true, "\u{e9}, close", None),
        ] {
            let persists = persists(is_1_1, connection.as_bytes());
            assert_eq!(persists, expected, "{is_1_1} {connection}");
        }
        assert_eq!(persists(true, b"\xff"), None);
    }

    #[test]
    fn more_fields_than_browsers_send_are_for_hyper() {
        let head = |fields: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(fields));
        assert!(matches!(
            request(head(FIELDS).as_bytes()),
            Request::Plain(_)
        ));
        assert!(matches!(
            request(head(FIELDS + 1).as_bytes()),
            Request::Other
        ));
    }

    proptest! {
        #[test]
        fn a_plain_request_ends_with_its_head_whatever_comes_before_and_after(
            name in "[a-z-]{1,20}", value in "[ -~]{0,40}", after in ".{0,40}",
        ) {
            let head = format!("POST /a HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\n\r\n");
            let bytes = [&head, &after[..]].concat();
            match request(bytes.as_bytes()) {
                Request::Plain(plain) => prop_assert_eq!(plain.length, head.len()),
                Request::Other => prop_assert!(
                    ["expect", "upgrade", "content-length", "transfer-encoding"].contains(&&name[..])
                ),
                Request::Unfinished => prop_assert!(false, "it is whole"),
            }
        }
    }
}
