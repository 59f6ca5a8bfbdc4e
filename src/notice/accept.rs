//! Which format a request asks for: proactive negotiation by `Accept` (RFC 9110 §12.5.1). Pure.

use http::header::HeaderValue;

use super::head::Lines;
use super::weight::{self, Weight};

/// A format of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Format {
    /// Problem details (RFC 9457).
    Problem,
    /// The same document, for who asks for plain JSON.
    Json,
    /// The page.
    Html,
    /// Plain text.
    Text,
}

/// The formats in our order of preference: the first is for who does not mind. Browsers always
/// name `text/html`, so who does not is a program.
const PREFERENCE: [Format; 4] = [Format::Problem, Format::Json, Format::Html, Format::Text];

/// How closely a range names a format; the closest one that matches decides (§12.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    /// `*/*`
    Any,
    /// `text/*`
    Type,
    /// `text/html;level=1`: a variant that we do not have. Its weight counts where the format
    /// itself is not named: who reads the variant reads the format.
    Variant,
    /// `text/html`
    Exact,
}

/// One element of `Accept` that follows the grammar.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    has_parameters: bool,
    weight: Weight,
}

impl Format {
    pub(super) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Problem => "application/problem+json",
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
        })
    }

    const fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Problem => ("application", "problem+json"),
            Self::Json => ("application", "json"),
            Self::Html => ("text", "html"),
            Self::Text => ("text", "plain"),
        }
    }
}

/// The format for a request with these lines of `Accept`.
///
/// The highest weight wins; then the format that is named more closely (so that
/// `application/json, */*` gets what it names); then our own order. Who accepts nothing that we
/// have gets problem details all the same, as §12.5.1 allows: the status says more than the body.
pub(super) fn negotiate(accept: &Lines<'_>) -> Format {
    // What most programs say, and what it means that they say nothing.
    if accept.is_empty() || accept.only() == Some(b"*/*") {
        return PREFERENCE[0];
    }
    let wishes = wishes(accept).map(by_weight);
    let mut best = (Format::Problem, None);
    for (format, wish) in PREFERENCE.into_iter().zip(wishes) {
        if wish > best.1 {
            best = (format, wish);
        }
    }
    best.0
}

/// The closest range for each format, and of several the one with the highest weight.
fn wishes(accept: &Lines<'_>) -> [Option<(Closeness, Weight)>; PREFERENCE.len()] {
    let ranges = accept
        .iter()
        .filter_map(|line| std::str::from_utf8(line).ok())
        .flat_map(|line| split_unquoted(line, ','))
        .filter_map(Range::parse);
    let mut wishes = [None; PREFERENCE.len()];
    for range in ranges {
        for (format, wish) in PREFERENCE.into_iter().zip(&mut wishes) {
            let named = range
                .closeness_to(format)
                .map(|close| (close, range.weight));
            *wish = named.max(*wish);
        }
    }
    wishes
}

/// What is weighed is what is acceptable at all.
fn by_weight(wish: Option<(Closeness, Weight)>) -> Option<(Weight, Closeness)> {
    wish.filter(|(_, weight)| *weight > 0)
        .map(|(closeness, weight)| (weight, closeness))
}

impl<'a> Range<'a> {
    /// `None` where the element does not follow the grammar; it is passed over, as the rest of
    /// the field still says something.
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = split_unquoted(element, ';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        if main.is_empty() || sub.is_empty() || (main == "*" && sub != "*") {
            return None;
        }
        let mut range = Self {
            main,
            sub,
            has_parameters: false,
            weight: weight::FULL,
        };
        for parameter in parts.filter(|part| !part.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                range.weight = weight::parse(value.as_bytes())?;
                // What follows the weight was once for extensions, and is now to be ignored.
                break;
            }
            range.has_parameters |= !is_our_charset(name, value);
        }
        Some(range)
    }

    fn closeness_to(&self, format: Format) -> Option<Closeness> {
        let (main, sub) = format.media_type();
        if self.main == "*" {
            return Some(Closeness::Any);
        }
        if !self.main.eq_ignore_ascii_case(main) {
            return None;
        }
        if self.sub == "*" {
            return Some(Closeness::Type);
        }
        if !self.sub.eq_ignore_ascii_case(sub) {
            return None;
        }
        Some(if self.has_parameters {
            Closeness::Variant
        } else {
            Closeness::Exact
        })
    }
}

