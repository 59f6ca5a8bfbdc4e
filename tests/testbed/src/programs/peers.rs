//! What the benchmark of the answer needs besides the operator: other servers, and a client.
//!
//! No cluster needs them. Each is made for itself, because each can be absent: Debian's packages
//! can be had on Debian alone.

use std::path::PathBuf;

use super::{BuildError, ENVOY_WHEEL, Family, Plan, PlanError, Source, build::fetch};

/// nginx as it is now: a wheel has it, built for any Linux.
pub const NGINX: Family = Family {
    name: "nginx",
    source: Source::Wheel("nginx"),
    programs: &["nginx"],
    manifests: &[],
};

/// Debian's nginx.
pub const NGINX_DEBIAN: Family = Family {
    name: "nginx-debian",
    source: Source::Debian("nginx-debian"),
    programs: &["nginx"],
    manifests: &[],
};

/// Debian's HAProxy.
pub const HAPROXY: Family = Family {
    name: "haproxy",
    source: Source::Debian("haproxy"),
    programs: &["haproxy"],
    manifests: &[],
};

/// The Envoy that clusters have.
pub const ENVOY_PROXY: Family = ENVOY_WHEEL;

/// nghttp2's client for benchmarks.
pub const H2LOAD: Family = Family {
    name: "h2load",
    source: Source::Debian("h2load"),
    programs: &["h2load"],
    manifests: &[],
};

/// A program could not be had.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// There is no place for it.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A family without a program.
    #[error("{0} has no program")]
    Nothing(&'static str),
}

/// The program of a family, which is made if this user does not have it yet.
pub async fn program(family: &'static Family) -> Result<PathBuf, PeerError> {
    let plan = Plan::of_family(family)?;
    fetch(&plan).await?;
    let first = plan.files().next();
    first
        .map(|(_, path)| path)
        .ok_or(PeerError::Nothing(family.name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_wheel_is_pinned_by_its_hash_and_a_package_by_its_name() {
        for family in [NGINX, NGINX_DEBIAN, HAPROXY, ENVOY_PROXY, H2LOAD] {
            let [name] = family.source.pins() else {
                panic!("{} has more than one list", family.name)
            };
            let pins = fs::read_to_string(family.pins().join(name)).unwrap();
            let pinned = match family.source {
                Source::Wheel(_) => pins.contains("==") && pins.contains("--hash=sha256:"),
                Source::Debian(_) => !pins.trim().is_empty(),
                Source::Go(_) | Source::Packages(_) => panic!("{} is no peer", family.name),
            };
            assert!(pinned, "{}: {pins}", family.name);
        }
    }
}
