//! Series of one dataset, or of all, condensed.
//!
//! A mean leaves out the series that do not define the metric. Micro is the mean over all series,
//! macro the mean over the datasets' means, so that a collection with many series does not decide
//! alone. Rates of false alarms are pooled: all alarms over all normal points.

use std::collections::BTreeMap;

use detectors::eval::bootstrap::standard_error;
use detectors::eval::event_f1::EventMatch;
use detectors::eval::false_alarms::FalseAlarms;

use super::SeriesResult;
use super::metrics::{ALARM_RATES, SeriesMetrics};

/// Datasets whose pooled alarm rate is the one to look at, where they are in the index: continuous
/// series of enough normal points. The others are excerpts around an anomaly.
pub const POOLED: [&str; 3] = ["SYN0", "WSD", "NAB"];

/// Index in [`ALARM_RATES`] of the rate at which single series are judged.
const JUDGED: usize = 1;

/// The metrics that are means over series, in the order of the table.
pub const MEANS: [(&str, Metric); 4] = [
    ("VUS-PR", |metrics| metrics.vus_pr),
    ("AUC-PR", |metrics| metrics.auc_pr),
    ("event-F1", |metrics| metrics.event_f1),
    ("UCR", |metrics| metrics.ucr),
];

/// One number of a series, `None` where it does not define it.
pub type Metric = fn(&SeriesMetrics) -> Option<f64>;

/// A mean and its bootstrap standard error over the series.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mean {
    /// The mean; `None` where no series defines the metric.
    pub mean: Option<f64>,
    /// The error; `None` where it rests on one series.
    pub error: Option<f64>,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Dataset, or what is taken together.
    pub name: String,
    /// Number of series.
    pub series: usize,
    /// The [`MEANS`].
    pub means: [Mean; 4],
}

/// One line of the table of false alarms.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRow {
    /// Dataset, or what is taken together.
    pub name: String,
    /// Alarms on normal points, pooled, at each of [`ALARM_RATES`].
    pub pooled: [FalseAlarms; 3],
    /// Share of series whose own ratio at 1e-3 is within a factor of two.
    pub within_two: Option<f64>,
    /// Mean over the series of false alerts a day at the alarm rate asked for.
    pub alerts_a_day: Option<f64>,
    /// Event-F1 of all events and alerts together at the alarm rate asked for.
    pub event_f1: Option<f64>,
    /// Median delay of the events found at the alarm rate asked for, in points.
    pub median_delay: Option<f64>,
}

/// The series by dataset, in alphabetical order.
pub fn by_dataset(series: &[SeriesResult]) -> BTreeMap<&str, Vec<&SeriesMetrics>> {
    let mut datasets: BTreeMap<&str, Vec<&SeriesMetrics>> = BTreeMap::new();
    for one in series {
        datasets.entry(&one.dataset).or_default().push(&one.metrics);
    }
    datasets
}

/// A line a dataset, then micro and macro.
pub fn rows(series: &[SeriesResult]) -> Vec<Row> {
    let datasets = by_dataset(series);
    let mut rows: Vec<Row> = datasets
        .iter()
        .map(|(name, series)| row(name, series))
        .collect();
    let of_datasets = |column: usize| {
        let means = rows.iter().map(|row| row.means[column]);
        mean_of_means(means.filter(|mean| mean.mean.is_some()))
    };
    let macro_means = [0, 1, 2, 3].map(of_datasets);
    let all: Vec<&SeriesMetrics> = series.iter().map(|one| &one.metrics).collect();
    rows.push(row("micro", &all));
    rows.push(Row {
        name: "macro".to_owned(),
        series: series.len(),
        means: macro_means,
    });
    rows
}

/// A line a dataset, then [`POOLED`], then all.
pub fn alarm_rows(series: &[SeriesResult]) -> Vec<AlarmRow> {
    let datasets = by_dataset(series);
    let mut rows: Vec<AlarmRow> = datasets
        .iter()
        .map(|(name, series)| alarm_row(name, series))
        .collect();
    let together: Vec<&str> = POOLED
        .into_iter()
        .filter(|name| datasets.contains_key(name))
        .collect();
    if !together.is_empty() {
        let series: Vec<&SeriesMetrics> = together
            .iter()
            .flat_map(|name| datasets[name].iter().copied())
            .collect();
        rows.push(alarm_row(&together.join("+"), &series));
    }
    let all: Vec<&SeriesMetrics> = series.iter().map(|one| &one.metrics).collect();
    rows.push(alarm_row("all", &all));
    rows
}

