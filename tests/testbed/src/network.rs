//! Addresses on the loopback device of our network namespace: the node's, and one for each pod.
//!
//! The API server refuses endpoint addresses in 127.0.0.0/8, so the loopback device bears others.
//! Where the machine has IPv6, there are addresses of both families.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::Stdio,
};

use tokio::process::Command;

/// The node's address. The API server, Traefik and the controller listen on it.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// The node's address of the other family.
pub const NODE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 1);

/// The range of pod addresses, 10.244.0.0/16.
pub const PODS: &str = "10.244.0.0/16";

/// The range of pod addresses of the other family.
pub const PODS_V6: &str = "fd00:244::/112";

/// The range of ClusterIPs, 10.96.0.0/16.
pub const SERVICES: &str = "10.96.0.0/16";

/// The range of ClusterIPs of the other family.
pub const SERVICES_V6: &str = "fd00:96::/112";

/// Says whether the loopback device takes addresses of IPv6.
const IPV6_IS_OFF: &str = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

/// The ClusterIP of `default/kubernetes`: the first of [`SERVICES`].
pub const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// The network of the namespace could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// `ip` could not be started.
    #[error("cannot run `ip {arguments}`: {source}; install the package iproute2")]
    Run {
        /// What it was called with.
        arguments: String,
        /// Why it did not start.
        source: io::Error,
    },
    /// `ip` refused.
    #[error("`ip {arguments}` failed: {message}")]
    Refused {
        /// What it was called with.
        arguments: String,
        /// What it wrote to standard error.
        message: String,
    },
}

/// Brings the loopback device up with the node's address.
///
/// The default route is there because a packet to a ClusterIP is routed before it is translated.
pub async fn set_up() -> Result<(), NetworkError> {
    ip(&["link", "set", "lo", "up"]).await?;
    add_address(NODE.into()).await?;
    ip(&["route", "add", "default", "dev", "lo"]).await?;
    if has_ipv6() {
        add_address(NODE_V6.into()).await?;
        ip(&["-6", "route", "add", "default", "dev", "lo"]).await?;
    }
    Ok(())
}

/// Whether there can be addresses of both families here.
pub fn has_ipv6() -> bool {
    fs::read_to_string(IPV6_IS_OFF).is_ok_and(|off| off.trim() == "0")
}

/// What is said of one family, or of both where there are both.
pub(crate) fn of_families(v4: &str, v6: &str) -> String {
    if has_ipv6() {
        format!("{v4},{v6}")
    } else {
        v4.to_owned()
    }
}

/// Gives the loopback device one more address. One that it has already is no error.
///
/// Without `nodad` one of IPv6 could not be bound before the kernel has come to it (`ip-address(8)`).
pub async fn add_address(address: IpAddr) -> Result<(), NetworkError> {
    let prefix = prefix(address);
    let mut arguments = vec!["address", "replace", &prefix, "dev", "lo"];
    arguments.extend(address.is_ipv6().then_some("nodad"));
    ip(&arguments).await
}

/// Takes an address away from the loopback device.
pub async fn remove_address(address: IpAddr) -> Result<(), NetworkError> {
    ip(&["address", "delete", &prefix(address), "dev", "lo"]).await
}

fn prefix(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => format!("{address}/128"),
    }
}

async fn ip(arguments: &[&str]) -> Result<(), NetworkError> {
    let output = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await;
    let arguments = arguments.join(" ");
    match output {
        Err(source) => Err(NetworkError::Run { arguments, source }),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(NetworkError::Refused { arguments, message })
        }
    }
}
