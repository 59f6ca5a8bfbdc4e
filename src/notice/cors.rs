//! What a page of another origin may see of an answer (CORS, as the Fetch standard has it). Pure.
//!
//! A browser asks the server on behalf of the page: before a request that a form could not send
//! (a *preflight*), and by the fields of the answer itself. Without our word for it a page is told
//! of a network error, and not of a 503.
//!
//! We give away nothing by it: the answer is the same for everybody, whatever he sends along, so
//! each origin may see it. `Access-Control-Allow-Credentials` is never said. It would let any page
//! that asks us just before the end have its request sent to the app just after it, with the
//! visitor's cookies.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderName, HeaderValue,
};

use super::head::Head;

/// The fields of an answer to a preflight, but for `Access-Control-Allow-Origin`.
///
/// - The wildcards are for any method and any field of requests without credentials; `Authorization`
///   is the one field that a wildcard does not cover. The methods are named as well, for browsers
///   that take `*` for a method.
/// - It is never kept: who may ask what is the app's to say, and it may be back any moment.
pub(super) const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, *"),
    ),
    (
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("*, Authorization"),
    ),
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("0")),
];

/// The fields that a page may read beside those that it always may, such as `Content-Type`.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Date, Retry-After, Entracte-Window, Grpc-Status, Grpc-Message, Grpc-Retry-Pushback-Ms",
);

/// More than any origin has: a scheme, a host name of 253 characters and a port.
const LONGEST: usize = 300;

/// The fields that the origin of a request adds to its answer.
pub(super) fn fields(origin: &[u8]) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let origin = HeaderValue::from_bytes(origin).ok();
    let fields = origin.map(|origin| {
        [
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
        ]
    });
    fields.into_iter().flatten()
}

/// The origin of a request, where it is well-formed and so may be said back.
pub(super) fn origin<'a>(head: &Head<'a>) -> Option<&'a [u8]> {
    head.origin.only().filter(|origin| is_origin(origin))
}

/// Whether a request asks what a page of that origin may send ("CORS-preflight request").
pub(super) fn is_preflight(head: &Head<'_>) -> bool {
    head.method == "OPTIONS" && head.asked_method.only().is_some() && origin(head).is_some()
}

/// `null`, or a scheme, a host and perhaps a port, and nothing else (RFC 6454 §6.2 and §7.1).
fn is_origin(origin: &[u8]) -> bool {
    if origin == b"null" {
        return true;
    }
    let Ok(text) = std::str::from_utf8(origin) else {
        return false;
    };
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    text.len() <= LONGEST
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._~%[]:".contains(c))
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn only_an_origin_is_said_back() {
        for origin in [
            "null",
            "https://shop.example",
            "http://localhost:3000",
            "http://[::1]:8080",
            "https://xn--bcher-kva.example",
            "chrome-extension://gcbommkclmclpchllfjekcdonpmejbdp",
            "capacitor://localhost",
        ] {
            assert!(is_origin(origin.as_bytes()), "{origin}");
        }
        for origin in [
            "",
            "*",
            "NULL",
            "shop.example",
            "https://",
            "://shop.example",
            "1https://shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://a@shop.example",
            "https://a.example https://b.example",
            "https://a.example, https://b.example",
            "https://shop.example\r\nSet-Cookie: a=b",
            "https://<script>",
            "https://\u{fc}.example",
            " https://shop.example",
        ] {
            assert!(!is_origin(origin.as_bytes()), "{origin}");
        }
        assert!(!is_origin(b"https://\xff.example"));
        assert!(!is_origin(
            format!("https://{}", "a".repeat(LONGEST)).as_bytes()
        ));
    }

    #[test]
    fn of_two_origins_none_is_said_back() {
        let mut head = Head::new("GET", "/");
        head.field("origin", b"https://a.example");
        assert_eq!(origin(&head), Some(b"https://a.example".as_slice()));
        head.field("origin", b"https://b.example");
        assert_eq!(origin(&head), None);
    }

    #[test]
    fn a_preflight_is_options_with_an_origin_and_the_method_it_asks_for() {
        let head = |method: &'static str, fields: &[(&str, &'static str)]| {
            let mut head = Head::new(method, "/");
            for (name, value) in fields {
                head.field(name, value.as_bytes());
            }
            head
        };
        let origin = ("origin", "https://a.example");
        let asked = ("access-control-request-method", "PUT");
        assert!(is_preflight(&head("OPTIONS", &[origin, asked])));
        for (method, fields) in [
            ("GET", [origin, asked].as_slice()),
            ("OPTIONS", &[origin]),
            ("OPTIONS", &[asked]),
            ("OPTIONS", &[("origin", "no origin"), asked]),
        ] {
            assert!(!is_preflight(&head(method, fields)), "{method} {fields:?}");
        }
    }
}
