//! The head of a request, as far as an answer goes by it. Pure.

use http::request;

/// The head of a request, as far as an answer goes by it.
///
/// Fields are added one by one, so that it is read from hyper's `HeaderMap` and from a parser's
/// slices alike. Nothing is allocated for a request that has none of our fields twice.
#[derive(Clone, Debug, Default)]
pub struct Head<'a> {
    pub(super) method: &'a str,
    /// Without the query, and as it was sent: nothing is decoded or resolved.
    pub(super) path: &'a str,
    pub(super) accept: Lines<'a>,
    pub(super) accept_language: Lines<'a>,
    pub(super) content_type: Lines<'a>,
    pub(super) origin: Lines<'a>,
    pub(super) asked_method: Lines<'a>,
}

/// The values of one field, in the order of their lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<'a> {
    first: Option<&'a [u8]>,
    more: Vec<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// The head of a request line. `target` is any of the four forms (RFC 9112 §3.2), with its
    /// query.
    pub fn new(method: &'a str, target: &'a str) -> Self {
        Self {
            method,
            path: path(target),
            ..Self::default()
        }
    }

    /// Adds a line; the name may be in any case. A field that no answer goes by is passed over.
    pub fn field(&mut self, name: &str, value: &'a [u8]) {
        if let Some(lines) = self.lines(name) {
            lines.push(value);
        }
    }

    /// The head of a request that hyper has read.
    pub fn of(parts: &'a request::Parts) -> Self {
        let mut head = Self {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            ..Self::default()
        };
        for (name, value) in &parts.headers {
            head.field(name.as_str(), value.as_bytes());
        }
        head
    }

    /// By the length of the name first: most fields of a request are none of ours.
    fn lines(&mut self, name: &str) -> Option<&mut Lines<'a>> {
        let (ours, lines) = match name.len() {
            6 if name.eq_ignore_ascii_case("origin") => ("origin", &mut self.origin),
            6 => ("accept", &mut self.accept),
            12 => ("content-type", &mut self.content_type),
            15 => ("accept-language", &mut self.accept_language),
            29 => ("access-control-request-method", &mut self.asked_method),
            _ => return None,
        };
        name.eq_ignore_ascii_case(ours).then_some(lines)
    }
}

impl<'a> Lines<'a> {
    fn push(&mut self, line: &'a [u8]) {
        if self.first.is_none() {
            self.first = Some(line);
        } else {
            self.more.push(line);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.more.iter().copied())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The value of a field that may be there once: of several nobody knows which is meant.
    pub(super) fn only(&self) -> Option<&'a [u8]> {
        self.first.filter(|_| self.more.is_empty())
    }
}

/// The path of a request target, without its query. An absolute one without a path means `/`
/// (RFC 9110 §4.2.3).
fn path(target: &str) -> &str {
    let (target, _) = target.split_once('?').unwrap_or((target, ""));
    if target.starts_with('/') {
        return target;
    }
    let Some((_, rest)) = target.split_once("://") else {
        return target;
    };
    rest.find('/').map_or("/", |start| &rest[start..])
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn the_path_is_what_every_form_of_a_target_says() {
        for (target, path) in [
            ("/healthz", "/healthz"),
            ("/healthz?full=1", "/healthz"),
            ("/a?b=http://c/d", "/a"),
            ("/a?b?c", "/a"),
            ("//a/b", "//a/b"),
            ("/a/../%2e", "/a/../%2e"),
            ("http://shop.example/healthz?x", "/healthz"),
            ("http://shop.example", "/"),
            ("http://shop.example?a=/b", "/"),
            ("*", "*"),
            ("shop.example:443", "shop.example:443"),
            ("", ""),
        ] {
            assert_eq!(Head::new("GET", target).path, path, "{target}");
        }
    }

    #[test]
    fn a_field_is_known_in_any_case_and_others_are_passed_over() {
        let mut head = Head::new("GET", "/");
        for (name, value) in [
            ("ACCEPT", "text/html"),
            ("Origin", "https://a.example"),
            ("cookie", "a=b"),
            ("user-agent", "x"),
            ("accept", "text/plain"),
            ("Access-Control-Request-Method", "PUT"),
            ("X-Content-Typ", "y"),
        ] {
            head.field(name, value.as_bytes());
        }
        let accept: Vec<_> = head.accept.iter().collect();
        assert_eq!(accept, [b"text/html".as_slice(), b"text/plain"]);
        assert_eq!(head.accept.only(), None);
        assert_eq!(head.origin.only(), Some(b"https://a.example".as_slice()));
        assert_eq!(head.asked_method.only(), Some(b"PUT".as_slice()));
        assert_eq!(head.content_type.only(), None);
    }

    proptest! {
        #[test]
        fn a_target_that_hyper_reads_has_the_path_that_hyper_says(
            target in r"(http://[a-z]{1,5}(:8080)?)?(/[a-z./%0-9]{0,8})?(\?[a-z/?=:]{0,8})?|\*",
        ) {
            if let Ok(request) = Request::builder().uri(&target).body(()) {
                let (parts, ()) = request.into_parts();
                prop_assert_eq!(Head::of(&parts).path, Head::new("GET", &target).path);
            }
        }
    }
}
