//! How many files, and so connections, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// What is left for everything that is no connection: listeners, the admin server, the API server.
const OTHERS: u64 = 512;

/// Raises the limit on open files as far as the system allows, and returns how many connections there
/// may be: `wanted`, or as many as there are files for. Past the limit nobody could be accepted, not
/// even by making room.
pub(super) fn connections(wanted: u32) -> u32 {
    let connections = within(raise(), wanted);
    if connections < wanted {
        warn!(
            wanted,
            connections,
            "the limit on open files allows for fewer connections: raise it (ulimit -n)"
        );
    }
    connections
}

/// The limit, where there is one.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

fn within(limit: Option<u64>, wanted: u32) -> u32 {
    let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(OTHERS).max(1));
    u32::try_from(left).map_or(wanted, |left| left.min(wanted))
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn there_are_no_more_connections_than_files_are_left_for() {
        for (limit, wanted, connections) in [
            (None, 16_384, 16_384),
            (Some(1_048_576), 16_384, 16_384),
            (Some(4096), 16_384, 3584),
            (Some(4096), 100, 100),
            (Some(256), 16_384, 1),
            (Some(u64::MAX), u32::MAX, u32::MAX),
        ] {
            assert_eq!(within(limit, wanted), connections, "{limit:?} {wanted}");
        }
    }

    #[test]
    fn the_limit_is_raised_as_far_as_it_may_be() {
        let raised = raise();
        assert_eq!(getrlimit(Resource::Nofile).current, raised);
    }
}
