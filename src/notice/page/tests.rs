use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use proptest::prelude::*;
use ring::digest::{SHA256, digest};
use similar_asserts::assert_eq;

use super::super::RetryAfterRule;
use super::super::sample::{always, at, notice, with_message};
use super::*;
use document::{Document, attribute, attributes, text_of};

mod document;

const NOW: &str = "2026-12-06T02:35:00.5Z";

fn released() -> Notice {
    Notice {
        released: true,
        ..notice()
    }
}

/// The apps are not ready, one minute after the end.
fn overdue() -> Notice {
    Notice {
        until: Some(at("2026-12-06T02:34:00Z")),
        restoring: true,
        ..notice()
    }
}

fn page(notice: &Notice, language: Language) -> String {
    render(notice, language, at(NOW), 1507)
}

/// What `main` carries for the script.
fn data_of(notice: &Notice, now: &str) -> Vec<(String, String)> {
    let text = render(notice, Language::English, at(now), 1507);
    attributes(&Document::of(&text).only("main"))
}

/// Every kind of page, in every language.
fn every_page() -> impl Iterator<Item = (Language, String)> {
    Language::ALL.into_iter().flat_map(|language| {
        let notices = [notice(), always(), released(), overdue()];
        notices.map(|notice| (language, page(&notice, language)))
    })
}

#[test]
fn the_page_line_for_line() {
    let document = page(&notice(), Language::English);
    let (head, rest) = document.split_once("<style>").unwrap();
    let (style, rest) = rest.split_once("</style>").unwrap();
    let (body, rest) = rest.split_once("<script>").unwrap();
    let (script, tail) = rest.split_once("</script>").unwrap();
    assert_eq!((style, script), (STYLE, SCRIPT));
    assert_eq!(
        head,
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>Down for maintenance</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <noscript><meta http-equiv=\"refresh\" content=\"1507\"></noscript>\n"
    );
    assert_eq!(
        body,
        "\n</head>\n\
         <body>\n\
         <main data-wait=\"1500\" data-spread=\"30\" data-left=\"1500\" \
         data-soon=\"We’ll be back any moment now.\">\n\
         <h1>Down for maintenance</h1>\n\
         <p class=\"message\" lang=\"\" dir=\"auto\">We are upgrading our database.</p>\n\
         <div class=\"end\">\n\
         <progress max=\"7200\" value=\"5700\" aria-hidden=\"true\"></progress>\n\
         <dl>\n\
         <div><dt>Expected back</dt><dd><time datetime=\"2026-12-06T03:00:00Z\">\
         2026-12-06 03:00 UTC</time></dd></div>\n\
         <div hidden><dt>Time left</dt><dd><span role=\"timer\"></span></dd></div>\n\
         </dl>\n\
         </div>\n\
         <p role=\"status\"></p>\n\
         <p class=\"reload\">This page will reload automatically.</p>\n\
         </main>\n"
    );
    assert_eq!(tail, "\n</body>\n</html>\n");
}

#[test]
fn a_page_without_a_message_or_an_end_says_so_much() {
    let document = page(&always(), Language::German);
    let (_, main) = document.split_once("<main ").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    assert_eq!(
        main,
        "data-wait=\"30\" data-spread=\"30\">\n\
         <h1>Wartungsarbeiten</h1>\n\
         <p role=\"status\">Wir sind so bald wie möglich wieder für Sie da.</p>\n\
         <p class=\"reload\">Diese Seite wird automatisch neu geladen.</p>\n"
    );
}

#[test]
fn the_status_says_how_it_stands() {
    for (notice, status) in [
        (notice(), ""),
        (
            always(),
            "<p role=\"status\">Volveremos lo antes posible.</p>",
        ),
        (
            Notice {
                restoring: true,
                ..notice()
            },
            "<p role=\"status\">Volveremos lo antes posible.</p>",
        ),
        (
            overdue(),
            "<p role=\"status\">Está tardando un poco más de lo previsto.<br>\
             Volveremos lo antes posible.</p>",
        ),
        (
            released(),
            "<p role=\"status\">Volveremos en unos instantes.</p>",
        ),
    ] {
        let document = page(&notice, Language::Spanish);
        assert!(document.contains(status), "no {status} in {document}");
        assert_eq!(document.contains("<time"), status.is_empty());
    }
}