fn is_our_charset(name: &str, value: &str) -> bool {
    name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// Splits at `separator` outside of quoted strings (RFC 9110 §5.6.4).
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::super::head::Head;
    use super::*;

    fn format_for(lines: &[&str]) -> Format {
        of_bytes(lines.iter().map(|line| line.as_bytes()))
    }

    fn of_bytes<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Format {
        let mut head = Head::new("GET", "/");
        for line in lines {
            head.field("accept", line);
        }
        negotiate(&head.accept)
    }

    #[test]
    fn clients_get_what_they_expect() {
        for (client, accept, format) in [
            ("curl, Go, Python requests", "*/*", Format::Problem),
            (
                "Firefox",
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Format::Html,
            ),
            (
                "Chromium",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
                 image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
                Format::Html,
            ),
            (
                "Chromium, for an image",
                "image/avif,image/webp,*/*;q=0.8",
                Format::Problem,
            ),
            ("axios", "application/json, text/plain, */*", Format::Json),
            (
                "jQuery",
                "application/json, text/javascript, */*; q=0.01",
                Format::Json,
            ),
            (
                "Java's HttpURLConnection",
                "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
                Format::Html,
            ),
            ("wget of old", "text/html, text/plain", Format::Html),
            (
                "kubectl",
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                Format::Json,
            ),
        ] {
            assert_eq!(format_for(&[accept]), format, "{client}");
        }
    }

    #[test]
    fn who_does_not_mind_gets_problem_details() {
        assert_eq!(format_for(&[]), Format::Problem);
        assert_eq!(format_for(&[""]), Format::Problem);
        assert_eq!(format_for(&["application/*"]), Format::Problem);
    }

    #[test]
    fn who_accepts_nothing_of_ours_gets_problem_details() {
        for accept in [
            "image/png",
            "*/*;q=0",
            "application/problem+json;q=0",
            "application/hal+json",
        ] {
            assert_eq!(format_for(&[accept]), Format::Problem, "{accept}");
        }
    }

    #[test]
    fn the_highest_weight_wins() {
        for (accept, format) in [
            ("text/html;q=0.4, text/plain;q=0.5", Format::Text),
            ("text/html;q=0.501, text/plain;q=0.5", Format::Html),
            ("application/problem+json;q=0.9, text/plain", Format::Text),
            (
                "application/json, application/problem+json;q=0.9",
                Format::Json,
            ),
            ("TEXT/HTML;Q=1.000, application/json;q=0.999", Format::Html),
            ("text/plain ; q=1 , text/html ; q=0", Format::Text),
        ] {
            assert_eq!(format_for(&[accept]), format, "{accept}");
        }
    }

    #[test]
    fn the_closest_range_decides() {
        for (accept, format) in [
            (
                "text/*;q=0.3, text/html;q=0.7, text/plain;q=0.2, */*;q=0.5",
                Format::Html,
            ),
            ("text/*, text/html;q=0", Format::Text),
            ("*/*, application/problem+json;q=0", Format::Json),
            ("*/*, application/*;q=0", Format::Html),
            ("*/*;q=0.1, text/*;q=0.2", Format::Html),
            // RFC 9110 §12.5.1: the type itself is named more closely than a variant of it.
            (
                "text/html;level=1;q=0.3, text/html;q=0.7, text/plain;q=0.5",
                Format::Html,
            ),
            (
                "text/html;level=1, text/html;q=0.4, text/plain;q=0.5",
                Format::Text,
            ),
        ] {
            assert_eq!(format_for(&[accept]), format, "{accept}");
        }
    }

    #[test]
    fn at_the_same_weight_what_is_named_comes_before_what_is_let_through() {
        for (accept, format) in [
            ("*/*, text/plain", Format::Text),
            ("text/html, */*", Format::Html),
            ("text/plain, text/*", Format::Text),
            (
                "application/json, application/problem+json",
                Format::Problem,
            ),
        ] {
            assert_eq!(format_for(&[accept]), format, "{accept}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        assert_eq!(
            format_for(&["text/plain;q=0.5", "text/html;q=0.6"]),
            Format::Html
        );
    }

    #[test]
    fn parameters_do_not_hide_a_format() {
        for (accept, format) in [
            ("text/html;charset=utf-8", Format::Html),
            ("text/html; charset=\"UTF-8\", */*", Format::Html),
            ("application/json;odata=verbose", Format::Json),
            ("text/plain;a=\",text/html\"", Format::Text),
            ("text/plain;a=\"\\\",text/html;q=1\"", Format::Text),
            ("text/plain;q=0.2;ext=1, text/html;q=0.1", Format::Text),
        ] {
            assert_eq!(format_for(&[accept]), format, "{accept}");
        }
    }

    #[test]
    fn what_breaks_the_grammar_is_passed_over() {
        for (accept, format) in [
            ("text, /html, text/, */html, text/plain", Format::Text),
            ("text/html;q=2, text/plain;q=0.1", Format::Text),
            ("text/html;q=1.001, text/plain;q=0.1", Format::Text),
            ("text/html;q=0.1234, text/plain;q=0.1", Format::Text),
            ("text/html;q=-0.5, text/plain;q=0.1", Format::Text),
            ("text/html;q=0.+1, text/plain;q=0.1", Format::Text),
            ("text/html;q=, text/plain;q=0.1", Format::Text),
            ("text/html;level, text/plain;q=0.1", Format::Text),
            (",, ,text/plain;;q=0.1,", Format::Text),
        ] {
            assert_eq!(format_for(&[accept]), format, "{accept}");
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_passed_over() {
        let lines: [&[u8]; 2] = [b"text/html;a=\xff", b"text/plain"];
        assert_eq!(of_bytes(lines), Format::Text);
    }
}
