//! Which ways led to the app when its Service was held.
//!
//! PURE. An app that was at zero before its window, and is meant to stay there, must not keep its
//! release waiting, and while it is held nothing else shows what it was like. So our slices bear it:
//! each the ports of its family that had a ready endpoint of the app's. The record of a route bears
//! the opposite: what was behind it and had none.

use std::collections::BTreeSet;

use k8s_openapi::api::discovery::v1::{EndpointPort, EndpointSlice};
use kube::core::ObjectMeta;
use serde::Deserialize;

use super::readiness::{Seen, Way, seen, ways};
use super::service::{Observed, bears_key};
use super::slices;
use crate::api::names;

/// `slice`, one that is wanted behind the Service, with what it has to remember. Where the Service
/// is held already, that is what the slice in its place says; else what can be seen now, and what
/// was said before a hold that somebody undid.
pub(super) fn remembering(observed: &Observed<'_>, mut slice: EndpointSlice) -> EndpointSlice {
    let before = observed
        .ours
        .iter()
        .filter(|ours| slices::is_owned_by(ours, observed.service))
        .find(|ours| ours.metadata.name == slice.metadata.name)
        .and_then(|ours| recorded(ours));
    let served = if bears_key(observed.service) {
        before.map(str::to_owned)
    } else {
        let is_served = |way: &Way| {
            seen(way, observed.platform.iter().copied()) == Seen::Ready
                || before.is_some_and(|before| names_way(before, way))
        };
        let of_family = ways(observed.service)
            .into_iter()
            .filter(|way| way.family.is_of(&slice));
        let served: Vec<String> = of_family.filter(is_served).map(|way| way.label()).collect();
        Some(served.join(","))
    };
    slice.metadata.annotations =
        served.map(|served| [(names::SERVED_ANNOTATION.to_owned(), served)].into());
    slice
}

/// Whether `way` led to the app when its Service was held, as the slices of ours behind it say.
/// Where none of them says anything, it is taken for one that did.
pub fn was_served<'a>(way: &Way, ours: impl IntoIterator<Item = &'a EndpointSlice>) -> bool {
    let of_family = ours.into_iter().filter(|slice| way.family.is_of(slice));
    let said: Vec<&str> = of_family.filter_map(recorded).collect();
    said.is_empty() || said.iter().any(|labels| names_way(labels, way))
}

/// Whether the app behind `port` of a slice of ours may be there, though the platform's slices show
/// nothing of it: it was there when the Service was held, and nobody has looked for it yet.
pub(super) fn may_come_back(
    observed: &Observed<'_>,
    slice: &EndpointSlice,
    port: &EndpointPort,
) -> bool {
    let name = port.name.as_deref().unwrap_or_default();
    let mut ways = ways(observed.service).into_iter();
    let way = ways.find(|way| way.port == name && way.family.is_of(slice));
    way.is_some_and(|way| {
        let shown = seen(&way, observed.platform.iter().copied());
        matches!(shown, Seen::Empty | Seen::Unknown) && was_served(&way, [slice])
    })
}

/// What was behind a route and did not lead to the app when it was held, as its record says.
pub fn idle(metadata: &ObjectMeta) -> BTreeSet<String> {
    #[derive(Deserialize)]
    struct Record {
        #[serde(default)]
        idle: BTreeSet<String>,
    }
    let annotations = metadata.annotations.as_ref();
    let text = annotations.and_then(|annotations| annotations.get(names::HOLD_ANNOTATION));
    text.and_then(|text| serde_json::from_str::<Record>(text).ok())
        .map(|record| record.idle)
        .unwrap_or_default()
}

fn recorded(slice: &EndpointSlice) -> Option<&str> {
    let annotations = slice.metadata.annotations.as_ref()?;
    annotations
        .get(names::SERVED_ANNOTATION)
        .map(String::as_str)
}

