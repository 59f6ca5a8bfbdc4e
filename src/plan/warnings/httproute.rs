//! Warnings of an HTTPRoute: what its rules do to an answer on its way back, or before it is asked for.
//!
//! PURE. Source of each: the Gateway API, `apis/v1/httproute_types.go`. What is attached to a route
//! from elsewhere (a policy, an `ExtensionRef`) is not seen.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::httproute::{HttpRoute, Rule};
use crate::plan::httproute::rules;

/// `HTTPRouteRetry.codes`: "the HTTP response status codes for which a backend request should be
/// retried"; and where that helps nothing, "the Gateway MUST return an error" (`.attempts`).
const RETRIES: &str = "the proxy asks again where it is answered 503: clients wait for all of its \
                       attempts, and may then get an error of its own in place of the answer; take \
                       503 out of retry.codes for the time of the window";
/// `HTTPHeaderFilter`
const NO_RETRY_AFTER: &str = "a filter changes the header Retry-After of answers: clients do not see \
                              when to come back; leave it out for the time of the window";
/// An answer that says how long it is fresh may be stored, whatever its status (RFC 9111 section 3).
const CACHED: &str = "a filter sets the header Cache-Control of answers: caches in front of the proxy \
                      may show ours when the window is over; leave it out for the time of the window";
/// `HTTPRouteFilter.externalAuth`: "If there is any problem communicating with the external service,
/// this filter MUST fail closed".
const FAILS_CLOSED: &str = "the proxy asks an authorization server first (ExternalAuth): where that is \
                            in maintenance too, clients get an error in place of the answer; let it \
                            run on";

/// What may keep clients of a held HTTPRoute from the answer. While it is held by patching it, what
/// its backends had of filters of their own is put aside with them.
pub fn of_http_route(route: &HttpRoute, is_patched: bool) -> Vec<String> {
    let mut by_warning: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, rule) in rules(route) {
        for warning in of_rule(rule, is_patched) {
            by_warning.entry(warning).or_default().push(name.clone());
        }
    }
    let warnings = by_warning.into_iter();
    warnings
        .map(|(warning, rules)| format!("{}: {warning}", listed(&rules)))
        .collect()
}

/// The first of some rules, and how many more there are.
fn listed(rules: &[String]) -> String {
    match rules {
        [] => String::new(),
        [rule] => rule.clone(),
        [rule, more @ ..] => format!("{rule} and {} more", more.len()),
    }
}

fn of_rule(rule: &Rule, is_patched: bool) -> impl Iterator<Item = &'static str> {
    let changed = |header| changes(rule, is_patched, header);
    let found = [
        (retries_503(rule), RETRIES),
        (!changed("Retry-After").is_empty(), NO_RETRY_AFTER),
        (changed("Cache-Control").contains(&"set"), CACHED),
        (asks_first(rule), FAILS_CLOSED),
    ];
    let found = found.into_iter().filter(|(is_so, _)| *is_so);
    found.map(|(_, warning)| warning)
}

fn retries_503(rule: &Rule) -> bool {
    let codes = rule
        .rest
        .get("retry")
        .and_then(|retry| retry["codes"].as_array());
    codes.is_some_and(|codes| codes.contains(&Value::from(503)))
}

fn asks_first(rule: &Rule) -> bool {
    let mut filters = rule.filters.iter().flatten();
    filters.any(|filter| filter["type"] == "ExternalAuth")
}

