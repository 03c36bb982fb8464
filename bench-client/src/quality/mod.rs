//! `tidemark-bench quality`: accuracy of the detectors on labelled series, in process or through a
//! running service ([`via`]).
//!
//! [`index`] lists the series, [`data`] reads one, [`scorer`] fits on its first rows and scores all of
//! them, [`metrics`] condenses scores and labels, [`summary`] the series of a dataset, [`table`]
//! prints; [`results`] keeps the scores for other scorers to read. The metrics themselves are those
//! of [`detectors::eval`]. Beside the models there are always three [`baselines`], because a number
//! says little without what chance and one line of code would get.

pub mod alerts;
pub mod baselines;
mod columns;
pub mod data;
pub mod error;
pub mod index;
pub mod metrics;
pub mod mode;
pub mod nab_windows;
pub mod online;
pub mod peers;
pub mod results;
pub mod scorer;
pub mod summary;
pub mod table;
pub mod via;
pub mod via_http;
pub mod whole;

use std::path::PathBuf;

use detectors::eval::nab::NabSeries;
use rayon::prelude::*;

use self::error::QualityError;
use self::index::IndexEntry;
use self::metrics::SeriesMetrics;
use self::mode::Mode;
use self::nab_windows::NabWindows;
use self::scorer::{Scored, Scorer};
use self::via::Via;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder that the index's paths start from.
    pub data: PathBuf,
    /// The list of series.
    pub index: PathBuf,
    /// What a detector sees of a series.
    pub mode: Mode,
    /// Where the detectors run.
    pub via: Via,
    /// Names of the models or detectors, each a block of its own.
    pub models: Vec<String>,
    /// Alarm rate asked of the models.
    pub alarm_rate: f64,
    /// Datasets to take; empty for all.
    pub datasets: Vec<String>,
    /// Where to keep the scores, if anywhere.
    pub out: Option<PathBuf>,
    /// The labelled windows of the NAB score, if it is wanted.
    pub nab_windows: Option<PathBuf>,
    /// Published figures of other methods, if they are to stand beside ours.
    pub peers: Option<PathBuf>,
}

/// What one scorer got on every series.
#[derive(Debug)]
pub struct ScorerResult {
    /// Name of the model or of the baseline.
    pub name: String,
    /// One a series, in the order of the index.
    pub series: Vec<SeriesResult>,
}

/// What one scorer got on one series.
#[derive(Debug)]
pub struct SeriesResult {
    /// Dataset the series belongs to.
    pub dataset: String,
    /// Path of the series in the index.
    pub file: String,
    /// Rows of the series.
    pub rows: usize,
    /// Why the fit was refused, where it was; all scores are then 0 and all p-values 1.
    pub refused: Option<String>,
    /// Rows left out of the fit because they are not later than the row before.
    pub out_of_order: usize,
    /// Rows of the fit that could not be scored; their scores are 0 and their p-values 1.
    pub unscored: usize,
    /// The metrics.
    pub metrics: SeriesMetrics,
    /// The series as the NAB score sees it, where it has windows.
    pub nab: Option<NabScores>,
}

/// A series as the NAB score sees it.
#[derive(Debug, Clone)]
pub struct NabScores {
    /// Every score counts.
    pub every: NabSeries,
    /// One alert an event counts.
    pub alerts: NabSeries,
}

/// Scores every series with every model and baseline.
///
/// # Errors
/// The first file, in the order of the index, that cannot be read or written or that contradicts the
/// index; a model that does not exist; a dataset that is not in the index; a service that fails.
pub fn run(settings: &Settings) -> Result<Vec<ScorerResult>, QualityError> {
    let scorers = scorer::all(settings)?;
    let entries = index::read(&settings.index, &settings.datasets)?;
    let windows = settings.nab_windows.as_deref().map(nab_windows::read);
    let windows = windows.transpose()?;
    let done: Vec<Result<Vec<SeriesResult>, QualityError>> = entries
        .par_iter()
        .map(|entry| measure(settings, &scorers, entry, windows.as_ref()))
        .collect();
    let mut results: Vec<ScorerResult> = scorers
        .iter()
        .map(|scorer| ScorerResult {
            name: scorer.name().to_owned(),
            series: Vec::with_capacity(entries.len()),
        })
        .collect();
    for series in done {
        for (result, one) in results.iter_mut().zip(series?) {
            result.series.push(one);
        }
    }
    if let Some(out) = &settings.out {
        for model in &results[..settings.models.len()] {
            let folder = results::folder(out, &model.name, settings.models.len());
            results::write_metrics(&folder, &model.series)?;
        }
    }
    Ok(results)
}

/// One series with every scorer.
fn measure(
    settings: &Settings,
    scorers: &[Scorer],
    entry: &IndexEntry,
    windows: Option<&NabWindows>,
) -> Result<Vec<SeriesResult>, QualityError> {
    let path = settings.data.join(&entry.file);
    let series = data::read(&path)?;
    entry.check(&settings.index, series.len())?;
    let truth = metrics::Truth::new(&series, entry, settings.alarm_rate);
    let windows = windows.and_then(|windows| windows.of(&entry.series));
    scorers
        .iter()
        .map(|scorer| {
            let scored = scorer.score(&series, entry)?;
            let unusable = |source| QualityError::Unusable {
                path: path.clone(),
                scorer: scorer.name().to_owned(),
                source,
            };
            let metrics = truth.measure(&scored).map_err(unusable)?;
            let nab = windows
                .map(|windows| nab_scores(&series, &scored, windows))
                .transpose()
                .map_err(unusable)?;
            if let Some(out) = settings.out.as_deref().filter(|_| scorer.is_ours()) {
                let folder = results::folder(out, scorer.name(), settings.models.len());
                results::write(&folder, &entry.file, &series, &scored)?;
                if windows.is_some() {
                    let folder = results::alerts_folder(&folder);
                    let alerts = alerts::one_an_event(&scored);
                    results::write(&folder, &entry.file, &series, &alerts)?;
                }
            }
            Ok(SeriesResult {
                dataset: entry.dataset.clone(),
                file: entry.file.clone(),
                rows: series.len(),
                refused: scored.refused,
                out_of_order: scored.out_of_order,
                unscored: scored.unscored,
                metrics,
                nab,
            })
        })
        .collect()
}

fn nab_scores(
    series: &data::LabelledSeries,
    scored: &Scored,
    windows: &[(i64, i64)],
) -> Result<NabScores, detectors::eval::EvalError> {
    let rows = detectors::eval::nab::window_rows(&series.timestamps, windows)?;
    let alerts = alerts::one_an_event(scored);
    Ok(NabScores {
        every: NabSeries::new(&scored.anomaly_scores, &rows)?,
        alerts: NabSeries::new(&alerts.anomaly_scores, &rows)?,
    })
}
