//! Descriptors that the process may have open: each connection takes one.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::health_listener;
use crate::store::keyspaces;

/// For logs, the threads' own and what is opened for a moment.
const MOMENTARY: usize = 128;

/// Raises the soft limit of open files to the hard one: the soft one is 1,024 on most systems, for the sake of programs
/// that use select(2). The result is how many of `connections` may be open then, with what the store and the listener for
/// probes need left to them: without a descriptor, neither a table nor a probe is read.
#[must_use]
pub fn raise(connections: u32) -> u32 {
    let mut limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current, limit.maximum);
    limit.current = hard;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, ?soft, "the limit of open files stays as it is");
    }
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fit = fitting(connections, open_files);
    if fit < connections {
        tracing::warn!(
            open_files,
            asked = connections,
            max_connections = fit,
            "fewer connections are served than asked for; raise the hard limit of open files (ulimit -Hn)"
        );
    }
    fit
}

fn fitting(connections: u32, open_files: u64) -> u32 {
    let beside = MOMENTARY + health_listener::MAX_CONNECTIONS + keyspaces::CACHED_FILES;
    let left = open_files.saturating_sub(beside as u64);
    connections
        .min(u32::try_from(left).unwrap_or(u32::MAX))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn what_others_need_is_left_to_them() {
        assert_eq!(fitting(16_384, u64::MAX), 16_384);
        assert_eq!(fitting(16_384, 1_024), 384);
        assert_eq!(fitting(100, 1_024), 100);
        assert_eq!(fitting(100, 64), 1);
    }
}