#[test]
fn the_script_is_told_to_wait_for_the_end_and_never_less_than_the_minimum() {
    let rule = RetryAfterRule {
        jitter: 7,
        minimum: 5,
        end_unknown: 90,
        ..RetryAfterRule::default()
    };
    let with_rule = |notice| Notice {
        retry_after: rule,
        ..notice
    };
    for (notice, now, wait, spread, left) in [
        (notice(), "2026-12-06T02:00:00Z", "3600", "7", Some("3600")),
        (notice(), "2026-12-06T02:59:50Z", "10", "7", Some("10")),
        (
            notice(),
            "2026-12-06T02:59:50.000000001Z",
            "10",
            "7",
            Some("10"),
        ),
        (notice(), "2026-12-06T02:59:51Z", "9", "7", Some("9")),
        (
            notice(),
            "2026-12-06T02:59:59.999999999Z",
            "5",
            "7",
            Some("1"),
        ),
        (notice(), "2026-12-06T03:00:00Z", "5", "0", None),
        (released(), NOW, "5", "0", None),
        (always(), NOW, "90", "7", None),
        (overdue(), NOW, "90", "7", None),
    ] {
        let data = data_of(&with_rule(notice), now);
        let mut expected = vec![("data-wait", wait), ("data-spread", spread)];
        if let Some(left) = left {
            let soon = words(Language::English).soon;
            expected.extend([("data-left", left), ("data-soon", soon)]);
        }
        let data: Vec<_> = data
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(data, expected, "at {now}");
    }
}

#[test]
fn past_the_end_the_script_waits_for_a_second_at_least() {
    let eager = RetryAfterRule {
        jitter: 0,
        minimum: 0,
        end_unknown: 0,
        ..RetryAfterRule::default()
    };
    let released = Notice {
        retry_after: eager,
        ..released()
    };
    let data = data_of(&released, NOW);
    assert_eq!(data[0], ("data-wait".to_owned(), "1".to_owned()));
}

#[test]
fn the_line_shows_how_much_of_the_window_is_over() {
    let until = at("2026-12-06T03:00:00Z");
    for (start, now, line) in [
        (
            "2026-12-06T01:00:00Z",
            "2026-12-06T01:00:00Z",
            Some((7200, 0)),
        ),
        (
            "2026-12-06T01:00:00Z",
            "2026-12-06T02:59:59.9Z",
            Some((7200, 7199)),
        ),
        (
            "2026-12-06T02:00:00Z",
            "2026-12-06T01:59:00Z",
            Some((3600, 0)),
        ),
        (
            "2026-12-06T02:59:59.5Z",
            "2026-12-06T02:59:59.9Z",
            Some((1, 0)),
        ),
        ("2026-12-06T03:00:00Z", "2026-12-06T02:59:59Z", None),
    ] {
        let line = line.map(|(max, value)| {
            format!("<progress max=\"{max}\" value=\"{value}\" aria-hidden=\"true\"></progress>\n")
        });
        assert_eq!(progress(Some(at(start)), until, at(now)), line, "{start}");
    }
    assert_eq!(progress(None, until, at(NOW)), None);
}

#[test]
fn an_end_within_a_second_is_written_as_html_writes_instants() {
    let notice = Notice {
        until: Some(at("2026-12-16T23:59:07.123456789Z")),
        ..notice()
    };
    let document = Document::of(&page(&notice, Language::Polish));
    let time = document.only("time");
    assert_eq!(
        attribute(&time, "datetime").unwrap(),
        "2026-12-16T23:59:07Z"
    );
    assert_eq!(text_of(&time), "2026-12-16 23:59 UTC");
}

#[test]
fn every_page_is_valid_and_in_its_language() {
    for (language, text) in every_page() {
        let document = Document::of(&text);
        let words = words(language);
        let tag = attribute(&document.only("html"), "lang").unwrap();
        assert_eq!(tag, language.tag());
        assert_eq!(text_of(&document.only("title")), words.title);
        assert_eq!(text_of(&document.only("h1")), words.title);
        assert_eq!(text_of(&document.with("class", "reload")), words.reload);
        assert!(text.len() < 6 * 1024, "{} bytes", text.len());
    }
}

