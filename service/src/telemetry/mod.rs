//! What the server tells of itself while it runs, beside metrics: logs.

pub mod logs;

pub use logs::{LogControl, LogFilter};

/// What a server tells, and the switches of it. The default tells nothing and has no switches, as a
/// server inside another program's process must not touch that process's logs.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The level of the logs.
    pub logs: Option<LogControl>,
}
