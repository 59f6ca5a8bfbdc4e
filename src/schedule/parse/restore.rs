//! `spec.restore`: what a release waits for.

use chrono::TimeDelta;

use crate::{
    api::window::{self, RestoreWhen},
    schedule::{
        Restore,
        duration::{self, NotADuration},
    },
};

use super::problems::Problems;

const MAX_OVERRUN: &str = "spec.restore.maxOverrun";

/// The longest overrun: who needs more moves the end.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// A length that no overrun may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BadOverrun {
    #[error(transparent)]
    Malformed(#[from] NotADuration),
    #[error("must be from 0s to 24h: for more, move the end of the window")]
    TooLong,
}

pub(super) fn parse(restore: Option<&window::Restore>, problems: &mut Problems) -> Restore {
    let Some(window::Restore { when, max_overrun }) = restore else {
        return Restore::default();
    };
    let max_overrun = max_overrun.as_deref();
    match when.unwrap_or(RestoreWhen::TargetsReady) {
        RestoreWhen::Immediately => {
            if max_overrun.is_some() {
                problems.add(
                    MAX_OVERRUN,
                    "says how long TargetsReady waits, and Immediately waits for nothing: remove \
                     one of the two",
                );
            }
            Restore::Immediately
        }
        RestoreWhen::TargetsReady => {
            let written = max_overrun.and_then(|text| problems.check(MAX_OVERRUN, length(text)));
            Restore::TargetsReady {
                max_overrun: written.unwrap_or(Restore::MAX_OVERRUN),
            }
        }
    }
}

fn length(text: &str) -> Result<TimeDelta, BadOverrun> {
    let length = duration::parse(text)?;
    if length > LONGEST {
        return Err(BadOverrun::TooLong);
    }
    Ok(length)
}
