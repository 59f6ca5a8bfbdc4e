//! Step 4, continued: which ports have clients for whom they do not answer any more. Does not touch
//! the cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::observe::Observed;
use super::target::Applied;
use super::wanted::Wanted;
use crate::plan::{Outcome, slices};
use crate::schedule::TargetRef;

/// The ports to which slices lead, or led until a moment ago, behind Services that were given back or
/// for which another port answers. (A proxy that reads routes chooses anew for each request; who
/// connected through a ClusterIP does not.)
pub(super) fn ports(
    observed: &Observed,
    wanted: &Wanted<'_>,
    applied: &BTreeMap<TargetRef, Applied>,
) -> BTreeSet<u16> {
    let behind_services = observed
        .slices
        .iter()
        .filter(|slice| slices::is_ours(slice));
    let led = behind_services.filter_map(|slice| {
        let target = TargetRef::service(slices::service_name(slice)?);
        let applied = applied.get(&target)?;
        Some((slices::ports(slice), applied))
    });
    led.filter(|(_, applied)| is_given_back(applied) || applied.is_held())
        .flat_map(|(ports, applied)| {
            let answers = wanted.port(&applied.target).filter(|_| applied.is_held());
            ports.filter(move |port| Some(*port) != answers)
        })
        .collect()
}

fn is_given_back(applied: &Applied) -> bool {
    matches!(
        applied.result,
        Ok(Outcome::Releasing { .. } | Outcome::Serving | Outcome::Refused(_))
    )
}
