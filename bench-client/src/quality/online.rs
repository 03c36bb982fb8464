//! The model that learns from every row it scores.

use detectors::online::Online;
use detectors::{CheckedParams, Params, Seasons, Series};

use super::data::LabelledSeries;
use super::scorer::{Scored, in_order};

/// Its name.
pub const MODEL: &str = "tail_views";

/// The rows before `train_len` tell the seasons; then every row is scored and learnt, from the first
/// on. A row that is not later than those before is scored and not learnt.
pub fn score(params: &CheckedParams, series: &LabelledSeries, train_len: usize) -> Scored {
    let (timestamps, values) =
        in_order(&series.timestamps[..train_len], &series.values[..train_len]);
    let mut scored = Scored::with_capacity(series.len());
    scored.out_of_order = train_len - values.len();
    // Nothing can be told of a constant prefix, and nothing has to be.
    let periods = Series::new(&timestamps, &values)
        .ok()
        .and_then(|prefix| params.fit(&prefix).ok())
        .map_or_else(Vec::new, |fitted| fitted.summary().periods);
    let start = Params {
        alarm_rate: Some(params.alarm_rate()),
        seasons: Some(Seasons::Periods(periods)),
        ..Params::default()
    };
    let start = match start.check() {
        Ok(start) => start,
        Err(error) => return Scored::refused(series.len(), error.to_string()),
    };
    let first = series.timestamps.first().copied().unwrap_or(0);
    let mut online = Online::new(&start, first);
    for (timestamp, value) in series.timestamps.iter().zip(&series.values) {
        let score = online.observe(*timestamp, *value).score;
        scored.push(score.anomaly_score, score.p_value);
    }
    scored
}
