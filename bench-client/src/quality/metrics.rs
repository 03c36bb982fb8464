//! The metrics of one series.

use std::ops::Range;

use detectors::eval::average_precision::average_precision;
use detectors::eval::event_f1::{EventMatch, best_event_f1};
use detectors::eval::false_alarms::{FalseAlarms, TOO_FEW_POINTS, normal_points};
use detectors::eval::period::period_acf;
use detectors::eval::ucr::finds_the_event;
use detectors::eval::vus_pr::vus_pr;
use detectors::eval::{EvalError, LabelledScores};

use super::data::LabelledSeries;
use super::index::IndexEntry;
use super::scorer::Scored;

/// Rates at which observed and requested alarms are compared.
pub const ALARM_RATES: [f64; 3] = [1e-2, 1e-3, 1e-4];

/// What is the same for every scorer: labels, split and window of one series.
#[derive(Debug)]
pub struct Truth<'a> {
    labels: &'a [bool],
    train_len: usize,
    step_s: f64,
    alarm_rate: f64,
    /// Rows VUS-PR is taken over, and its window.
    slice: Range<usize>,
    window: u16,
    normal: Vec<bool>,
}

/// The metrics of one series; `None` where it does not define one.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesMetrics {
    /// VUS-PR over the whole series, or over the rows the index names for it.
    pub vus_pr: Option<f64>,
    /// Average precision after `train_len`.
    pub auc_pr: Option<f64>,
    /// Best event-F1 after `train_len`.
    pub event_f1: Option<f64>,
    /// 1 where the highest score after `train_len` is at the one event there, else 0.
    pub ucr: Option<f64>,
    /// Alarms on normal points, at each of [`ALARM_RATES`].
    pub false_alarms: Option<[FalseAlarms; 3]>,
    /// False alerts a day at the alarm rate asked for.
    pub alerts_a_day: Option<f64>,
    /// Events and alerts after `train_len` at the alarm rate asked for.
    pub at_alarm_rate: EventMatch,
}

impl<'a> Truth<'a> {
    /// `entry` must have been checked against the series.
    pub fn new(series: &'a LabelledSeries, entry: &IndexEntry, alarm_rate: f64) -> Self {
        let slice = entry.slice.clone().unwrap_or(0..series.len());
        Self {
            labels: &series.labels,
            train_len: entry.train_len,
            step_s: entry.step_s,
            alarm_rate,
            window: period_acf(&series.values[slice.clone()]),
            slice,
            normal: normal_points(&series.labels, entry.train_len),
        }
    }

    /// Compares scores with the truth.
    ///
    /// # Errors
    /// Scores that are not finite, or p-values that are no probabilities.
    pub fn measure(&self, scored: &Scored) -> Result<SeriesMetrics, EvalError> {
        let all = LabelledScores::new(self.labels, &scored.anomaly_scores)?;
        let after = all.from(self.train_len);
        let count = |rate| FalseAlarms::count(&self.normal, &scored.p_values, rate);
        let [hundredth, thousandth, ten_thousandth] = ALARM_RATES;
        let counts = [
            count(hundredth)?,
            count(thousandth)?,
            count(ten_thousandth)?,
        ];
        let is_enough = counts[0].points > TOO_FEW_POINTS as u64;
        let at_alarm_rate = count(self.alarm_rate)?;
        let alarms: Vec<bool> = scored.p_values[self.train_len..]
            .iter()
            .map(|&p_value| p_value <= self.alarm_rate)
            .collect();
        Ok(SeriesMetrics {
            vus_pr: vus_pr(all.part(self.slice.clone()), self.window),
            auc_pr: average_precision(after),
            event_f1: best_event_f1(after).map(|best| best.f1),
            ucr: finds_the_event(after).map(|found| f64::from(u8::from(found))),
            false_alarms: is_enough.then_some(counts),
            alerts_a_day: at_alarm_rate
                .alerts_a_day(self.step_s)
                .filter(|_| is_enough),
            at_alarm_rate: EventMatch::new(after.labels(), &alarms)?,
        })
    }
}
