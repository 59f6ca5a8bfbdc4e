//! What the start of any program of the cluster needs.

use std::{net::SocketAddr, process::Output, time::Duration};

use serde_json::Value;
use tokio::net::TcpStream;

use super::ClusterError;
use crate::request;

/// How often it is looked whether something is so.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// A busy machine is slow; a program that will never be ready usually ends by itself.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

pub(super) fn object<K: serde::de::DeserializeOwned>(value: Value) -> Result<K, kube::Error> {
    serde_json::from_value(value).map_err(kube::Error::SerdeError)
}

pub(super) fn succeeded(command: &str, output: &Output) -> Result<(), ClusterError> {
    if output.status.success() {
        return Ok(());
    }
    Err(ClusterError::Command {
        command: command.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

pub(super) async fn connects(address: SocketAddr) -> bool {
    let limit = Duration::from_secs(1);
    matches!(
        tokio::time::timeout(limit, TcpStream::connect(address)).await,
        Ok(Ok(_))
    )
}

pub(super) async fn answers_ok(address: &str, path: &str) -> bool {
    let Ok(socket) = address.parse() else {
        return false;
    };
    request::get(socket, address, path)
        .await
        .is_ok_and(|answer| answer.status().is_success())
}
