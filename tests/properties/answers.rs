//! What holds for every answer, whatever is asked, whatever the notice says, and whenever.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use entracte::notice::{
    Answer, Head, Notice, Page, Render, RetryAfterFormat, RetryAfterRule, TURNS, WindowRef, answer,
    choose, good_until, render,
};
use proptest::prelude::*;
use serde_json::Value;

/// A request: its method, its target, its fields.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
}

impl Asked {
    fn head(&self) -> Head<'_> {
        let mut head = Head::new(&self.method, &self.target);
        for (name, value) in &self.fields {
            head.field(name, value);
        }
        head
    }
}

/// An answer as it went over a wire.
#[derive(Debug)]
struct Read {
    status: u16,
    fields: BTreeMap<String, Vec<u8>>,
    body: Vec<u8>,
}

impl Read {
    fn text(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name)?;
        Some(std::str::from_utf8(value).expect("a field that is no text"))
    }

    fn is(&self, content_type: &str) -> bool {
        self.text("content-type")
            .is_some_and(|value| value.starts_with(content_type))
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..40)
}

/// Something that a grammar of HTTP makes, or something near it, or anything.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let known = proptest::sample::select(vec![
        "text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/problem+json",
        "application/json, */*;q=0.1",
        "text/plain",
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web+proto",
        "application/grpc-web-text",
        "https://app.example",
        "http://[::1]:3000",
        "null",
        "de-CH, fr;q=0.9",
        "zh-TW",
        "DELETE",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => "[a-z*]{1,12}/[a-z*+]{1,12}(; ?q=[01]\\.[0-9]{1,3})?(, ?[a-z*]{1,5}/[a-z*]{1,5})?"
            .prop_map(String::into_bytes),
        1 => "https?://[!-~]{1,20}(\r\n[a-z-]{1,9}: [a-z]{1,9})?".prop_map(String::into_bytes),
        1 => bytes(),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    let method = prop_oneof![
        proptest::sample::select(vec!["GET", "HEAD", "POST", "OPTIONS", "PUT", "CONNECT"])
            .prop_map(str::to_owned),
        "[!-~]{0,8}",
    ];
    let target = prop_oneof![
        proptest::sample::select(vec![
            "/",
            "*",
            "/robots.txt",
            "/healthz",
            "/healthz?a=b",
            "http://shop.example/healthz",
            "/.well-known/acme-challenge/token",
            "shop.example:443",
        ])
        .prop_map(str::to_owned),
        "[/*]?[!-~]{0,20}",
        any::<String>(),
    ];
    let name = prop_oneof![
        6 => proptest::sample::select(vec![
            "Accept",
            "accept-language",
            "Content-Type",
            "ORIGIN",
            "access-control-request-method",
        ])
        .prop_map(str::to_owned),
        1 => "[!-~]{0,12}",
    ];
    let fields = proptest::collection::vec((name, value()), 0..6);
    (method, target, fields).prop_map(|(method, target, fields)| Asked {
        method,
        target,
        fields,
    })
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..4_000_000_000, 0_u32..1_000_000_000)
        .prop_filter_map("no instant", |(seconds, nanos)| {
            DateTime::from_timestamp(seconds, nanos)
        })
}

fn rule() -> impl Strategy<Value = RetryAfterRule> {
    let seconds = || prop_oneof![Just(0_u32), 0_u32..100, 0_u32..=86_400];
    let format = prop_oneof![
        Just(RetryAfterFormat::Seconds),
        Just(RetryAfterFormat::HttpDate)
    ];
    let whole = (format, seconds(), seconds(), seconds());
    whole.prop_map(|(format, jitter, minimum, end_unknown)| RetryAfterRule {
        format,
        jitter,
        minimum,
        end_unknown,
    })
}

/// A page of the user's: as it is, or with the message in a paragraph.
fn page() -> impl Strategy<Value = Page> {
    let template = "<p>{{ message }}</p>{{ retry_after }}";
    prop_oneof![
        any::<String>().prop_map(|html| (Render::Verbatim, html)),
        Just((Render::Template, template.to_owned())),
    ]
    .prop_map(|(render, html)| Page::new(render, html))
}

