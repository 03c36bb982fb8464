//! The page of `/plot`: one file with data, script and style in it, readable offline.

use maud::{DOCTYPE, PreEscaped, html};
use serde::Serialize;

use crate::registry::ServedModel;
use crate::store::training::TrainingPoints;

const UPLOT_JS: &str = include_str!("../../assets/uplot/uPlot.iife.min.js");
const UPLOT_CSS: &str = include_str!("../../assets/uplot/uPlot.min.css");
const PAGE_JS: &str = include_str!("../../assets/plot.js");
const PAGE_CSS: &str = include_str!("../../assets/plot.css");

/// A longer history is drawn by the lowest and the highest point of each of this many stretches:
/// twice the pixels of a wide screen, and every extreme is still there.
const STRETCHES: usize = 4_000;

/// Points drawn of a model that judges windows.
const WINDOWED_MAX: usize = 8_000;

/// What the script draws; columns of equal length.
#[derive(Serialize)]
struct Chart {
    timestamps: Vec<i64>,
    /// The script tells times in seconds.
    ticks_per_second: i64,
    values: Vec<f64>,
    /// No entry where the model does not judge: before its first whole window.
    expected: Vec<Option<f64>>,
    /// No entry there, and where the model has no such bound.
    lower: Vec<Option<f64>>,
    upper: Vec<Option<f64>>,
    anomaly: Vec<bool>,
}

/// Renders the page of one version of `series`.
pub(super) fn render(
    series: &str,
    model: &ServedModel,
    points: &TrainingPoints,
    nonce: &str,
) -> String {
    // A window model takes its time for each point; the latest ones show what it does.
    let shown = if model.fitted.is_windowed() {
        WINDOWED_MAX
    } else {
        usize::MAX
    };
    let from = points.values.len().saturating_sub(shown);
    let drawn = extremes(&points.values[from..], STRETCHES);
    let (chart, n_anomalies) = chart(model, points, from, &drawn);
    let summary = model.fitted.summary();
    let n_points = points.values.len() - from;
    // `<` cannot end the script element early: series ids and numbers have none, and this holds
    // for whatever is added later.
    let data = serde_json::to_string(&chart)
        .expect("numbers serialise")
        .replace('<', "\\u003c");
    let title = format!("{series} · version {}", model.version);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Tidemark" }
                style { (PreEscaped(UPLOT_CSS)) (PreEscaped(PAGE_CSS)) }
            }
            body {
                header {
                    h1 { (series) }
                    p.facts {
                        span { "version " b { (model.version) } }
                        span { "model " b { (summary.model) } }
                        span { "alarm rate " b { (three_digits(summary.alarm_rate)) } }
                        span { "direction " b { (summary.direction.as_str()) } }
                        span { b { (n_points) } " training points, " b { (n_anomalies) } " outside the band" }
                    }
                }
                main {
                    div #chart role="img" aria-label=(format!("Training points of {title} with the expected band")) {}
                    p.hint { "Drag to zoom in, double-click to zoom out, arrow keys pan, + and − zoom. Times are UTC." }
                    @if drawn.len() < n_points {
                        p.hint { "Drawn: the lowest and highest point of each of " (STRETCHES) " stretches." }
                    }
                    noscript { p { "The chart needs JavaScript; it loads nothing from any address." } }
                    details {
                        summary { "The model" }
                        table {
                            tr { th { "p-values from" } td { (summary.calibration.method) } }
                            tr { th { "calibration points" } td { (summary.calibration.n) } }
                            @if let Some(reason) = &summary.chosen_because { tr { th { "why this model" } td { (reason) } } }
                            @for warning in &summary.warnings { tr { th { (warning.code) } td { (warning.detail) } } }
                        }
                    }
                }
                script type="application/json" id="data" nonce=(nonce) { (PreEscaped(data)) }
                script nonce=(nonce) { (PreEscaped(UPLOT_JS)) }
                script nonce=(nonce) { (PreEscaped(PAGE_JS)) }
            }
        }
    }
    .into_string()
}

/// `0.0013498980316300946` is of no use in a headline, `0.00135` is.
fn three_digits(number: f64) -> String {
    let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
    rounded.to_string()
}

/// The columns at the drawn indices, counted from `from`, and the number of anomalies among all
/// points from there on.
fn chart(
    model: &ServedModel,
    points: &TrainingPoints,
    from: usize,
    drawn: &[usize],
) -> (Chart, usize) {
    let TrainingPoints { timestamps, values } = points;
    let bound = |bound: f64| (bound.abs() < f64::MAX).then_some(bound);
    let mut chart = Chart {
        timestamps: drawn.iter().map(|&i| timestamps[from + i]).collect(),
        values: drawn.iter().map(|&i| values[from + i]).collect(),
        expected: Vec::with_capacity(drawn.len()),
        lower: Vec::with_capacity(drawn.len()),
        upper: Vec::with_capacity(drawn.len()),
        anomaly: Vec::with_capacity(drawn.len()),
        ticks_per_second: model.fitted.time_unit().ticks_per_second(),
    };
    let (mut index, mut n_anomalies) = (0, 0);
    model
        .fitted
        .score_history(timestamps, values, from, |score| {
            let anomaly = score.is_some_and(|score| score.anomaly);
            n_anomalies += usize::from(anomaly);
            if drawn.get(chart.expected.len()) == Some(&index) {
                chart.expected.push(score.map(|score| score.expected));
                chart.lower.push(score.and_then(|score| bound(score.lower)));
                chart.upper.push(score.and_then(|score| bound(score.upper)));
                chart.anomaly.push(anomaly);
            }
            index += 1;
        });
    (chart, n_anomalies)
}

/// The indices of the lowest and the highest value of each of `stretches` stretches, in order;
/// every index when there are no more than that.
fn extremes(values: &[f64], stretches: usize) -> Vec<usize> {
    if values.len() <= 2 * stretches {
        return (0..values.len()).collect();
    }
    let mut chosen = Vec::with_capacity(2 * stretches);
    for stretch in 0..stretches {
        let (from, to) = (
            stretch * values.len() / stretches,
            (stretch + 1) * values.len() / stretches,
        );
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let lowest = (from..to)
            .min_by(by_value)
            .expect("a stretch has at least two points");
        let highest = (from..to)
            .max_by(by_value)
            .expect("a stretch has at least two points");
        chosen.push(lowest.min(highest));
        if lowest != highest {
            chosen.push(lowest.max(highest));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::extremes;

    #[test]
    fn every_extreme_of_a_long_history_is_drawn_once_and_in_order() {
        let mut values: Vec<f64> = (0..100_003).map(|i| f64::from(i % 7)).collect();
        values[50_001] = 1e6;
        values[99_999] = -1e6;
        let drawn = extremes(&values, 1_000);
        assert!(drawn.len() <= 2_000 && drawn.is_sorted_by(|a, b| a < b));
        assert!(drawn.contains(&50_001) && drawn.contains(&99_999));
    }

    #[test]
    fn a_short_history_is_drawn_whole() {
        assert_eq!(extremes(&[1.0, 2.0, 3.0], 2), [0, 1, 2]);
    }
}
