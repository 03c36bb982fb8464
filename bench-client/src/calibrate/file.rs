//! `calibration.json`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::host::{ClientBuild, Host};
use crate::load::hooks::Hook;
use crate::report::atomic;
use crate::results::config::RunConfig;
use crate::results::summary::RunData;
use crate::results::text::{Table, ms, rate};
use crate::tally::stats::RunStats;

/// Goes up when a field changes its meaning or goes away.
const FORMAT_VERSION: u32 = 1;

/// What a client measured of a server that does nothing. Latencies in milliseconds; `None` where
/// there were too few requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    format_version: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// The client.
    pub client: ClientBuild,
    /// Its machine.
    pub host: Host,
    /// Threads of the server, and of the client at most.
    pub threads: u32,
    /// How long each run sent, in nanoseconds.
    pub each_ns: u64,
    /// Requests that were spread out.
    pub open: Open,
    /// Closed loops by their number of clients, ascending from 1.
    pub closed: Vec<Closed>,
    /// The one of them with the highest rate.
    pub highest: Closed,
}

/// An open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Requests a second that were sent.
    pub per_s: f64,
    /// From the intended start to the last byte.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
    /// What the client itself was late, 99th percentile.
    pub own_lag_p99_ms: Option<f64>,
}

/// A closed loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// Clients, a connection each.
    pub clients: u32,
    /// Requests a second.
    pub per_s: f64,
    /// From the send to the last byte.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
}

/// A calibration that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file cannot be read or written.
    #[error("cannot use the calibration {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// The file is none of this format.
    #[error("{} is no calibration of format {FORMAT_VERSION}", path.display())]
    NoCalibration {
        /// Which.
        path: PathBuf,
    },
}

/// Puts a calibration into a run's summary and report.
#[derive(Debug)]
pub struct Known(pub Calibration);

impl Calibration {
    /// `closed` has at least one.
    pub(super) fn new(
        started_at: Timestamp,
        client: ClientBuild,
        host: Host,
        (threads, each): (u32, Duration),
        open: Open,
        closed: Vec<Closed>,
    ) -> Self {
        let highest = closed.iter().max_by(|a, b| a.per_s.total_cmp(&b.per_s));
        let highest = highest.cloned().unwrap_or_default();
        Self {
            format_version: FORMAT_VERSION,
            started_at,
            client,
            host,
            threads,
            each_ns: u64::try_from(each.as_nanos()).unwrap_or(u64::MAX),
            open,
            closed,
            highest,
        }
    }

    /// Writes `path` whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CalibrationError> {
        let json = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        json.and_then(|json| atomic::write(path, &json))
            .map_err(|reason| CalibrationError::File {
                path: path.to_owned(),
                reason,
            })
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// When it cannot be read, or is no calibration of this format.
    pub fn read(path: &Path) -> Result<Self, CalibrationError> {
        let json = std::fs::read(path).map_err(|reason| CalibrationError::File {
            path: path.to_owned(),
            reason,
        })?;
        let read: Option<Self> = serde_json::from_slice(&json).ok();
        let read = read.filter(|read| read.format_version == FORMAT_VERSION);
        read.ok_or_else(|| CalibrationError::NoCalibration {
            path: path.to_owned(),
        })
    }
}

impl Open {
    pub(super) fn of(per_s: f64, run: &RunData) -> Self {
        Self {
            per_s,
            p50_ms: run.summary.headline.p50_ms,
            p99_ms: run.summary.headline.p99_ms,
            own_lag_p99_ms: quantile_ms(&run.stats.ok.own_lag, 0.99),
        }
    }
}

fn quantile_ms(of: &crate::tally::stats::LatencyStats, q: f64) -> Option<f64> {
    let quantile = of.at(q).filter(|quantile| quantile.enough)?;
    Some(quantile.value_ns as f64 / 1e6)
}

impl Closed {
    pub(super) fn of(clients: u32, run: &RunData) -> Self {
        Self {
            clients,
            per_s: run.stats.completed_rps.unwrap_or(0.0),
            p50_ms: run.summary.headline.p50_ms,
            p99_ms: run.summary.headline.p99_ms,
        }
    }
}

impl Default for Closed {
    fn default() -> Self {
        Self {
            clients: 0,
            per_s: 0.0,
            p50_ms: None,
            p99_ms: None,
        }
    }
}

impl Hook for Known {
    fn name(&self) -> &str {
        "calibration"
    }

    fn after_run(&self, _config: &RunConfig, _stats: &RunStats) -> Option<serde_json::Value> {
        let Calibration {
            started_at,
            open,
            closed,
            highest,
            ..
        } = &self.0;
        Some(serde_json::json!({
            "started_at": started_at,
            "floor": closed.first(),
            "open": open,
            "highest": highest,
        }))
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |value: Option<f64>| value.map_or("too few".to_owned(), |x| ms(x * 1e6));
        let mut table = Table::left(1);
        let head = ["", "req/s", "p50 ms", "p99 ms"];
        table.row(head.map(str::to_owned).to_vec());
        let mut row = |name: String, per_s: f64, p50, p99| {
            table.row(vec![name, rate(per_s), figure(p50), figure(p99)]);
        };
        let Open {
            per_s,
            p50_ms,
            p99_ms,
            own_lag_p99_ms,
        } = &self.open;
        row("open loop".to_owned(), *per_s, *p50_ms, *p99_ms);
        for closed in &self.closed {
            let clients = match closed.clients {
                1 => "1 client".to_owned(),
                n => format!("{n} clients"),
            };
            row(clients, closed.per_s, closed.p50_ms, closed.p99_ms);
        }
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "own send lag in the open loop, p99: {} ms",
            figure(*own_lag_p99_ms)
        )?;
        let (floor, highest) = (self.closed.first(), &self.highest);
        let floor = floor.and_then(|closed| closed.p50_ms);
        write!(
            f,
            "floor {} ms (p50 at one connection), highest rate {} requests/s at {} clients, of a {} build on {} processors",
            figure(floor),
            rate(highest.per_s),
            highest.clients,
            self.client.profile,
            self.host.cpus
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        let closed = |clients, per_s| Closed {
            clients,
            per_s,
            p50_ms: Some(0.05),
            p99_ms: None,
        };
        Calibration::new(
            "2026-11-25T12:00:00Z".parse().unwrap(),
            ClientBuild::current(),
            Host::detect(),
            (2, Duration::from_secs(1)),
            Open {
                per_s: 500.0,
                p50_ms: Some(0.2),
                p99_ms: Some(0.4),
                own_lag_p99_ms: Some(0.1),
            },
            vec![closed(1, 9_000.0), closed(2, 17_000.0), closed(4, 16_000.0)],
        )
    }

    #[test]
    fn the_highest_rate_is_the_highest_and_survives_the_file() {
        let made = calibration();
        assert_eq!(made.highest.clients, 2);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calibration.json");
        made.save(&path).unwrap();
        assert_eq!(Calibration::read(&path).unwrap(), made);
        std::fs::write(&path, "{}").unwrap();
        let error = Calibration::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("no calibration of format 1"), "{error}");
    }

    #[test]
    fn it_is_told_in_words() {
        let text = calibration().to_string();
        for part in [
            "open loop",
            "1 client ",
            "4 clients",
            "too few",
            "at 2 clients",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }
}
