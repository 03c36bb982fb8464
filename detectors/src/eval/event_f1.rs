//! `F1 = 2·H / (H + F + E)`: E labelled events, H of them found, F false alerts.
//!
//! An event is found if an alarm lies within it or at most [`LATE`] points after its end. Alarms at
//! neighbouring points are one alert; an alert is false if no event lies within it or in the [`LATE`]
//! points before it. So an event counts once, however long it is, and an alert late enough to be
//! useless is an error twice: a miss and a false alert. This is the evaluation of the AIOPS challenge
//! (Ren et al., *Time-series anomaly detection service at Microsoft*, KDD 2019: delay of at most 7
//! points) on events instead of points.
//!
//! The best F1 is sought over 40 thresholds: the quantiles of the score at alarm rates from 5e-5 to
//! 0.1 in equal ratios. Thresholds that flag more than 30 % of the points are left out; they appear
//! where scores are tied, and an alert over the whole series finds every event.

use super::events::{Counts, Run, runs};
use super::{EvalError, LabelledScores, same_length};

/// Points by which an alarm may come after the end of an event.
pub const LATE: usize = 7;

const THRESHOLDS: usize = 40;
const RATES: (f64, f64) = (5e-5, 0.1);
const MOST_FLAGGED: f64 = 0.3;

/// Events against alerts at one threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMatch {
    /// Labelled events.
    pub events: usize,
    /// Alerts that belong to no event.
    pub false_alerts: usize,
    /// Points from the start of each event found to its first alarm; as long as events were found.
    pub delays: Vec<usize>,
}

/// The best event-F1 over thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestEventF1 {
    /// The F1, in `[0, 1]`.
    pub f1: f64,
    /// The lowest score that alarms; `None` where no threshold tried finds an event.
    pub threshold: Option<f64>,
}

impl EventMatch {
    /// Compares alarms with labels, both of shape `[n]`.
    ///
    /// # Errors
    ///
    /// Columns of different length.
    pub fn new(labels: &[bool], alarms: &[bool]) -> Result<Self, EvalError> {
        same_length(labels.len(), alarms.len())?;
        let labelled = Counts::of(labels.iter().copied());
        Ok(Self::of_events(&runs(labels), &labelled, alarms))
    }

    fn of_events(events: &[Run], labelled: &Counts, alarms: &[bool]) -> Self {
        let alerts = runs(alarms);
        let is_false = |alert: &&Run| !labelled.any(alert.first.saturating_sub(LATE), alert.last);
        Self {
            events: events.len(),
            false_alerts: alerts.iter().filter(is_false).count(),
            delays: events
                .iter()
                .filter_map(|event| delay_of(event, &alerts))
                .collect(),
        }
    }

    /// Events found.
    pub fn found(&self) -> usize {
        self.delays.len()
    }

    /// `2·H / (H + F + E)`; `None` without an event.
    pub fn f1(&self) -> Option<f64> {
        let errors_and_hits = self.found() + self.false_alerts + self.events;
        (self.events > 0).then(|| 2.0 * self.found() as f64 / errors_and_hits as f64)
    }
}

/// Points from the start of an event to its first alarm in time.
pub(crate) fn delay_of(event: &Run, alerts: &[Run]) -> Option<usize> {
    let after = alerts.partition_point(|alert| alert.last < event.first);
    let alarm = alerts.get(after)?.first.max(event.first);
    (alarm <= event.last + LATE).then(|| alarm - event.first)
}

/// The best event-F1 over thresholds; `None` without an event.
pub fn best_event_f1(scored: LabelledScores<'_>) -> Option<BestEventF1> {
    let events = runs(scored.labels());
    if events.is_empty() {
        return None;
    }
    let labelled = Counts::of(scored.labels().iter().copied());
    let mut best = BestEventF1 {
        f1: 0.0,
        threshold: None,
    };
    for threshold in thresholds(scored.scores()) {
        let alarms: Vec<bool> = scored.scores().iter().map(|&s| s >= threshold).collect();
        let flagged = alarms.iter().filter(|alarm| **alarm).count();
        if flagged as f64 / alarms.len() as f64 > MOST_FLAGGED {
            continue;
        }
        let f1 = EventMatch::of_events(&events, &labelled, &alarms).f1()?;
        if f1 > best.f1 {
            best = BestEventF1 {
                f1,
                threshold: Some(threshold),
            };
        }
    }
    Some(best)
}

