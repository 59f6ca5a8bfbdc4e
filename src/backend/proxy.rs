//! The header of the PROXY protocol, which a load balancer may send before anything else.
//!
//! It says who is behind the load balancer. We believe nothing of it, for anybody can send one, and
//! need nothing of it: all there is to know is where it ends. The rules are those of HAProxy's
//! `proxy-protocol.txt`, versions 1 and 2.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::{self, FromStr};

/// The longest header of version 1, its end of line included (§2.1).
const V1_LONGEST: usize = 107;
const V1_START: &[u8] = b"PROXY ";

/// Version 2 (§2.2): a signature, the version with the command, the family, the length of the rest.
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
const V2_LOCAL: u8 = 0x20;
const V2_PROXY: u8 = 0x21;

/// The longest rest of a version 2 header that we take. Its addresses are 216 bytes at most; what
/// may follow are a certificate's names, a cloud's ids and a checksum.
const V2_LONGEST: usize = 2048;

/// What the first bytes of a connection have of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// They are no header, and no beginning of one.
    Absent,
    /// They may become one.
    Unfinished,
    /// They begin with one of this many bytes.
    Whole(usize),
    /// They are meant as one and are none: nobody can say where it ends.
    Malformed,
}

/// Looks for a header at the beginning of `bytes`. What is longer than a header may be is malformed,
/// so whoever gathers bytes while it is unfinished gathers no more than 2 KiB.
pub(super) fn header(bytes: &[u8]) -> Header {
    if bytes.is_empty() {
        return Header::Unfinished;
    }
    if bytes.starts_with(V1_START) {
        return v1(bytes);
    }
    if bytes.starts_with(V2_START) {
        return v2(bytes);
    }
    if V1_START.starts_with(bytes) || V2_START.starts_with(bytes) {
        return Header::Unfinished;
    }
    Header::Absent
}

fn v1(bytes: &[u8]) -> Header {
    let longest = &bytes[..bytes.len().min(V1_LONGEST)];
    match longest.windows(2).position(|two| two == b"\r\n") {
        Some(end) if is_v1(&bytes[..end]) => Header::Whole(end + 2),
        None if bytes.len() < V1_LONGEST => Header::Unfinished,
        _ => Header::Malformed,
    }
}

fn is_v1(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else {
        return false;
    };
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    match words[..] {
        // Whatever follows is to be passed over.
        ["UNKNOWN", ..] => true,
        ["TCP4", from, to, out, into] => are::<Ipv4Addr>([from, to]) && are::<u16>([out, into]),
        ["TCP6", from, to, out, into] => are::<Ipv6Addr>([from, to]) && are::<u16>([out, into]),
        _ => false,
    }
}

fn are<T: FromStr>(words: [&str; 2]) -> bool {
    words.into_iter().all(|word| word.parse::<T>().is_ok())
}

fn v2(bytes: &[u8]) -> Header {
    let Some(&[command, family, high, low]) = bytes.get(V2_START.len()..V2_FIXED) else {
        return Header::Unfinished;
    };
    let rest = usize::from(u16::from_be_bytes([high, low]));
    let addresses = match (command, family) {
        // A check of the load balancer's own: family and addresses are to be passed over.
        (V2_LOCAL, _) | (V2_PROXY, 0x00) => 0,
        (V2_PROXY, 0x11 | 0x12) => 12,
        (V2_PROXY, 0x21 | 0x22) => 36,
        (V2_PROXY, 0x31 | 0x32) => 216,
        _ => return Header::Malformed,
    };
    if !(addresses..=V2_LONGEST).contains(&rest) {
        return Header::Malformed;
    }
    if bytes.len() < V2_FIXED + rest {
        return Header::Unfinished;
    }
    Header::Whole(V2_FIXED + rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    fn v2(command: u8, family: u8, rest: usize) -> Vec<u8> {
        let length = u16::try_from(rest).unwrap().to_be_bytes();
        [V2_START, &[command, family], &length, &vec![7; rest]].concat()
    }

    #[test]
    fn a_header_of_version_1_ends_with_its_line() {
        for header in [
            "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
            "PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n",
            "PROXY UNKNOWN\r\n",
            "PROXY UNKNOWN whatever it is\r\n",
        ] {
            let bytes = format!("{header}GET / HTTP/1.1\r\n\r\n");
            let whole = Header::Whole(header.len());
            assert_eq!(super::header(bytes.as_bytes()), whole, "{header}");
        }
    }

    #[test]
    fn a_header_of_version_2_is_as_long_as_it_says() {
        for (command, family, rest) in [
            (0x20, 0x00, 0),
            (0x20, 0xff, 3),
            (0x21, 0x00, 5),
            (0x21, 0x11, 12),
            (0x21, 0x21, 36 + 84),
            (0x21, 0x31, 216),
            (0x21, 0x12, V2_LONGEST),
        ] {
            let mut bytes = v2(command, family, rest);
            let whole = Header::Whole(bytes.len());
            bytes.extend(b"GET");
            assert_eq!(header(&bytes), whole, "{command:x} {family:x} {rest}");
        }
    }

    #[test]
    fn what_begins_like_a_header_and_is_none_is_malformed() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n",
            "PROXY TCP4 2001:db8::1 198.51.100.7 1 2\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n",
            "PROXY / HTTP/1.1\r\n",
            &long,
        ] {
            assert_eq!(header(line.as_bytes()), Header::Malformed, "{line}");
        }
        for bytes in [
            v2(0x11, 0x11, 12),
            v2(0x22, 0x11, 12),
            v2(0x21, 0x13, 12),
            v2(0x21, 0x11, 11),
            v2(0x21, 0x21, 12),
            v2(0x20, 0x00, V2_LONGEST + 1),
        ] {
            assert_eq!(header(&bytes), Header::Malformed, "{bytes:?}");
        }
    }

    #[test]
    fn what_begins_otherwise_is_no_header() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PRI * HTTP/2.0",
            b"PROPFIND / HTTP/1.1",
            b"\x16\x03\x01",
            b"\r\n\r\nGET",
            b"\0",
        ] {
            assert_eq!(header(bytes), Header::Absent, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_header_is_unfinished_until_its_last_byte(
            which in 0_usize..3, rest in 12_usize..300, cut: prop::sample::Index,
        ) {
            let whole = match which {
                0 => b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n".to_vec(),
                1 => b"PROXY UNKNOWN\r\n".to_vec(),
                _ => v2(0x21, 0x11, rest),
            };
            prop_assert_eq!(header(&whole), Header::Whole(whole.len()));
            prop_assert_eq!(header(&whole[..cut.index(whole.len())]), Header::Unfinished);
        }

        #[test]
        fn nothing_is_gathered_for_long_and_no_header_is_longer_than_its_bytes(
            start in prop::sample::select(vec![&b""[..], V1_START, V2_START, b"\r\n\r\n\0\r\nQUIT\n\x21\x11"]),
            rest in prop::collection::vec(any::<u8>(), 0..2200),
        ) {
            let bytes = [start, &rest].concat();
            match header(&bytes) {
                Header::Whole(end) => prop_assert!(end <= bytes.len()),
                Header::Unfinished => prop_assert!(bytes.len() < V2_FIXED + V2_LONGEST),
                Header::Absent | Header::Malformed => {}
            }
        }
    }
}
