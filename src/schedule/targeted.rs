//! One entry of a window's targets: which objects of a kind, and how they are held.

use std::collections::BTreeMap;
use std::fmt;

use super::TargetRef;
use crate::api::target::{HoldMode, Selector, SelectorOperator, SelectorRequirement, TargetKind};

/// One entry of `spec.targets`, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targeted {
    /// What is named or selected.
    pub kind: TargetKind,
    /// Which of that kind.
    pub which: Which,
    /// How a route is held; `None` leaves it to what is known of the route.
    pub hold: Option<HoldMode>,
}

/// Which objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// One, by its name.
    Name(String),
    /// Those whose labels match now.
    Selector(Selector),
    /// Every one that is there now.
    All,
}

impl From<TargetRef> for Targeted {
    fn from(TargetRef { kind, name }: TargetRef) -> Self {
        Self {
            kind,
            which: Which::Name(name),
            hold: None,
        }
    }
}

/// As `kubectl get` would have it: `Service/web`, `Service -l tier=web,canary!=yes`, `Service --all`.
impl fmt::Display for Targeted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        match &self.which {
            Which::Name(name) => write!(f, "{kind}/{name}"),
            Which::Selector(selector) => write!(f, "{kind} -l {}", Written(selector)),
            Which::All => write!(f, "{kind} --all"),
        }
    }
}

/// A selector as it is written after `kubectl get -l`.
struct Written<'a>(&'a Selector);

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.0.match_labels.iter().flatten();
        let labels = labels.map(|(label, value)| format!("{label}={value}"));
        let expressions = self.0.match_expressions.iter().flatten();
        let all: Vec<String> = labels.chain(expressions.map(written)).collect();
        f.write_str(&all.join(","))
    }
}

fn written(requirement: &SelectorRequirement) -> String {
    let SelectorRequirement {
        key,
        operator,
        values,
    } = requirement;
    let values = || {
        values
            .iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join(",")
    };
    match operator {
        SelectorOperator::In => format!("{key} in ({})", values()),
        SelectorOperator::NotIn => format!("{key} notin ({})", values()),
        SelectorOperator::Exists => key.clone(),
        SelectorOperator::DoesNotExist => format!("!{key}"),
    }
}

impl Selector {
    /// Whether an object with these labels matches, by the rules of the API server
    /// (`k8s.io/apimachinery/pkg/labels`): everything that is written has to be true.
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let value = |key: &str| labels.and_then(|labels| labels.get(key));
        let mut wanted = self.match_labels.iter().flatten();
        let mut expressions = self.match_expressions.iter().flatten();
        wanted.all(|(key, wanted)| value(key) == Some(wanted))
            && expressions.all(|requirement| is_met(requirement, value(&requirement.key)))
    }
}

fn is_met(requirement: &SelectorRequirement, value: Option<&String>) -> bool {
    let is_listed = || {
        value.is_some_and(|value| {
            requirement
                .values
                .iter()
                .flatten()
                .any(|listed| listed == value)
        })
    };
    match requirement.operator {
        SelectorOperator::In => is_listed(),
        SelectorOperator::NotIn => !is_listed(),
        SelectorOperator::Exists => value.is_some(),
        SelectorOperator::DoesNotExist => value.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(yaml: &str) -> Selector {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn matches(selector_yaml: &str, labels: &[(&str, &str)]) -> bool {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let labels: BTreeMap<_, _> = labels.iter().map(owned).collect();
        selector(selector_yaml).matches(Some(&labels))
    }

    #[test]
    fn everything_that_is_written_has_to_match() {
        let both =
            "{matchLabels: {tier: web}, matchExpressions: [{key: canary, operator: Exists}]}";
        assert!(matches(
            both,
            &[("tier", "web"), ("canary", ""), ("x", "y")]
        ));
        assert!(!matches(both, &[("tier", "web")]));
        assert!(!matches(both, &[("tier", "api"), ("canary", "")]));
    }

    #[test]
    fn a_label_that_is_absent_is_not_in_any_list() {
        let within = "{matchExpressions: [{key: tier, operator: In, values: [web, api]}]}";
        let without = "{matchExpressions: [{key: tier, operator: NotIn, values: [web, api]}]}";
        for (labels, is_in) in [
            (&[("tier", "api")][..], true),
            (&[("tier", "db")], false),
            (&[], false),
        ] {
            assert_eq!(matches(within, labels), is_in, "{labels:?}");
            assert_eq!(matches(without, labels), !is_in, "{labels:?}");
        }
        assert!(!selector(within).matches(None));
        assert!(selector(without).matches(None));
    }

    #[test]
    fn a_label_with_an_empty_value_exists() {
        let exists = "{matchExpressions: [{key: canary, operator: Exists}]}";
        let absent = "{matchExpressions: [{key: canary, operator: DoesNotExist}]}";
        assert!(matches(exists, &[("canary", "")]) && !matches(absent, &[("canary", "")]));
        assert!(!matches(exists, &[]) && matches(absent, &[]));
    }

    #[test]
    fn a_selector_is_written_as_kubectl_takes_it() {
        let yaml = "{matchLabels: {tier: web}, matchExpressions: [\
                    {key: env, operator: In, values: [a, b]}, \
                    {key: env, operator: NotIn, values: [c]}, \
                    {key: live, operator: Exists}, {key: canary, operator: DoesNotExist}]}";
        let targeted = Targeted {
            kind: TargetKind::Service,
            which: Which::Selector(selector(yaml)),
            hold: None,
        };
        assert_eq!(
            targeted.to_string(),
            "Service -l tier=web,env in (a,b),env notin (c),live,!canary"
        );
    }
}
