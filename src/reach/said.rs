//! What is said of what a window reaches, in sentences for people. PURE.

use std::fmt;

use super::{ByServices, Shared, Why};
use crate::api::target::TargetKind;
use crate::plan::Reason;
use crate::schedule::{TargetRef, Targeted, Which};

/// How many Services of a route are named.
const MOST_SERVICES: usize = 8;

/// Why a route is not held by its Services, of which one is unfit.
pub(super) fn unfit(route: TargetKind, service: &str, reason: &Reason) -> Reason {
    let message = &reason.message;
    Reason::new(
        reason.word,
        format!(
            "it is to be held by its Services, and {service} cannot be held: {message}; write \
             hold: Route to patch the {route} itself"
        ),
    )
}

/// As it goes on after "held by": `its Services cart and web; Service web is shared with …`.
impl fmt::Display for ByServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.services.iter().map(String::as_str).collect();
        let noun = if names.len() == 1 {
            "Service"
        } else {
            "Services"
        };
        write!(f, "its {noun} {}", list(&names, MOST_SERVICES))?;
        if let Why::ArgoCd(sign) = self.why {
            write!(
                f,
                ", as Argo CD tracks it ({sign}) and may undo a patch; hold: Route would patch it \
                 all the same"
            )?;
        }
        for shared in self.shared.iter().take(MOST_SERVICES) {
            write!(f, "; {shared}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            with,
            more,
        } = self;
        let names: Vec<String> = with
            .iter()
            .map(|TargetRef { kind, name }| format!("{kind} {name}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let verb = if names.len() + more == 1 { "is" } else { "are" };
        let with = and_more(&names, *more);
        write!(
            f,
            "Service {service} is shared with {with}, which {verb} held with it"
        )
    }
}

/// Why an entry reaches nothing.
pub fn idle(entry: &Targeted) -> String {
    let Targeted { kind, which, .. } = entry;
    match which {
        Which::All => format!("there is no {kind} in the namespace"),
        Which::Selector(_) | Which::Name(_) => {
            format!("nothing matches {entry}; what comes to match while the window lasts is held")
        }
    }
}

/// `a, b and c`, or `a, b and 7 more`.
pub(crate) fn list(names: &[&str], most: usize) -> String {
    let shown = names.get(..most).unwrap_or(names);
    and_more(shown, names.len() - shown.len())
}

fn and_more(names: &[&str], more: usize) -> String {
    let more = format!("{more} more");
    let mut names = names.to_vec();
    if !more.starts_with("0 ") {
        names.push(&more);
    }
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
