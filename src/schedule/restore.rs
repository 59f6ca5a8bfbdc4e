//! What a release waits for.

use chrono::TimeDelta;

/// How the targets of a window are given back when an occurrence ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// When the app is ready again, and after an overrun at the latest.
    TargetsReady {
        /// How long after the end a target may still be held; not negative.
        max_overrun: TimeDelta,
    },
    /// At the end, whatever the app does.
    Immediately,
}

impl Restore {
    /// The overrun of a window that names none.
    pub const MAX_OVERRUN: TimeDelta = TimeDelta::minutes(10);

    /// How long after the end a target may still be held.
    ///
    /// ```
    /// use chrono::TimeDelta;
    /// use entracte::schedule::Restore;
    ///
    /// assert_eq!(Restore::default().max_overrun(), TimeDelta::minutes(10));
    /// assert_eq!(Restore::Immediately.max_overrun(), TimeDelta::zero());
    /// ```
    pub fn max_overrun(self) -> TimeDelta {
        match self {
            Self::TargetsReady { max_overrun } => max_overrun,
            Self::Immediately => TimeDelta::zero(),
        }
    }

    /// Whether a release may have to wait.
    pub fn waits(self) -> bool {
        self.max_overrun() > TimeDelta::zero()
    }
}

impl Default for Restore {
    fn default() -> Self {
        Self::TargetsReady {
            max_overrun: Self::MAX_OVERRUN,
        }
    }
}
