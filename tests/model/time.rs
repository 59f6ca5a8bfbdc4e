//! Time without a clock: it is always the same instant, and what lies behind recedes.
//!
//! Plans know time only as what has passed since an instant that is written on an object. So all that
//! passes is written into the objects, and where everything has receded so far that no plan looks at
//! it any more, it stays: the states are finitely many.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use entracte::plan::Linger;
use serde_json::Value;

/// What passes at once: more than `STALE_VIEW`.
pub(crate) const TICK: TimeDelta = TimeDelta::milliseconds(600);
/// How long our slices stay after a release: until the second tick.
pub(crate) const LINGER: Linger = Linger {
    unready: TimeDelta::milliseconds(1_000),
    longest: TimeDelta::milliseconds(1_000),
};
/// Nothing recedes further.
const LONG_AGO: TimeDelta = TimeDelta::milliseconds(1_800);

/// The instant.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// Moves every instant in the annotations of an object into the past.
pub(crate) fn recede(object: &mut Value) {
    let Some(annotations) = object["metadata"]["annotations"].as_object_mut() else {
        return;
    };
    for text in annotations.values_mut() {
        if let Some(receded) = text.as_str().map(receded) {
            *text = receded.into();
        }
    }
}

/// The text with each instant (RFC 3339, in seconds or milliseconds) earlier.
fn receded(text: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let Some((instant, length)) = instant_at(rest) else {
            done.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let earlier = (instant - TICK).max(now() - LONG_AGO);
        done += &earlier.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        rest = &rest[length..];
    }
    done
}

/// The instant with which a text begins, and how long it is there.
fn instant_at(text: &str) -> Option<(DateTime<Utc>, usize)> {
    ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"]
        .into_iter()
        .find_map(|like| {
            let written = text.get(..like.len()).filter(|text| text.ends_with('Z'))?;
            let instant = DateTime::parse_from_rfc3339(written).ok()?;
            Some((instant.to_utc(), like.len()))
        })
}

#[test]
fn instants_recede_wherever_they_stand_and_not_for_ever() {
    let text = |before: i64| {
        let at = now() - TimeDelta::milliseconds(before);
        format!(
            "{{\"at\":\"{}\"}}",
            at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        )
    };
    assert_eq!(receded(&text(0)), text(600));
    assert_eq!(receded(&text(1_500)), text(1_800));
    assert_eq!(receded(&text(1_800)), text(1_800));
    assert_eq!(receded("b7"), "b7");
}
