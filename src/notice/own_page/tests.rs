use similar_asserts::assert_eq;

use super::super::sample::{at, with_message};
use super::*;

mod bounds;

fn now() -> DateTime<Utc> {
    at("2026-12-06T02:30:00Z")
}

fn notice() -> Notice {
    with_message("Tom & Jerry say \"<b>hi</b>\".")
}

fn template(html: &str) -> Page {
    Page::new(Render::Template, html.to_owned())
}

fn filled_in(html: &str, notice: &Notice) -> String {
    render(&template(html), notice, now(), 1800).unwrap()
}

/// What is said against a template before anybody sees it.
fn said(html: &str) -> String {
    check(&template(html)).unwrap_err().to_string()
}

#[test]
fn a_verbatim_page_is_sent_as_it_is() {
    let html = "<p>{{ message }} {% nonsense</p>\n";
    let page = Page::new(Render::Verbatim, html.to_owned());
    assert_eq!(check(&page), Ok(()));
    assert_eq!(render(&page, &notice(), now(), 1).unwrap(), html);
}

#[test]
fn a_template_is_filled_in() {
    for (html, expected) in [
        (
            "{{ message }}",
            "Tom &amp; Jerry say &quot;&lt;b&gt;hi&lt;&#x2f;b&gt;&quot;.",
        ),
        ("{{ message | safe }}", "Tom & Jerry say \"<b>hi</b>\"."),
        (
            "{{ window.namespace }}/{{ window.name }}",
            "shop/db-upgrade",
        ),
        ("{{ start }}", "2026-12-06T01:00:00Z"),
        ("{{ end }}", "2026-12-06T03:00:00Z"),
        ("{{ now }}", "2026-12-06T02:30:00Z"),
        ("{{ retry_after }} s", "1800 s"),
        ("{{ (retry_after / 60) | round | int }} min", "30 min"),
        (
            r#"{{ end | strftime("%H:%M %Z on %A, %-d %B %Y") }}"#,
            "03:00 UTC on Sunday, 6 December 2026",
        ),
        (
            r#"{{ end | strftime("%H:%M %Z", "Europe/Berlin") }}"#,
            "04:00 CET",
        ),
        (
            "<script>let end = {{ end | tojson }};</script>",
            "<script>let end = \"2026-12-06T03:00:00Z\";</script>",
        ),
        ("{% for i in range(3) %}{{ loop.index }}{% endfor %}", "123"),
        ("{% raw %}{{ message }}{% endraw %}", "{{ message }}"),
    ] {
        assert_eq!(filled_in(html, &notice()), expected, "{html}");
    }
}

#[test]
fn a_message_cannot_leave_a_script() {
    let evil = Notice {
        message: Some("</script><script>alert(1)".into()),
        ..notice()
    };
    let html = "<script>let message = {{ message | tojson }};</script>";
    assert_eq!(
        filled_in(html, &evil),
        "<script>let message = \"\\u003c/script\\u003e\\u003cscript\\u003ealert(1)\";</script>"
    );
}

#[test]
fn what_is_unknown_may_be_asked_for() {
    let html = "{% if message %}{{ message }}{% else %}-{% endif %} {{ end | default('soon') }}";
    assert_eq!(check(&template(html)), Ok(()));
    let no_words = Notice {
        message: None,
        ..notice()
    };
    assert_eq!(filled_in(html, &no_words), "- 2026-12-06T03:00:00Z");
    assert_eq!(check(&template("<p>{{ message }}")), Ok(()));
    assert_eq!(filled_in("<p>{{ message }}", &no_words), "<p>");
    let no_start = Notice {
        start: None,
        ..notice()
    };
    let error = render(&template("{{ start }}"), &no_start, now(), 1).unwrap_err();
    assert!(matches!(error, Error::Unknown { line: 1, .. }), "{error}");
    for unknown in [
        Notice {
            until: None,
            ..no_words.clone()
        },
        Notice {
            restoring: true,
            ..no_words.clone()
        },
        Notice {
            until: Some(now()),
            ..no_words.clone()
        },
        Notice {
            released: true,
            ..no_words.clone()
        },
    ] {
        assert_eq!(filled_in(html, &unknown), "- soon", "{unknown:?}");
    }
}

