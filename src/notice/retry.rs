//! When a client is asked to come back. Pure.
//!
//! Everything is in whole seconds, and changes only where a second of the clock or of what is left
//! until the end begins: so an answer can be sent as often as it is asked for until then, and no
//! reader could tell it from one that was made for him.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use http::header::HeaderValue;

use super::end::{Outlook, outlook};
use super::{Notice, RetryAfterFormat};

/// Into how many waits the jitter is divided at one time.
pub const TURNS: u32 = 32;

const SECOND: TimeDelta = TimeDelta::seconds(1);

/// When the client of one answer is asked to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RetryAfter {
    /// How long to wait.
    pub(super) seconds: u64,
    /// The instant of `HTTP-date`, in whole seconds.
    date: DateTime<Utc>,
    format: RetryAfterFormat,
}

impl RetryAfter {
    /// Guarantees, of the seconds at `now` and of the date alike:
    /// - at least `minimum`, and at least 1 s;
    /// - where the end is known and to come: never before it, and at most `jitter` after it, rounded
    ///   up to a whole second, or `minimum` where that is later;
    /// - `endUnknown` or `minimum`, whichever is more, while nobody knows the end. There is no jitter
    ///   to it: who waits as long as everybody else stays as far from him as he came;
    /// - `minimum` once the notice is released or its end is past: who still gets here was led by a
    ///   proxy that learns late, and the app is back, or about to be.
    ///
    /// `turn` is taken modulo [`TURNS`]. The turns of one instant are spread evenly over the
    /// jitter; where it is 31 s or more, no two of them are alike.
    pub(super) fn at(notice: &Notice, now: DateTime<Utc>, turn: u32) -> Self {
        let rule = notice.retry_after;
        let least = rule.minimum.max(1);
        match outlook(notice, now) {
            Outlook::At(until) => {
                let left = seconds_rounded_up(until - now);
                let extra = share(rule.jitter, turn, left);
                if left + extra > u64::from(least) {
                    return Self {
                        seconds: left + extra,
                        date: rounded_up(later(until, extra)),
                        format: rule.format,
                    };
                }
                Self::after(least, rule.format, now)
            }
            Outlook::AnyMoment => Self::after(least, rule.format, now),
            Outlook::Unknown => Self::after(rule.end_unknown.max(least), rule.format, now),
        }
    }

    fn after(seconds: u32, format: RetryAfterFormat, now: DateTime<Utc>) -> Self {
        let seconds = u64::from(seconds);
        Self {
            seconds,
            date: later(next_second(now), seconds),
            format,
        }
    }

    /// The value of `Retry-After` (RFC 9110 §10.2.3).
    pub(super) fn field(self) -> HeaderValue {
        match self.format {
            RetryAfterFormat::Seconds => HeaderValue::from(self.seconds),
            // A date is all ASCII; should it ever not be, seconds say the same.
            RetryAfterFormat::HttpDate => HeaderValue::try_from(imf_fixdate(self.date))
                .unwrap_or_else(|_| HeaderValue::from(self.seconds)),
        }
    }

    /// The value of `grpc-retry-pushback-ms` (gRPC proposal A6), which is a signed 32-bit number:
    /// who is to wait for longer than 24.8 days is asked to come back after these.
    pub(super) fn pushback(self) -> i32 {
        i32::try_from(self.seconds.saturating_mul(1000)).unwrap_or(i32::MAX)
    }
}

/// Until when (exclusively) an answer that was rendered at `now` may be sent: it is, byte for byte,
/// what would be rendered at any instant until then. More than `now`, and at most a second after it.
pub fn good_until(notice: &Notice, now: DateTime<Utc>) -> DateTime<Utc> {
    let of_clock = next_second(now);
    match outlook(notice, now) {
        Outlook::At(until) => {
            let part = TimeDelta::nanoseconds((until - now).subsec_nanos().into());
            let of_wait = if part.is_zero() { SECOND } else { part };
            of_clock.min(now + of_wait)
        }
        Outlook::AnyMoment | Outlook::Unknown => of_clock,
    }
}

/// The share of `jitter` that falls to `turn`: 0 to `jitter` seconds.
///
/// Each turn has its part of the jitter, and `second` says where in that part: by the golden ratio,
/// whose multiples fill any interval evenly. So the waits of many seconds together lie as close as
/// can be, however long the jitter is.
fn share(jitter: u32, turn: u32, second: u64) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let part = u128::from(turn % TURNS) << 64 | u128::from(second.wrapping_mul(GOLDEN));
    let share = ((u128::from(jitter) + 1) * (part >> 32)) >> (32 + TURNS.ilog2());
    u64::try_from(share).unwrap_or_default()
}

/// A wait in whole seconds: who waits for them is never early.
pub(super) fn seconds_rounded_up(wait: TimeDelta) -> u64 {
    let started = i64::from(wait.subsec_nanos() > 0);
    u64::try_from(wait.num_seconds() + started).unwrap_or(0)
}

fn next_second(now: DateTime<Utc>) -> DateTime<Utc> {
    later(now.trunc_subsecs(0), 1)
}

fn rounded_up(instant: DateTime<Utc>) -> DateTime<Utc> {
    if instant.timestamp_subsec_nanos() == 0 {
        instant
    } else {
        next_second(instant)
    }
}

fn later(instant: DateTime<Utc>, seconds: u64) -> DateTime<Utc> {
    i64::try_from(seconds)
        .ok()
        .and_then(TimeDelta::try_seconds)
        .and_then(|wait| instant.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `IMF-fixdate` (RFC 9110 §5.6.7), which has four digits for the year: what is later is the last
/// second of them.
pub fn imf_fixdate(instant: DateTime<Utc>) -> String {
    const LAST: i64 = 253_402_300_799;
    let written = DateTime::from_timestamp(instant.timestamp().min(LAST), 0).unwrap_or(instant);
    written.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests;
