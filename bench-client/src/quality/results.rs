//! What a run keeps: the scores for other scorers to read, `timestamp,value,anomaly_score,p_value`, a
//! file a series under the path it has in the data folder, without `.gz`; and `metrics.csv` with the
//! metrics of every series, empty where a series does not define one. Series with NAB windows are kept
//! once more in a folder beside, with the scores of one alert an event and 0 for all other rows.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::SeriesResult;
use super::data::LabelledSeries;
use super::error::QualityError;
use super::metrics::ALARM_RATES;
use super::scorer::Scored;
use crate::report::atomic;

/// Where a model's files go: the folder itself, or one a model where there are several.
pub fn folder(out: &Path, model: &str, models: usize) -> PathBuf {
    if models > 1 {
        out.join(model)
    } else {
        out.to_owned()
    }
}

/// Where the scores with one alert an event go: beside the scores themselves.
pub fn alerts_folder(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push("-alerts");
    folder.with_file_name(name)
}

/// Writes one series in one step; numbers are the shortest that read back as the same bits.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write(
    folder: &Path,
    file: &str,
    series: &LabelledSeries,
    scored: &Scored,
) -> Result<(), QualityError> {
    let path = folder.join(file.strip_suffix(".gz").unwrap_or(file));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(QualityError::write(parent))?;
    }
    let mut text = b"timestamp,value,anomaly_score,p_value\n".to_vec();
    let rows = series.timestamps.iter().zip(&series.values);
    let scores = scored.anomaly_scores.iter().zip(&scored.p_values);
    for ((timestamp, value), (anomaly_score, p_value)) in rows.zip(scores) {
        // `{:?}` of a float is its shortest form, with an exponent where that is shorter.
        writeln!(text, "{timestamp},{value:?},{anomaly_score:?},{p_value:?}")
            .map_err(QualityError::write(&path))?;
    }
    atomic::write(&path, &text).map_err(QualityError::write(&path))
}

/// Writes the metrics of every series in one step.
///
/// # Errors
/// A folder or file that cannot be written.
pub fn write_metrics(folder: &Path, series: &[SeriesResult]) -> Result<(), QualityError> {
    let path = folder.join("metrics.csv");
    std::fs::create_dir_all(folder).map_err(QualityError::write(folder))?;
    let text = render_metrics(series).map_err(QualityError::write(&path))?;
    atomic::write(&path, &text).map_err(QualityError::write(&path))
}

const COLUMNS: [&str; 12] = [
    "file",
    "dataset",
    "rows",
    "vus_pr",
    "auc_pr",
    "event_f1",
    "ucr",
    "normal_points",
    "ratio_1e-2",
    "ratio_1e-3",
    "ratio_1e-4",
    "alerts_a_day",
];

fn render_metrics(series: &[SeriesResult]) -> std::io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |v| format!("{v:?}"));
    for one in series {
        let metrics = &one.metrics;
        let counts = metrics.false_alarms;
        let ratio = |i: usize| number(counts.and_then(|counts| counts[i].ratio(ALARM_RATES[i])));
        writer.write_record([
            one.file.clone(),
            one.dataset.clone(),
            one.rows.to_string(),
            number(metrics.vus_pr),
            number(metrics.auc_pr),
            number(metrics.event_f1),
            number(metrics.ucr),
            counts.map_or_else(String::new, |counts| counts[0].points.to_string()),
            ratio(0),
            ratio(1),
            ratio(2),
            number(metrics.alerts_a_day),
        ])?;
    }
    writer.into_inner().map_err(csv::IntoInnerError::into_error)
}
