//! Logs and what else tells of the server.

use clap::{Args, ValueEnum};

/// Logs and what else tells of the server.
#[derive(Clone, Debug, Args)]
pub struct TelemetryConfig {
    /// How logs look.
    #[arg(long, env = "TIDEMARK_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One line of text an event.
    Text,
    /// One JSON object a line.
    Json,
}
