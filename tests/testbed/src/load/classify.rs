//! What an answer means. No I/O and no clock: the times of the exchange are arguments.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::RETRY_AFTER;
use http::response::Parts;
use http::{HeaderMap, StatusCode};

use super::expected::{Expected, delay_seconds};

/// The header by which an app of the testbed shows that it answered itself.
pub const APP_HEADER: &str = "x-app";

/// The header in which the backend names the window that it answers for: `namespace/name`.
pub const WINDOW_HEADER: &str = "entracte-window";

/// How many headers, and how many bytes of the body, a reason quotes.
const QUOTED_HEADERS: usize = 8;
const QUOTED_BYTES: usize = 120;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The app: 200 with [`APP_HEADER`].
    App,
    /// The maintenance backend: 503 with [`WINDOW_HEADER`] and a true Retry-After.
    Maintenance,
    /// Anything else, which a client must never see.
    Other,
}

impl Class {
    /// What a flip to this class is a flip from.
    pub(super) fn opposite(self) -> Option<Self> {
        match self {
            Self::App => Some(Self::Maintenance),
            Self::Maintenance => Some(Self::App),
            Self::Other => None,
        }
    }
}

/// An answer, judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The app answered.
    App,
    /// The maintenance backend answered.
    Maintenance {
        /// `namespace/name` of the window.
        window: String,
        /// In seconds.
        retry_after: u64,
    },
    /// Something that is neither, or no answer.
    Other(Reason),
}

impl Verdict {
    /// The verdict without its particulars.
    pub fn class(&self) -> Class {
        match self {
            Self::App => Class::App,
            Self::Maintenance { .. } => Class::Maintenance,
            Self::Other(_) => Class::Other,
        }
    }
}

/// Why an answer is neither the app's nor the maintenance backend's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The source address is not on this machine, or has no free port left.
    #[error("no socket: {0}; is the source address on the loopback device, with ports left?")]
    Socket(String),
    /// Refused, unreachable, or out of addresses.
    #[error("could not connect: {0}")]
    Connect(String),
    /// Reset, or closed before the answer was complete.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The whole exchange took longer than this.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// A complete answer that no client should get.
    #[error("{wrong}: {quote}")]
    Answer {
        /// What is wrong with it.
        wrong: Wrong,
        /// Its status, some headers and the beginning of its body.
        quote: String,
    },
}

/// What is wrong with a complete answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Neither 200 nor 503.
    #[error("neither 200 nor 503")]
    Status,
    /// 200, but not from an app of the testbed.
    #[error("200 without {APP_HEADER}")]
    NotTheApp,
    /// 503, but not from the maintenance backend.
    #[error("503 without {WINDOW_HEADER}")]
    BareUnavailable,
    /// 503 that does not name one window.
    #[error("503 whose {WINDOW_HEADER} is not namespace/name")]
    WindowHeader,
    /// Our 503 without a Retry-After in whole seconds.
    #[error("503 without a Retry-After in whole seconds")]
    RetryAfterMissing,
    /// Our 503 with a Retry-After that is not true.
    #[error("Retry-After {seconds} is not within {}", or(.allowed))]
    RetryAfterUntrue {
        /// What it said.
        seconds: u64,
        /// What would have been true.
        allowed: Vec<RangeInclusive<u64>>,
    },
}

/// Judges a complete answer.
///
/// `expected` holds what was expected when the request was sent and when its answer came: a
/// change in between makes both true.
pub fn classify(
    head: &Parts,
    body: &[u8],
    sent: DateTime<Utc>,
    answered: DateTime<Utc>,
    expected: [Expected; 2],
) -> Verdict {
    let judged = match head.status {
        StatusCode::OK if head.headers.contains_key(APP_HEADER) => Ok(Verdict::App),
        StatusCode::OK => Err(Wrong::NotTheApp),
        StatusCode::SERVICE_UNAVAILABLE => {
            maintenance(&head.headers, expected.map(|e| e.allowed(sent, answered)))
        }
        _ => Err(Wrong::Status),
    };
    judged.unwrap_or_else(|wrong| {
        Verdict::Other(Reason::Answer {
            wrong,
            quote: quote(head, body),
        })
    })
}

fn maintenance(
    headers: &HeaderMap,
    allowed: [Vec<RangeInclusive<u64>>; 2],
) -> Result<Verdict, Wrong> {
    let window = combined(headers, WINDOW_HEADER).ok_or(Wrong::BareUnavailable)?;
    if !is_namespaced_name(&window) {
        return Err(Wrong::WindowHeader);
    }
    let seconds = combined(headers, RETRY_AFTER.as_str())
        .and_then(|value| delay_seconds(&value))
        .ok_or(Wrong::RetryAfterMissing)?;
    let mut ranges = allowed.iter().flatten();
    if !ranges.any(|range| range.contains(&seconds)) {
        let [_, allowed] = allowed;
        return Err(Wrong::RetryAfterUntrue { seconds, allowed });
    }
    Ok(Verdict::Maintenance {
        window,
        retry_after: seconds,
    })
}

