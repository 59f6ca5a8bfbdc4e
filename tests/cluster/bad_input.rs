//! Manifests as data: what the API server refuses, with the sentence that it must say, and what
//! it must let through.
//!
//! They go to the real API server as `kubectl apply --dry-run=server` sends them, with strict
//! field validation.

use std::error::Error;

use serde_json::Value;

/// A manifest with this spec, in YAML's flow style.
macro_rules! window {
    ($($spec:literal),+ $(,)?) => {
        concat!(
            "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: bad}, \
             spec: {", $($spec),+, "}}"
        )
    };
}

/// A manifest in which all is well but the schedule.
macro_rules! schedule {
    ($schedule:literal) => {
        window!(
            "targets: [{kind: Service, name: web}], schedule: {",
            $schedule,
            "}"
        )
    };
}

/// A manifest in which all is well but the one occurrence.
macro_rules! once {
    ($once:literal) => {
        window!(
            "targets: [{kind: Service, name: web}], schedule: {once: {",
            $once,
            "}}"
        )
    };
}

/// A manifest in which all is well but the recurring schedule.
macro_rules! recurring {
    ($recurring:literal) => {
        window!(
            "targets: [{kind: Service, name: web}], schedule: {recurring: {",
            $recurring,
            "}}"
        )
    };
}

/// A manifest in which all is well but the targets.
macro_rules! targets {
    ($targets:literal) => {
        window!("schedule: {always: {}}, targets: [", $targets, "]")
    };
}

/// A manifest in which all is well but the response.
macro_rules! response {
    ($response:literal) => {
        window!(
            "schedule: {always: {}}, targets: [{kind: Service, name: web}], response: {",
            $response,
            "}"
        )
    };
}

/// A manifest in which all is well but this beside it.
macro_rules! beside {
    ($rest:literal) => {
        window!(
            "schedule: {always: {}}, targets: [{kind: Service, name: web}], ",
            $rest
        )
    };
}

