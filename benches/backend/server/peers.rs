//! How other servers are told to answer as the operator does: as somebody would who knows them, and
//! wants this answer and nothing else from them. One worker, no log, connections that are kept for as
//! long as the client likes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Kind, words};
use crate::Result;
use crate::answer::Answer;
use crate::cases::Case;

/// More than there are in any case.
const CONNECTIONS: usize = 16_384;

/// The arguments of a server, whose configuration is written into a folder.
pub(super) fn arguments(
    kind: Kind,
    case: Case,
    answer: &Answer,
    ports: [SocketAddr; 2],
    folder: &Path,
) -> Result<Vec<String>> {
    fs::write(folder.join("body"), answer.body())?;
    let (file, configuration, arguments) = match kind {
        Kind::Nginx | Kind::NginxDebian => (
            "nginx.conf",
            nginx(kind, answer, ports)?,
            words(["-p", ".", "-c", "nginx.conf", "-e", "stderr"]),
        ),
        Kind::Haproxy => (
            "haproxy.cfg",
            haproxy(answer, ports[0])?,
            words(["-f", "haproxy.cfg"]),
        ),
        Kind::Envoy => (
            "envoy.json",
            envoy(case, answer, ports[0])?.to_string(),
            words([
                "--config-path",
                "envoy.json",
                "--concurrency",
                "1",
                "--disable-hot-restart",
                "--log-level",
                "error",
            ]),
        ),
        Kind::Entracte | Kind::Floor => return Err(format!("{kind:?} has no configuration").into()),
    };
    fs::write(folder.join(file), configuration)?;
    Ok(arguments)
}

/// In quotes of both nginx and HAProxy; what means something in them is not in the answer.
fn quoted(text: &str) -> Result<String> {
    if text.contains(['\'', '\\', '$', '%', '\n']) {
        return Err(format!("a server would not take this as it is: {text}").into());
    }
    Ok(format!("'{text}'"))
}

/// One process: with a master beside it a worker does the same, and would outlive a killed master.
/// nginx cannot compute a date of its own: its `Retry-After` is constant.
fn nginx(kind: Kind, answer: &Answer, [h1, h2]: [SocketAddr; 2]) -> Result<String> {
    // Since 1.25.1 a port can be for both.
    let listen = match kind {
        Kind::NginxDebian => format!("listen {h1} backlog=4096; listen {h2} http2 backlog=4096;"),
        _ => format!("listen {h1} backlog=4096; http2 on;"),
    };
    let retry_after = ("retry-after", answer.field("retry-after")?);
    let mut fields = String::new();
    for (name, value) in answer.common().into_iter().chain([retry_after]) {
        if name != "content-type" {
            writeln!(fields, "      add_header {name} {} always;", quoted(value)?)?;
        }
    }
    let content_type = quoted(answer.field("content-type")?)?;
    let body = quoted(str::from_utf8(answer.body())?)?;
    Ok(format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections {CONNECTIONS}; multi_accept on; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  default_type {content_type};
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
  uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {{
    {listen}
    location / {{
{fields}      return 503 {body};
    }}
  }}
}}
"
    ))
}

/// It computes its `Retry-After`: the end, less the present second.
fn haproxy(answer: &Answer, h1: SocketAddr) -> Result<String> {
    let left: i64 = answer.field("retry-after")?.parse()?;
    let end = (Utc::now() + TimeDelta::seconds(left)).timestamp();
    let mut fields = format!("hdr retry-after '%[date,neg,add({end})]'");
    for (name, value) in answer.common() {
        if name != "content-type" {
            write!(fields, " hdr {name} {}", quoted(value)?)?;
        }
    }
    let content_type = quoted(answer.field("content-type")?)?;
    Ok(format!(
        "global
  nbthread 1
  no strict-limits
  maxconn {CONNECTIONS}
defaults
  mode http
  timeout client 1h
  timeout http-keep-alive 1h
  timeout http-request 10s
frontend all
  bind {h1} backlog 4096
  http-request return status 503 content-type {content_type} file body {fields}
"
    ))
}

/// It knows no arithmetic: its `Retry-After` is constant. Statistics, which nobody reads, are off.
///
/// It closes a connection on which it owes more than two answers, unless it is told to read one request
/// at a time; over HTTP/2 that would only slow it down.
fn envoy(case: Case, answer: &Answer, h1: SocketAddr) -> Result<Value> {
    let retry_after = ("retry-after", answer.field("retry-after")?);
    let fields = answer.common().into_iter().chain([retry_after]);
    let fields: Vec<_> = fields
        .map(|(key, value)| {
            json!({
                "header": {"key": key, "value": value},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            })
        })
        .collect();
    let body = str::from_utf8(answer.body())?;
    let answers = json!({
        "name": "all",
        "domains": ["*"],
        "routes": [{
            "match": {"prefix": "/"},
            "direct_response": {"status": 503, "body": {"inline_string": body}},
            "response_headers_to_add": fields,
        }],
    });
    let extensions = "type.googleapis.com/envoy.extensions.filters";
    let manager = json!({
        "@type": format!("{extensions}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "all",
        "codec_type": "AUTO",
        "generate_request_id": false,
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "route_config": {"virtual_hosts": [answers]},
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": format!("{extensions}.http.router.v3.Router"),
                "dynamic_stats": false,
            },
        }],
    });
    let address = json!({"address": h1.ip().to_string(), "port_value": h1.port()});
    let at_a_time = (case == Case::H1Pipelined).then_some(("http.max_requests_per_io_cycle", 1));
    let runtime: HashMap<_, _> = at_a_time.into_iter().collect();
    Ok(json!({
        "layered_runtime": {"layers": [{"name": "all", "static_layer": runtime}]},
        "stats_config": {"stats_matcher": {"reject_all": true}},
        "static_resources": {"listeners": [{
            "name": "all",
            "address": {"socket_address": address},
            "tcp_backlog_size": 4096,
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        }]},
    }))
}
