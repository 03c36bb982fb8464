//! Logs and what else tells of the server.

use clap::{Args, ValueEnum};

use super::TracesConfig;
use crate::telemetry::{LogControl, LogFilter};

/// Logs and what else tells of the server.
#[derive(Clone, Debug, Args)]
pub struct TelemetryConfig {
    /// How logs look.
    #[arg(long, env = "TIDEMARK_LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,

    /// What is logged: a level, and levels of single targets, such as `info,request=debug`; RUST_LOG if
    /// not given. PUT /log-level on --health-addr, SIGUSR1 and SIGUSR2 change it later.
    #[arg(long, env = "TIDEMARK_LOG_FILTER")]
    pub log_filter: Option<LogFilter>,

    /// Where traces go.
    #[command(flatten)]
    pub traces: TracesConfig,

    /// Not a flag: the logs of the process, where they are the server's to change.
    #[arg(skip)]
    pub log_control: Option<LogControl>,
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