/// What is refused: the name of the slip, the manifest, and what must all be in the answer.
pub(crate) const CASES: &[(&str, &str, &[&str])] = &[
    // The root.
    (
        "a name too long for a label",
        "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: \
         a-window-with-a-name-that-goes-on-for-one-character-more-than-63}, spec: {schedule: \
         {always: {}}, targets: [{kind: Service, name: web}]}}",
        &["the name of a window may have at most 63 characters: choose a shorter one"],
    ),
    (
        "no spec",
        "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: bad}}",
        &["spec: Required value"],
    ),
    (
        "no schedule",
        window!("targets: [{kind: Service, name: web}]"),
        &["spec.schedule: Required value"],
    ),
    (
        "no targets",
        window!("schedule: {always: {}}"),
        &["spec.targets: Required value"],
    ),
    (
        "a misspelt field of the spec",
        beside!("suspended: true"),
        &["unknown field \"spec.suspended\""],
    ),
    (
        "a switch that is a text",
        beside!("suspend: \"yes\""),
        &["spec.suspend in body must be of type boolean: \"string\""],
    ),
    (
        "a spec under another name",
        "{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {name: bad}, \
         specs: {}, spec: {schedule: {always: {}}, targets: [{kind: Service, name: web}]}}",
        &["unknown field \"specs\""],
    ),
    // spec.schedule
    (
        "no kind of schedule",
        schedule!(""),
        &[
            "spec.schedule: Invalid value: ",
            "write exactly one of once, recurring and always",
        ],
    ),
    (
        "two kinds of schedule",
        schedule!("always: {}, once: {start: \"2026-12-06T02:00:00Z\", duration: 2h}"),
        &[
            "spec.schedule: Invalid value: ",
            "write exactly one of once, recurring and always",
        ],
    ),
    (
        "always with nothing after it",
        schedule!("always: null"),
        &[
            "spec.schedule: Invalid value: ",
            "write exactly one of once, recurring and always",
        ],
    ),
    (
        "always as a switch",
        schedule!("always: true"),
        &["spec.schedule.always in body must be of type object: \"boolean\""],
    ),
    (
        "a misspelt kind of schedule",
        schedule!("always: {}, onse: {}"),
        &["unknown field \"spec.schedule.onse\""],
    ),
    (
        "something inside always",
        schedule!("always: {until: tomorrow}"),
        &["unknown field \"spec.schedule.always.until\""],
    ),
    // spec.schedule.once
    (
        "no start",
        once!("duration: 2h"),
        &["spec.schedule.once.start: Required value"],
    ),
    (
        "neither duration nor end",
        once!("start: \"2026-12-06T02:00:00Z\""),
        &[
            "spec.schedule.once: Invalid value: ",
            "write exactly one of duration and end",
        ],
    ),
    (
        "duration and end",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 2h, end: \"2026-12-06T04:00:00Z\""),
        &[
            "spec.schedule.once: Invalid value: ",
            "write exactly one of duration and end",
        ],
    ),
    (
        "a misspelt duration",
        once!("start: \"2026-12-06T02:00:00Z\", end: \"2026-12-06T04:00:00Z\", durration: 2h"),
        &["unknown field \"spec.schedule.once.durration\""],
    ),
    (
        "a start in words",
        once!("start: Sunday, duration: 2h"),
        &[
            "start must be RFC 3339 with an offset, such as 2026-12-06T02:00:00+01:00 or \
         2026-12-06T01:00:00Z, or a local time such as 2026-12-06T02:00:00 beside a timeZone",
        ],
    ),
    (
        "a start with a space",
        once!("start: \"2026-12-06 02:00:00Z\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start must be RFC 3339 with an offset",
        ],
    ),
    (
        "a start without seconds",
        once!("start: \"2026-12-06T02:00Z\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start must be RFC 3339 with an offset",
        ],
    ),
    (
        "a start that is a date",
        once!("start: \"2026-12-06\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start must be RFC 3339 with an offset",
        ],
    ),
    (
        "a start that is a number",
        once!("start: 1796518800, duration: 2h"),
        &["spec.schedule.once.start in body must be of type string: \"integer\""],
    ),
    (
        "a start that is far too long",
        once!("start: \"2026-12-06T02:00:00.0000000000000000000000Z\", duration: 2h"),
        &["spec.schedule.once.start: Too long: may not be more than 40"],
    ),
    (
        "a day that does not exist",
        once!("start: \"2026-02-30T02:00:00Z\", duration: 2h"),
        &["start must be a day that the calendar has"],
    ),
    (
        "a local day that does not exist",
        once!("start: \"2026-02-30T02:00:00\", timeZone: Europe/Berlin, duration: 2h"),
        &["start must be a day that the calendar has"],
    ),
    (
        "an offset and a timeZone",
        once!("start: \"2026-12-06T02:00:00+01:00\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.once.timeZone: Invalid value: ",
            "start has an offset and needs no timeZone: \
         remove timeZone, or write start as a local time such as 2026-12-06T02:00:00",
        ],
    ),
    (
        "neither an offset nor a timeZone",
        once!("start: \"2026-12-06T02:00:00\", duration: 2h"),
        &[
            "spec.schedule.once.start: Invalid value: ",
            "start does not say in which time zone it is: add \
         an offset, as in 2026-12-06T02:00:00+01:00, or a timeZone such as Europe/Berlin",
        ],
    ),
    (
        "the machine's own time zone",
        once!("start: \"2026-12-06T02:00:00\", timeZone: Local, duration: 2h"),
        &[
            "spec.schedule.once.timeZone: Invalid value: ",
            "timeZone must be an IANA name such as \
         Europe/Berlin or Etc/UTC; Local would mean another zone on each machine",
        ],
    ),
    (
        "an empty time zone",
        once!("start: \"2026-12-06T02:00:00\", timeZone: \"\", duration: 2h"),
        &[
            "spec.schedule.once.timeZone: Invalid value: ",
            "timeZone must be an IANA name",
        ],
    ),
    (
        "an end that is written unlike the start",
        once!(
            "start: \"2026-12-06T02:00:00\", timeZone: Europe/Berlin, \
             end: \"2026-12-06T04:00:00+01:00\""
        ),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "write end as start is written: both with an \
         offset, or both as local times in timeZone",
        ],
    ),
    (
        "an end that is the start",
        once!("start: \"2026-12-06T02:00:00Z\", end: \"2026-12-06T03:00:00+01:00\""),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "end must be after start",
        ],
    ),
    (
        "a local end before the start",
        once!(
            "start: \"2026-12-06T02:00:00\", timeZone: Europe/Berlin, end: \"2026-12-05T04:00:00\""
        ),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "end must be after start",
        ],
    ),
    (
        "an end after years",
        once!("start: \"2026-12-06T02:00:00Z\", end: \"2036-12-06T02:00:00Z\""),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "a window may last at most 366 days: write an \
         earlier end, or use always",
        ],
    ),
    (
        "an end in words",
        once!("start: \"2026-12-06T02:00:00Z\", end: never"),
        &[
            "spec.schedule.once.end: Invalid value: ",
            "end must be RFC 3339 with an offset",
        ],
    ),
    (
        "an end on a day that does not exist",
        once!("start: \"2026-02-20T02:00:00Z\", end: \"2026-02-30T02:00:00Z\""),
        &["end must be a day that the calendar has"],
    ),
    (
        "a duration in words",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 2 hours"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h, \
         1h30m or 45s: whole numbers of at most five digits, each with its unit h, m, s or ms",
        ],
    ),
    (
        "a duration without a unit",
        once!("start: \"2026-12-06T02:00:00Z\", duration: \"2\""),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "a duration that is a number",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 7200"),
        &["spec.schedule.once.duration in body must be of type string: \"integer\""],
    ),
    (
        "a negative duration",
        once!("start: \"2026-12-06T02:00:00Z\", duration: -2h"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "a duration with a fraction",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 1.5h"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "a duration in days",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 2d"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "no time at all",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 0s"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be from 1s to 8784h",
        ],
    ),
    (
        "a duration of years",
        once!("start: \"2026-12-06T02:00:00Z\", duration: 99999h"),
        &[
            "spec.schedule.once.duration: Invalid value: ",
            "duration must be from 1s to 8784h",
        ],
    ),
    // spec.schedule.recurring
    (
        "recurring without a time zone",
        recurring!("cron: \"0 2 * * SUN#1\", duration: 2h"),
        &["spec.schedule.recurring.timeZone: Required value"],
    ),
    (
        "recurring in the machine's own time zone",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: local, duration: 2h"),
        &[
            "spec.schedule.recurring.timeZone: Invalid value: ",
            "timeZone must be an IANA name",
        ],
    ),
    (
        "recurring without an end",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: Europe/Berlin"),
        &["spec.schedule.recurring.duration: Required value"],
    ),
    (
        "recurring for no time at all",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: Europe/Berlin, duration: 0h"),
        &[
            "spec.schedule.recurring.duration: Invalid value: ",
            "duration must be from 1s to 8784h",
        ],
    ),
    (
        "recurring for a while in words",
        recurring!("cron: \"0 2 * * SUN#1\", timeZone: Europe/Berlin, duration: 2 hours"),
        &[
            "spec.schedule.recurring.duration: Invalid value: ",
            "duration must be written like 2h",
        ],
    ),
    (
        "cron with seconds",
        recurring!("cron: \"0 0 2 * * SUN\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron must have five fields: minute, hour, \
         day of month, month, day of week, as in \"0 2 * * SUN#1\", or be one of @hourly, @daily, \
         @weekly, @monthly and @yearly; the zone stands in timeZone",
        ],
    ),
    (
        "cron by a nickname that counts from nowhere",
        recurring!("cron: \"@every 1h\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron must have five fields",
        ],
    ),
    (
        "cron with a zone of its own",
        recurring!("cron: \"TZ=UTC 0 2 * * *\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron must have five fields",
        ],
    ),
    (
        "cron that restricts both days",
        recurring!("cron: \"0 2 1-7 * SUN\", timeZone: Europe/Berlin, duration: 2h"),
        &[
            "spec.schedule.recurring.cron: Invalid value: ",
            "cron restricts both day of month and day of \
         week, and cron reads that as \"or\": write * for one of them; SUN#1 is the first Sunday \
         of a month",
        ],
    ),
    (
        "exceptions, but none",
        recurring!("cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, except: []"),
        &["spec.schedule.recurring.except in body should have at least 1 items"],
    ),
    (
        "an exception in words",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: Christmas, end: \"2027-01-04\"}]"
        ),
        &[
            "spec.schedule.recurring.except[0].start: Invalid value: ",
            "start must be a date such as \
         2026-12-20, a local time such as 2026-12-20T12:00:00, or RFC 3339 with an offset, such \
         as 2026-12-20T12:00:00+01:00",
        ],
    ),
    (
        "an exception until words",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: \"2026-12-20\", end: Epiphany}]"
        ),
        &[
            "spec.schedule.recurring.except[0].end: Invalid value: ",
            "end must be a date such as",
        ],
    ),
    (
        "an exception for no day at all",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: \"2026-12-20\", end: \"2026-12-20\"}]"
        ),
        &[
            "spec.schedule.recurring.except[0].end: Invalid value: ",
            "end must be after start: the end \
         of 2026-12-20 as a whole day is 2026-12-21",
        ],
    ),
    (
        "an exception without an end",
        recurring!(
            "cron: \"0 2 * * *\", timeZone: Europe/Berlin, duration: 2h, \
             except: [{start: \"2026-12-20\"}]"
        ),
        &["spec.schedule.recurring.except[0].end: Required value"],
    ),
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