fn row(name: &str, series: &[&SeriesMetrics]) -> Row {
    Row {
        name: name.to_owned(),
        series: series.len(),
        means: MEANS.map(|(_, metric)| {
            let values: Vec<f64> = series.iter().filter_map(|one| metric(one)).collect();
            Mean {
                mean: mean(&values),
                error: standard_error(&values),
            }
        }),
    }
}

fn alarm_row(name: &str, series: &[&SeriesMetrics]) -> AlarmRow {
    let counted: Vec<&[FalseAlarms; 3]> = series
        .iter()
        .filter_map(|one| one.false_alarms.as_ref())
        .collect();
    let within: Vec<f64> = counted
        .iter()
        .filter_map(|counts| counts[JUDGED].ratio(ALARM_RATES[JUDGED]))
        .map(|ratio| f64::from(u8::from((0.5..=2.0).contains(&ratio))))
        .collect();
    let alerts: Vec<f64> = series.iter().filter_map(|one| one.alerts_a_day).collect();
    let mut together = EventMatch {
        events: 0,
        false_alerts: 0,
        delays: Vec::new(),
    };
    for EventMatch {
        events,
        false_alerts,
        delays,
    } in series.iter().map(|one| &one.at_alarm_rate)
    {
        together.events += events;
        together.false_alerts += false_alerts;
        together.delays.extend(delays);
    }
    AlarmRow {
        name: name.to_owned(),
        pooled: [0, 1, 2].map(|rate| counted.iter().map(|counts| counts[rate]).sum()),
        within_two: mean(&within),
        alerts_a_day: mean(&alerts),
        event_f1: together.f1(),
        median_delay: median(together.delays),
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The datasets' errors are independent of each other: variances add.
fn mean_of_means(means: impl Iterator<Item = Mean>) -> Mean {
    let means: Vec<Mean> = means.collect();
    let values: Vec<f64> = means.iter().filter_map(|mean| mean.mean).collect();
    let errors: Option<Vec<f64>> = means.iter().map(|mean| mean.error).collect();
    Mean {
        mean: mean(&values),
        error: errors.filter(|errors| !errors.is_empty()).map(|errors| {
            let variance: f64 = errors.iter().map(|error| error * error).sum();
            variance.sqrt() / errors.len() as f64
        }),
    }
}

fn median(mut values: Vec<usize>) -> Option<f64> {
    values.sort_unstable();
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(dataset: &str, vus_pr: Option<f64>, alarms: u64) -> SeriesResult {
        let counted = FalseAlarms {
            points: 10_000,
            alarms,
            alerts: alarms,
        };
        SeriesResult {
            dataset: dataset.to_owned(),
            file: String::new(),
            rows: 0,
            refused: None,
            out_of_order: 0,
            unscored: 0,
            metrics: SeriesMetrics {
                vus_pr,
                auc_pr: None,
                event_f1: None,
                ucr: None,
                false_alarms: Some([counted; 3]),
                alerts_a_day: Some(1.0),
                at_alarm_rate: EventMatch {
                    events: 1,
                    false_alerts: 0,
                    delays: vec![alarms as usize],
                },
            },
            nab: None,
        }
    }

    #[test]
    fn micro_weighs_series_and_macro_datasets() {
        let all = [
            series("A", Some(1.0), 0),
            series("A", Some(1.0), 0),
            series("A", Some(1.0), 0),
            series("A", None, 0),
            series("B", Some(0.0), 0),
            series("B", Some(0.0), 0),
        ];
        let rows = rows(&all);
        let names: Vec<&str> = rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["A", "B", "micro", "macro"]);
        let vus = |row: usize| rows[row].means[0].mean;
        assert_eq!(
            (vus(0), vus(1), vus(2), vus(3)),
            (Some(1.0), Some(0.0), Some(0.6), Some(0.5))
        );
        assert!(rows[3].means[0].error.unwrap() < 1e-12);
        assert_eq!(rows[0].means[1], Mean::default(), "never defined");
    }

    #[test]
    fn alarms_are_pooled_and_single_series_judged() {
        let all = [
            series("WSD", None, 10),
            series("WSD", None, 30),
            series("B", None, 4),
        ];
        let rows = alarm_rows(&all);
        let names: Vec<&str> = rows.iter().map(|row| &*row.name).collect();
        assert_eq!(names, ["B", "WSD", "WSD", "all"]);
        assert_eq!(rows[1].pooled[JUDGED].ratio(1e-3), Some(2.0));
        assert_eq!(rows[1].within_two, Some(0.5));
        assert_eq!(
            (rows[3].pooled[0].points, rows[3].pooled[0].alarms),
            (30_000, 44)
        );
        assert_eq!(
            (rows[3].event_f1, rows[3].median_delay),
            (Some(1.0), Some(10.0))
        );
        assert_eq!(rows[1].median_delay, Some(20.0));
    }
}
