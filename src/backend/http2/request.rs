//! The fields of a request: whether they are one, and its head.

use std::ops::Range;

use super::field::{Kind, number};
use crate::notice::Head;

/// What the fields of a request are kept in while they are read. It is made once, and used for one
/// request after the other.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// For the decoder.
    pub(super) strings: Vec<u8>,
    pub(super) kept: Kept,
}

/// What of a request is kept until its head is whole.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// What an answer goes by, in the order of its lines, by where it is in `bytes`.
    fields: Vec<(&'static str, Range<usize>)>,
}

/// The most bytes of fields that an answer goes by, counted like those of a list. A byte or two can stand
/// for 4 KiB of them, over and over, and each is parsed; those that are more are passed over, for there
/// is always an answer without them.
const NEGOTIATION: usize = 4096;

/// The fields of a block, as they are read.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    kept: &'a mut Kept,
    method: Option<Range<usize>>,
    path: Option<Range<usize>>,
    scheme: Option<()>,
    authority: Option<()>,
    has_regular: bool,
    length: Option<u64>,
    is_malformed: bool,
    size: usize,
    most: usize,
    /// How many bytes of what an answer goes by may still be kept.
    left: usize,
}

/// What a block is as the head of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made, and never kept"
)]
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Request {
        head: Head<'a>,
        /// How long it says that its body is.
        length: Option<u64>,
    },
    /// RFC 9113 §8.1.1.
    Malformed,
    /// RFC 6585 §5.
    TooLarge,
}

impl<'a> Fields<'a> {
    /// Nothing yet. More than `most` bytes, counted as in RFC 9113 §6.5.2, are not kept.
    pub(super) fn new(kept: &'a mut Kept, most: usize) -> Self {
        kept.bytes.clear();
        kept.fields.clear();
        Self {
            kept,
            method: None,
            path: None,
            scheme: None,
            authority: None,
            has_regular: false,
            length: None,
            is_malformed: false,
            size: 0,
            most,
            left: NEGOTIATION,
        }
    }

    /// Takes the next field, of so many bytes; says whether there is any use in more.
    pub(super) fn add(&mut self, kind: Kind, value: &[u8], size: usize) -> bool {
        self.size = self.size.saturating_add(size);
        if self.size > self.most {
            return false;
        }
        // Whether they are too large comes first, so that they are counted to the end.
        if self.is_malformed {
            return true;
        }
        // Pseudo-header fields come first, and each once (§8.3).
        let is_misplaced = kind.is_pseudo() && self.has_regular;
        self.has_regular |= !kind.is_pseudo();
        let is_known = match kind {
            Kind::Method => {
                let place = self.kept.keep(value);
                self.method.replace(place).is_some()
            }
            Kind::Path => {
                let place = self.kept.keep(value);
                self.path.replace(place).is_some()
            }
            Kind::Scheme => self.scheme.replace(()).is_some(),
            Kind::Authority => self.authority.replace(()).is_some(),
            // The same length twice is no contradiction (RFC 9110 §8.6).
            Kind::ContentLength => {
                let length = number(value);
                self.length.is_some() && self.length != length || {
                    self.length = length;
                    false
                }
            }
            Kind::Malformed => true,
            _ => false,
        };
        self.is_malformed |= is_misplaced || is_known;
        if let Some(name) = kind.name()
            && let Some(left) = self.left.checked_sub(size)
        {
            self.left = left;
            let place = self.kept.keep(value);
            self.kept.fields.push((name, place));
        }
        true
    }

    /// Whether they can be the trailers of a request (§8.1). Those that are too many are nothing to
    /// us: the request has been answered.
    pub(super) fn are_trailers(&self) -> bool {
        let has_pseudo = self.method.is_some()
            || self.path.is_some()
            || self.scheme.is_some()
            || self.authority.is_some();
        !has_pseudo && !self.is_malformed
    }

