//! What all tests together needed is what `deploy/` grants.
//!
//! Each cluster tells after each test what its controller asked the API server for; the last of
//! the tests compares it with the manifest, without a cluster.

use std::collections::BTreeSet;

use entracte_testbed::api_proxy::{Outcome, Recorded};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::denials::DENIED;

/// The rights of the controller, as they are installed.
const MANIFEST: &str = include_str!("../../deploy/controller-rbac.yaml");

/// A resource and a verb.
type Right = (String, String);

/// What is granted, and no test needs: an object that changed under our hands is read anew, which no
/// test makes happen to these; and the API server of the testbed does not ask for the last.
const NOT_SHOWN: [(&str, &str); 3] = [
    ("ingresses", "get"),
    ("httproutes", "get"),
    ("endpointslices/restricted", "create"),
];

/// What was asked for, and what was refused.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Asked {
    rights: BTreeSet<Right>,
    refused: BTreeSet<String>,
}

impl Asked {
    pub(crate) fn of(requests: &[Recorded]) -> Self {
        let right = |recorded: &Recorded| {
            let request = &recorded.request;
            (request.resource.clone(), request.verb.to_string())
        };
        let refused = requests.iter().filter(|recorded| is_refused(recorded));
        Self {
            rights: requests.iter().map(right).collect(),
            refused: refused.map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.rights.extend(other.rights);
        self.refused.extend(other.refused);
    }

    /// Fails where something was refused, or nobody asked for what is granted.
    pub(crate) fn is_what_is_granted(&self) -> Result {
        if !self.refused.is_empty() {
            return Err(format!("refused: {:#?}", self.refused).into());
        }
        let granted = granted()?;
        let is_unused =
            |(resource, verb): &&Right| !NOT_SHOWN.contains(&(resource.as_str(), verb.as_str()));
        let unused: Vec<_> = granted.difference(&self.rights).filter(is_unused).collect();
        if !unused.is_empty() {
            return Err(format!("granted, and nobody asked for it: {unused:?}").into());
        }
        Ok(())
    }
}

/// But for what was meant to be.
fn is_refused(recorded: &Recorded) -> bool {
    let namespace = recorded.request.namespace.as_deref();
    matches!(recorded.outcome, Outcome::Answered { status: 403, .. })
        && !namespace.is_some_and(|namespace| namespace.starts_with(DENIED))
}

fn granted() -> Result<BTreeSet<Right>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(MANIFEST)?;
    let mut granted = BTreeSet::new();
    for role in documents.iter().filter(|it| it["rules"].is_array()) {
        let rules: Vec<PolicyRule> = serde_json::from_value(role["rules"].clone())?;
        granted.extend(rules.into_iter().flat_map(rights));
    }
    Ok(granted)
}

fn rights(rule: PolicyRule) -> Vec<Right> {
    let resources = rule.resources.unwrap_or_default().into_iter();
    let verbs = rule.verbs;
    let each = |resource: String| {
        let verbs = verbs.iter().cloned();
        verbs
            .map(|verb| (resource.clone(), verb))
            .collect::<Vec<_>>()
    };
    resources.flat_map(each).collect()
}
