//! The failure of a call, to a client of gRPC or gRPC-Web. Pure.
//!
//! Both get HTTP 200 with the status UNAVAILABLE: of a 503 a client would make the same status, but
//! without our message and without knowing when to come back (gRPC, `http-grpc-status-mapping.md`).
//!
//! - gRPC: *Trailers-Only*, which is a head and no body (gRPC over HTTP/2, `PROTOCOL-HTTP2.md`).
//! - gRPC-Web: the trailers in a frame of the body (`PROTOCOL-WEB.md`). Trailers-Only is allowed there
//!   too, but scripts of another origin see such fields only where everybody on the way exposes them.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::header::{HeaderName, HeaderValue};

use super::retry::RetryAfter;

/// UNAVAILABLE, which a retry policy commonly names.
const STATUS: &str = "14";

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";
/// gRPC proposal A6: a client that retries at all waits for as long.
const GRPC_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// How much of a message is sent, in bytes after its encoding: some clients refuse a head of more
/// than 8 KiB.
const LONGEST_MESSAGE: usize = 2048;

/// The flag of a frame that holds trailers, as they are.
const TRAILERS: u8 = 0x80;

/// A kind of call: its protocol and the encoding of its messages.
///
/// The answer has no messages, but some clients insist on the content type that they sent. It is
/// said back from this list of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    content_type: &'static str,
    protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    Grpc,
    Web,
    /// The whole body is base64, for browsers that could read nothing but text.
    WebText,
}

/// Each protocol begins with its bare content type, which stands for those that are not listed.
const CALLS: [Call; 8] = [
    Call::new("application/grpc-web-text", Protocol::WebText),
    Call::new("application/grpc-web-text+proto", Protocol::WebText),
    Call::new("application/grpc-web", Protocol::Web),
    Call::new("application/grpc-web+proto", Protocol::Web),
    Call::new("application/grpc-web+json", Protocol::Web),
    Call::new("application/grpc", Protocol::Grpc),
    Call::new("application/grpc+proto", Protocol::Grpc),
    Call::new("application/grpc+json", Protocol::Grpc),
];

impl Call {
    const fn new(content_type: &'static str, protocol: Protocol) -> Self {
        Self {
            content_type,
            protocol,
        }
    }

    /// The call that a content type announces: `application/grpc`, `-web` or `-web-text`, perhaps
    /// with `+` and an encoding, perhaps with parameters.
    pub(super) fn of(content_type: &[u8]) -> Option<Self> {
        let whole = before(content_type, b';').trim_ascii();
        let bare = before(whole, b'+');
        let listed = |name: &[u8]| {
            let mut calls = CALLS.into_iter();
            calls.find(|call| call.content_type.as_bytes().eq_ignore_ascii_case(name))
        };
        listed(whole).or_else(|| listed(bare))
    }

    pub(super) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(self.content_type)
    }

    /// The fields of the head, beside those of every answer.
    pub(super) fn fields(
        self,
        message: &str,
        retry: RetryAfter,
    ) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
        let in_head = self.protocol == Protocol::Grpc;
        let trailers = trailers(message, retry)
            .into_iter()
            .filter(move |_| in_head);
        trailers.filter_map(|(name, value)| {
            let value = HeaderValue::try_from(value).ok()?;
            Some((HeaderName::from_static(name), value))
        })
    }

    pub(super) fn body(self, message: &str, retry: RetryAfter) -> Vec<u8> {
        match self.protocol {
            Protocol::Grpc => Vec::new(),
            Protocol::Web => frame(message, retry),
            Protocol::WebText => BASE64_STANDARD.encode(frame(message, retry)).into_bytes(),
        }
    }
}

