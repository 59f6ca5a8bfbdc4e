//! Chromium: `fetch` from another origin, and the page.

mod browser;

use std::time::Duration;

use chrono::{DateTime, Utc};
use entracte::notice::RetryAfterFormat;
use http::Method;
use serde_json::{Value, json};
use similar_asserts::assert_eq;
use tokio::time::sleep;

use crate::stage::backend::{Backend, MESSAGE, notice};
use crate::stage::ending::Ending;
use crate::stage::site::Site;
use browser::Browser;

/// Fetches a URL, and tells what a page can see of the answer.
fn fetch(url: &str, options: &Value) -> String {
    format!(
        "fetch({url:?}, {options}).then(async (answer) => ({{
            status: answer.status,
            retryAfter: answer.headers.get('retry-after'),
            detail: (await answer.json()).detail,
        }}), (error) => error.name)"
    )
}

/// Asserts that the page saw the notice, and when to come back.
#[track_caller]
fn assert_it_saw_the_notice(seen: &Value) {
    assert_eq!(
        (&seen["status"], &seen["detail"]),
        (&json!(503), &json!(MESSAGE))
    );
    let wait: u32 = seen["retryAfter"].as_str().unwrap().parse().unwrap();
    // The window ends in two hours, and jitter is up to half a minute.
    assert!((7190..=7230).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_page_of_another_origin_sees_the_503_its_body_and_when_to_come_back() {
    let mut browser = Browser::start().await;
    let backend = Backend::start(&notice()).await;
    let shop = Site::of("<!doctype html><title>Shop</title>").await;
    browser.go(&shop.url()).await;
    let plain = fetch(&backend.url("/api/cart"), &json!({}));
    assert_it_saw_the_notice(&browser.evaluate(&plain).await);
    // Content type, header and method: each of them has the browser ask first whether it may.
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let preflighted = fetch(
            &backend.url("/api/cart"),
            &json!({
                "method": method,
                "headers": {"content-type": "application/json", "x-cart": "1"},
                "body": "{}",
            }),
        );
        assert_it_saw_the_notice(&browser.evaluate(&preflighted).await);
    }
    browser.close().await;
}

#[tokio::test]
async fn a_page_of_another_origin_sees_nothing_where_it_sends_who_the_visitor_is() {
    let mut browser = Browser::start().await;
    let backend = Backend::start(&notice()).await;
    let shop = Site::of("<!doctype html><title>Shop</title>").await;
    browser.go(&shop.url()).await;
    let without_cookies = fetch(&backend.url("/"), &json!({"credentials": "omit"}));
    assert_it_saw_the_notice(&browser.evaluate(&without_cookies).await);
    let with_cookies = fetch(&backend.url("/"), &json!({"credentials": "include"}));
    assert_eq!(browser.evaluate(&with_cookies).await, "TypeError");
    browser.close().await;
}

#[tokio::test]
async fn the_page_is_shown_counts_down_and_complains_of_nothing() {
    let mut browser = Browser::start().await;
    let backend = Backend::start(&notice()).await;
    let url = backend.url("/cart?item=7");
    browser.go(&url).await;
    let text = browser.evaluate("document.body.innerText").await;
    let text = text.as_str().unwrap();
    assert!(text.contains(MESSAGE), "{text}");
    let title = browser.evaluate("document.title").await;
    assert!(text.contains(title.as_str().unwrap()), "{title}: {text}");

    let first = seconds_left(&mut browser).await;
    sleep(Duration::from_millis(2500)).await;
    let passed = first - seconds_left(&mut browser).await;
    assert!((2..=4).contains(&passed), "{passed} s have passed");
    assert!((7100..=7200).contains(&first), "{first} s are left");

    let status = "Failed to load resource: the server responded with a status of 503 \
                  (Service Unavailable)";
    assert_eq!(browser.complaints(), [format!("network: {status}: {url}")]);
    // The page is all there is: no other request was made, not even for an icon.
    let others: Vec<_> = browser
        .requests()
        .into_iter()
        .filter(|asked| *asked != url)
        .collect();
    assert_eq!(others, [""; 0]);
    browser.close().await;
}

/// What the countdown of the page says, such as `1:59:58`, in seconds.
async fn seconds_left(browser: &mut Browser) -> i64 {
    let timer = browser
        .evaluate("document.querySelector('[role=timer]').textContent")
        .await;
    let parts = timer.as_str().unwrap().split(':');
    parts.fold(0, |seconds, part| {
        seconds * 60 + part.parse::<i64>().unwrap()
    })
}

#[tokio::test]
async fn the_page_reloads_by_itself_after_the_end_and_shows_the_app() {
    let mut browser = Browser::start().await;
    let app = Site::of("<!doctype html><title>back</title>").await;
    let ending = Ending::soon(RetryAfterFormat::Seconds, app.address).await;
    browser.go(&ending.url()).await;
    assert_ne!(browser.evaluate("document.title").await, "back");
    let opened = opened(&mut browser).await;
    assert!(opened < ending.until, "{opened} is after {}", ending.until);
    // Until it does: the browser gives up after half a minute without a word.
    browser.go_on().await;
    assert_eq!(browser.evaluate("document.title").await, "back");
    let reloaded = self::opened(&mut browser).await;
    assert!(
        reloaded >= ending.until,
        "{reloaded} is before {}",
        ending.until
    );
    browser.close().await;
}

#[tokio::test]
async fn the_page_that_answers_a_post_comes_back_by_get() {
    comes_back_by_get(true).await;
}

#[tokio::test]
async fn without_script_the_page_that_answers_a_post_comes_back_by_get() {
    comes_back_by_get(false).await;
}

/// Whether an order was taken nobody knows, and it is the visitor's to send it again.
async fn comes_back_by_get(with_script: bool) {
    let mut browser = Browser::start().await;
    let app = Site::of("<!doctype html><title>back</title>").await;
    let shop = Site::of("<!doctype html><title>Shop</title>").await;
    browser.go(&shop.url()).await;
    let ending = Ending::soon(RetryAfterFormat::Seconds, app.address).await;
    browser.allow_scripts(with_script).await;
    browser.post(&ending.url()).await;
    let title = browser.evaluate("document.title").await;
    assert_eq!(title, "Down for maintenance");
    // Over a connection that it opened before the end, a browser may come to us once more.
    for _ in 0..2 {
        browser.go_on().await;
        if browser.evaluate("document.title").await == "back" {
            break;
        }
    }
    assert_eq!(browser.evaluate("document.title").await, "back");
    assert_eq!(app.methods("/"), [Method::GET]);
    browser.close().await;
}

/// When the page was opened.
async fn opened(browser: &mut Browser) -> DateTime<Utc> {
    let opened = browser
        .evaluate("new Date(performance.timeOrigin).toISOString()")
        .await;
    opened.as_str().unwrap().parse().unwrap()
}
