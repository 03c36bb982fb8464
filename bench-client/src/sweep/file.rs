//! `sweep.json`: a row a level, and the knee.

use std::path::Path;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::knee::{self, NoKnee};
use super::level::{LEAST_REQUESTS, Level, LevelSpec};
use crate::report::atomic;
use crate::results::config::Bound;
use crate::results::error::ResultsError;
use crate::results::summary::{Headline, RunData};

/// Goes up when a field changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;
/// The file's name.
pub const FILE: &str = "sweep.json";

/// The content of `sweep.json`. It is there from the beginning and grows by a row a level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepFile {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Always `sweep`.
    pub kind: String,
    /// UTC start as `%Y%m%d_%H%M%S`, and eight random hexadecimal digits.
    pub run_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// The server.
    pub base_url: String,
    /// When the first level began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When the last one ended; none while it goes on, and if it was killed.
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// Whether a signal ended it before its last level did.
    pub interrupted: bool,
    /// Why it ended early, if not by a signal.
    pub error: Option<String>,
    /// Levels asked for.
    pub planned: Vec<Level>,
    /// Those that were run, in that order.
    pub levels: Vec<LevelRow>,
    /// The knee, by the levels that were finished.
    pub knee: Option<Knee>,
    /// Why there is none.
    pub no_knee: Option<NoKnee>,
}

/// One level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelRow {
    /// How much load it is.
    #[serde(flatten)]
    pub level: Level,
    /// Its folder, beside this file, with all of its run.
    pub folder: String,
    /// What ended it.
    pub bound: Bound,
    /// The bound that was asked for, where that was raised for the sake of ten requests.
    pub raised_from: Option<Bound>,
    /// Whether a signal cut it short. Such a level does not count for the knee.
    pub interrupted: bool,
    /// Whether it has fewer than ten requests nonetheless. Neither does that.
    pub too_few: bool,
    /// Why it may have measured the client rather than the server, a sentence each. It counts for the
    /// knee, which then may be the client's.
    pub not_valid: Vec<String>,
    /// Its headline figures.
    pub headline: Headline,
    /// 2xx replies in time.
    pub good: u64,
    /// Mean latency of 2xx replies.
    pub mean_ms: Option<f64>,
    /// Points scored a second.
    pub points_out_per_s: Option<f64>,
    /// Sends more than a millisecond late: the client may have been the bottleneck.
    pub late_sends: u64,
    /// Goodput by mean latency and share of good replies ([`knee`]).
    pub power: f64,
}

/// The level beyond which more load buys more waiting rather than more work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Knee {
    /// The level.
    #[serde(flatten)]
    pub level: Level,
    /// Its folder.
    pub folder: String,
    /// How it was found.
    pub method: String,
}

const METHOD: &str =
    "greatest power: goodput × share of good replies / mean latency (Kleinrock 1979)";

impl LevelRow {
    pub(super) fn of(spec: &LevelSpec, data: &RunData) -> Self {
        let (stats, headline) = (&data.stats, Headline::of(&data.stats));
        let mut row = Self {
            level: spec.level,
            folder: spec.folder.clone(),
            bound: spec.load.bound,
            raised_from: spec.raised_from,
            interrupted: data.summary.interrupted,
            too_few: stats.requests < LEAST_REQUESTS,
            not_valid: reasons(data),
            headline,
            good: stats.good,
            mean_ms: stats.ok.last.mean_ns.map(|ns| ns / 1e6),
            points_out_per_s: stats.points_out_per_s,
            late_sends: stats.late_sends,
            power: 0.0,
        };
        row.power = row.point().power();
        row
    }

    fn point(&self) -> knee::Point {
        let share = self.good as f64 / self.headline.requests.max(1) as f64;
        knee::Point {
            load: self.level.load(),
            goodput_rps: self.headline.goodput_rps.unwrap_or_default(),
            good_share: share,
            mean_latency_s: self.mean_ms.map(|ms| ms / 1e3),
        }
    }
}

impl SweepFile {
    pub(super) fn find_knee(&mut self) {
        let whole = |row: &&LevelRow| !row.interrupted && !row.too_few;
        let rows: Vec<&LevelRow> = self.levels.iter().filter(whole).collect();
        let points: Vec<knee::Point> = rows.iter().map(|row| row.point()).collect();
        (self.knee, self.no_knee) = match knee::find(&points) {
            Ok(at) => {
                let knee = Knee {
                    level: rows[at].level,
                    folder: rows[at].folder.clone(),
                    method: METHOD.to_owned(),
                };
                (Some(knee), None)
            }
            Err(none) => (None, Some(none)),
        };
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), ResultsError> {
        put(dir, FILE, self)
    }
}

/// What speaks against a run.
pub(crate) fn reasons(data: &RunData) -> Vec<String> {
    let validity = data.summary.validity.as_ref();
    validity.map_or(Vec::new(), |validity| validity.reasons.clone())
}

/// Writes a file of a folder whole, in a form that people read too.
pub(crate) fn put(dir: &Path, name: &str, content: &impl Serialize) -> Result<(), ResultsError> {
    let path = dir.join(name);
    let text = serde_json::to_vec_pretty(content).map_err(std::io::Error::from);
    let written = text.and_then(|mut text| {
        text.push(b'\n');
        atomic::write(&path, &text)
    });
    written.map_err(|source| ResultsError::Write { path, source })
}

/// Makes a folder that has no `name` yet.
pub(crate) fn claim(dir: &Path, name: &'static str) -> Result<(), ResultsError> {
    if dir.join(name).exists() {
        return Err(ResultsError::Taken {
            dir: dir.to_owned(),
            file: name,
        });
    }
    std::fs::create_dir_all(dir).map_err(|source| ResultsError::Write {
        path: dir.to_owned(),
        source,
    })
}

/// Takes back what [`claim`] and a first [`put`] made, leaving whatever else is in the folder.
pub(crate) fn unclaim(dir: &Path, names: &[&str]) {
    for name in names {
        let _ = std::fs::remove_file(dir.join(name));
    }
    // Fails if there is something else in it.
    let _ = std::fs::remove_dir(dir);
}