/// What is done to a header of answers: `set`, `add` or `remove`.
fn changes(rule: &Rule, is_patched: bool, header: &str) -> Vec<&'static str> {
    let of_backends = rule.backend_refs.iter().flatten().filter(|_| !is_patched);
    let of_backends = of_backends.filter_map(|backend| backend["filters"].as_array());
    let filters = rule.filters.iter().chain(of_backends).flatten();
    let modifiers: Vec<&Value> = filters
        .filter(|filter| filter["type"] == "ResponseHeaderModifier")
        .map(|filter| &filter["responseHeaderModifier"])
        .collect();
    let is_header = |name: &Value| {
        let name = name.as_str();
        name.is_some_and(|name| name.eq_ignore_ascii_case(header))
    };
    let does = |what: &str| {
        let mut entries = modifiers
            .iter()
            .filter_map(|modifier| modifier[what].as_array())
            .flatten();
        entries.any(|entry| is_header(entry) || is_header(&entry["name"]))
    };
    let all = ["set", "add", "remove"].into_iter();
    all.filter(|what| does(what)).collect()
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;
    use crate::plan::testing::object;

    /// The warnings of a route with one rule that leads to a Service.
    fn of(rule: &str) -> Vec<String> {
        of_rules(
            &[&format!(
                "{{{rule}, backendRefs: [{{name: web, port: 80}}]}}"
            )],
            true,
        )
    }

    fn of_rules(rules: &[&str], is_patched: bool) -> Vec<String> {
        let rules = rules.join(", ");
        let route = format!("{{metadata: {{name: web}}, spec: {{rules: [{rules}]}}}}");
        of_http_route(&object(&route), is_patched)
    }

    const TO_X: &str = "matches: [{path: {type: PathPrefix, value: /x}}]";

    fn modifies(modifier: &str) -> String {
        format!("filters: [{{type: ResponseHeaderModifier, responseHeaderModifier: {modifier}}}]")
    }

    #[test]
    fn a_rule_that_retries_503_is_warned_of_and_one_that_retries_others_is_not() {
        assert_eq!(
            of(&format!(
                "{TO_X}, retry: {{codes: [500, 503], attempts: 2}}"
            )),
            [format!("the rule of /x: {RETRIES}")]
        );
        assert_eq!(
            of(&format!("{TO_X}, retry: {{codes: [500, 502]}}")),
            [""; 0]
        );
        assert_eq!(of(&format!("{TO_X}, retry: {{attempts: 2}}")), [""; 0]);
    }

    #[test]
    fn filters_that_change_what_the_answer_says_are_warned_of() {
        for (modifier, expected) in [
            ("{set: [{name: retry-after, value: '5'}]}", NO_RETRY_AFTER),
            ("{add: [{name: Retry-After, value: '5'}]}", NO_RETRY_AFTER),
            ("{remove: [Retry-After]}", NO_RETRY_AFTER),
            ("{set: [{name: cache-control, value: max-age=60}]}", CACHED),
        ] {
            let expected = format!("the rule of /x: {expected}");
            let found = of(&format!("{TO_X}, {}", modifies(modifier)));
            assert_eq!(found, [expected], "{modifier}");
        }
        for fine in [
            "{set: [{name: x-frame-options, value: deny}], remove: [server]}",
            "{add: [{name: cache-control, value: no-transform}], remove: [cache-control]}",
        ] {
            assert_eq!(
                of(&format!("{TO_X}, {}", modifies(fine))),
                [""; 0],
                "{fine}"
            );
        }
        let of_requests = "filters: [{type: RequestHeaderModifier, requestHeaderModifier: \
                           {remove: [retry-after]}}]";
        assert_eq!(of(&format!("{TO_X}, {of_requests}")), [""; 0]);
    }

    #[test]
    fn the_filters_of_a_backend_are_put_aside_with_it_where_the_route_is_patched() {
        let filters = modifies("{remove: [retry-after]}");
        let rule = format!("{{name: all, backendRefs: [{{name: web, port: 80, {filters}}}]}}");
        assert_eq!(of_rules(&[&rule], true), [""; 0]);
        assert_eq!(
            of_rules(&[&rule], false),
            [format!("the rule all: {NO_RETRY_AFTER}")]
        );
    }

    #[test]
    fn an_authorization_server_that_is_asked_first_is_warned_of() {
        let auth = "filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, \
                    backendRef: {name: auth, port: 80}}}]";
        assert_eq!(
            of(&format!("{TO_X}, {auth}")),
            [format!("the rule of /x: {FAILS_CLOSED}")]
        );
    }

    #[test]
    fn of_many_rules_the_first_is_named_and_those_that_lead_nowhere_do_not_count() {
        let retries = "retry: {codes: [503]}, backendRefs: [{name: web, port: 80}]";
        let rules = [
            "{name: moved, retry: {codes: [503]}, filters: [{type: RequestRedirect}]}".to_owned(),
            format!("{{name: a, {retries}}}"),
            format!("{{name: b, {retries}}}"),
            format!("{{name: c, {retries}}}"),
        ];
        let rules = rules.each_ref().map(String::as_str);
        assert_eq!(
            of_rules(&rules, true),
            [format!("the rule a and 2 more: {RETRIES}")]
        );
    }

    #[test]
    fn a_plain_route_is_not_warned_of() {
        let rule = "filters: [{type: URLRewrite}, {type: CORS}], timeouts: {request: 1s}, \
                    sessionPersistence: {sessionName: s}";
        assert_eq!(of(&format!("{TO_X}, {rule}")), [""; 0]);
    }
}