#[test]
fn a_browser_without_scripts_comes_back_when_the_header_says() {
    let document = Document::parse(&page(&notice(), Language::English), false);
    let refresh = document.with("http-equiv", "refresh");
    assert_eq!(attribute(&refresh, "content").unwrap(), "1507");
}

#[test]
fn the_policy_names_the_hashes_of_what_is_in_the_document() {
    for (_, text) in every_page() {
        let document = Document::of(&text);
        let hash = |name| {
            let text = text_of(&document.only(name));
            BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()))
        };
        assert_eq!(
            CONTENT_SECURITY_POLICY.to_str().unwrap(),
            format!(
                "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; \
                 img-src data:; base-uri 'none'; form-action 'none'",
                hash("style"),
                hash("script"),
            )
        );
    }
}

#[test]
fn nothing_is_asked_for_and_nothing_is_against_the_policy() {
    for (_, text) in every_page() {
        for way_out in [
            "http:",
            "https:",
            "//",
            "url(",
            "@import",
            "@font-face",
            "src",
        ] {
            assert!(!text.contains(way_out), "{way_out} in {text}");
        }
        for element in Document::of(&text).elements() {
            for (name, value) in attributes(&element) {
                assert!(name != "style" && !name.starts_with("on"), "{name}");
                assert!(name != "href" || value == "data:,", "{name}={value}");
            }
        }
    }
}

#[test]
fn every_word_is_of_its_own_language_and_needs_no_escaping() {
    let of_one = |language| {
        let Words {
            title,
            back,
            left,
            soon,
            longer,
            unknown,
            reload,
        } = words(language);
        [title, back, left, soon, longer, unknown, reload]
    };
    let all: Vec<_> = Language::ALL.into_iter().flat_map(of_one).collect();
    for (place, word) in all.iter().enumerate() {
        assert!(!word.is_empty());
        assert_eq!(escape(word), **word);
        assert!(!all[..place].contains(word), "{word} is there twice");
    }
}

#[test]
fn markup_in_a_message_is_shown_as_it_is_written() {
    let message = "</p><script>alert('1' & \"2\")</script>\n{style}<!--";
    let document = page(&with_message(message), Language::English);
    assert!(document.contains(
        "dir=\"auto\">&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)\
         &lt;/script&gt;\n{style}&lt;!--</p>"
    ));
}

#[test]
fn what_html_does_not_allow_becomes_a_space() {
    assert_eq!(escape("a\0b\u{1b}c\u{85}d\r\ne\tf"), "a b c d \ne\tf");
}

proptest! {
    #[test]
    fn a_browser_reads_any_message_as_it_was_written(message in any::<String>()) {
        let document = Document::of(&page(&with_message(&message), Language::English));
        let shown = text_of(&document.with("class", "message"));
        let written = |character: char| match character {
            '\n' | '\t' => character,
            control if control.is_control() => ' ',
            other => other,
        };
        prop_assert_eq!(shown, message.chars().map(written).collect::<String>());
        let plain = Document::of(&page(&notice(), Language::English));
        prop_assert_eq!(document.elements().len(), plain.elements().len());
    }

    #[test]
    fn a_page_stays_true_until_the_next_second_of_the_clock_or_of_what_is_left(
        until in 0_i64..1_000_000_000,
        left in -3_000_000_000_i64..3_000_000_000,
        thousandths in 0_i64..1000,
        restoring in any::<bool>(),
    ) {
        const SECOND: i64 = 1_000_000_000;
        let until = at(NOW) + TimeDelta::nanoseconds(until);
        let now = until - TimeDelta::nanoseconds(left);
        let of_clock = SECOND - i64::from(now.timestamp_subsec_nanos());
        let of_left = (left - 1).rem_euclid(SECOND) + 1;
        let later = now + TimeDelta::nanoseconds(of_clock.min(of_left) * thousandths / 1000);
        let notice = Notice { until: Some(until), restoring, ..notice() };
        prop_assert_eq!(
            render(&notice, Language::English, now, 1),
            render(&notice, Language::English, later, 1)
        );
    }
}
