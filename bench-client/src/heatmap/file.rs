//! `heatmap.json` and `heatmap.csv`: a row a cell.

use std::path::Path;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CellSpec, Settings};
use crate::report::atomic;
use crate::results::error::ResultsError;
use crate::results::summary::{Headline, RunData};
use crate::sweep::file::{put, reasons};
use crate::tally::statistic::{Reading, Statistic};

/// Goes up when a field changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;
/// The file's name.
pub const FILE: &str = "heatmap.json";
/// The same as a table.
pub const CSV: &str = "heatmap.csv";

/// The content of `heatmap.json`. It is there from the beginning and grows by a row a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeatmapFile {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Always `heatmap`.
    pub kind: String,
    /// UTC start as `%Y%m%d_%H%M%S`, and eight random hexadecimal digits.
    pub run_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// The server.
    pub base_url: String,
    /// When the first cell began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When the last one ended; none while it goes on, and if it was killed.
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// Whether a signal ended it before its last cell did.
    pub interrupted: bool,
    /// Why it ended early, if not by a signal.
    pub error: Option<String>,
    /// The name of the statistic in `value`.
    pub statistic: String,
    /// What it is measured in; empty for counts and shares.
    pub unit: String,
    /// Values of one axis, in the order given.
    pub points_per_fit: Vec<u32>,
    /// Values of the other.
    pub batch: Vec<u32>,
    /// The cells that were run, in that order.
    pub cells: Vec<CellRow>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellRow {
    /// Points in the body of a fit.
    pub points_per_fit: u32,
    /// Points in a request with columns or NDJSON.
    pub batch: u32,
    /// Its folder, beside this file, with all of its run.
    pub folder: String,
    /// The statistic; none if the run does not have it.
    pub value: Option<f64>,
    /// Whether it has none because it is a quantile of too few samples.
    pub too_few: bool,
    /// Whether a signal cut the run short.
    pub interrupted: bool,
    /// Why it may have measured the client rather than the server, a sentence each.
    pub not_valid: Vec<String>,
    /// Its headline figures.
    pub headline: Headline,
    /// Points scored a second.
    pub points_out_per_s: Option<f64>,
}

impl CellRow {
    pub(super) fn of(spec: &CellSpec, data: &RunData, statistic: &Statistic) -> Self {
        let reading = statistic.reading(&data.stats);
        Self {
            points_per_fit: spec.points_per_fit,
            batch: spec.batch,
            folder: spec.folder.clone(),
            value: match reading {
                Reading::Value(value) => Some(value),
                Reading::TooFew | Reading::None => None,
            },
            too_few: reading == Reading::TooFew,
            interrupted: data.summary.interrupted,
            not_valid: reasons(data),
            headline: Headline::of(&data.stats),
            points_out_per_s: data.stats.points_out_per_s,
        }
    }
}

impl HeatmapFile {
    pub(super) fn new(settings: &Settings, cells: &[CellSpec]) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            kind: "heatmap".to_owned(),
            run_id: settings.run_id.clone(),
            name: settings.name.clone(),
            command: settings.command.clone(),
            base_url: settings.base_url.clone(),
            started_at: Timestamp::now(),
            finished_at: None,
            interrupted: false,
            error: None,
            statistic: settings.statistic.to_string(),
            unit: settings.statistic.unit().to_string(),
            points_per_fit: distinct(cells.iter().map(|cell| cell.points_per_fit)),
            batch: distinct(cells.iter().map(|cell| cell.batch)),
            cells: Vec::with_capacity(cells.len()),
        }
    }

    /// The cell of a grid position, if it was run.
    #[must_use]
    pub fn cell(&self, points_per_fit: u32, batch: u32) -> Option<&CellRow> {
        let here = |row: &&CellRow| (row.points_per_fit, row.batch) == (points_per_fit, batch);
        self.cells.iter().find(here)
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), ResultsError> {
        put(dir, FILE, self)?;
        let path = dir.join(CSV);
        let table = self.table().map_err(std::io::Error::from);
        let written = table.and_then(|table| atomic::write(&path, &table));
        written.map_err(|source| ResultsError::Write { path, source })
    }

    fn table(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record([
            "points_per_fit",
            "batch",
            "statistic",
            "value",
            "unit",
            "requests",
            "error_rate",
            "interrupted",
            "folder",
        ])?;
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        for row in &self.cells {
            writer.write_record([
                &row.points_per_fit.to_string(),
                &row.batch.to_string(),
                &self.statistic,
                &number(row.value),
                &self.unit,
                &row.headline.requests.to_string(),
                &number(row.headline.error_rate),
                &row.interrupted.to_string(),
                &row.folder,
            ])?;
        }
        let table = writer.into_inner();
        table.map_err(|error| csv::Error::from(error.into_error()))
    }
}

/// Each value once, where it comes first.
fn distinct(values: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut kept = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}