fn or(allowed: &[RangeInclusive<u64>]) -> String {
    let ranges: Vec<_> = allowed.iter().map(|range| format!("{range:?}")).collect();
    ranges.join(" or ")
}

/// The header's value, combined as RFC 9110 section 5.3 says if it is repeated.
fn combined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn is_namespaced_name(value: &str) -> bool {
    value.split_once('/').is_some_and(|(namespace, name)| {
        !namespace.is_empty() && !name.is_empty() && !name.contains('/')
    })
}

/// The status line and all headers, one a line.
pub(super) fn head_text(head: &Parts) -> String {
    let mut text = format!("{:?} {}", head.version, head.status);
    for (name, value) in &head.headers {
        let _ = write!(
            text,
            "\n{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        );
    }
    text
}

fn quote(head: &Parts, body: &[u8]) -> String {
    let body = &body[..body.len().min(QUOTED_BYTES)];
    let head: Vec<_> = head_text(head)
        .lines()
        .take(1 + QUOTED_HEADERS)
        .map(str::to_owned)
        .collect();
    format!("{} | {}", head.join("; "), String::from_utf8_lossy(body))
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_796_522_400_000 + milliseconds).unwrap()
    }

    fn head(status: u16, headers: &[(&str, &str)]) -> Parts {
        let mut builder = Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn ending_at(milliseconds: i64) -> Expected {
        Expected {
            end: Some(at(milliseconds)),
            jitter: 0,
            minimum: 1,
            ..Expected::default()
        }
    }

    /// Judges an answer to a request that was sent at 0 ms and answered at 300 ms.
    fn judge(head: &Parts, expected: Expected) -> Verdict {
        classify(head, b"some body", at(0), at(300), [expected; 2])
    }

    fn wrong(verdict: Verdict) -> Wrong {
        match verdict {
            Verdict::Other(Reason::Answer { wrong, .. }) => wrong,
            other => panic!("not a wrong answer: {other:?}"),
        }
    }

    fn held(retry_after: &str) -> Parts {
        head(
            503,
            &[("entracte-window", "shop/db"), ("retry-after", retry_after)],
        )
    }

    #[test]
    fn two_hundred_with_the_apps_header_is_the_app() {
        let verdict = judge(&head(200, &[("x-app", "web-1")]), Expected::default());
        assert_eq!(verdict, Verdict::App);
    }

    #[test]
    fn our_503_with_a_true_retry_after_is_maintenance() {
        assert_eq!(
            judge(&held("10"), ending_at(9_500)),
            Verdict::Maintenance {
                window: "shop/db".to_owned(),
                retry_after: 10
            }
        );
    }

    #[test]
    fn anything_else_is_named() {
        let twice = [
            ("entracte-window", "shop/db"),
            ("retry-after", "5"),
            ("retry-after", "6"),
        ];
        let cases = [
            (head(503, &twice), Wrong::RetryAfterMissing),
            (head(404, &[]), Wrong::Status),
            (head(200, &[]), Wrong::NotTheApp),
            (head(503, &[]), Wrong::BareUnavailable),
            (head(503, &[("retry-after", "5")]), Wrong::BareUnavailable),
            (head(503, &[("entracte-window", "db")]), Wrong::WindowHeader),
            (
                head(503, &[("entracte-window", "a/b/c")]),
                Wrong::WindowHeader,
            ),
            (
                head(503, &[("entracte-window", "shop/db")]),
                Wrong::RetryAfterMissing,
            ),
            (held("+5"), Wrong::RetryAfterMissing),
            (
                held("Fri, 31 Dec 1999 23:59:59 GMT"),
                Wrong::RetryAfterMissing,
            ),
        ];
        for (head, expected) in cases {
            assert_eq!(wrong(judge(&head, Expected::default())), expected);
        }
    }

    #[test]
    fn a_reason_quotes_status_headers_and_body() {
        let Verdict::Other(reason) = judge(&head(502, &[("server", "x")]), Expected::default())
        else {
            panic!("502 is neither");
        };
        assert_eq!(
            reason.to_string(),
            "neither 200 nor 503: HTTP/1.1 502 Bad Gateway; server: x | some body"
        );
    }

    #[test]
    fn a_retry_after_beside_the_truth_is_told_with_what_was_allowed() {
        for (said, seconds) in [("9", 9), ("11", 11)] {
            assert_eq!(
                wrong(judge(&held(said), ending_at(9_500))),
                Wrong::RetryAfterUntrue {
                    seconds,
                    allowed: vec![10..=10]
                }
            );
        }
    }

    #[test]
    fn an_end_that_moves_during_the_exchange_makes_both_true() {
        let expected = [ending_at(9_500), ending_at(99_500)];
        for said in ["10", "100"] {
            let verdict = classify(&held(said), b"", at(0), at(300), expected);
            assert_eq!(verdict.class(), Class::Maintenance, "Retry-After {said}");
        }
        let verdict = classify(&held("50"), b"", at(0), at(300), expected);
        assert_eq!(verdict.class(), Class::Other);
    }
}
