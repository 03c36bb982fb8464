//! `timeline.jsonl`: what the server used, and how it was, on the time axis of the run.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metrics::Gauges;
use super::process::ProcessUse;
use crate::results::folder::TIMELINE;

/// A line of `timeline.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerSample {
    /// When it was taken, since the run's start.
    pub at_ns: u64,
    /// How long that took; the metrics are of a moment within.
    pub took_ns: u64,
    /// What `/proc` says of the process, where it is known which it is and it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessUse>,
    /// What its metrics say, where they are read and there was a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Gauges>,
}

/// A value at a moment of the run.
pub type Point = (u64, f64);

/// Appends samples to the folder of a run.
pub(super) struct Writer(File);

impl Writer {
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .create_new(true)
            .open(dir.join(TIMELINE))?;
        Ok(Self(file))
    }

    /// A line at once, so that it survives the end of this process.
    pub(super) fn append(&mut self, sample: &ServerSample) -> io::Result<()> {
        let mut line = serde_json::to_vec(sample)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

/// The samples of a folder, none where the server was not watched. What follows a line that cannot be read, such as
/// one that was cut, is left out.
#[must_use]
pub fn read(dir: &Path) -> Vec<ServerSample> {
    let Ok(file) = File::open(dir.join(TIMELINE)) else {
        return Vec::new();
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    lines
        .map_while(|line| serde_json::from_str(&line).ok())
        .collect()
}

impl ServerSample {
    /// Resident memory, by `/proc` or else by the metrics.
    #[must_use]
    pub fn rss_bytes(&self) -> Option<f64> {
        let of_process = self.process.map(|process| process.rss_bytes as f64);
        of_process.or_else(|| self.metrics?.rss_bytes)
    }

    /// Open file descriptors, likewise.
    #[must_use]
    pub fn fds(&self) -> Option<f64> {
        let of_process = self.process.and_then(|process| process.fds);
        of_process
            .map(|fds| fds as f64)
            .or_else(|| self.metrics?.fds)
    }

    /// Processor time in seconds with the process that it is of, likewise.
    fn cpu_s(&self) -> Option<(Option<u32>, f64)> {
        match self.process {
            Some(process) => Some((Some(process.pid), process.cpu_ns as f64 / 1e9)),
            None => Some((None, self.metrics?.cpu_s?)),
        }
    }
}

/// What a counter went up by a second between samples, at the later one. What goes down was started anew.
fn rates<'a, K: PartialEq + 'a>(
    samples: &'a [ServerSample],
    counter: impl Fn(&ServerSample) -> Option<(K, f64)> + 'a,
) -> impl Iterator<Item = Point> + 'a {
    let mut before: Option<(u64, K, f64)> = None;
    samples.iter().filter_map(move |sample| {
        let (of, n) = counter(sample)?;
        let rate = before.as_ref().and_then(|(at_ns, whose, m)| {
            let time_ns = sample.at_ns.checked_sub(*at_ns).filter(|ns| *ns > 0)?;
            (*whose == of && n >= *m).then(|| (sample.at_ns, (n - m) / (time_ns as f64 / 1e9)))
        });
        before = Some((sample.at_ns, of, n));
        rate
    })
}

/// Processors that the server used between samples.
pub fn processors(samples: &[ServerSample]) -> impl Iterator<Item = Point> + '_ {
    rates(samples, ServerSample::cpu_s)
}

/// Requests that it refused a second between samples.
pub fn refusals(samples: &[ServerSample]) -> impl Iterator<Item = Point> + '_ {
    rates(samples, |sample| Some(((), sample.metrics?.refusals?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: u64, pid: u32, cpu_ms: u64, refusals: Option<f64>) -> ServerSample {
        ServerSample {
            at_ns: at_ms * 1_000_000,
            took_ns: 1,
            process: Some(ProcessUse {
                pid,
                cpu_ns: cpu_ms * 1_000_000,
                rss_bytes: 5,
                fds: None,
                threads: 1,
            }),
            metrics: refusals.map(|refusals| Gauges {
                refusals: Some(refusals),
                fds: Some(9.0),
                ..Gauges::default()
            }),
        }
    }

    #[test]
    fn rates_are_between_samples_of_one_process() {
        let samples = [
            sample(0, 7, 100, Some(0.0)),
            sample(500, 7, 600, None),
            sample(1_000, 8, 10, Some(30.0)),
            sample(1_250, 8, 135, Some(5.0)),
        ];
        let cpu: Vec<_> = processors(&samples).collect();
        assert_eq!(cpu, [(500_000_000, 1.0), (1_250_000_000, 0.5)]);
        assert_eq!(
            refusals(&samples).collect::<Vec<_>>(),
            [(1_000_000_000, 30.0)]
        );
        assert_eq!(
            (samples[0].rss_bytes(), samples[0].fds()),
            (Some(5.0), Some(9.0))
        );
    }

    #[test]
    fn a_cut_line_ends_the_timeline() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(dir.path()).unwrap();
        let samples = [sample(0, 7, 100, Some(0.0)), sample(250, 7, 200, None)];
        samples
            .iter()
            .for_each(|sample| writer.append(sample).unwrap());
        writer.0.write_all(b"{\"at_ns\":5000").unwrap();
        assert_eq!(read(dir.path()), samples);
        assert!(
            Writer::create(dir.path()).is_err(),
            "never over another one"
        );
        assert_eq!(read(Path::new("/nowhere")), []);
    }
}
