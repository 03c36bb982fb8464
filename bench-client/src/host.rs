//! What machine the client ran on, for the report: a latency without its machine is half a fact.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The client's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Operating system and kernel release, for example `Linux 6.1.0`.
    pub os: String,
    /// Processor architecture, for example `x86_64`.
    pub arch: String,
    /// Processors this process may use (cgroup and affinity limits included).
    pub cpus: usize,
}

impl Host {
    /// Looks at the machine this runs on. What cannot be found out is `unknown` or 0.
    #[must_use]
    pub fn detect() -> Self {
        Self {
            os: operating_system(),
            arch: std::env::consts::ARCH.to_owned(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
        }
    }
}

#[cfg(unix)]
fn operating_system() -> String {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    format!("{} {}", text(name.sysname()), text(name.release()))
}

#[cfg(not(unix))]
fn operating_system() -> String {
    std::env::consts::OS.to_owned()
}

/// The client's own build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientBuild {
    /// The program's name.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// `release` or `debug`; a debug client is slow enough to show in the latencies.
    pub profile: String,
}

impl ClientBuild {
    /// This build.
    #[must_use]
    pub fn current() -> Self {
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        Self {
            name: "tidemark-bench".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: profile.to_owned(),
        }
    }
}
