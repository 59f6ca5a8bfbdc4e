//! What must not be, of a Service and its slices.

use entracte::api::names;
use entracte::plan::slices;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde_json::json;

use super::{Cart, forget, pod};
use crate::cluster::state::{Contents, OURS, PLATFORM, TARGET};
use crate::kind::{BACKEND, Kind};
use crate::store::Id;

impl Cart {
    /// But for our marks, the Service is always what the user last wrote.
    pub(super) fn wrong_for_the_user(&mut self, server: Contents, truth: Id) -> Option<String> {
        let service = server[TARGET]?;
        (self.without_marks(service) != truth)
            .then(|| "the Service is not what the user wrote".to_owned())
    }

    /// The Service without what is ours.
    fn without_marks(&mut self, service: Id) -> Id {
        self.services.edited(service, |value| {
            forget(&mut value["spec"]["selector"], names::HOLD_KEY);
            forget(&mut value["metadata"]["labels"], names::HELD_LABEL);
            forget(
                &mut value["metadata"]["annotations"],
                names::HOLD_ANNOTATION,
            );
            let metadata = value["metadata"].as_object_mut().unwrap();
            metadata.retain(|_, field| *field != json!({}));
        })
    }

    /// A slice of ours leads to a window's port of the backend, or nowhere.
    pub(super) fn wrong_slice_of_ours(&self, server: Contents) -> Option<String> {
        let slice = self.slices.get(server[OURS]?);
        let foreign = addresses(slice).find(|address| *address != BACKEND);
        let mut ports = slice.ports.iter().flatten().map(|port| port.port);
        let strange = ports.find(|port| ![Some(20_000), Some(20_001)].contains(port));
        foreign
            .map(|address| format!("a slice of ours leads to {address}"))
            .or_else(|| strange.map(|port| format!("a slice of ours leads to port {port:?}")))
    }

    /// The platform's slice leads to pods of the app's, or nowhere, whoever wrote it.
    pub(super) fn wrong_slice_of_the_platform(&self, server: Contents) -> Option<String> {
        let slice = self.slices.get(server[PLATFORM]?);
        let apps = ["cart", "basket"].map(pod);
        let foreign = addresses(slice).find(|address| !apps.contains(address));
        foreign.map(|address| format!("the platform's slice leads to {address}"))
    }

    /// No step takes the last endpoint away: app and backend are ready, always.
    pub(super) fn gap(&mut self, before: Contents, after: Contents) -> Option<String> {
        if !self.minds_gaps {
            return None;
        }
        let [was_held, is_held] = [before, after].map(|server| self.bears_key(server));
        let [stood, stands] = [before, after].map(|server| server[OURS].is_some());
        if is_held && !stands && (stood || !was_held) {
            return Some("the Service is held, and nothing of ours answers for it".to_owned());
        }
        // A Service that was made anew had no endpoint of its own yet.
        let is_anew = before[TARGET].is_some_and(|id| self.uid_of(id) != "u1");
        let is_swept = is_anew && !self.minds_gaps_anew || self.has_strays(before) && !was_held;
        let is_gap = self.answering(before) > 0 && self.answering(after) == 0;
        (is_gap && !is_swept).then(|| "the Service has no endpoint left".to_owned())
    }

    pub(super) fn not_released(&mut self, server: Contents, truth: Id) -> Option<String> {
        let is_clean = server[TARGET] == Some(truth) && server[OURS].is_none();
        let is_filled = self.platform(server) == server[PLATFORM];
        (!is_clean || !is_filled).then(|| "not released".to_owned())
    }

    pub(super) fn not_held(&mut self, server: Contents, port: u16) -> Option<String> {
        let leads_there = server[OURS].is_some_and(|ours| {
            let slice = self.slices.get(ours);
            let released = names::instant(&slice.metadata, names::RELEASED_ANNOTATION);
            slices::leads_to_port(slice, port) && released.is_none()
        });
        let is_alone = self.answering(server) == 1;
        let is_held = self.bears_key(server) && leads_there && !self.has_strays(server) && is_alone;
        (!is_held).then(|| "not held".to_owned())
    }

    /// How many endpoints answer.
    fn answering(&mut self, server: Contents) -> usize {
        let slices = &self.slices;
        [server[OURS], server[PLATFORM]]
            .into_iter()
            .flatten()
            .map(|id| {
                let count = self.endpoint_counts.entry(id);
                *count.or_insert_with(|| slices.get(id).endpoints.len())
            })
            .sum()
    }

    /// Whether ours are those of a Service of the same name before this one.
    fn has_strays(&self, server: Contents) -> bool {
        let is_owned = |(ours, target): (Id, Id)| {
            slices::is_owned_by(self.slices.get(ours), self.services.get(target))
        };
        server[OURS]
            .zip(server[TARGET])
            .is_some_and(|both| !is_owned(both))
    }
}

fn addresses(slice: &EndpointSlice) -> impl Iterator<Item = &str> {
    let endpoints = slice.endpoints.iter();
    let addresses = endpoints.flat_map(|endpoint| &endpoint.addresses);
    addresses.map(String::as_str)
}