    pub(super) fn verdict(self) -> Verdict<'a> {
        if self.size > self.most {
            return Verdict::TooLarge;
        }
        let length = self.length;
        match self.head() {
            Some(head) => Verdict::Request { head, length },
            None => Verdict::Malformed,
        }
    }

    fn head(self) -> Option<Head<'a>> {
        let kept: &'a Kept = self.kept;
        let method = kept.text(&self.method?)?;
        // One that is no text is none that is asked for by name.
        let path = self.path.as_ref();
        let path = path.map(|place| kept.text(place).unwrap_or("/"));
        // CONNECT has an authority, and neither a scheme nor a path (§8.5).
        let path = match path {
            Some(path) if method != "CONNECT" && self.scheme.is_some() => path,
            None if method == "CONNECT" && self.authority.is_some() && self.scheme.is_none() => "",
            _ => return None,
        };
        if self.is_malformed {
            return None;
        }
        let mut head = Head::new(method, path);
        for (name, place) in &kept.fields {
            head.field(name, kept.bytes.get(place.clone())?);
        }
        Some(head)
    }
}

impl Kept {
    fn keep(&mut self, value: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        start..self.bytes.len()
    }

    fn text(&self, place: &Range<usize>) -> Option<&str> {
        str::from_utf8(self.bytes.get(place.clone())?).ok()
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    const MOST: usize = 1000;

    const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "http"), (":path", "/a")];

    /// What fields are: the head and the length of the body, or what is wrong.
    fn verdict(fields: &[(&str, &str)]) -> String {
        let mut kept = Kept::default();
        let mut all = Fields::new(&mut kept, MOST);
        for (name, value) in fields {
            let kind = Kind::of(name.as_bytes(), value.as_bytes());
            all.add(kind, value.as_bytes(), name.len() + value.len() + 32);
        }
        format!("{:?}", all.verdict())
    }

    fn request(method: &str, path: &str, fields: &[(&str, &str)], length: Option<u64>) -> String {
        let mut head = Head::new(method, path);
        for (name, value) in fields {
            head.field(name, value.as_bytes());
        }
        format!("{:?}", Verdict::Request { head, length })
    }

    #[test]
    fn the_head_has_what_an_answer_goes_by() {
        let fields = [
            ("accept", "text/html"),
            ("cookie", "a=b"),
            ("accept", "text/plain"),
            ("content-type", "application/grpc"),
            ("origin", "https://a.example"),
            ("accept-language", "de"),
            ("access-control-request-method", "PUT"),
            ("te", "trailers"),
        ];
        let all = [&GET[..], &[(":authority", "shop")], &fields].concat();
        assert_eq!(verdict(&all), request("GET", "/a", &fields, None));
    }

    #[test]
    fn a_path_that_is_no_text_is_answered_as_the_root() {
        let mut kept = Kept::default();
        let mut all = Fields::new(&mut kept, MOST);
        for (name, value) in [(":method", &b"GET"[..]), (":scheme", b"http")] {
            all.add(Kind::of(name.as_bytes(), value), value, 0);
        }
        all.add(Kind::of(b":path", b"/\xff"), b"/\xff", 0);
        let said = format!("{:?}", all.verdict());
        assert_eq!(said, request("GET", "/", &[], None));
    }

    #[test]
    fn of_the_fields_that_an_answer_goes_by_no_more_is_kept_than_anybody_sends() {
        let long = "x".repeat(NEGOTIATION - 32 - "accept".len());
        let accept = ("accept", &long[..]);
        let kept = |fields: &[(&str, &str)]| {
            let mut kept = Kept::default();
            let mut all = Fields::new(&mut kept, usize::MAX);
            for (name, value) in [&GET[..], fields].concat() {
                let kind = Kind::of(name.as_bytes(), value.as_bytes());
                all.add(kind, value.as_bytes(), name.len() + value.len() + 32);
            }
            format!("{:?}", all.verdict())
        };
        assert_eq!(kept(&[accept; 15]), request("GET", "/a", &[accept], None));
        let more = [accept, ("accept-language", "")];
        assert_eq!(kept(&more), request("GET", "/a", &[accept], None));
        let empty = ("accept", "");
        let most = NEGOTIATION / (32 + "accept".len());
        let expected = request("GET", "/a", &vec![empty; most], None);
        assert_eq!(kept(&vec![empty; 1000]), expected);
    }

    #[test]
    fn a_length_is_told_and_may_be_told_twice() {
        let told = |lengths: &[&str]| {
            let lengths = lengths.iter().map(|length| ("content-length", *length));
            verdict(&GET.into_iter().chain(lengths).collect::<Vec<_>>())
        };
        assert_eq!(told(&["5"]), request("GET", "/a", &[], Some(5)));
        assert_eq!(told(&["5", "05"]), request("GET", "/a", &[], Some(5)));
        assert_eq!(told(&["5", "6"]), "Malformed");
    }

    #[test]
    fn connect_has_an_authority_and_neither_scheme_nor_path() {
        let connect = (":method", "CONNECT");
        let authority = (":authority", "shop:443");
        let expected = request("CONNECT", "", &[], None);
        assert_eq!(verdict(&[connect, authority]), expected);
        assert_eq!(verdict(&[connect]), "Malformed");
        assert_eq!(verdict(&[connect, authority, GET[1]]), "Malformed");
        assert_eq!(verdict(&[connect, authority, GET[2]]), "Malformed");
        let protocol = (":protocol", "websocket");
        assert_eq!(
            verdict(&[connect, authority, protocol, GET[1], GET[2]]),
            "Malformed"
        );
    }

    #[test]
    fn a_request_whose_fields_are_missing_doubled_or_misplaced_is_malformed() {
        for (place, field) in GET.into_iter().enumerate() {
            let mut fields = GET.to_vec();
            fields.remove(place);
            assert_eq!(verdict(&fields), "Malformed", "{fields:?}");
            fields.push(("accept", "a"));
            fields.push(field);
            assert_eq!(verdict(&fields), "Malformed", "{fields:?}");
            let doubled = [&GET[..], &[field]].concat();
            assert_eq!(verdict(&doubled), "Malformed", "{doubled:?}");
        }
        let authority = (":authority", "a");
        assert_eq!(verdict(&[&GET[..], &[authority; 2]].concat()), "Malformed");
        assert_eq!(verdict(&[]), "Malformed");
    }

    #[test]
    fn fields_of_more_bytes_than_may_be_are_too_large() {
        let used: usize = GET
            .iter()
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum();
        let value = "x".repeat(MOST - used - 32 - 1);
        let fits = [&GET[..], &[("a", &value)]].concat();
        assert_eq!(verdict(&fits), request("GET", "/a", &[], None));
        let over = [&GET[..], &[("aa", &value)]].concat();
        assert_eq!(verdict(&over), "TooLarge");
        // Whatever else is wrong with them, for they are not looked at.
        let over = [&over[..], &[("A", "a")]].concat();
        assert_eq!(verdict(&over), "TooLarge");
    }

    #[test]
    fn trailers_have_no_pseudo_header_fields() {
        let are_trailers = |fields: &[(&str, &str)]| {
            let mut kept = Kept::default();
            let mut all = Fields::new(&mut kept, MOST);
            for (name, value) in fields {
                let kind = Kind::of(name.as_bytes(), value.as_bytes());
                all.add(kind, value.as_bytes(), 0);
            }
            all.are_trailers()
        };
        assert!(are_trailers(&[]));
        assert!(are_trailers(&[("grpc-status", "0"), ("x", "y")]));
        for field in GET {
            assert!(!are_trailers(&[field]), "{field:?}");
        }
        assert!(!are_trailers(&[(":authority", "a")]));
        assert!(!are_trailers(&[("X", "y")]));
    }
}
