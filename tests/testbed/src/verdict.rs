//! What the clients of one target saw and what the operator wrote to it, judged.
//!
//! No I/O and no clock.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    load::{Class, Counts, Report},
    target::{Patch, Target, To},
};

/// Proxies learn late: Traefik reads at most every 2 s, kube-proxy writes at most every second,
/// Contour within half a second, and a released Service has both kinds of endpoints until its own are seen to be ready. An old
/// answer that comes later than this is wrong.
pub const SETTLES_WITHIN: TimeDelta = TimeDelta::seconds(5);

/// How many wrong answers are told one by one.
const TOLD: usize = 3;

/// When a window is on, and its targets are to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The first instant inside.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

impl Occurrence {
    /// For when a flip is scheduled.
    pub fn instant(self, to: To) -> DateTime<Utc> {
        match to {
            To::Hold => self.start,
            To::Release => self.end,
        }
    }

    /// An instant as seconds before or after the start.
    pub fn clock(self, instant: DateTime<Utc>, decimals: usize) -> String {
        let milliseconds = (instant - self.start).num_milliseconds();
        let sign = if milliseconds < 0 { '-' } else { '+' };
        let seconds = TimeDelta::milliseconds(milliseconds.abs()).as_seconds_f64();
        format!("T{sign}{seconds:.decimals$} s")
    }
}

/// How it went for one target.
#[derive(Debug)]
pub struct Verdict {
    /// Which.
    pub target: Target,
    /// What its clients got.
    pub counts: Counts,
    /// Its hold and its release.
    pub flips: [Flip; 2],
    /// What must not be; there should be none.
    pub faults: Vec<Fault>,
}

/// One flip: how long after its scheduled instant what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// Which of the two.
    pub to: To,
    /// The API server had answered the target's patch.
    pub written: Option<TimeDelta>,
    /// The first new answer came.
    pub seen: Option<TimeDelta>,
    /// The last old answer came.
    pub settled: Option<TimeDelta>,
}

/// What must not be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Neither the app nor a true maintenance answer.
    #[error("{count} requests got another answer:{}", list(.first, *.count))]
    OtherAnswers {
        /// How many.
        count: usize,
        /// Of the first ones, when and what.
        first: Vec<String>,
    },
    /// The operator did not do it.
    #[error("no patch was written for its {0}")]
    NotWritten(To),
    /// The operator did it too early.
    #[error("a patch for its {to} was sent {} ms before its instant", .by.num_milliseconds())]
    WrittenEarly {
        /// Which of the two.
        to: To,
        /// How much too early.
        by: TimeDelta,
    },
    /// It was done, and nobody noticed.
    #[error("its clients did not see its {0}")]
    NotSeen(To),
    /// Maintenance before the start.
    #[error("{0} maintenance answers came before the window started")]
    HeldEarly(usize),
    /// Old answers long after a flip.
    #[error("{count} old answers came more than {} s after its {to}", SETTLES_WITHIN.num_seconds())]
    NotSettled {
        /// Which of the two.
        to: To,
        /// How many.
        count: usize,
    },
}

fn list(first: &[String], count: usize) -> String {
    let more = count - first.len();
    let more = (more > 0).then(|| format!("… and {more} more"));
    let lines = first.iter().cloned().chain(more);
    lines.fold(String::new(), |list, line| list + "\n    " + &line)
}

/// Judges what was recorded for one target.
pub fn judge(
    occurrence: Occurrence,
    target: &Target,
    report: &Report,
    patches: &[Patch],
) -> Verdict {
    let flips = [To::Hold, To::Release].map(|to| flip(occurrence, to, report, patches));
    let mut faults = Vec::new();
    faults.extend(other_answers(occurrence, report));
    faults.extend(held_early(occurrence, report));
    for flip in flips {
        let to = flip.to;
        faults.extend(written_early(occurrence, to, patches));
        faults.extend(flip.written.is_none().then_some(Fault::NotWritten(to)));
        faults.extend(flip.seen.is_none().then_some(Fault::NotSeen(to)));
        faults.extend(flip.seen.and_then(|_| not_settled(occurrence, to, report)));
    }
    Verdict {
        target: target.clone(),
        counts: report.counts(),
        flips,
        faults,
    }
}

fn flip(occurrence: Occurrence, to: To, report: &Report, patches: &[Patch]) -> Flip {
    let at = occurrence.instant(to);
    let next = (to == To::Hold).then_some(occurrence.end);
    let seen = report.flip_at(at, next, to.class());
    let written = patches
        .iter()
        .filter(|patch| patch.to == to)
        .find_map(|patch| patch.written);
    Flip {
        to,
        written: written.map(|written| written - at),
        seen: seen.map(|flip| flip.seen()),
        settled: seen.map(|flip| flip.settled()),
    }
}

fn other_answers(occurrence: Occurrence, report: &Report) -> Option<Fault> {
    let count = report.others().count();
    let first = report.others().take(TOLD).map(|(answer, reason)| {
        let sent = occurrence.clock(answer.sent.wall, 3);
        let answered = occurrence.clock(answer.answered.wall, 3);
        format!("asked {sent}, answered {answered}: {reason}")
    });
    (count > 0).then(|| Fault::OtherAnswers {
        count,
        first: first.collect(),
    })
}

fn held_early(occurrence: Occurrence, report: &Report) -> Option<Fault> {
    let count = report.count(Class::Maintenance, ..occurrence.start);
    (count > 0).then_some(Fault::HeldEarly(count))
}

fn written_early(occurrence: Occurrence, to: To, patches: &[Patch]) -> Option<Fault> {
    let at = occurrence.instant(to);
    let sent = patches
        .iter()
        .filter(|patch| patch.to == to)
        .map(|patch| patch.sent)
        .min()?;
    (sent < at).then(|| Fault::WrittenEarly { to, by: at - sent })
}

fn not_settled(occurrence: Occurrence, to: To, report: &Report) -> Option<Fault> {
    let late = occurrence.instant(to) + SETTLES_WITHIN;
    let count = match to {
        To::Hold => report.count(Class::App, late..occurrence.end),
        To::Release => report.count(Class::Maintenance, late..),
    };
    (count > 0).then_some(Fault::NotSettled { to, count })
}

#[cfg(test)]
mod tests;
