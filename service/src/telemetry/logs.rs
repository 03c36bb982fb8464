//! Logs on stderr, and which of them are written; stdout carries only what a caller of the binary reads.
//!
//! A filter is a level and exceptions from it by target, `info,request=debug`. It can be exchanged while the
//! server runs. An event that it leaves out costs one load of a static: the filter tells its highest level
//! to the macros and its interest in each place that logs.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt as lines, reload};

use crate::config::{LogFormat, TelemetryConfig};

/// The target of the line that each request has.
pub const REQUEST: &str = "request";
/// What the framework says at `info` repeats what the server says itself.
const DEFAULT: &str = "info,actix_server=warn";
/// Where the framework tells what is wrong with the bytes of a connection, at `error`. Any peer could fill the logs with
/// that, so it is left out below `debug` unless it is asked for; it is counted.
const OF_PEERS: &str = "actix_http::h1";
const FRAMEWORK: &str = "actix_http";
/// After SIGUSR1.
const VERBOSE: &str = "debug";
/// A longer filter is a mistake.
const MAX_BYTES: usize = 1_024;

/// Which events are logged.
#[derive(Clone, Debug)]
pub struct LogFilter {
    text: String,
    targets: Targets,
}

impl FromStr for LogFilter {
    type Err = String;

    /// Reads `LEVEL` and `TARGET=LEVEL`, separated by commas.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("a filter has up to {MAX_BYTES} bytes"));
        }
        for directive in text.split(',') {
            let (target, level) = directive.split_once('=').unwrap_or(("-", directive));
            // A bare target would be read as `TARGET=trace`, and a misspelt level as a bare target: all
            // logs would end without a word.
            if target.is_empty() || level.is_empty() || level.parse::<LevelFilter>().is_err() {
                return Err(format!(
                    "{directive:?} is neither a level (off, error, warn, info, debug, trace) nor TARGET=LEVEL"
                ));
            }
        }
        let mut targets = text.parse::<Targets>().map_err(|error| error.to_string())?;
        let is_asked_for = text.split(',').any(|part| part.starts_with(FRAMEWORK));
        let is_verbose = targets.default_level() >= Some(LevelFilter::DEBUG);
        if !is_asked_for && !is_verbose {
            targets = targets.with_target(OF_PEERS, LevelFilter::OFF);
        }
        Ok(Self {
            text: text.to_owned(),
            targets,
        })
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Exchanges the filter of the process's logs.
#[derive(Clone, Debug)]
pub struct LogControl {
    layer: reload::Handle<Targets, Registry>,
    at_start: LogFilter,
    /// Held while the filter is exchanged, so that what is told is what is in force.
    now: Arc<Mutex<LogFilter>>,
}

impl LogControl {
    /// A filter that can be exchanged, and what exchanges it.
    #[must_use]
    pub fn new(filter: LogFilter) -> (reload::Layer<Targets, Registry>, Self) {
        let (layer, handle) = reload::Layer::new(filter.targets.clone());
        let control = Self {
            layer: handle,
            at_start: filter.clone(),
            now: Arc::new(Mutex::new(filter)),
        };
        (layer, control)
    }

    /// The filter in force.
    #[must_use]
    pub fn filter(&self) -> LogFilter {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }

    /// Puts `filter` in force; `cause` goes into the log.
    pub fn set(&self, filter: LogFilter, cause: &'static str) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.layer.reload(filter.targets.clone()) {
            tracing::error!(%error, "the log filter stays as it is");
            return;
        }
        let before = std::mem::replace(&mut *now, filter);
        tracing::info!(cause, before = %before, now = %*now, "the log filter was changed");
    }

    /// From now on SIGUSR1 puts `debug` in force and SIGUSR2 the filter of the start. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn follow_signals(&self) -> std::io::Result<()> {
        let mut more = signal(SignalKind::user_defined1())?;
        let mut back = signal(SignalKind::user_defined2())?;
        let control = self.clone();
        tokio::spawn(async move {
            let verbose: LogFilter = VERBOSE.parse().expect("it is a level");
            loop {
                tokio::select! {
                    Some(()) = more.recv() => control.set(verbose.clone(), "SIGUSR1"),
                    Some(()) = back.recv() => control.set(control.at_start.clone(), "SIGUSR2"),
                    else => break,
                }
            }
        });
        Ok(())
    }
}

/// Starts logging for the process. Without `--log-filter`, `RUST_LOG` chooses what is logged, where it is
/// a filter: it may be there for another program.
#[must_use]
pub fn start(config: &TelemetryConfig) -> LogControl {
    let of_environment = || std::env::var("RUST_LOG").ok()?.parse().ok();
    let chosen = config.log_filter.clone().or_else(of_environment);
    let filter = chosen.unwrap_or_else(|| DEFAULT.parse().expect("it is a filter"));
    let (filter, control) = LogControl::new(filter);
    let is_terminal = stderr().is_terminal();
    let is_json = match config.log_format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let filtered = tracing_subscriber::registry().with(filter);
    let lines = lines::layer().with_writer(stderr).with_target(false);
    if is_json {
        filtered.with(lines.json().flatten_event(true)).init();
    } else {
        filtered.with(lines.with_ansi(is_terminal)).init();
    }
    control
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_and_targets_with_levels() {
        for text in ["off", "debug", "WARN", "info,request=debug", "a::b=trace"] {
            let filter: LogFilter = text.parse().unwrap();
            assert_eq!(filter.to_string(), text);
        }
    }

    #[test]
    fn what_would_silence_all_by_mistake_is_no_filter() {
        let long = "info,".repeat(MAX_BYTES);
        for text in [
            "",
            "debgu",
            "request",
            "info,",
            "info,request",
            "request=loud",
            "=info",
            "request=",
            "a=b=info",
            "[span]=info x",
            &long,
        ] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_any_peer_can_cause_is_logged_if_it_is_asked_for() {
        for (text, is_logged) in [
            (DEFAULT, false),
            ("error", false),
            ("request=debug", false),
            ("info,actix_http=error", true),
            ("debug", true),
        ] {
            let (layer, _control) = LogControl::new(text.parse().unwrap());
            tracing::subscriber::with_default(Registry::default().with(layer), || {
                let told =
                    tracing::enabled!(target: "actix_http::h1::dispatcher", tracing::Level::ERROR);
                assert_eq!(told, is_logged, "{text}");
            });
        }
    }

    #[test]
    fn an_exchanged_filter_is_in_force_at_once() {
        let (layer, control) = LogControl::new("info".parse().unwrap());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let is_debug = || tracing::enabled!(target: REQUEST, tracing::Level::DEBUG);
            assert!(!is_debug());
            control.set("info,request=debug".parse().unwrap(), "test");
            assert!(is_debug());
            assert!(!tracing::enabled!(target: "other", tracing::Level::DEBUG));
            control.set("warn".parse().unwrap(), "test");
            assert!(!is_debug() && !tracing::enabled!(tracing::Level::INFO));
        });
        assert_eq!(control.filter().to_string(), "warn");
    }
}