/// What is let through: a name and the manifest. The schema must not be in the way of anything
/// that a later version honours.
pub(crate) const ACCEPTED: &[(&str, &str)] = &[
    (
        "everything at once",
        "\
apiVersion: entracte.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: a-window-with-a-name-that-goes-on-for-exactly-as-many-as-63-car}
spec:
  schedule:
    recurring:
      cron: \"*/5 2-4 * JAN,jul SUN#1\"
      timeZone: America/Argentina/Buenos_Aires
      duration: 1h30m15s500ms
      except:
      - {start: \"2026-12-20\", end: \"2026-12-21\"}
      - {start: \"2026-12-24T18:00:00\", end: \"2026-12-25\"}
      - {start: \"2026-12-31T18:00:00-03:00\", end: \"2027-01-04T00:00:00Z\"}
  targets:
  - {kind: Ingress, name: web, hold: Route, group: networking.k8s.io}
  - {kind: Ingress, name: shop.web, hold: Services}
  - {kind: HTTPRoute, name: web, hold: Services, group: gateway.networking.k8s.io}
  - {kind: Service, name: web, group: \"\"}
  - {kind: Service, selector: {matchLabels: {tier: backend}}}
  - kind: Service
    selector:
      matchExpressions:
      - {key: tier, operator: NotIn, values: [db]}
      - {key: example.com/team, operator: Exists}
  - {kind: Ingress, all: {}}
  response:
    message: |
      We are upgrading our database.
      It is the big one.
    retryAfter: {format: HTTPDate, jitter: 0s, minimum: 0s, endUnknown: 24h}
    page: {configMapKeyRef: {name: shop-page, key: index.html}, render: Verbatim}
    healthChecks: [{path: /healthz}, {path: /}]
  restore: {when: TargetsReady, maxOverrun: 10m}
  suspend: false
",
    ),
    (
        "once with an offset",
        once!("start: \"2026-12-06T02:00:00+01:00\", duration: 2h"),
    ),
    (
        "once for a second",
        once!("start: \"2026-12-06T02:00:00.5Z\", duration: 1s"),
    ),
    (
        "once for a leap year",
        once!("start: \"2028-01-01T00:00:00Z\", end: \"2029-01-01T00:00:00Z\""),
    ),
    (
        "once between two offsets",
        once!("start: \"2026-10-25T02:30:00+02:00\", end: \"2026-10-25T02:30:00+01:00\""),
    ),
    (
        "once in a time zone",
        once!("start: \"2026-12-06T02:00:00\", timeZone: Europe/Berlin, duration: 2h"),
    ),
    (
        "once in a time zone, until an end",
        once!("start: \"2026-12-06T02:00:00\", timeZone: Etc/GMT+5, end: \"2026-12-06T04:00:00\""),
    ),
    ("always", schedule!("always: {}")),
    (
        "a Service and an Ingress of one name",
        targets!("{kind: Service, name: web, hold: Route}, {kind: Ingress, name: web}"),
    ),
    ("a response of nothing", response!("")),
];

/// The largest window that the schema lets through: what the API server spends on the rules must
/// be within its budget here too.
pub(crate) fn largest() -> String {
    let name = |index: usize| format!("{}{index:02}", "a".repeat(251));
    let named = (0..62).map(|i| format!("{{kind: Service, name: {}, group: \"\"}}", name(i)));
    let labels: Vec<_> = (0..32)
        .map(|i| format!("label-{i}: {}", "a".repeat(63)))
        .collect();
    let values = vec!["a".repeat(63); 32].join(", ");
    let requirements = vec![
        format!(
            "{{key: {}, operator: In, values: [{values}]}}",
            "a".repeat(317)
        );
        32
    ];
    let selected = format!(
        "{{kind: Ingress, hold: Services, selector: {{matchLabels: {{{}}}, matchExpressions: [{}]}}}}",
        labels.join(", "),
        requirements.join(", ")
    );
    let targets: Vec<_> = named.chain(vec![selected; 2]).collect();
    let exception = "{start: \"2026-12-20T12:00:00.123456789+01:00\", end: \
                     \"2026-12-21T12:00:00.123456789+01:00\"}";
    let exceptions = vec![exception; 64].join(", ");
    let cron = format!("{} * * * *", "1".repeat(120));
    let checks = vec![format!("{{path: /{}}}", "a".repeat(255)); 16].join(", ");
    format!(
        "{{apiVersion: entracte.dev/v1alpha1, kind: MaintenanceWindow, metadata: {{name: largest}}, \
         spec: {{schedule: {{recurring: {{cron: \"{cron}\", timeZone: {zone}, duration: \
         1h99999m59999s99999ms, except: [{exceptions}]}}}}, targets: [{targets}], response: \
         {{message: {message}, healthChecks: [{checks}]}}}}}}",
        zone = "a".repeat(64),
        targets = targets.join(", "),
        message = "é".repeat(1024),
    )
}

/// The rules of the schema that no case breaks: path and sentence of each. There must be none.
pub(crate) fn rules_without_a_case() -> Result<Vec<String>, Box<dyn Error>> {
    let definition = serde_json::to_value(entracte::api::crd::definition()?)?;
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut missing = Vec::new();
    visit_rules("", schema, &mut |path, sentence| {
        if !CASES
            .iter()
            .any(|(_, _, answer)| breaks(answer, path, sentence))
        {
            missing.push(format!("{path}: {sentence}"));
        }
    });
    Ok(missing)
}

/// Whether an answer has the sentence, and the path unless it has none.
fn breaks(answer: &[&str], path: &str, sentence: &str) -> bool {
    match answer {
        [only] => sentence.starts_with(only),
        [at, rest] => {
            at.replace("[0]", "[]").starts_with(&format!("{path}: ")) && sentence.starts_with(rest)
        }
        _ => false,
    }
}

fn visit_rules(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &str)) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let field = rule["fieldPath"].as_str().unwrap_or_default();
        visit(
            &format!("{path}{field}"),
            rule["message"].as_str().unwrap_or_default(),
        );
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit_rules(
            format!("{path}.{name}").trim_start_matches('.'),
            property,
            visit,
        );
    }
    if let Some(items) = schema.get("items") {
        visit_rules(&format!("{path}[]"), items, visit);
    }
}
