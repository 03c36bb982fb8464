//! What the server tells of itself while it runs, beside metrics: logs and traces.

pub mod logs;
mod sender;
pub mod traces;

use std::sync::Arc;

pub use logs::{LogControl, LogFilter};
pub use sender::SpanCounts;
pub use traces::{PartSpan, RequestSpan, Traces};

use crate::config::TelemetryConfig;

/// What a server tells, and the switches of it. The default tells nothing and has no switches, as a
/// server inside another program's process must not touch that process's logs.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The level of the logs.
    pub logs: Option<LogControl>,
    /// Where traces are sent.
    pub traces: Option<Arc<Traces>>,
}

impl Telemetry {
    /// As configured.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(config: &TelemetryConfig) -> Result<Self, String> {
        let start = |url: String| Traces::start(&url, config.traces.trace_sample).map(Arc::new);
        Ok(Self {
            logs: config.log_control.clone(),
            traces: config.traces.url()?.map(start).transpose()?,
        })
    }
}