fn trailers(message: &str, retry: RetryAfter) -> [(&'static str, String); 3] {
    [
        (GRPC_STATUS, STATUS.to_owned()),
        (GRPC_MESSAGE, percent_encoded(message)),
        (GRPC_PUSHBACK, retry.pushback().to_string()),
    ]
}

/// One frame: its flag, its length, and the trailers as lines of HTTP/1 with names in lower case.
fn frame(message: &str, retry: RetryAfter) -> Vec<u8> {
    let mut lines = String::new();
    for (name, value) in trailers(message, retry) {
        lines.extend([name, ":", &value, "\r\n"]);
    }
    let length = u32::try_from(lines.len()).unwrap_or_default();
    let mut frame = vec![TRAILERS];
    frame.extend(length.to_be_bytes());
    frame.extend(lines.into_bytes());
    frame
}

/// `Percent-Encoded`: all but the printable characters of ASCII, and `%` itself. A message that is
/// too long ends with an ellipsis.
fn percent_encoded(message: &str) -> String {
    const ELLIPSIS: &str = "%E2%80%A6";
    let mut encoded = String::with_capacity(message.len());
    for character in message.chars() {
        let before = encoded.len();
        encode(character, &mut encoded);
        if encoded.len() > LONGEST_MESSAGE - ELLIPSIS.len() {
            encoded.truncate(before);
            return encoded + ELLIPSIS;
        }
    }
    encoded
}

fn encode(character: char, encoded: &mut String) {
    if matches!(character, ' '..='~') && character != '%' {
        encoded.push(character);
        return;
    }
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a String does not fail.
        let _ = write!(encoded, "%{byte:02X}");
    }
}

fn before(text: &[u8], mark: u8) -> &[u8] {
    text.split(|byte| *byte == mark).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::super::sample::{at, notice};
    use super::*;

    /// Ten seconds before the end.
    fn retry() -> RetryAfter {
        RetryAfter::at(&notice(), at("2026-12-06T02:59:50Z"), 0)
    }

    fn said_back(content_type: &str) -> Option<&'static str> {
        Call::of(content_type.as_bytes()).map(|call| call.content_type)
    }

    #[test]
    fn a_call_gets_its_content_type_back_where_it_is_one_of_ours() {
        for (sent, said) in [
            ("application/grpc", "application/grpc"),
            ("application/grpc+proto", "application/grpc+proto"),
            ("Application/gRPC+JSON", "application/grpc+json"),
            ("application/grpc;charset=utf-8", "application/grpc"),
            ("application/grpc+thrift", "application/grpc"),
            ("application/grpc-web", "application/grpc-web"),
            (
                "application/grpc-web+proto; a=b",
                "application/grpc-web+proto",
            ),
            ("application/grpc-web-text", "application/grpc-web-text"),
            (
                "application/grpc-web-text+proto",
                "application/grpc-web-text+proto",
            ),
            ("application/grpc-web-text+xml", "application/grpc-web-text"),
        ] {
            assert_eq!(said_back(sent), Some(said), "{sent}");
        }
    }

    #[test]
    fn what_only_looks_like_a_call_is_none() {
        for sent in [
            "",
            "application/json",
            "application/grpcs",
            "application/grpc-other",
            "application/grpc-web-textual",
            "text/plain;application/grpc",
            "application/proto",
            "application/connect+proto",
        ] {
            assert_eq!(said_back(sent), None, "{sent}");
        }
    }

    #[test]
    fn a_message_is_percent_encoded_and_bounded() {
        for (message, encoded) in [
            ("We are back at 3.", "We are back at 3."),
            ("100%", "100%25"),
            ("a\r\nb: c", "a%0D%0Ab: c"),
            ("Wartung für Sie", "Wartung f%C3%BCr Sie"),
            ("\u{7f}~", "%7F~"),
        ] {
            assert_eq!(percent_encoded(message), encoded);
        }
        let long = percent_encoded(&"ü".repeat(1024));
        assert_eq!(long.len(), (LONGEST_MESSAGE - 9) / 6 * 6 + 9);
        assert!(long.ends_with("%C3%BC%E2%80%A6"), "{long}");
    }

    #[test]
    fn the_trailers_of_grpc_web_are_one_frame_byte_for_byte() {
        let web = Call::of(b"application/grpc-web").unwrap();
        let body = web.body("Back soon.", retry());
        let lines =
            b"grpc-status:14\r\ngrpc-message:Back soon.\r\ngrpc-retry-pushback-ms:10000\r\n";
        assert_eq!(body, [&[0x80, 0, 0, 0, 71], lines.as_slice()].concat());
        assert_eq!(lines.len(), 71);
        assert_eq!(web.fields("Back soon.", retry()).count(), 0);

        let text = Call::of(b"application/grpc-web-text").unwrap();
        let decoded = BASE64_STANDARD.decode(text.body("Back soon.", retry()));
        assert_eq!(decoded.unwrap(), body);
    }
}
