//! Which of a notice's answers a request gets. Pure.

use super::accept::{Format, negotiate};
use super::grpc::Call;
use super::head::Head;
use super::{Language, Notice, cors};

/// One of the answers that a notice has at any instant: some two dozen, whatever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant(pub(super) Kind);

impl Variant {
    /// How many following turns may share one answer: a page is large, and there is one for each
    /// language.
    pub fn turns_that_share(self) -> u32 {
        match self.0 {
            Kind::Unavailable(Format::Html, _) | Kind::OwnPage => 4,
            _ => 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// The 503, in a format and a language. Only the page is written in more than one.
    Unavailable(Format, Language),
    /// The 503 with the user's own page. It is the same to all, and may be large: there is one of it.
    OwnPage,
    /// The failure of a call, to a client of gRPC or gRPC-Web.
    Call(Call),
    /// The 200 for one of the notice's health checks.
    HealthCheck,
    /// The leave to send a request that will get the 503.
    Preflight,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// Which answer.
    pub variant: Variant,
    /// Which one where that says that the [page failed](super::Answer::page_failed): ours, in the
    /// visitor's language.
    pub instead: Variant,
    /// HEAD: the answer is sent without its body.
    pub without_body: bool,
    /// The origin that the answer says back; see [`Choice::origin_fields`].
    pub origin: Option<&'a [u8]>,
}

/// Crawlers read nothing but text here, and a status.
const ROBOTS: &str = "/robots.txt";

/// Where a certificate authority looks for the answer to its challenge (RFC 8555 §8.3).
const ACME: &str = "/.well-known/acme-challenge/";

/// Which of the answers of `notice` the request of `head` gets.
pub fn choose<'a>(head: &Head<'a>, notice: &Notice) -> Choice<'a> {
    let ours = kind(head, notice);
    let variant = match ours {
        Kind::Unavailable(Format::Html, _) if notice.page.is_some() => Kind::OwnPage,
        _ => ours,
    };
    Choice {
        variant: Variant(variant),
        instead: Variant(ours),
        without_body: head.method == "HEAD",
        origin: cors::origin(head),
    }
}

/// But for the user's own page.
fn kind(head: &Head<'_>, notice: &Notice) -> Kind {
    if is_health_check(head, notice) {
        return Kind::HealthCheck;
    }
    if cors::is_preflight(head) {
        return Kind::Preflight;
    }
    if let Some(call) = head.content_type.only().and_then(Call::of) {
        return Kind::Call(call);
    }
    if head.path == ROBOTS || head.path.starts_with(ACME) {
        return Kind::Unavailable(Format::Text, Language::English);
    }
    let format = negotiate(&head.accept);
    let language = match format {
        Format::Html => Language::negotiate(head.accept_language.iter()),
        _ => Language::English,
    };
    Kind::Unavailable(format, language)
}

