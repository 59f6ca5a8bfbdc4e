//! What a client may ask of us that is no request.

use super::Limits;
use super::frame::Code;

/// How many frames that are no request a client may send before its first one.
const START: u32 = 1000;

/// How many more each request allows for, and each so many bytes of its answer: a client opens its
/// windows as it takes them.
const REQUEST: u32 = 10;
const BYTES: usize = 1024;

/// No client saves up more than this.
const MOST: u32 = 1 << 17;

/// What a request that is taken back or refused counts for. Each that is not takes one back: so it is
/// those of a connection that does little else that add up.
const RESET: u32 = 2;

/// Frames that bear no request cost us as much as those that do, and come of no user: PING, SETTINGS
/// and the like (RFC 9113 §10.5). Pings of clients that measure or keep alive are far below.
#[derive(Debug)]
pub(super) struct Budget {
    frames: u32,
    resets: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            frames: START,
            resets: 0,
        }
    }
}

impl Budget {
    /// Pays for a frame that bears no request.
    pub(super) fn spend(&mut self) -> Result<(), Code> {
        let left = self.frames.checked_sub(1);
        self.frames = left.ok_or(Code::EnhanceYourCalm)?;
        Ok(())
    }

    /// Notes a request that is answered with so many bytes.
    pub(super) fn earn(&mut self, bytes: usize) {
        let windows = u32::try_from(bytes / BYTES).unwrap_or(MOST);
        let more = REQUEST.saturating_add(windows);
        self.frames = self.frames.saturating_add(more).min(MOST);
        self.resets = self.resets.saturating_sub(1);
    }

    /// Notes a request that is taken back or refused.
    pub(super) fn reset(&mut self, limits: &Limits) -> Result<(), Code> {
        self.resets = self.resets.saturating_add(RESET);
        if self.resets > limits.max_resets.saturating_mul(RESET) {
            return Err(Code::EnhanceYourCalm);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::super::tests::limits;
    use super::*;

    #[test]
    fn frames_without_requests_are_bounded_and_requests_allow_for_more() {
        let mut budget = Budget::default();
        let spent = |budget: &mut Budget| (0..=MOST).take_while(|_| budget.spend().is_ok()).count();
        assert_eq!(spent(&mut budget), 1000);
        budget.earn(0);
        assert_eq!(spent(&mut budget), 10);
        budget.earn(3 * 1024);
        assert_eq!(spent(&mut budget), 13);
        budget.earn(usize::MAX);
        budget.earn(usize::MAX);
        assert_eq!(spent(&mut budget), 1 << 17);
    }

    #[test]
    fn resets_add_up_where_there_is_little_else() {
        let limits = limits();
        let most = limits.max_resets;
        let resets = |requests: u32| {
            let mut budget = Budget::default();
            let mut is_taken = || {
                (0..requests).for_each(|_| budget.earn(0));
                budget.reset(&limits).is_ok()
            };
            (0..10 * most).take_while(|_| is_taken()).count()
        };
        let most = usize::try_from(most).unwrap();
        assert_eq!(resets(0), most);
        assert_eq!(resets(1), 2 * most - 1);
        assert_eq!(resets(2), 10 * most);
    }
}