#[test]
fn what_is_wrong_with_a_template_is_said_with_its_line_and_what_to_write() {
    let unless_asked_for = "for it is not always known: write {% if … %} and {% endif %} around \
                            it, or | default(\"…\") behind it";
    let correct = "correct it, or write render: Verbatim for a page that is no template";
    let values = "the values are message, window.namespace, window.name, start, end, retry_after \
                  and now";
    for (html, expected) in [
        (
            "<p>\n{{ end }}",
            format!("line 2: `end` is undefined, {unless_asked_for}"),
        ),
        (
            "{{ end | upper }}",
            format!("line 1: `end` is undefined, {unless_asked_for}"),
        ),
        (
            "\n\n{{ end | strftime('%H:%M') }}",
            format!("line 3: what strftime is given is undefined, {unless_asked_for}"),
        ),
        ("{{ until }}", format!("there is no value until: {values}")),
        (
            "{% if ned %}{% endif %}",
            format!("there is no value ned: {values}"),
        ),
        (
            "{{ window.nmae }}",
            format!("there is no value window.nmae: {values}"),
        ),
        (
            "{{ debug() }}",
            format!("there is no value debug: {values}"),
        ),
        (
            "{{ message }",
            format!(
                "line 1: syntax error: unexpected `}}`, expected end of variable block: {correct}"
            ),
        ),
        (
            "a\n{% if end %}",
            format!(
                "line 2: syntax error: unexpected end of input, expected end of block: {correct}"
            ),
        ),
        (
            "{% include '/etc/passwd' %}",
            format!("line 1: syntax error: unknown statement include: {correct}"),
        ),
        (
            "{{ now | shout }}",
            format!("line 1: unknown filter: filter shout is unknown: {correct}"),
        ),
        (
            "{{ now | strftime('%H:%M', 'Europe/Berln') }}",
            format!(
                "line 1: invalid operation: Europe/Berln is no time zone of the IANA database: did \
                 you mean Europe/Berlin?: {correct}"
            ),
        ),
        (
            "{{ window.name | strftime('%H:%M') }}",
            format!("line 1: invalid operation: strftime takes start, end or now: {correct}"),
        ),
    ] {
        assert_eq!(said(html), expected, "{html}");
    }
    let conversion = said("{{ now | strftime('%!') }}");
    assert!(
        conversion.starts_with("line 1: invalid operation: "),
        "{conversion}"
    );
    assert!(conversion.contains("directive `!`"), "{conversion}");
}

#[test]
fn a_branch_that_no_trial_takes_fails_where_it_is_taken_and_harms_nobody() {
    let page = template("{% if retry_after == 1800 %}{{ 1 // 0 }}{% endif %}");
    assert_eq!(check(&page), Ok(()));
    let error = render(&page, &notice(), now(), 1800).unwrap_err();
    assert!(matches!(error, Error::Broken { line: 1, .. }), "{error}");
}

#[test]
fn the_page_in_the_docs_is_a_good_one() {
    let docs = include_str!("../../../docs/pages.md");
    let html = docs.split("```html\n").nth(1).unwrap();
    let html = html.split("```").next().unwrap();
    assert_eq!(check(&template(html)), Ok(()));
    let shown = filled_in(html, &notice());
    for part in [
        "<p>Tom &amp; Jerry say",
        "<time datetime=\"2026-12-06T03:00:00Z\">04:00 CET on Sunday, 6 December</time>",
        "http-equiv=\"refresh\" content=\"1800\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let always = Notice {
        until: None,
        ..notice()
    };
    assert!(filled_in(html, &always).contains("<p>We will be back soon.</p>"));
}

#[test]
fn a_page_is_tried_with_what_a_notice_says_and_with_each_end() {
    let tried = |html: &str| check_for(&template(html), &notice());
    for html in [
        "{{ message }} {{ window.name }}",
        "{% if 'nobody' in message %}{{ 1 // 0 }}{% endif %}",
    ] {
        assert_eq!(tried(html), Ok(()), "{html}");
    }
    for fails in [
        "{% if 'Jerry' in message %}{{ 1 // 0 }}{% endif %}",
        "{% if window.name == 'db-upgrade' %}{{ 1 // 0 }}{% endif %}",
        "{% if retry_after == 7200 %}{{ 1 // 0 }}{% endif %}",
        "{% if retry_after == 30 %}{{ 1 // 0 }}{% endif %}",
        "{% if retry_after == 5 %}{{ 1 // 0 }}{% endif %}",
    ] {
        assert_eq!(check(&template(fails)), Ok(()), "{fails}");
        let error = tried(fails).unwrap_err();
        assert!(matches!(error, Error::Broken { line: 1, .. }), "{error}");
    }
}