/// A notice whose stretch ends near `now`, or far from it, or never.
fn notice(now: DateTime<Utc>) -> impl Strategy<Value = Notice> {
    let nanoseconds = prop_oneof![
        -5_000_000_000_i64..5_000_000_000,
        -100_000_000_000_000_i64..100_000_000_000_000,
        Just(3_600_000_000_000),
        Just(3_000_000_000_000_000_000),
    ];
    let until = proptest::option::weighted(0.9, nanoseconds);
    let message = proptest::option::of(prop_oneof![
        any::<String>(),
        "[ -~]{0,40}\r?\n<[a-z/]{1,8}>[\"'&;%{}]{0,6}",
    ]);
    let window = prop_oneof![
        4 => "[a-z]{1,8}",
        1 => any::<String>(),
    ];
    let checks = prop_oneof![
        Just(vec![]),
        Just(vec!["/healthz".to_owned(), "/".to_owned()])
    ];
    let states = (proptest::bool::weighted(0.1), proptest::bool::weighted(0.1));
    let page = proptest::option::weighted(0.2, page());
    (until, message, window, checks, states, rule(), page).prop_map(
        move |(until, message, name, health_checks, (restoring, released), retry_after, page)| {
            let window = WindowRef {
                namespace: "shop".into(),
                name,
            };
            Notice {
                start: Some(now - TimeDelta::hours(1)),
                until: until.map(|wait| now + TimeDelta::nanoseconds(wait)),
                message,
                health_checks,
                restoring,
                released,
                retry_after,
                page,
                ..Notice::new(window, "1".into(), 20_001)
            }
        },
    )
}

fn told() -> impl Strategy<Value = (Notice, DateTime<Utc>)> {
    instant().prop_flat_map(|now| (notice(now), Just(now)))
}

/// What a server would write, as a client of HTTP/1.1 reads it.
fn over_the_wire(answer: &Answer) -> Read {
    let mut wire = format!("HTTP/1.1 {}\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        wire.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    wire.extend(b"\r\n");
    wire.extend(&answer.body);

    let mut slots = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut slots);
    let parsed = head.parse(&wire).expect("an answer that is not HTTP/1.1");
    let httparse::Status::Complete(length) = parsed else {
        panic!("a head without an end");
    };
    let lines = head.headers.len();
    let fields: BTreeMap<String, Vec<u8>> = head
        .headers
        .iter()
        .map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()))
        .collect();
    assert_eq!(fields.len(), lines, "a field that is there twice");
    Read {
        status: head.code.expect("no status"),
        fields,
        body: wire[length..].to_vec(),
    }
}

/// How long the client is asked to wait, in seconds, and the instant at which he then comes back.
fn comes_back(read: &Read, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let after = |seconds| now + TimeDelta::seconds(seconds);
    if let Some(milliseconds) = read.text("grpc-retry-pushback-ms") {
        let milliseconds: i32 = milliseconds.parse().expect("more than gRPC can read");
        return (milliseconds < i32::MAX).then(|| after(i64::from(milliseconds) / 1000));
    }
    let value = read.text("retry-after")?;
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(after(seconds.into()));
    }
    let date = NaiveDateTime::parse_from_str(value, "%a, %d %b %Y %H:%M:%S GMT");
    Some(date.expect("neither seconds nor a date").and_utc())
}

/// The first and the last instant at which a client that is answered at `now` may be told to come
/// back, where the end is known and to come.
fn bounds(notice: &Notice, now: DateTime<Utc>) -> Option<[DateTime<Utc>; 2]> {
    let until = notice.until.filter(|until| *until > now)?;
    if notice.restoring || notice.released {
        return None;
    }
    let rule = notice.retry_after;
    let floor = now + TimeDelta::seconds(rule.minimum.max(1).into());
    let latest = until + TimeDelta::seconds(rule.jitter.into());
    Some([until.max(floor), latest.max(floor) + TimeDelta::seconds(1)])
}

