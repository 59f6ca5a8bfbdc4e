//! Whether an app could serve again, as slices show it.
//!
//! PURE. It is judged for each **way** to the app: one port of a Service, over one address family.
//! The slices are those of the Service itself, or, while it is held, those of its origin. No pod is
//! read: an endpoint is ready when its pod is, or when the Service publishes those that are not.

use std::fmt;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

use super::backend::is_ready;
use super::slices::{Family, has_port};

/// One port of a Service, over one address family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// The name of the Service.
    pub service: String,
    /// The name of the port, as in slices: empty where it has none.
    pub port: String,
    /// The number of the port.
    pub number: i32,
    /// The address family.
    pub family: Family,
}

impl Way {
    /// The way in the record of a route: `web:http/IPv4`.
    pub fn key(&self) -> String {
        format!("{}:{}/{}", self.service, self.label(), self.family.as_str())
    }

    /// The port's name, or else its number: no other port of the Service has the same.
    pub fn label(&self) -> String {
        if self.port.is_empty() {
            self.number.to_string()
        } else {
            self.port.clone()
        }
    }
}

/// `port http over IPv4`
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} over {}", self.label(), self.family.as_str())
    }
}

/// The ways to the app behind `service`. Nobody sees what is behind an ExternalName.
pub fn ways(service: &Service) -> Vec<Way> {
    let name = service.metadata.name.as_deref().unwrap_or_default();
    let spec = service.spec.as_ref();
    if spec.and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
        return Vec::new();
    }
    let ports = spec
        .and_then(|spec| spec.ports.as_deref())
        .unwrap_or_default();
    let of_family = |family| {
        ports.iter().map(move |port| Way {
            service: name.to_owned(),
            port: port.name.clone().unwrap_or_default(),
            number: port.port,
            family,
        })
    };
    Family::of(service)
        .into_iter()
        .flat_map(of_family)
        .collect()
}

/// What slices show of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// An endpoint that takes new connections.
    Ready,
    /// Endpoints that may become ready, and none that is.
    NotReady,
    /// No endpoint but those that are on their way out.
    Empty,
    /// There is no slice of the family: nobody has looked for pods yet.
    Unknown,
}

/// What `slices`, none of them ours, show of `way`.
pub fn seen<'a>(way: &Way, slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Seen {
    let of_family = slices.into_iter().filter(|slice| way.family.is_of(slice));
    let mut seen = Seen::Unknown;
    for slice in of_family {
        if !has_port(slice, &way.port) || !slice.endpoints.iter().any(is_coming) {
            if seen == Seen::Unknown {
                seen = Seen::Empty;
            }
        } else if slice.endpoints.iter().any(is_ready) {
            return Seen::Ready;
        } else {
            seen = Seen::NotReady;
        }
    }
    seen
}

/// Whether an endpoint is ready, or may become so: one that terminates never will.
fn is_coming(endpoint: &Endpoint) -> bool {
    let conditions = endpoint.conditions.as_ref();
    let terminates = conditions.and_then(|conditions| conditions.terminating) == Some(true);
    is_ready(endpoint) || !terminates
}

/// Whether a release waits for a way, of which this is seen, and which led to the app when it was
/// held or did not.
///
/// An app that was at zero, and is meant to stay there, keeps nobody waiting; one that is starting
/// does, whatever it was before.
pub fn is_waited_for(seen: Seen, was_served: bool) -> bool {
    match seen {
        Seen::Ready => false,
        Seen::NotReady | Seen::Unknown => true,
        Seen::Empty => was_served,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::object;

    fn way(port: &str) -> Way {
        Way {
            service: "cart".to_owned(),
            port: port.to_owned(),
            number: 80,
            family: Family::V4,
        }
    }

    fn slice(port: &str, conditions: &[&str]) -> EndpointSlice {
        let endpoints: Vec<String> = conditions
            .iter()
            .map(|conditions| format!("{{addresses: [10.244.0.2], conditions: {{{conditions}}}}}"))
            .collect();
        object(&format!(
            "{{addressType: IPv4, metadata: {{}}, endpoints: [{}], ports: [{port}]}}",
            endpoints.join(", ")
        ))
    }

    const HTTP: &str = "{name: http, port: 8080}";

    #[test]
    fn a_service_is_reached_on_each_port_over_each_family() {
        let service = object(
            "{metadata: {name: cart}, spec: {ipFamilies: [IPv4, IPv6], ports: [{name: http, port: \
             80}, {name: admin, port: 81}]}}",
        );
        let said: Vec<String> = ways(&service).iter().map(Way::to_string).collect();
        assert_eq!(
            said,
            [
                "port http over IPv4",
                "port admin over IPv4",
                "port http over IPv6",
                "port admin over IPv6",
            ]
        );
    }

    #[test]
    fn a_port_without_a_name_is_called_by_its_number() {
        let service = object("{metadata: {name: cart}, spec: {ports: [{port: 80}]}}");
        assert_eq!(ways(&service)[0].to_string(), "port 80 over IPv4");
        let slices = [slice("{name: '', port: 8080}", &["ready: true"])];
        assert_eq!(seen(&ways(&service)[0], &slices), Seen::Ready);
    }

    #[test]
    fn one_ready_endpoint_is_enough() {
        let slices = [
            slice(HTTP, &["ready: false"]),
            slice(HTTP, &["ready: false", "ready: true"]),
        ];
        assert_eq!(seen(&way("http"), &slices), Seen::Ready);
    }

    #[test]
    fn endpoints_that_are_not_ready_may_become_so() {
        let slices = [slice(HTTP, &["ready: false"]), slice("", &[])];
        assert_eq!(seen(&way("http"), &slices), Seen::NotReady);
    }

    #[test]
    fn endpoints_that_terminate_will_not_come_back() {
        let leaving = "ready: false, serving: true, terminating: true";
        assert_eq!(seen(&way("http"), &[slice(HTTP, &[leaving])]), Seen::Empty);
        assert_eq!(seen(&way("http"), &[slice("", &[])]), Seen::Empty);
    }

    #[test]
    fn an_endpoint_of_another_port_or_family_is_none() {
        assert_eq!(
            seen(&way("admin"), &[slice(HTTP, &["ready: true"])]),
            Seen::Empty
        );
        let other = Way {
            family: Family::V6,
            ..way("http")
        };
        assert_eq!(
            seen(&other, &[slice(HTTP, &["ready: true"])]),
            Seen::Unknown
        );
    }

    #[test]
    fn an_app_at_zero_is_waited_for_only_where_it_was_not_there_before() {
        assert!(is_waited_for(Seen::Empty, true));
        assert!(!is_waited_for(Seen::Empty, false));
        for was_served in [true, false] {
            assert!(!is_waited_for(Seen::Ready, was_served));
            assert!(is_waited_for(Seen::NotReady, was_served));
            assert!(is_waited_for(Seen::Unknown, was_served));
        }
    }
}
