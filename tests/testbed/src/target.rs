//! What a window names, and the patches of the operator that hold and release it.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    api_proxy::{Outcome, Recorded, Verb},
    load::Class,
};

/// The label on a held object, as a path of JSON Patch; its value is `true` while it is held.
const HELD_LABEL: &str = "/metadata/labels/entracte.dev~1held";

/// A kind of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asked for through the proxy of its class.
    Ingress,
    /// Asked for through its ClusterIP.
    Service,
    /// Asked for through its Gateway.
    HttpRoute,
}

impl Kind {
    /// As it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Service => "Service",
            Self::HttpRoute => "HTTPRoute",
        }
    }

    /// As it stands in the path of a request to the API server.
    fn resource(self) -> &'static str {
        match self {
            Self::Ingress => "ingresses",
            Self::Service => "services",
            Self::HttpRoute => "httproutes",
        }
    }
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

/// Where a flip leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum To {
    /// To the maintenance backend.
    Hold,
    /// Back to the app.
    Release,
}

impl To {
    /// Who answers from then on.
    pub fn class(self) -> Class {
        match self {
            Self::Hold => Class::Maintenance,
            Self::Release => Class::App,
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hold => "hold",
            Self::Release => "release",
        })
    }
}

/// A patch of the operator's that holds or releases a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Which of the two.
    pub to: To,
    /// When it was on its way to the API server.
    pub sent: DateTime<Utc>,
    /// When the API server had done it; `None` if it refused.
    pub written: Option<DateTime<Utc>>,
}

/// The patches that hold and release `target`, in the order in which they were sent.
pub fn patches(target: &Target, requests: &[Recorded]) -> Vec<Patch> {
    requests
        .iter()
        .filter(|recorded| is_patch_of(target, recorded))
        .filter_map(|recorded| {
            let written = match recorded.outcome {
                Outcome::Answered { status, at } if (200..300).contains(&status) => Some(at),
                _ => None,
            };
            let to = leads_to(&recorded.body)?;
            Some(Patch {
                to,
                sent: recorded.received,
                written,
            })
        })
        .collect()
}

fn is_patch_of(target: &Target, recorded: &Recorded) -> bool {
    let request = &recorded.request;
    request.verb == Verb::Patch
        && request.resource == target.kind.resource()
        && request.namespace.as_ref() == Some(&target.namespace)
        && request.name.as_ref() == Some(&target.name)
}

/// One operation of a JSON Patch (RFC 6902).
#[derive(Deserialize)]
struct Operation {
    op: String,
    path: String,
    value: Option<serde_json::Value>,
}

/// What a JSON Patch does to the label of held objects, if it does anything.
fn leads_to(patch: &[u8]) -> Option<To> {
    let operations: Vec<Operation> = serde_json::from_slice(patch).ok()?;
    let operation = operations
        .into_iter()
        .find(|operation| operation.path == HELD_LABEL)?;
    let holds = operation.op != "remove" && operation.value == Some("true".into());
    Some(if holds { To::Hold } else { To::Release })
}

#[cfg(test)]
mod tests {
    use crate::api_proxy::RequestInfo;
    use http::Method;

    use super::*;

    const HOLD: &str = r#"[{"op":"replace","path":"/metadata/resourceVersion","value":"7"},
        {"op":"add","path":"/spec/selector/entracte.dev~1hold","value":"uid"},
        {"op":"add","path":"/metadata/labels/entracte.dev~1held","value":"true"}]"#;
    const RELEASE: &str = r#"[{"op":"remove","path":"/metadata/labels/entracte.dev~1held"}]"#;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_796_522_400_000 + milliseconds).unwrap()
    }

    fn recorded(method: &Method, path: &str, body: &'static str, status: u16) -> Recorded {
        Recorded {
            received: at(1),
            request: RequestInfo::parse(method, &path.parse().unwrap()),
            user_agent: String::new(),
            content_type: None,
            body: body.into(),
            outcome: Outcome::Answered { status, at: at(5) },
        }
    }

    fn api() -> Target {
        Target {
            kind: Kind::Service,
            namespace: "shop".to_owned(),
            name: "api".to_owned(),
        }
    }

    #[test]
    fn only_patches_of_the_target_that_touch_the_label_count() {
        let path = "/api/v1/namespaces/shop/services/api";
        let requests = [
            recorded(&Method::GET, path, "", 200),
            recorded(
                &Method::PATCH,
                "/api/v1/namespaces/shop/services/web",
                HOLD,
                200,
            ),
            recorded(
                &Method::PATCH,
                "/api/v1/namespaces/other/services/api",
                HOLD,
                200,
            ),
            recorded(
                &Method::PATCH,
                path,
                r#"[{"op":"remove","path":"/metadata/x"}]"#,
                200,
            ),
            recorded(&Method::PATCH, path, HOLD, 409),
            recorded(&Method::PATCH, path, HOLD, 200),
            recorded(&Method::PATCH, path, RELEASE, 200),
        ];
        let expected = |to, written| Patch {
            to,
            sent: at(1),
            written,
        };
        assert_eq!(
            patches(&api(), &requests),
            [
                expected(To::Hold, None),
                expected(To::Hold, Some(at(5))),
                expected(To::Release, Some(at(5)))
            ]
        );
    }

    #[test]
    fn a_label_with_another_value_than_true_is_no_hold() {
        let releasing = HOLD.replace(r#""true""#, r#""releasing""#);
        assert_eq!(leads_to(releasing.as_bytes()), Some(To::Release));
    }
}
