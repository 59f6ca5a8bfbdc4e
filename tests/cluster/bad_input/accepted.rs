//! What is let through: the schema must not be in the way of anything that a later version honours.

/// A name and the manifest of each.
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
