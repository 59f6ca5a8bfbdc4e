//! The answer where the window names a page.

use serde_json::Value;
use similar_asserts::assert_eq;

use super::*;
use crate::notice::{Page, Render, good_until};

fn with_page(html: &str) -> Notice {
    let page = Page::new(Render::Template, html.to_owned());
    let rule = RetryAfterRule {
        jitter: 0,
        ..RetryAfterRule::default()
    };
    Notice {
        page: Some(page),
        retry_after: rule,
        ..notice()
    }
}

#[test]
fn a_page_of_the_users_is_for_browsers_and_has_neither_language_nor_policy_of_ours() {
    let notice = with_page("<p>{{ message }} {{ retry_after }} s, at {{ now }}.");
    let answer = ask(HTML, &notice);
    let expected = "<p>We are upgrading our database. 60 s, at 2026-12-06T02:59:00Z.";
    assert_eq!(body(&answer), expected);
    assert_eq!(
        fields(&answer),
        [
            ("cache-control", "no-store"),
            ("content-length", "64"),
            ("content-type", "text/html; charset=utf-8"),
            ("entracte-window", "shop/db-upgrade"),
            ("retry-after", "60"),
            ("vary", "Accept, Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ]
    );
    let text = ask(TEXT, &notice);
    assert!(
        body(&text).starts_with("We are upgrading our database.\n"),
        "{text:?}"
    );
    let problem: Value = serde_json::from_slice(&ask(PROBLEM, &notice).body).unwrap();
    assert_eq!(problem["detail"], "We are upgrading our database.");
}

#[test]
fn a_page_of_the_users_that_fails_gives_way_to_ours_in_the_language_of_the_visitor() {
    let failing = with_page("{{ 1 // (retry_after - 60) }}");
    let ours = Notice {
        page: None,
        ..failing.clone()
    };
    for language in ["en", "de", "ja"] {
        let fields = [("accept", HTML), ("accept-language", language)];
        let shown = give("GET", &fields, &failing);
        assert_eq!(shown, give("GET", &fields, &ours));
        assert_eq!(shown.headers[CONTENT_LANGUAGE], language);
    }
}

#[test]
fn an_answer_says_why_a_page_of_the_users_failed() {
    let choice = choose(&head("GET", &[("accept", HTML)]), &with_page("")).variant;
    let failed = |html| render(choice, &with_page(html), at(NOW), 0).page_failed;
    assert_eq!(failed("{{ message }}"), None);
    let error = failed("{{ 1 // (retry_after - 60) }}").unwrap();
    assert!(error.to_string().starts_with("line 1: "), "{error}");
}

#[test]
fn a_page_of_the_users_stays_as_it_is_for_as_long_as_it_may_be_sent() {
    let notice = with_page("{{ end }} {{ now }} {{ retry_after }}");
    let first = ask(HTML, &notice);
    let last = good_until(&notice, at(NOW)) - chrono::TimeDelta::nanoseconds(1);
    let later = answer(&head("GET", &[("accept", HTML)]), &notice, last, 0);
    assert_eq!(later, first);
}
