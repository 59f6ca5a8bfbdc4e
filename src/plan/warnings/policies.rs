//! Warnings of the network policies of a namespace.
//!
//! PURE.

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyEgressRule};

/// How many network policies are named.
const MOST_POLICIES: usize = 4;

/// What the network policies of a namespace may keep its pods from.
///
/// A held Service leads into the operator's namespace. A policy of the namespace that says where
/// its pods may go (`networking.k8s.io/v1`, `NetworkPolicySpec.policyTypes`) may not say there.
pub fn of_policies<'a>(policies: impl IntoIterator<Item = &'a NetworkPolicy>) -> Vec<String> {
    let names: Vec<&str> = policies
        .into_iter()
        .filter(|policy| restricts_egress(policy))
        .filter_map(|policy| policy.metadata.name.as_deref())
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let mut listed = names.join(", ");
    if let Some((first, more)) = names
        .split_at_checked(MOST_POLICIES)
        .filter(|(_, more)| !more.is_empty())
    {
        listed = format!("{} and {} more", first.join(", "), more.len());
    }
    vec![format!(
        "NetworkPolicy {listed}: pods of the namespace that call a held Service are led to the \
         operator's namespace, and their requests are dropped where no rule allows that; allow \
         egress to it"
    )]
}

fn restricts_egress(policy: &NetworkPolicy) -> bool {
    let Some(spec) = &policy.spec else {
        return false;
    };
    let is_about_egress = match &spec.policy_types {
        Some(types) => types.iter().any(|of| of == "Egress"),
        None => spec.egress.is_some(),
    };
    let mut rules = spec.egress.iter().flatten();
    is_about_egress && !rules.any(allows_all)
}

fn allows_all(rule: &NetworkPolicyEgressRule) -> bool {
    let is_empty = |length: Option<usize>| length.unwrap_or_default() == 0;
    is_empty(rule.to.as_ref().map(Vec::len)) && is_empty(rule.ports.as_ref().map(Vec::len))
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;
    use crate::plan::testing::object;

    #[test]
    fn of_many_policies_the_first_few_are_named() {
        let policies = (0..6).map(|number| -> NetworkPolicy {
            object(&format!(
                "{{metadata: {{name: out-{number}}}, spec: {{podSelector: {{}}, egress: []}}}}"
            ))
        });
        let policies: Vec<_> = policies.collect();
        let named = |policies| of_policies(policies).remove(0);
        let six = named(&policies[..]);
        let start = "NetworkPolicy out-0, out-1, out-2, out-3 and 2 more: ";
        assert!(six.starts_with(start), "{six}");
        let four = named(&policies[..4]);
        assert!(
            four.starts_with("NetworkPolicy out-0, out-1, out-2, out-3: "),
            "{four}"
        );
    }

    #[test]
    fn policies_that_say_where_pods_may_go_are_named() {
        let policy = |name: &str, spec: &str| -> NetworkPolicy {
            object(&format!("{{metadata: {{name: {name}}}, spec: {spec}}}"))
        };
        let policies = [
            policy("in", "{podSelector: {}, policyTypes: [Ingress]}"),
            policy("out", "{podSelector: {}, policyTypes: [Ingress, Egress]}"),
            policy("old", "{podSelector: {}, egress: []}"),
            policy(
                "open",
                "{podSelector: {}, policyTypes: [Egress], egress: [{}]}",
            ),
        ];
        let found = of_policies(&policies);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("NetworkPolicy out, old: "),
            "{found:?}"
        );
        assert_eq!(of_policies(&policies[..1]), [""; 0]);
    }
}
