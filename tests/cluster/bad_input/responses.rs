//! What is refused of a response, and of a restore.

use super::Case;

pub(super) const CASES: &[Case] = &[
    // spec.response
    (
        "a blank message",
        response!("message: \" \""),
        &[
            "spec.response.message: Invalid value: ",
            "message is blank: write a sentence, or remove \
         message for ours",
        ],
    ),
    (
        "a misspelt part of the response",
        response!("retryafter: {}"),
        &["unknown field \"spec.response.retryafter\""],
    ),
    (
        "a Retry-After in a form that HTTP does not have",
        response!("retryAfter: {format: Milliseconds}"),
        &[
            "spec.response.retryAfter.format: Unsupported value: \"Milliseconds\": supported values: \
         \"Seconds\", \"HTTPDate\"",
        ],
    ),
    (
        "a jitter that is not a duration",
        response!("retryAfter: {jitter: some}"),
        &[
            "spec.response.retryAfter.jitter: Invalid value: ",
            "jitter must be written like 2h, 1h30m or 45s",
        ],
    ),
    (
        "a jitter of a month",
        response!("retryAfter: {jitter: 720h}"),
        &[
            "spec.response.retryAfter.jitter: Invalid value: ",
            "jitter must be from 0s to 24h",
        ],
    ),
    (
        "a minimum that is not a duration",
        response!("retryAfter: {minimum: some}"),
        &[
            "spec.response.retryAfter.minimum: Invalid value: ",
            "minimum must be written like 2h",
        ],
    ),
    (
        "a wait that is not a duration",
        response!("retryAfter: {endUnknown: some}"),
        &[
            "spec.response.retryAfter.endUnknown: Invalid value: ",
            "endUnknown must be written like 2h",
        ],
    ),
    (
        "a minimum of a month",
        response!("retryAfter: {minimum: 720h}"),
        &[
            "spec.response.retryAfter.minimum: Invalid value: ",
            "minimum must be from 0s to 24h",
        ],
    ),
    (
        "no wait at all while no end is known",
        response!("retryAfter: {endUnknown: 0s}"),
        &[
            "spec.response.retryAfter.endUnknown: Invalid value: ",
            "endUnknown must be from 1s to 24h",
        ],
    ),
    (
        "a page from nowhere",
        response!("page: {render: Template}"),
        &["spec.response.page.configMapKeyRef: Required value"],
    ),
    (
        "a page from another namespace",
        response!("page: {configMapKeyRef: {name: shop/page, key: index.html}}"),
        &[
            "spec.response.page.configMapKeyRef.name: Invalid value: ",
            "name must be the name of an \
         object in the window's own namespace",
        ],
    ),
    (
        "a key that no ConfigMap has",
        response!("page: {configMapKeyRef: {name: page, key: pages/index.html}}"),
        &[
            "spec.response.page.configMapKeyRef.key: Invalid value: ",
            "key must be a key of a ConfigMap, \
         such as index.html: letters, digits, -, _ and .",
        ],
    ),
    (
        "a page rendered in a way that does not exist",
        response!("page: {configMapKeyRef: {name: page, key: index.html}, render: Jinja}"),
        &[
            "spec.response.page.render: Unsupported value: \"Jinja\": supported values: \"Verbatim\", \
         \"Template\"",
        ],
    ),
    (
        "health checks, but none",
        response!("healthChecks: []"),
        &["spec.response.healthChecks in body should have at least 1 items"],
    ),
    (
        "a health check without a slash",
        response!("healthChecks: [{path: healthz}]"),
        &[
            "spec.response.healthChecks[0].path: Invalid value: ",
            "path must begin with / and have no \
         query, fragment or space, as in /healthz",
        ],
    ),
    (
        "a health check with a query",
        response!("healthChecks: [{path: \"/healthz?full=1\"}]"),
        &[
            "spec.response.healthChecks[0].path: Invalid value: ",
            "path must begin with / and have no query",
        ],
    ),
    // spec.restore
    (
        "a restore that waits for something else",
        beside!("restore: {when: Later}"),
        &[
            "spec.restore.when: Unsupported value: \"Later\": supported values: \"TargetsReady\", \
         \"Immediately\"",
        ],
    ),
    (
        "an overrun that is not a duration",
        beside!("restore: {maxOverrun: ten minutes}"),
        &[
            "spec.restore.maxOverrun: Invalid value: ",
            "maxOverrun must be written like 2h, 1h30m or 45s",
        ],
    ),
    (
        "an overrun of a week",
        beside!("restore: {maxOverrun: 168h}"),
        &[
            "spec.restore.maxOverrun: Invalid value: ",
            "maxOverrun must be from 0s to 24h",
        ],
    ),
    (
        "an overrun of a restore that does not wait",
        beside!("restore: {when: Immediately, maxOverrun: 10m}"),
        &[
            "spec.restore.maxOverrun: Invalid value: ",
            "maxOverrun says how long TargetsReady waits",
        ],
    ),
];
