use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_ENCODING,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use similar_asserts::assert_eq;

use super::super::sample::{always, at, notice, with_message};
use super::super::{RetryAfterFormat, RetryAfterRule, WindowRef};
use super::*;

mod own_page;

const NOW: &str = "2026-12-06T02:59:00.5Z";

const HTML: &str = "text/html";
const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain";

fn head<'a>(method: &'a str, fields: &[(&str, &'a str)]) -> Head<'a> {
    let mut head = Head::new(method, "/any?path");
    for (name, value) in fields {
        head.field(name, value.as_bytes());
    }
    head
}

fn give(method: &str, fields: &[(&str, &str)], notice: &Notice) -> Answer {
    answer(&head(method, fields), notice, at(NOW), 0)
}

fn ask(accept: &str, notice: &Notice) -> Answer {
    give("GET", &[("accept", accept)], notice)
}

fn call(content_type: &str, notice: &Notice) -> Answer {
    give("POST", &[("content-type", content_type)], notice)
}

fn body(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

fn fields(answer: &Answer) -> Vec<(&str, &str)> {
    let mut fields: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    fields.sort_unstable();
    fields
}

#[test]
fn the_text_answer_byte_for_byte() {
    let answer = ask(TEXT, &notice());
    assert_eq!(answer.status, 503);
    assert_eq!(
        fields(&answer),
        [
            ("cache-control", "no-store"),
            ("content-length", "78"),
            ("content-type", "text/plain; charset=utf-8"),
            ("entracte-window", "shop/db-upgrade"),
            ("retry-after", "60"),
            ("vary", "Accept, Accept-Language, Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ]
    );
    assert_eq!(
        body(&answer),
        "We are upgrading our database.\n\nBack at 03:00 UTC on Sunday, 6 December 2026.\n"
    );
}

#[test]
fn the_problem_answer_value_for_value() {
    let answer = ask(PROBLEM, &notice());
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.headers[RETRY_AFTER], "60");
    assert_eq!(answer.headers.get(CONTENT_SECURITY_POLICY), None);
    assert_eq!(
        serde_json::from_str::<Value>(body(&answer)).unwrap(),
        json!({
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "We are upgrading our database.",
            "window": "shop/db-upgrade",
            "start": "2026-12-06T01:00:00Z",
            "end": "2026-12-06T03:00:00Z",
            "retryAfter": 60,
        })
    );
}

#[test]
fn an_end_that_nobody_knows_is_left_out_of_the_problem() {
    assert_eq!(
        serde_json::from_str::<Value>(body(&ask(PROBLEM, &always()))).unwrap(),
        json!({
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": "Down for maintenance.",
            "window": "shop/db-upgrade",
            "retryAfter": 30,
        })
    );
}

#[test]
fn plain_json_gets_the_problem_under_its_own_content_type() {
    let answer = ask("application/json", &notice());
    assert_eq!(answer.headers[CONTENT_TYPE], "application/json");
    assert_eq!(answer.body, ask(PROBLEM, &notice()).body);
}

#[test]
fn the_page_shows_message_and_end_under_a_strict_policy() {
    let answer = ask(HTML, &notice());
    assert_eq!(answer.headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(
        answer.headers[CONTENT_SECURITY_POLICY],
        page::CONTENT_SECURITY_POLICY
    );
    let page = body(&answer);
    for part in [
        "<!doctype html>\n<html lang=\"en\">",
        "<title>Down for maintenance</title>",
        "<p class=\"message\" lang=\"\" dir=\"auto\">We are upgrading our database.</p>\n",
        "<time datetime=\"2026-12-06T03:00:00Z\">2026-12-06 03:00 UTC</time>",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
}

#[test]
fn the_page_is_in_the_language_that_is_asked_for_and_says_which() {
    let fields = [("accept", HTML), ("accept-language", "ja-JP, en;q=0.9")];
    let answer = give("GET", &fields, &notice());
    assert_eq!(answer.headers[CONTENT_LANGUAGE], "ja");
    assert!(body(&answer).contains("<html lang=\"ja\">"));
    let problem = give("GET", &[("accept", PROBLEM), fields[1]], &notice());
    assert_eq!(problem, ask(PROBLEM, &notice()));
}

#[test]
fn past_the_end_and_after_the_release_every_format_says_that_it_is_soon() {
    let past = Notice {
        until: Some(at("2026-12-06T02:00:00Z")),
        ..notice()
    };
    let released = Notice {
        released: true,
        ..notice()
    };
    for late in [past, released] {
        for accept in [TEXT, HTML, PROBLEM] {
            assert_eq!(ask(accept, &late).headers[RETRY_AFTER], "5", "{accept}");
        }
        assert!(body(&ask(TEXT, &late)).ends_with("\n\nBack any moment. Please try again.\n"));
        assert!(body(&ask(HTML, &late)).contains(">We’ll be back any moment now.<"));
    }
}

#[test]
fn head_is_get_without_the_body() {
    for accept in [TEXT, HTML, PROBLEM, "application/json"] {
        let get = ask(accept, &notice());
        let head = give("HEAD", &[("accept", accept)], &notice());
        assert_eq!(head.headers, get.headers, "{accept}");
        assert_eq!(head.body, Bytes::new(), "{accept}");
        assert_eq!(
            get.headers[CONTENT_LENGTH],
            get.body.len().to_string(),
            "{accept}"
        );
    }
}

#[test]
fn every_method_gets_the_same_answer() {
    let get = ask(TEXT, &notice());
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        assert_eq!(
            give(method, &[("accept", TEXT)], &notice()),
            get,
            "{method}"
        );
    }
}

#[test]
fn a_call_gets_trailers_and_nothing_else_byte_for_byte() {
    let answer = call(
        "application/grpc+proto",
        &with_message("100% für Sie:\r\nx: y"),
    );
    assert_eq!(answer.status, 200);
    assert_eq!(
        fields(&answer),
        [
            ("cache-control", "no-store"),
            ("content-length", "0"),
            ("content-type", "application/grpc+proto"),
            ("entracte-window", "shop/db-upgrade"),
            (
                "grpc-message",
                "100%25 f%C3%BCr Sie:%0D%0Ax: y Back at 03:00 UTC on Sunday, 6 December 2026."
            ),
            ("grpc-retry-pushback-ms", "60000"),
            ("grpc-status", "14"),
            ("vary", "Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ]
    );
    assert_eq!(body(&answer), "");
}

#[test]
fn a_call_from_a_script_gets_its_trailers_in_the_body() {
    let web = call("application/grpc-web+proto", &always());
    assert_eq!(
        fields(&web),
        [
            ("cache-control", "no-store"),
            ("content-length", "110"),
            ("content-type", "application/grpc-web+proto"),
            ("entracte-window", "shop/db-upgrade"),
            ("vary", "Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ]
    );
    assert_eq!(
        &web.body[5..],
        b"grpc-status:14\r\ngrpc-message:Down for maintenance. Please try again soon.\r\n\
          grpc-retry-pushback-ms:30000\r\n"
    );
    let text = call("application/grpc-web-text", &always());
    assert_eq!(text.headers[CONTENT_TYPE], "application/grpc-web-text");
    assert_eq!(text.body.len(), 110_usize.div_ceil(3) * 4);
    assert_eq!(text.headers.get(CONTENT_ENCODING), None);
}

#[test]
fn a_health_check_gets_200_byte_for_byte() {
    let checked = Notice {
        health_checks: vec!["/any".into()],
        ..notice()
    };
    let answer = ask(HTML, &checked);
    assert_eq!(answer.status, 200);
    assert_eq!(
        fields(&answer),
        [
            ("cache-control", "no-store"),
            ("content-length", "3"),
            ("content-type", "text/plain; charset=utf-8"),
            ("entracte-window", "shop/db-upgrade"),
            ("vary", "Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ]
    );
    assert_eq!(body(&answer), "ok\n");
    let head = give("HEAD", &[], &checked);
    assert_eq!((head.headers, head.body), (answer.headers, Bytes::new()));
    assert_eq!(give("POST", &[], &checked).status, 503);
}

#[test]
fn a_preflight_gets_leave_byte_for_byte() {
    let fields_sent = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "DELETE"),
        (
            "access-control-request-headers",
            "authorization,content-type",
        ),
        ("access-control-request-private-network", "true"),
    ];
    let answer = give("OPTIONS", &fields_sent, &notice());
    assert_eq!(answer.status, 204);
    assert_eq!(
        fields(&answer),
        [
            ("access-control-allow-headers", "*, Authorization"),
            (
                "access-control-allow-methods",
                "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, *"
            ),
            ("access-control-allow-origin", "https://app.example"),
            (
                "access-control-expose-headers",
                "Date, Retry-After, Entracte-Window, Grpc-Status, Grpc-Message, \
                 Grpc-Retry-Pushback-Ms"
            ),
            ("access-control-max-age", "0"),
            ("cache-control", "no-store"),
            ("entracte-window", "shop/db-upgrade"),
            ("vary", "Origin"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ]
    );
    assert_eq!(body(&answer), "");
}

#[test]
fn a_page_of_another_origin_may_see_every_answer_and_is_given_no_credentials() {
    let plain = ask(TEXT, &notice());
    for origin in ["https://app.example", "null"] {
        let mut shown = give("GET", &[("origin", origin), ("accept", TEXT)], &notice());
        assert_eq!(shown.headers[ACCESS_CONTROL_ALLOW_ORIGIN], origin);
        assert_eq!(shown.headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS), None);
        shown.headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
        shown
            .headers
            .remove("access-control-expose-headers")
            .unwrap();
        assert_eq!(shown, plain);
    }
    let injected = "https://a.example\r\nset-cookie: a=b";
    let refused = give("GET", &[("origin", injected), ("accept", TEXT)], &notice());
    assert_eq!(refused, plain);
}

#[test]
fn an_http_date_is_in_the_field_and_seconds_are_in_the_document() {
    let dated = Notice {
        retry_after: RetryAfterRule {
            format: RetryAfterFormat::HttpDate,
            ..RetryAfterRule::default()
        },
        ..notice()
    };
    let answer = ask(PROBLEM, &dated);
    assert_eq!(answer.headers[RETRY_AFTER], "Sun, 06 Dec 2026 03:00:00 GMT");
    let problem: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(problem["retryAfter"], 60);
}

#[test]
fn words_of_the_user_cannot_become_html() {
    let page = ask(
        HTML,
        &with_message("</p><script>alert('1' & \"2\")</script>\n{style}"),
    );
    assert!(body(&page).contains(
        "dir=\"auto\">&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)\
         &lt;/script&gt;\n{style}</p>"
    ));
    assert_eq!(body(&page).matches("<script").count(), 1);
}

#[test]
fn words_of_the_user_stay_in_their_json_string() {
    let message = "\"quoted\",\n\"status\": 200, \\ \u{0} \u{2028} </script> ü";
    let problem: Value = serde_json::from_str(body(&ask(PROBLEM, &with_message(message)))).unwrap();
    assert_eq!(
        (&problem["detail"], &problem["status"]),
        (&json!(message), &json!(503))
    );
}

#[test]
fn a_window_whose_name_is_no_header_value_gets_no_header() {
    let window = WindowRef {
        namespace: "shop\r\nSet-Cookie: a=b".into(),
        name: "w".into(),
    };
    let answer = ask(TEXT, &Notice { window, ..notice() });
    assert_eq!(answer.headers.get(WINDOW_HEADER), None);
}

proptest! {
    #[test]
    fn any_message_and_any_accept_give_a_well_formed_answer(
        message in any::<String>(),
        accept in "[ -~]{0,60}",
    ) {
        let notice = with_message(&message);
        let answer = ask(&accept, &notice);
        prop_assert_eq!(answer.status, 503);
        prop_assert_eq!(&answer.headers[CONTENT_LENGTH], &answer.body.len().to_string());

        let problem = ask(PROBLEM, &notice);
        let parsed: Value = serde_json::from_slice(&problem.body).unwrap();
        prop_assert_eq!(&parsed["detail"], &json!(message));

        let bare = Notice { message: None, ..notice.clone() };
        let (page, bare) = (ask(HTML, &notice), ask(HTML, &bare));
        let tags = |answer: &Answer| body(answer).matches('<').count();
        prop_assert_eq!(tags(&page), tags(&bare) + 2);
    }
}
