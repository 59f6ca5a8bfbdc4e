//! Step 0, continued: how long a watch that broke is away. Does not touch the cluster.

use std::time::Duration;

use kube::runtime::utils::{Backoff, ResetTimerBackoff};

const FIRST: Duration = Duration::from_millis(200);
/// A view that is older than this is no use: an API server that was away is asked again soon, by
/// a handful of watches.
const LONGEST: Duration = Duration::from_secs(5);
/// A list that begins, and then fails, is no success yet.
const STEADY: Duration = Duration::from_secs(30);

/// The pauses of one watch: each twice as long as the one before, up to 5 s.
pub(super) fn of_watches() -> impl Backoff {
    ResetTimerBackoff::new(Doubling::default(), STEADY)
}

#[derive(Debug, Default)]
struct Doubling {
    times: u32,
}

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = FIRST.saturating_mul(2_u32.saturating_pow(self.times));
        self.times += 1;
        Some(pause.min(LONGEST))
    }
}

impl Backoff for Doubling {
    fn reset(&mut self) {
        self.times = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let pauses: Vec<_> = Doubling::default().take(7).collect();
        let milliseconds = [200, 400, 800, 1600, 3200, 5000, 5000];
        assert_eq!(pauses, milliseconds.map(Duration::from_millis));
    }

    #[test]
    fn a_watch_that_was_steady_begins_anew() {
        let mut pauses = Doubling::default();
        pauses.nth(9);
        pauses.reset();
        assert_eq!(pauses.next(), Some(FIRST));
    }
}
