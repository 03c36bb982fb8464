//! Descriptors that the process may have open: each connection takes one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// For the store, the logs and the threads' own.
const BESIDE_CONNECTIONS: u64 = 256;

/// Raises the soft limit of open files to the hard one: the soft one is 1,024 on most systems, for the sake of programs
/// that use select(2). Says so if `connections` do not fit even then.
pub fn raise(connections: u32) {
    let mut limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current, limit.maximum);
    limit.current = hard;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, ?soft, "the limit of open files stays as it is");
    }
    let now = getrlimit(Resource::Nofile).current;
    if now.is_some_and(|n| n < u64::from(connections) + BESIDE_CONNECTIONS) {
        tracing::warn!(
            open_files = now,
            max_connections = connections,
            "fewer files may be open than connections are served; raise the hard limit (ulimit -Hn)"
        );
    }
}