/// A load balancer asks by GET or HEAD. What else is sent to that path is meant for the app.
fn is_health_check(head: &Head<'_>, notice: &Notice) -> bool {
    matches!(head.method, "GET" | "HEAD")
        && notice.health_checks.iter().any(|path| path == head.path)
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::super::sample::always;
    use super::super::{Page, Render};
    use super::*;

    fn notice() -> Notice {
        Notice {
            health_checks: vec!["/healthz".into(), "/checked".into()],
            ..always()
        }
    }

    fn kind_of(method: &str, target: &str, fields: &[(&str, &str)]) -> Kind {
        let mut head = Head::new(method, target);
        for (name, value) in fields {
            head.field(name, value.as_bytes());
        }
        choose(&head, &notice()).variant.0
    }

    const HTML: (&str, &str) = ("accept", "text/html");

    #[test]
    fn a_health_check_is_a_path_that_is_equal_and_a_method_that_reads() {
        for (method, target) in [
            ("GET", "/healthz"),
            ("HEAD", "/healthz"),
            ("GET", "/healthz?verbose"),
            ("GET", "http://10.0.0.1/healthz"),
            ("GET", "/checked"),
        ] {
            assert_eq!(
                kind_of(method, target, &[HTML]),
                Kind::HealthCheck,
                "{method} {target}"
            );
        }
        for (method, target) in [
            ("POST", "/healthz"),
            ("OPTIONS", "/healthz"),
            ("get", "/healthz"),
            ("GET", "/healthz/"),
            ("GET", "/Healthz"),
            ("GET", "/health%7a"),
            ("GET", "/./healthz"),
            ("GET", "//healthz"),
            ("GET", "*"),
        ] {
            let page = Kind::Unavailable(Format::Html, Language::English);
            assert_eq!(kind_of(method, target, &[HTML]), page, "{method} {target}");
        }
    }

    #[test]
    fn crawlers_and_certificate_authorities_get_text_whatever_they_accept() {
        for (target, format) in [
            ("/robots.txt", Format::Text),
            ("/robots.txt?x", Format::Text),
            ("/robots.txt/", Format::Html),
            ("/a/robots.txt", Format::Html),
            (
                "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA",
                Format::Text,
            ),
            ("/.well-known/acme-challenge", Format::Html),
            ("/.well-known/security.txt", Format::Html),
        ] {
            let expected = Kind::Unavailable(format, Language::English);
            assert_eq!(kind_of("GET", target, &[HTML]), expected, "{target}");
        }
    }

    #[test]
    fn a_preflight_comes_before_everything_that_its_path_may_mean() {
        let fields = [
            ("origin", "https://a.example"),
            ("access-control-request-method", "POST"),
            HTML,
        ];
        for target in ["/cart", "/healthz", "/robots.txt", "*"] {
            assert_eq!(
                kind_of("OPTIONS", target, &fields),
                Kind::Preflight,
                "{target}"
            );
        }
    }

    #[test]
    fn every_other_method_gets_what_it_accepts() {
        for method in [
            "GET", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PROPFIND",
        ] {
            let page = Kind::Unavailable(Format::Html, Language::English);
            assert_eq!(kind_of(method, "/cart", &[HTML]), page, "{method}");
        }
    }

    #[test]
    fn only_the_page_goes_by_the_language() {
        for (accept, format, language) in [
            ("text/html", Format::Html, Language::German),
            ("text/plain", Format::Text, Language::English),
            ("application/json", Format::Json, Language::English),
            ("*/*", Format::Problem, Language::English),
        ] {
            let fields = [("accept", accept), ("accept-language", "de-CH, en;q=0.8")];
            let expected = Kind::Unavailable(format, language);
            assert_eq!(kind_of("GET", "/", &fields), expected, "{accept}");
        }
    }

    #[test]
    fn a_page_of_the_users_is_one_for_all_and_ours_in_its_place_is_not() {
        let own = Notice {
            page: Some(Page::new(Render::Verbatim, "<p>".into())),
            ..notice()
        };
        let choice = |accept| {
            let mut head = Head::new("GET", "/");
            head.field("accept", accept);
            head.field("accept-language", b"de");
            let choice = choose(&head, &own);
            (choice.variant.0, choice.instead.0)
        };
        let ours = Kind::Unavailable(Format::Html, Language::German);
        assert_eq!(choice(b"text/html"), (Kind::OwnPage, ours));
        let text = Kind::Unavailable(Format::Text, Language::English);
        assert_eq!(choice(b"text/plain"), (text, text));
    }

    #[test]
    fn a_call_is_known_by_its_content_type() {
        let content_type = ("content-type", "application/grpc");
        let kind = kind_of("POST", "/shop.Cart/Add", &[content_type, HTML]);
        assert!(matches!(kind, Kind::Call(_)), "{kind:?}");
        let json = ("content-type", "application/json");
        let page = Kind::Unavailable(Format::Html, Language::English);
        assert_eq!(kind_of("POST", "/shop.Cart/Add", &[json, HTML]), page);
    }
}