fn names_way(labels: &str, way: &Way) -> bool {
    labels.split(',').any(|label| label == way.label())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, Utc};
    use k8s_openapi::api::core::v1::Service;

    use super::*;
    use crate::plan::holdable::{Holdable, Surroundings};
    use crate::plan::testing::{endpoints, held, object, patched, stored};
    use crate::plan::{Desired, Linger, Outcome, Plan};

    const LINGER: Linger = Linger {
        unready: TimeDelta::seconds(2),
        longest: TimeDelta::seconds(120),
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn cart() -> Service {
        object(
            "{metadata: {name: cart, uid: u1, resourceVersion: '5'}, spec: {clusterIP: 10.96.0.7, \
             selector: {app: cart}, ports: [{name: http, port: 80}, {name: admin, port: 81}]}}",
        )
    }

    /// A slice of the platform's: one endpoint, ready or not, on one port.
    fn platform(port: &str, ready: bool) -> EndpointSlice {
        object(&format!(
            "{{addressType: IPv4, metadata: {{}}, endpoints: [{{addresses: [10.244.0.2], \
             conditions: {{ready: {ready}}}}}], ports: [{{name: {port}, port: 8080}}]}}"
        ))
    }

    fn empty() -> EndpointSlice {
        object("{addressType: IPv4, metadata: {}, endpoints: [], ports: []}")
    }

    fn planned(
        service: &Service,
        ours: &[EndpointSlice],
        platform: &EndpointSlice,
        desired: Desired<'_>,
        now: i64,
    ) -> Plan {
        let slices = ours.iter().chain([platform]).cloned();
        let around = Surroundings {
            slices: slices.map(Arc::new).collect(),
            ..Surroundings::default()
        };
        service.plan(&around, desired, LINGER, at(now))
    }

    fn done(
        service: &Service,
        ours: &[EndpointSlice],
        platform: &EndpointSlice,
        desired: Desired<'_>,
    ) -> (Service, Vec<EndpointSlice>) {
        let edits = planned(service, ours, platform, desired, 0).edits;
        (patched(service, &edits), stored(ours, &edits))
    }

    fn hold_of(platform: &EndpointSlice) -> (Service, Vec<EndpointSlice>) {
        done(&cart(), &[], platform, held("entracte-w", &endpoints()))
    }

    fn served(ours: &[EndpointSlice]) -> Vec<bool> {
        ways(&cart())
            .iter()
            .map(|way| was_served(way, ours))
            .collect()
    }

    #[test]
    fn a_hold_remembers_which_ports_led_to_the_app() {
        for (platform, expected) in [
            (empty(), [false, false]),
            (platform("http", false), [false, false]),
            (platform("http", true), [true, false]),
            (platform("admin", true), [false, true]),
        ] {
            assert_eq!(served(&hold_of(&platform).1), expected);
        }
    }

    #[test]
    fn a_held_service_keeps_what_it_remembers() {
        let (service, ours) = hold_of(&platform("http", true));
        let (_, ours) = done(&service, &ours, &empty(), held("entracte-w", &endpoints()));
        assert_eq!(served(&ours), [true, false]);
    }

    #[test]
    fn a_hold_that_somebody_undid_keeps_what_it_remembers() {
        let (_, ours) = hold_of(&platform("http", true));
        let (_, ours) = done(&cart(), &ours, &empty(), held("entracte-w", &endpoints()));
        assert_eq!(served(&ours), [true, false]);
    }

    #[test]
    fn what_says_nothing_is_taken_for_an_app_that_was_there() {
        let (_, mut ours) = hold_of(&empty());
        ours[0].metadata.annotations = None;
        assert_eq!(served(&ours), [true, true]);
        assert_eq!(served(&[]), [true, true]);
    }

    /// What is left of our slices two seconds after a release.
    fn after_two_seconds(before: &EndpointSlice, after: &EndpointSlice) -> Plan {
        let (service, ours) = hold_of(before);
        let (service, ours) = done(&service, &ours, &empty(), Desired::Released);
        planned(&service, &ours, after, Desired::Released, 2)
    }

    #[test]
    fn two_seconds_after_a_release_nobody_answers_for_an_app_that_is_not_ready() {
        let plan = after_two_seconds(&platform("http", true), &platform("http", false));
        assert_eq!(plan.outcome, Outcome::Serving);
        let plan = after_two_seconds(&empty(), &empty());
        assert_eq!(plan.outcome, Outcome::Serving, "it was at zero");
    }

    #[test]
    fn we_answer_until_the_platform_has_looked_for_an_app_that_was_there() {
        let (service, ours) = hold_of(&platform("http", true));
        let (service, ours) = done(&service, &ours, &empty(), Desired::Released);
        let look = |now| planned(&service, &ours, &empty(), Desired::Released, now);
        assert_eq!(look(1).again, Some(at(2)));
        let later = look(2);
        assert_eq!(later.outcome, Outcome::Releasing { until: at(120) });
        let ports = stored(&ours, &later.edits)[0].ports.clone();
        assert_eq!(ports.unwrap().len(), 1, "admin led nowhere before");
        assert_eq!(look(120).outcome, Outcome::Serving);
    }
}