/// The quantiles tried, highest first, each once.
fn thresholds(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = RATES;
    let growth = libm::log(most / least);
    let rate = |i: usize| match i {
        0 => least,
        _ if i == THRESHOLDS - 1 => most,
        _ => least * libm::exp(growth * i as f64 / (THRESHOLDS - 1) as f64),
    };
    let mut thresholds: Vec<f64> = (0..THRESHOLDS)
        .filter_map(|i| quantile(&sorted, 1.0 - rate(i)))
        .collect();
    thresholds.dedup();
    thresholds
}

/// The quantile of ascending values by linear interpolation between order statistics (type 7 of
/// Hyndman & Fan, *Sample quantiles in statistical packages*, Am. Stat. 50, 1996).
fn quantile(sorted: &[f64], level: f64) -> Option<f64> {
    let position = level * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(position as usize)?;
    let above = *sorted.get(position as usize + 1).unwrap_or(&below);
    let share = position - position.floor();
    // From the nearer end, so that equal neighbours give back themselves and rounding cannot
    // carry the quantile past the value above, where that value would no longer alarm.
    Some(if share < 0.5 {
        below + (above - below) * share
    } else {
        above - (above - below) * (1.0 - share)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags from a drawing: anything but a dot is set.
    fn flags(drawing: &str) -> Vec<bool> {
        drawing.chars().map(|c| c != '.').collect()
    }

    fn matched(labels: &str, alarms: &str) -> (usize, usize, Vec<usize>) {
        let found = EventMatch::new(&flags(labels), &flags(alarms)).unwrap();
        (found.events, found.false_alerts, found.delays)
    }

    #[test]
    fn seven_points_late_is_in_time_and_eight_is_wrong_twice() {
        assert_eq!(matched("##..........", "........x..."), (1, 0, vec![8]));
        assert_eq!(matched("##..........", ".........x.."), (1, 1, vec![]));
    }

    #[test]
    fn an_alarm_before_the_event_is_false_unless_the_alert_reaches_it() {
        assert_eq!(matched("...##...", "..x....."), (1, 1, vec![]));
        assert_eq!(matched("...##...", "..xx...."), (1, 0, vec![0]));
    }

    #[test]
    fn one_alert_can_find_two_events_and_two_alerts_one() {
        assert_eq!(matched("#..#....", "xxxx...."), (2, 0, vec![0, 0]));
        assert_eq!(matched("#####...", ".x.x...."), (1, 0, vec![1]));
    }

    #[test]
    fn f1_counts_events_not_points() {
        let found = EventMatch::new(&flags("####......................##"), &{
            flags("...x...........xx...........")
        })
        .unwrap();
        assert_eq!((found.found(), found.false_alerts), (1, 1));
        assert_eq!(found.f1(), Some(2.0 / 4.0));
        let none = EventMatch::new(&flags("...."), &flags(".x..")).unwrap();
        assert_eq!(none.f1(), None);
        assert!(EventMatch::new(&[true], &[]).is_err());
    }

    #[test]
    fn quantiles_interpolate() {
        let sorted = [0.0, 10.0, 20.0];
        assert_eq!(quantile(&sorted, 0.0), Some(0.0));
        assert_eq!(quantile(&sorted, 0.75), Some(15.0));
        assert_eq!(quantile(&sorted, 1.0), Some(20.0));
        assert_eq!(quantile(&[0.1; 3], 0.987), Some(0.1));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_threshold_that_flags_too_much_is_not_tried() {
        let labels: Vec<bool> = (0..1000).map(|i| i == 500).collect();
        let scores: Vec<f64> = (0..1000).map(|i| f64::from(i >= 400)).collect();
        let best = best_event_f1(LabelledScores::new(&labels, &scores).unwrap()).unwrap();
        assert_eq!((best.f1, best.threshold), (0.0, None));
    }

    #[test]
    fn the_largest_scores_end_in_a_finite_answer() {
        let labels: Vec<bool> = (0..99).map(|i| i == 50).collect();
        let scores: Vec<f64> = (0..99)
            .map(|i| if i == 50 { f64::MAX } else { f64::MIN })
            .collect();
        let best = best_event_f1(LabelledScores::new(&labels, &scores).unwrap()).unwrap();
        assert!(best.f1.is_finite() && best.threshold.is_none_or(f64::is_finite));
    }
}
