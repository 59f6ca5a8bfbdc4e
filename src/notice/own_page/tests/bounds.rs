//! What a template may do, and for how long.

use std::time::{Duration, Instant};

use similar_asserts::assert_eq;

use super::*;

/// Far more than a rendering takes, also of a build for tests on a busy machine.
const BOUNDED: Duration = Duration::from_secs(5);

/// As deep as fuel goes: each line nests some seventy lists more.
fn nested_lists() -> String {
    let deeper = format!("{{% set a = {}a{} %}}", "[".repeat(70), "]".repeat(70));
    format!("{{% set a = [] %}}{}", deeper.repeat(80))
}

#[test]
fn a_template_that_would_never_end_ends() {
    let doubled = "{% set a = a ~ a %}".repeat(64);
    let nested = |open: &str, close: &str| open.repeat(400) + &close.repeat(400);
    for html in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"
            .to_owned(),
        "{% for i in range(100000) %}<p>0123456789</p>{% endfor %}".to_owned(),
        format!("{{% set a = 'aaaa' %}}{doubled}"),
        "{{ 'a' * 2000000 }}".to_owned(),
        "{{ ['a'] * 2000000 }}".to_owned(),
        "{{ range(100000) | join('aaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaa') | length }}"
            .to_owned(),
        "{% for i in range(99999) %}{{ now | strftime('%c %c %c', 'Europe/Berlin') }}{% endfor %}"
            .to_owned(),
    ] {
        let began = Instant::now();
        let error = check(&template(&html)).unwrap_err();
        assert!(
            matches!(error, Error::TooMuch { line: 1 }),
            "{html}: {error}"
        );
        assert!(began.elapsed() < BOUNDED, "{html}: {:?}", began.elapsed());
    }
    for html in [
        nested("{% if true %}", "{% endif %}"),
        nested("{% for i in range(2) %}", "{% endfor %}"),
        format!("{{{{ {} }}}}", nested("(", ")")),
    ] {
        let began = Instant::now();
        let error = check(&template(&html)).unwrap_err();
        assert!(
            matches!(error, Error::Broken { .. } | Error::TooMuch { .. }),
            "{error}"
        );
        assert!(began.elapsed() < BOUNDED, "{:?}", began.elapsed());
    }
}

#[test]
fn a_template_that_would_never_be_compiled_is_refused() {
    let fill = |open: &str, part: &str, close: &str| {
        let parts = (MOST_BYTES - open.len() - close.len()) / part.len();
        format!("{open}{}{close}", part.repeat(parts))
    };
    for (html, expected) in [
        (fill("\n{{ now", "+a", " }}"), Error::TooLongTag { line: 2 }),
        (
            fill("{{ now", " and a", " }}"),
            Error::TooLongTag { line: 1 },
        ),
        (
            fill("{% if ", "not ", " a %}{% endif %}"),
            Error::TooLongTag { line: 1 },
        ),
        (fill("{{ ", "-", "1 }}"), Error::TooLongTag { line: 1 }),
        (
            fill("{{ \"}}\"", "~'{{'", " }}"),
            Error::TooLongTag { line: 1 },
        ),
        (fill("\n", "{{now}}", ""), Error::TooMuchCode { line: 2 }),
    ] {
        let began = Instant::now();
        assert_eq!(check(&template(&html)), Err(expected));
        assert!(began.elapsed() < BOUNDED, "{:?}", began.elapsed());
    }
    let raw = fill("{% raw %}", "{{ a+a }}", "{% endraw %}");
    assert_eq!(check(&template(&raw)), Ok(()));
    let longest = format!("{{{{ 1{} }}}}", " + 1".repeat((MOST_TOKENS_OF_TAG - 2) / 2));
    let began = Instant::now();
    assert_eq!(filled_in(&longest, &notice()), "500");
    println!("compiled in {:?}", began.elapsed());
    assert_eq!(
        said(&longest.replace("1 ", "1 + 1 + 1 ")),
        "line 1: more than 1000 words and signs are in one {{ }} or {% %} there: spread them over \
         several, by {% set … %}"
    );
}

#[test]
fn a_value_that_is_nested_as_deep_as_can_be_harms_nobody() {
    for end in [
        "",
        "{{ a }}",
        "{{ a | tojson }}",
        "{{ a == a }}",
        "{{ a | string | length }}",
    ] {
        let began = Instant::now();
        let page = template(&(nested_lists() + end));
        // Printed or refused: what matters is that it comes back.
        let tried = check(&page);
        println!("{end:?}: {tried:?} in {:?}", began.elapsed());
        assert!(began.elapsed() < BOUNDED, "{end}: {:?}", began.elapsed());
    }
}

#[test]
fn what_costs_no_fuel_is_bounded_by_itself() {
    let long = "{% set f = '%.f' * 80000 %}{{ now | strftime(f) }}";
    assert_eq!(
        check(&template(long)).unwrap_err().to_string(),
        "line 1: invalid operation: a format of strftime has at most 128 bytes: correct it, or write \
         render: Verbatim for a page that is no template"
    );
    for test in [
        "lower",
        "upper",
        "startingwith('a')",
        "endingwith('a')",
        "containing('a')",
    ] {
        let error = check(&template(&format!(
            "{{% if now is {test} %}}a{{% endif %}}"
        )));
        assert!(
            matches!(error, Err(Error::Broken { line: 1, .. })),
            "{test}: {error:?}"
        );
    }
}

#[test]
fn a_page_is_no_longer_than_it_may_be_before_and_after_it_is_filled_in() {
    let most = "a".repeat(MOST_BYTES);
    for render in [Render::Verbatim, Render::Template] {
        let page = |html: String| Page::new(render, html);
        assert_eq!(check(&page(most.clone())), Ok(()));
        let error = check(&page(most.clone() + "a")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it is 262145 bytes long, and may be 262144 (256 KiB): load pictures and fonts from \
             elsewhere"
        );
    }
    // With a short message it would have fitted.
    let nearly =
        "a".repeat(MOST_BYTES - LONGEST_MESSAGE) + "{% if message %}{{ message }}{% endif %}";
    let page = template(&nearly);
    assert!(matches!(check(&page), Err(Error::TooLong(_))));
    let long = Notice {
        message: Some("&".repeat(LONGEST_MESSAGE)),
        ..notice()
    };
    assert!(matches!(
        render(&page, &long, now(), 1),
        Err(Error::TooLong(_))
    ));
    assert!(render(&page, &notice(), now(), 1).is_ok());
}

#[test]
fn a_page_as_large_as_may_be_is_filled_in_at_once() {
    let paragraph = "<p class=\"a\">{{ window.name }} is back at {{ now }}.</p>\n";
    let page = template(&paragraph.repeat(1000));
    let began = Instant::now();
    let rendered = render(&page, &notice(), now(), 1).unwrap();
    println!(
        "{} bytes, rendered in {:?}",
        rendered.len(),
        began.elapsed()
    );
    assert!(began.elapsed() < BOUNDED);
}
