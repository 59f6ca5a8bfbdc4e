//! Whether a rehearsal is made for a route: what those who serve it make of one.
//!
//! PURE.

use std::fmt::Display;

use crate::plan::Reason;
use crate::plan::controllers::{Controller, Rehearsal};

/// The word for a target whose flips may show a bare 503.
pub const UNREHEARSED: &str = "Unrehearsed";

/// One who serves a route, as far as is known.
pub type Serving = Result<&'static Controller, String>;

/// Whether a rehearsal is made for a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// A controller that serves it is known to need one.
    pub is_needed: bool,
    /// Why it may miss one, if it may.
    pub missed: Option<Reason>,
}

impl Demand {
    /// What those who serve a route make of it.
    pub fn of(served_by: &[Serving]) -> Self {
        let rehearsal = |serving: &Serving| serving.as_ref().ok().map(|known| known.rehearsal);
        let why = |serving: &Serving| match serving {
            Err(why) => Some(why.clone()),
            Ok(known) if known.rehearsal == Rehearsal::Untried => {
                Some(format!("nobody has tried it with {}", known.name))
            }
            Ok(_) => None,
        };
        let is_needed = served_by
            .iter()
            .any(|it| rehearsal(it) == Some(Rehearsal::Needed));
        let why = served_by.iter().find_map(why);
        Self {
            is_needed,
            missed: why.map(|why| {
                if is_needed {
                    unrehearsed("a rehearsal is made for some of its parents only", why)
                } else {
                    missed(why)
                }
            }),
        }
    }
}

/// What is said of a target that has no rehearsal and may miss it.
pub fn missed(why: impl Display) -> Reason {
    unrehearsed("no rehearsal is made", why)
}

fn unrehearsed(what: &str, why: impl Display) -> Reason {
    Reason::new(
        UNREHEARSED,
        format!(
            "{what}: {why}; should its proxy learn of a Service only from the routes that lead \
             there, clients get a bare 503 for a moment at each flip"
        ),
    )
}
