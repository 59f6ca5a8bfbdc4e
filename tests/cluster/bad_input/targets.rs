//! What is refused of targets.

use super::Case;

pub(super) const CASES: &[Case] = &[
    // spec.targets
    (
        "targets, but none",
        targets!(""),
        &["spec.targets in body should have at least 1 items"],
    ),
    (
        "a target that is a text",
        targets!("web"),
        &["spec.targets[0] in body must be of type object: \"string\""],
    ),
    (
        "a target without a kind",
        targets!("{name: web}"),
        &["spec.targets[0].kind: Required value"],
    ),
    (
        "a kind that cannot be held",
        targets!("{kind: Deployment, name: web}"),
        &[
            "spec.targets[0].kind: Unsupported value: \"Deployment\": supported values: \"Service\", \
         \"Ingress\", \"HTTPRoute\"",
        ],
    ),
    (
        "a kind in lower case",
        targets!("{kind: ingress, name: web}"),
        &[
            "spec.targets[0].kind: Unsupported value: \"ingress\": supported values: \"Service\", \
         \"Ingress\", \"HTTPRoute\"",
        ],
    ),
    (
        "a target without a name",
        targets!("{kind: Service}"),
        &[
            "spec.targets[0]: Invalid value: ",
            "write exactly one of name, selector and all for each target",
        ],
    ),
    (
        "a target by name and by selector",
        targets!("{kind: Service, name: web, selector: {matchLabels: {tier: web}}}"),
        &[
            "spec.targets[0]: Invalid value: ",
            "write exactly one of name, selector and all for each target",
        ],
    ),
    (
        "a target by name, and all",
        targets!("{kind: Service, name: web, all: {}}"),
        &[
            "spec.targets[0]: Invalid value: ",
            "write exactly one of name, selector and all for each target",
        ],
    ),
    (
        "an empty name",
        targets!("{kind: Service, name: \"\"}"),
        &[
            "spec.targets[0].name: Invalid value: ",
            "name must be the name of an object in the window's \
         own namespace: lower-case letters, digits, - and .",
        ],
    ),
    (
        "a name with a namespace",
        targets!("{kind: Service, name: shop/web}"),
        &[
            "spec.targets[0].name: Invalid value: ",
            "name must be the name of an object in the window's \
         own namespace",
        ],
    ),
    (
        "a namespace",
        targets!("{kind: Service, name: web, namespace: shop}"),
        &["unknown field \"spec.targets[0].namespace\""],
    ),
    (
        "an empty selector",
        targets!("{kind: Service, selector: {}}"),
        &[
            "spec.targets[0].selector: Invalid value: ",
            "the selector is empty: write matchLabels or \
         matchExpressions, or all: {} in place of selector for every object of this kind",
        ],
    ),
    (
        "a selector with empty parts",
        targets!("{kind: Service, selector: {matchLabels: {}, matchExpressions: []}}"),
        &[
            "spec.targets[0].selector: Invalid value: ",
            "the selector is empty",
        ],
    ),
    (
        "a selector written as labels",
        targets!("{kind: Service, selector: {tier: web}}"),
        &["unknown field \"spec.targets[0].selector.tier\""],
    ),
    (
        "an operator that needs values",
        targets!("{kind: Service, selector: {matchExpressions: [{key: tier, operator: In}]}}"),
        &[
            "spec.targets[0].selector.matchExpressions[0]: Invalid value: ",
            "In and NotIn need values; \
         Exists and DoesNotExist take none",
        ],
    ),
    (
        "an operator that takes no values",
        targets!(
            "{kind: Service, selector: {matchExpressions: \
             [{key: tier, operator: Exists, values: [web]}]}}"
        ),
        &[
            "spec.targets[0].selector.matchExpressions[0]: Invalid value: ",
            "In and NotIn need values; \
         Exists and DoesNotExist take none",
        ],
    ),
    (
        "a Service held through Services",
        targets!("{kind: Service, name: web, hold: Services}"),
        &[
            "spec.targets[0].hold: Invalid value: ",
            "a Service is held itself: remove hold, which is for \
         Ingress and HTTPRoute",
        ],
    ),
    (
        "a way to hold that does not exist",
        targets!("{kind: Ingress, name: web, hold: Pods}"),
        &[
            "spec.targets[0].hold: Unsupported value: \"Pods\": supported values: \"Route\", \"Services\"",
        ],
    ),
    (
        "a group of another kind",
        targets!("{kind: Ingress, name: web, group: extensions}"),
        &[
            "spec.targets[0].group: Invalid value: ",
            "the group of a Service is \"\", of an Ingress \
         networking.k8s.io, of an HTTPRoute gateway.networking.k8s.io: write that, or remove group",
        ],
    ),
    (
        "the same target twice",
        targets!(
            "{kind: Service, name: web}, {kind: Ingress, name: web}, {kind: Service, name: web}"
        ),
        &[
            "spec.targets: Invalid value: ",
            "targets names the same object twice: remove one of the two",
        ],
    ),
];