/// HTML allows no control characters but line breaks and tabs, and a terminal would obey others: they are
/// spaces.
fn harmless(message: &str) -> String {
    let is_kept = |c: char| !c.is_control() || c == '\n' || c == '\t';
    message
        .chars()
        .map(|c| if is_kept(c) { c } else { ' ' })
        .collect()
}

fn is_tag_free(text: &str) -> bool {
    !text.contains('<')
}

proptest! {
    #[test]
    fn every_answer_is_well_formed(
        asked in asked(),
        (notice, now) in told(),
        turn: u32,
    ) {
        let answer = answer(&asked.head(), &notice, now, turn);
        let read = over_the_wire(&answer);

        prop_assert!([200, 204, 503].contains(&read.status));
        prop_assert_eq!(read.text("cache-control"), Some("no-store"));
        prop_assert_eq!(read.text("x-content-type-options"), Some("nosniff"));
        prop_assert_eq!(read.text("x-robots-tag"), Some("noindex"));
        for (name, value) in &read.fields {
            let is_visible = value.iter().all(|byte| (b' '..=b'~').contains(byte));
            prop_assert!(is_visible || name == "entracte-window", "{}: {:?}", name, value);
        }
        let length = read.text("content-length").map(|length| length.parse::<usize>().unwrap());
        if asked.method == "HEAD" {
            prop_assert_eq!(read.body.len(), 0);
            prop_assert!(length.is_some());
        } else {
            prop_assert_eq!(length.unwrap_or(0), read.body.len());
            prop_assert_eq!(length.is_none(), read.status == 204);
        }

        let grpc = read.is("application/grpc");
        prop_assert_eq!(read.fields.contains_key("retry-after"), read.status == 503);
        prop_assert!(read.status != 503 || !grpc);
        if grpc && !read.is("application/grpc-web") {
            prop_assert_eq!(read.text("grpc-status"), Some("14"));
            prop_assert_eq!(read.body.len(), 0);
        }
    }

    #[test]
    fn every_document_can_be_read_and_holds_the_message_only_as_text(
        asked in asked(),
        (notice, now) in told(),
        turn: u32,
    ) {
        let answer = answer(&asked.head(), &notice, now, turn);
        let read = over_the_wire(&answer);
        prop_assume!(!read.body.is_empty());
        let message = notice.message.as_deref();
        if read.is("application/problem+json") || read.is("application/json") {
            let problem: Value = serde_json::from_slice(&read.body).unwrap();
            prop_assert_eq!(&problem["status"], 503);
            prop_assert_eq!(&problem["detail"], message.unwrap_or("Down for maintenance."));
            if notice.retry_after.format == RetryAfterFormat::Seconds {
                let seconds = problem["retryAfter"].to_string();
                prop_assert_eq!(Some(seconds.as_str()), read.text("retry-after"));
            }
        } else if let Some(page) = notice.page.as_ref().filter(|_| read.is("text/html")) {
            let shown = String::from_utf8(read.body).unwrap();
            if page.render == Render::Verbatim {
                prop_assert_eq!(&shown, page.html());
            } else if message.is_some() {
                prop_assert_eq!(shown.matches('<').count(), 2);
            }
        } else if read.is("text/html") {
            let bare = Notice { message: None, ..notice.clone() };
            let bare = render(choose(&asked.head(), &bare).variant, &bare, now, turn);
            let page = String::from_utf8(read.body).unwrap();
            let without = String::from_utf8(bare.body.to_vec()).unwrap();
            // The one paragraph, and nothing else of it.
            let tags = if message.is_some() { 2 } else { 0 };
            prop_assert_eq!(page.matches('<').count(), without.matches('<').count() + tags);
            if let Some(message) = message {
                let escaped = page.split_once("dir=\"auto\">").unwrap().1.split_once("</p>").unwrap().0;
                prop_assert!(is_tag_free(escaped));
                let unescaped = escaped
                    .replace("&lt;", "<")
                    .replace("&gt;", ">")
                    .replace("&quot;", "\"")
                    .replace("&#39;", "'")
                    .replace("&amp;", "&");
                prop_assert_eq!(unescaped, harmless(message));
            }
        } else if read.is("text/plain") && read.status == 503 {
            let text = String::from_utf8(read.body).unwrap();
            prop_assert!(text.starts_with(&harmless(message.unwrap_or("Down for maintenance."))));
        }
    }

    #[test]
    fn nothing_of_a_request_is_said_back_but_its_origin(
        asked in asked(),
        (notice, now) in told(),
        turn: u32,
    ) {
        let head = asked.head();
        let choice = choose(&head, &notice);
        let given = answer(&head, &notice, now, turn);
        let mut rendered = render(choice.variant, &notice, now, turn);
        if let Some(origin) = given.headers.get("access-control-allow-origin") {
            let sent = asked.fields.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("origin") && value == origin.as_bytes()
            });
            prop_assert!(sent, "{:?} was never sent", origin);
            for name in ["access-control-allow-origin", "access-control-expose-headers"] {
                rendered.headers.insert(name, given.headers[name].clone());
            }
        }
        prop_assert!(!given.headers.contains_key("access-control-allow-credentials"));
        if choice.without_body {
            rendered.body = bytes::Bytes::new();
        }
        prop_assert_eq!(given, rendered);
    }

    #[test]
    fn nobody_is_asked_back_before_the_end_or_after_end_and_jitter(
        asked in asked(),
        (notice, now) in told(),
        turn: u32,
        later in 0.0..1.0,
    ) {
        let variant = choose(&asked.head(), &notice).variant;
        let read = over_the_wire(&render(variant, &notice, now, turn));
        let good = good_until(&notice, now);
        prop_assert!(good > now && good - now <= TimeDelta::seconds(1));
        // It may be sent at any instant that it is good for.
        let left = (good - now).num_nanoseconds().unwrap() - 1;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share")]
        let some = TimeDelta::nanoseconds((left as f64 * later) as i64);
        for sent in [now, now + some, now + TimeDelta::nanoseconds(left)] {
            let Some(back) = comes_back(&read, sent) else { continue };
            let Some([earliest, latest]) = bounds(&notice, sent) else {
                let rule = notice.retry_after;
                let waits = rule.minimum.max(1).max(rule.end_unknown) + 1;
                prop_assert!(back > sent && back - sent <= TimeDelta::seconds(waits.into()));
                continue;
            };
            prop_assert!(back >= earliest, "{} at {}: {} < {}", turn, sent, back, earliest);
            prop_assert!(back <= latest, "{} at {}: {} > {}", turn, sent, back, latest);
        }
    }

    #[test]
    fn an_answer_that_is_good_is_the_one_that_would_be_given(
        asked in asked(),
        (notice, now) in told(),
        turn: u32,
    ) {
        let variant = choose(&asked.head(), &notice).variant;
        let last = good_until(&notice, now) - TimeDelta::nanoseconds(1);
        prop_assert_eq!(
            render(variant, &notice, last, turn),
            render(variant, &notice, now, turn)
        );
    }

    #[test]
    fn the_turns_of_an_instant_wait_for_different_times(
        (notice, now) in told(),
        jitter in TURNS..86_400,
        first: u32,
    ) {
        let mut head = Head::new("GET", "/cart");
        head.field("accept", b"text/plain");
        let until = Some(now + TimeDelta::hours(30));
        let retry_after = RetryAfterRule { jitter, minimum: 0, ..notice.retry_after };
        let notice = Notice { until, retry_after, restoring: false, released: false, ..notice };
        let variant = choose(&head, &notice).variant;
        let waits: BTreeSet<_> = (0..TURNS)
            .map(|turn| over_the_wire(&render(variant, &notice, now, first.wrapping_add(turn))))
            .map(|read| comes_back(&read, now))
            .collect();
        prop_assert_eq!(waits.len(), usize::try_from(TURNS).unwrap());
    }
}
