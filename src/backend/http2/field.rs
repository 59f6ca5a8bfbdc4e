//! What a field of a request is to us, by its name and its value.

/// What a field of a request is to us. An entry of the dynamic table keeps it, and that of its name
/// alone, so that what is sent again and again is looked at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    // Pseudo-header fields (RFC 9113 §8.3.1).
    Method,
    Scheme,
    Authority,
    Path,
    // What an answer goes by.
    Accept,
    AcceptLanguage,
    ContentType,
    Origin,
    AskedMethod,
    /// What the body has to be as long as.
    ContentLength,
    /// The one of the fields about the connection that may be sent (RFC 9113 §8.2.2).
    Te,
    /// Well-formed, and nothing to us.
    Other,
    /// What makes the whole request malformed.
    Malformed,
}

impl Kind {
    /// The kind of all fields of a name whose values are well-formed.
    pub(super) const fn of_name(name: &[u8]) -> Self {
        match name {
            b":method" => Self::Method,
            b":scheme" => Self::Scheme,
            b":authority" => Self::Authority,
            b":path" => Self::Path,
            b"accept" => Self::Accept,
            b"accept-language" => Self::AcceptLanguage,
            b"content-type" => Self::ContentType,
            b"origin" => Self::Origin,
            b"access-control-request-method" => Self::AskedMethod,
            b"content-length" => Self::ContentLength,
            // These are about the connection (§8.2.2).
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => Self::Malformed,
            b"te" => Self::Te,
            _ if are_all(&NAME, name) => Self::Other,
            _ => Self::Malformed,
        }
    }

    /// The kind of a field whose name is of this kind.
    pub(super) fn with(self, value: &[u8]) -> Self {
        let is_well_formed = match self {
            Self::Malformed => false,
            Self::Method => are_all(&TOKEN, value),
            // Neither is empty (§8.3.1). What more a path is is not ours to say: it gets the same
            // answer, even where it is no text.
            Self::Scheme | Self::Path => !value.is_empty() && is_value(value),
            Self::ContentLength => number(value).is_some(),
            Self::Te => value.eq_ignore_ascii_case(b"trailers"),
            _ => is_value(value),
        };
        if is_well_formed {
            self
        } else {
            Self::Malformed
        }
    }

    /// The kind of a field.
    #[cfg(test)]
    pub(super) fn of(name: &[u8], value: &[u8]) -> Self {
        Self::of_name(name).with(value)
    }

    pub(super) fn is_pseudo(self) -> bool {
        matches!(
            self,
            Self::Method | Self::Scheme | Self::Authority | Self::Path
        )
    }

    /// The name by which a [`Head`] knows the field.
    ///
    /// [`Head`]: crate::notice::Head
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Accept => Some("accept"),
            Self::AcceptLanguage => Some("accept-language"),
            Self::ContentType => Some("content-type"),
            Self::Origin => Some("origin"),
            Self::AskedMethod => Some("access-control-request-method"),
            _ => None,
        }
    }
}

/// The most digits that a length may be told in. Nobody writes more, and who refers to a long one over
/// and over would have us read it each time.
const DIGITS: usize = 40;

/// A length in decimal digits (RFC 9110 §8.6).
pub(super) fn number(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value.get(..=DIGITS).map_or(value, |_| &[])).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// What tokens consist of (RFC 9110 §5.6.2), and names, which are tokens without upper case (RFC 9113
/// §8.2.1): a pseudo-header field that is not ours to know is malformed too (§8.3).
const TOKEN: [bool; 256] = token(true);
const NAME: [bool; 256] = token(false);

const fn token(with_upper_case: bool) -> [bool; 256] {
    let mut known = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        known[byte as usize] = match byte {
            b'A'..=b'Z' => with_upper_case,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' => true,
            byte => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
        };
        byte += 1;
    }
    known
}

/// Whether there are bytes, and all of them are known.
const fn are_all(known: &[bool; 256], bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        if !known[*byte as usize] {
            return false;
        }
        rest = after;
    }
    !bytes.is_empty()
}

/// A value has no control characters but the tab (RFC 9110 §5.5). White space at its ends is
/// forbidden as well (RFC 9113 §8.2.1); but there are clients that send it, it means nothing to us,
/// and such a request is to get the maintenance answer like any other.
fn is_value(value: &[u8]) -> bool {
    // Every byte is looked at, so that many are at once.
    let is_control = |byte: u8| byte < b' ' && byte != b'\t' || byte == 0x7f;
    !value
        .iter()
        .fold(false, |found, byte| found | is_control(*byte))
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn a_field_is_known_by_its_name() {
        for (name, value, kind) in [
            (":method", "GET", Kind::Method),
            (":path", "/a?b", Kind::Path),
            (":path", "*", Kind::Path),
            (":method", "M-SEARCH~", Kind::Method),
            (":scheme", "https", Kind::Scheme),
            (":authority", "", Kind::Authority),
            ("accept", "", Kind::Accept),
            (
                "content-length",
                "18446744073709551615",
                Kind::ContentLength,
            ),
            ("te", "trailers", Kind::Te),
            ("te", "Trailers", Kind::Te),
            ("x-a", "b\tc d", Kind::Other),
            ("x-a", " b ", Kind::Other),
            ("x-\u{7c}", "\u{e9}", Kind::Other),
            ("host", "shop", Kind::Other),
            ("expect", "100-continue", Kind::Other),
        ] {
            assert_eq!(Kind::of(name.as_bytes(), value.as_bytes()), kind, "{name}");
        }
        assert_eq!(Kind::of(b":path", b"/\xff"), Kind::Path);
        let ours = ["accept", "accept-language", "content-type", "origin"];
        for name in ours.into_iter().chain(["access-control-request-method"]) {
            assert_eq!(Kind::of(name.as_bytes(), b"x").name(), Some(name));
        }
    }

    #[test]
    fn what_no_request_may_have_is_malformed() {
        for (name, value) in [
            ("", "a"),
            ("A", "a"),
            ("a b", "a"),
            ("a:", "a"),
            ("x-\u{e9}", "a"),
            (":status", "200"),
            (":protocol", "websocket"),
            (":method", ""),
            (":method", "G T"),
            (":path", ""),
            (":path", "/\u{0}"),
            (":scheme", ""),
            ("x", "a\r\nb: c"),
            ("x", "a\nb"),
            ("x", "\u{0}"),
            ("x", "\u{7f}"),
            ("accept", "\u{1}"),
            ("connection", "close"),
            ("keep-alive", "1"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("te", "trailers, deflate"),
            ("content-length", ""),
            ("content-length", "+1"),
            ("content-length", "1, 1"),
            ("content-length", "18446744073709551616"),
        ] {
            let kind = Kind::of(name.as_bytes(), value.as_bytes());
            assert_eq!(kind, Kind::Malformed, "{name}: {value:?}");
        }
        let long = [b'0'; DIGITS + 1];
        assert_eq!(Kind::of(b"content-length", &long), Kind::Malformed);
        let kind = Kind::of(b"content-length", &long[1..]);
        assert_eq!(kind, Kind::ContentLength);
    }
}
