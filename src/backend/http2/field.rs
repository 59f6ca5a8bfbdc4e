//! What a field of a request is to us, by its name and its value.

/// What a field of a request is to us. An entry of the dynamic table keeps it, so that a field that is
/// sent again and again is looked at once.
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
    /// Well-formed, and nothing to us.
    Other,
    /// What makes the whole request malformed.
    Malformed,
}

impl Kind {
    /// The kind of a field.
    pub(super) fn of(name: &[u8], value: &[u8]) -> Self {
        let (kind, is_well_formed) = match name {
            b":method" => (Self::Method, is_token(value)),
            b":scheme" => (Self::Scheme, !value.is_empty() && is_value(value)),
            b":authority" => (Self::Authority, is_value(value)),
            b":path" => (Self::Path, is_path(value)),
            b"accept" => (Self::Accept, is_value(value)),
            b"accept-language" => (Self::AcceptLanguage, is_value(value)),
            b"content-type" => (Self::ContentType, is_value(value)),
            b"origin" => (Self::Origin, is_value(value)),
            b"access-control-request-method" => (Self::AskedMethod, is_value(value)),
            b"content-length" => (Self::ContentLength, number(value).is_some()),
            // These are about the connection (§8.2.2).
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => (Self::Malformed, false),
            b"te" => (Self::Other, value.eq_ignore_ascii_case(b"trailers")),
            _ => (Self::Other, is_name(name) && is_value(value)),
        };
        if is_well_formed {
            kind
        } else {
            Self::Malformed
        }
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

/// A length in decimal digits (RFC 9110 §8.6).
pub(super) fn number(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A name is a token without upper case (RFC 9113 §8.2.1). A pseudo-header field that is not ours to
/// know is malformed too (§8.3).
fn is_name(name: &[u8]) -> bool {
    is_token(name) && !name.iter().any(u8::is_ascii_uppercase)
}

/// RFC 9110 §5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(known)
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

/// A path is not empty (RFC 9113 §8.3.1), and text. What is more than that is not ours to say: it
/// gets the same answer.
fn is_path(value: &[u8]) -> bool {
    !value.is_empty() && is_value(value) && str::from_utf8(value).is_ok()
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
            (":scheme", "https", Kind::Scheme),
            (":authority", "", Kind::Authority),
            ("accept", "", Kind::Accept),
            (
                "content-length",
                "18446744073709551615",
                Kind::ContentLength,
            ),
            ("te", "trailers", Kind::Other),
            ("te", "Trailers", Kind::Other),
            ("x-a", "b\tc d", Kind::Other),
            ("x-a", " b ", Kind::Other),
            ("x-\u{7c}", "\u{e9}", Kind::Other),
            ("host", "shop", Kind::Other),
            ("expect", "100-continue", Kind::Other),
        ] {
            assert_eq!(Kind::of(name.as_bytes(), value.as_bytes()), kind, "{name}");
        }
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
        assert_eq!(Kind::of(b":path", b"/\xff"), Kind::Malformed);
    }
}
