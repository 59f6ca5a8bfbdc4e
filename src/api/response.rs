//! What callers are told.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct, with its `pub`, into a function"
)]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rules, schema};

/// What callers are told during a window.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The sentence that people read on the page and that programs find as "detail": at most
    /// 1024 characters of plain text. Absent: a sentence that gives the end of the maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = rules::message_is_not_blank())]
    pub message: Option<String>,
    /// How Retry-After is computed, in whole seconds. Absent: each field's own description says
    /// what that means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// An HTML page of your own, for browsers; programs get what they ask for as ever. Absent: ours,
    /// which is also shown where yours cannot be: then status.warnings says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<Page>,
    /// Paths that are answered 200 to GET and HEAD, so that a load balancer does not take the
    /// proxies for dead. At most 16. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub health_checks: Option<Vec<HealthCheck>>,
}

/// How Retry-After is computed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RetryAfter {
    /// Seconds: whole seconds, rounded up. HTTPDate: an HTTP-date. Absent: Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<RetryAfterFormat>,
    /// Up to this much is added past the end, another part of it for each answer, so that clients
    /// do not come back all at once (30s): 0s to 24h; a part of a second is left out. Absent: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    #[x_kube(
        validation = rules::duration_form("jitter"),
        validation = rules::duration_between("jitter", "0s", "24h"),
    )]
    pub jitter: Option<String>,
    /// Never less than this, and what is said once the end is past (5s): 0s to 24h; a part of a
    /// second counts as a whole one. Absent: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    #[x_kube(
        validation = rules::duration_form("minimum"),
        validation = rules::duration_between("minimum", "0s", "24h"),
    )]
    pub minimum: Option<String>,
    /// What is said while no end is known: with always, and while a restore waits (30s): 1s to
    /// 24h; a part of a second counts as a whole one. Absent: 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    #[x_kube(
        validation = rules::duration_form("endUnknown"),
        validation = rules::duration_between("endUnknown", "1s", "24h"),
    )]
    pub end_unknown: Option<String>,
}

/// The two forms of Retry-After (RFC 9110 §10.2.3).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(transform = schema::described_by_its_field)]
pub enum RetryAfterFormat {
    /// `delay-seconds`.
    Seconds,
    /// `HTTP-date`.
    HTTPDate,
}

/// An HTML page of the user's.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Where the page is: one key of a ConfigMap in the window's namespace. At most 262144 bytes
    /// (256 KiB) of UTF-8. An edit shows within seconds.
    pub config_map_key_ref: ConfigMapKeyRef,
    /// Verbatim: sent as it is. Template: a template of minijinja, whose values are message,
    /// window.namespace, window.name, start, end, retry_after and now. Absent: Verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<Render>,
}

/// One key of a ConfigMap in the window's namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// The name of the ConfigMap.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::object_name("name"))]
    pub name: String,
    /// The key in its data or binaryData.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::config_map_key())]
    pub key: String,
}

/// What is done to a page before it is sent.
#[derive(
    JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
)]
#[schemars(transform = schema::described_by_its_field)]
pub enum Render {
    /// Nothing.
    Verbatim,
    /// Message, end and name of the window are filled in.
    Template,
}

/// A path that is answered 200 during the window.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// The path, such as /healthz, without a query. It must be equal to the request's, as it was
    /// sent, but for its query.
    #[schemars(length(max = 256))]
    #[x_kube(validation = rules::health_check_path())]
    pub path: String,
}
