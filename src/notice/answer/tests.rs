use http::Request;
use http::header::ACCEPT;
use proptest::prelude::*;
use similar_asserts::assert_eq;

use super::super::WindowRef;
use super::*;

const NOW: &str = "2026-12-06T02:59:00.5Z";

const HTML: &str = "text/html";
const PROBLEM: &str = "application/problem+json";
const TEXT: &str = "text/plain";

fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().unwrap()
}

fn notice() -> Notice {
    let window = WindowRef {
        namespace: "shop".into(),
        name: "db-upgrade".into(),
    };
    Notice {
        start: Some(at("2026-12-06T01:00:00Z")),
        until: Some(at("2026-12-06T03:00:00Z")),
        message: Some("We are upgrading our database.".into()),
        ..Notice::new(window, "1".into(), 20_001)
    }
}

fn with_message(message: &str) -> Notice {
    Notice {
        message: Some(message.to_owned()),
        ..notice()
    }
}

fn always() -> Notice {
    Notice {
        start: None,
        until: None,
        message: None,
        ..notice()
    }
}

fn head(method: Method, accept: &str) -> request::Parts {
    let request = Request::builder()
        .method(method)
        .uri("/any?path")
        .header(ACCEPT, accept);
    request.body(()).unwrap().into_parts().0
}

fn ask(accept: &str, notice: &Notice) -> Answer {
    answer(&head(Method::GET, accept), notice, at(NOW))
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
            ("vary", "Accept"),
            ("x-content-type-options", "nosniff"),
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
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    );
    let page = body(&answer);
    for part in [
        "<!doctype html>\n<html lang=\"en\">",
        "<title>Down for maintenance</title>",
        "<p class=\"message\" lang=\"\" dir=\"auto\">We are upgrading our database.</p>\n",
        "<p class=\"outlook\">We expect to be back at <time datetime=\"2026-12-06T03:00:00Z\">\
         03:00 UTC on Sunday, 6 December 2026</time>.</p>",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    for way_out in ["http:", "https:", "src=", "href=", "url(", "<script"] {
        assert!(!page.contains(way_out), "{way_out} in {page}");
    }
}

#[test]
fn a_page_without_a_message_or_an_end_says_so_much() {
    let answer = ask(HTML, &always());
    let (_, main) = body(&answer).split_once("<main>").unwrap();
    assert_eq!(
        main,
        "\n<h1>Down for maintenance</h1>\n<p class=\"outlook\">Please try again soon.</p>\n\
         </main>\n</body>\n</html>\n"
    );
}

#[test]
fn seconds_are_read_out_only_where_there_are_any() {
    assert_eq!(
        reading(at("2026-12-06T03:00:00Z")),
        "03:00 UTC on Sunday, 6 December 2026"
    );
    assert_eq!(
        reading(at("2026-12-16T23:59:07Z")),
        "23:59:07 UTC on Wednesday, 16 December 2026"
    );
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
            assert_eq!(ask(accept, &late).headers[RETRY_AFTER], "1", "{accept}");
        }
        assert!(body(&ask(TEXT, &late)).ends_with("\n\nBack any moment. Please try again.\n"));
        assert!(
            body(&ask(HTML, &late)).contains(">We will be back any moment. Please try again.<")
        );
    }
}

#[test]
fn head_is_get_without_the_body() {
    for accept in [TEXT, HTML, PROBLEM, "application/json"] {
        let get = answer(&head(Method::GET, accept), &notice(), at(NOW));
        let head = answer(&head(Method::HEAD, accept), &notice(), at(NOW));
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
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
    ] {
        assert_eq!(answer(&head(method, TEXT), &notice(), at(NOW)), get);
    }
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
    assert_eq!(body(&page).matches("<script").count(), 0);
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
