use serde_json::{Value, json};

use super::*;

#[test]
fn a_message_is_neither_blank_nor_endless() {
    let message = |text: &str| problems(&with(json!({"response": {"message": text}})));
    let blank = "spec.response.message: is blank: write a sentence, or remove message for ours";
    assert_eq!(message(" \n"), [blank]);
    let endless = "spec.response.message: may have at most 1024 characters: write a shorter one";
    assert_eq!(message(&"é".repeat(1025)), [endless]);
    assert!(parse(&with(json!({"response": {"message": "é".repeat(1024)}}))).is_ok());
}

#[test]
fn retry_after_is_in_whole_seconds_and_what_is_absent_is_as_the_schema_says() {
    let rule = |jitter, minimum, end_unknown| RetryAfterRule {
        format: RetryAfterFormat::Seconds,
        jitter,
        minimum,
        end_unknown,
    };
    for (written, expected) in [
        (json!({}), rule(30, 5, 30)),
        (json!({"format": "Seconds"}), rule(30, 5, 30)),
        (json!({"jitter": "0s", "minimum": "0s"}), rule(0, 0, 30)),
        (
            json!({"jitter": "24h", "minimum": "24h", "endUnknown": "24h"}),
            rule(86_400, 86_400, 86_400),
        ),
        // Never more jitter than is written, and never less of the others.
        (
            json!({"jitter": "1s999ms", "minimum": "1s1ms", "endUnknown": "1500ms"}),
            rule(1, 2, 2),
        ),
    ] {
        let window = parse(&with(json!({"response": {"retryAfter": written}}))).unwrap();
        assert_eq!(window.told.retry_after, expected, "{written}");
    }
    assert_eq!(parse(&with(json!({}))).unwrap().told, Told::default());
}

#[test]
fn a_length_of_retry_after_that_is_none_or_out_of_bounds_is_refused() {
    for (written, problem) in [
        (
            json!({"jitter": "24h1ms"}),
            "jitter: must be from 0s to 24h",
        ),
        (json!({"minimum": "25h"}), "minimum: must be from 0s to 24h"),
        (
            json!({"endUnknown": "999ms"}),
            "endUnknown: must be from 1s to 24h",
        ),
        (
            json!({"endUnknown": "25h"}),
            "endUnknown: must be from 1s to 24h",
        ),
    ] {
        let found = problems(&with(json!({"response": {"retryAfter": written}})));
        assert_eq!(found, [format!("spec.response.retryAfter.{problem}")]);
    }
    let all = json!({"jitter": "soon", "minimum": "1d", "endUnknown": ""});
    let found = problems(&with(json!({"response": {"retryAfter": all}})));
    assert_eq!(found.len(), 3, "{found:?}");
    for (problem, field) in found.iter().zip(["jitter", "minimum", "endUnknown"]) {
        let start = format!("spec.response.retryAfter.{field}: \"");
        assert!(
            problem.starts_with(&start) && problem.contains("is not a duration"),
            "{problem}"
        );
    }
}

#[test]
fn a_health_check_is_a_path_and_nothing_else() {
    let checks = |paths: &[&str]| {
        let checks: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
        with(json!({"response": {"healthChecks": checks}}))
    };
    for bad in [
        "",
        "healthz",
        "/a?b",
        "/a#b",
        "/a b",
        "/a\n",
        "/a\u{7f}",
        "http://a/healthz",
    ] {
        let expected = "spec.response.healthChecks[1].path: must begin with / and have no query, \
                        fragment or space: write one such as /healthz";
        assert_eq!(problems(&checks(&["/healthz", bad])), [expected], "{bad:?}");
    }
    let long = format!("/{}", "a".repeat(256));
    assert_eq!(
        problems(&checks(&[&long])),
        ["spec.response.healthChecks[0].path: may have at most 256 characters: name a shorter one"]
    );
    assert_eq!(
        problems(&checks(&[])),
        ["spec.response.healthChecks: is empty: name a path, or leave it out"]
    );
    assert_eq!(
        problems(&checks(&["/"; 17])),
        ["spec.response.healthChecks: has more than 16 entries: name fewer paths"]
    );
    assert!(parse(&checks(&["/"; 16])).is_ok());
}
