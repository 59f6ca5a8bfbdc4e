//! `spec.response`: what callers are told.

use chrono::TimeDelta;

use crate::{
    api::response::{self, HealthCheck, Response, RetryAfter},
    notice::{RetryAfterFormat, RetryAfterRule},
    schedule::{
        Told,
        duration::{self, NotADuration},
    },
};

use super::{page, problems::Problems};

/// The most characters in a message.
const MAX_MESSAGE_LENGTH: usize = 1024;

/// The most health checks.
const MAX_HEALTH_CHECKS: usize = 16;

/// The most characters in the path of one.
const MAX_PATH_LENGTH: usize = 256;

/// The longest that any field of Retry-After may be.
const LONGEST: TimeDelta = TimeDelta::hours(24);

const MESSAGE: &str = "spec.response.message";
const RETRY_AFTER: &str = "spec.response.retryAfter";
const HEALTH_CHECKS: &str = "spec.response.healthChecks";

/// A length that a field of Retry-After may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BadLength {
    #[error(transparent)]
    Malformed(#[from] NotADuration),
    #[error("must be from {least}s to 24h")]
    OutOfBounds { least: i64 },
}

pub(super) fn parse(response: Option<&Response>, problems: &mut Problems) -> Told {
    let Some(Response {
        message,
        retry_after,
        page,
        health_checks,
    }) = response
    else {
        return Told::default();
    };
    Told {
        message: message.clone().inspect(|text| check(text, problems)),
        page: page.as_ref().map(|page| page::parse(page, problems)),
        retry_after: rule(retry_after.as_ref(), problems),
        health_checks: paths(health_checks.as_deref(), problems),
    }
}

fn check(message: &str, problems: &mut Problems) {
    if message.trim().is_empty() {
        problems.add(
            MESSAGE,
            "is blank: write a sentence, or remove message for ours",
        );
    }
    if message.chars().count() > MAX_MESSAGE_LENGTH {
        problems.add(
            MESSAGE,
            "may have at most 1024 characters: write a shorter one",
        );
    }
}

/// Retry-After has whole seconds. A part of one counts as a whole where less would be too little,
/// and as none where more would be too much: of the jitter.
fn rule(retry_after: Option<&RetryAfter>, problems: &mut Problems) -> RetryAfterRule {
    let unwritten = RetryAfterRule::default();
    let Some(RetryAfter {
        format,
        jitter,
        minimum,
        end_unknown,
    }) = retry_after
    else {
        return unwritten;
    };
    let mut written = |field: &str, text: &Option<String>, least| {
        let length = length(text.as_deref()?, least);
        problems.check(&format!("{RETRY_AFTER}.{field}"), length)
    };
    let jitter = written("jitter", jitter, 0);
    let minimum = written("minimum", minimum, 0);
    let end_unknown = written("endUnknown", end_unknown, 1);
    RetryAfterRule {
        format: format.map_or(unwritten.format, form),
        jitter: jitter.map_or(unwritten.jitter, rounded_down),
        minimum: minimum.map_or(unwritten.minimum, rounded_up),
        end_unknown: end_unknown.map_or(unwritten.end_unknown, rounded_up),
    }
}

fn form(format: response::RetryAfterFormat) -> RetryAfterFormat {
    match format {
        response::RetryAfterFormat::Seconds => RetryAfterFormat::Seconds,
        response::RetryAfterFormat::HTTPDate => RetryAfterFormat::HttpDate,
    }
}

fn length(text: &str, least: i64) -> Result<TimeDelta, BadLength> {
    let length = duration::parse(text)?;
    if (TimeDelta::seconds(least)..=LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err(BadLength::OutOfBounds { least })
    }
}

fn rounded_down(length: TimeDelta) -> u32 {
    u32::try_from(length.num_seconds()).unwrap_or_default()
}

fn rounded_up(length: TimeDelta) -> u32 {
    rounded_down(length) + u32::from(length.subsec_nanos() > 0)
}

fn paths(health_checks: Option<&[HealthCheck]>, problems: &mut Problems) -> Vec<String> {
    let Some(checks) = health_checks else {
        return Vec::new();
    };
    if checks.is_empty() {
        problems.add(HEALTH_CHECKS, "is empty: name a path, or leave it out");
    }
    if checks.len() > MAX_HEALTH_CHECKS {
        problems.add(HEALTH_CHECKS, "has more than 16 entries: name fewer paths");
    }
    for (index, HealthCheck { path }) in checks.iter().enumerate() {
        if let Some(wrong) = wrong_with(path) {
            problems.add(format!("{HEALTH_CHECKS}[{index}].path"), wrong);
        }
    }
    checks.iter().map(|check| check.path.clone()).collect()
}

fn wrong_with(path: &str) -> Option<&'static str> {
    let is_out_of_place = |c: char| matches!(c, '?' | '#') || c.is_control() || c.is_whitespace();
    if !path.starts_with('/') || path.contains(is_out_of_place) {
        Some("must begin with / and have no query, fragment or space: write one such as /healthz")
    } else if path.chars().count() > MAX_PATH_LENGTH {
        Some("may have at most 256 characters: name a shorter one")
    } else {
        None
    }
}
