//! Observed against requested alarm rate: `ratio = #{i normal : p_i ≤ α} / (α · #{i normal})`.
//!
//! Normal are the points after the training part that lie more than [`GUARD`] points from every
//! labelled event, also from those in the training part: labels rarely end where an anomaly does.
//! p-values that keep their promise give 1 at every α; a ratio of 40 is 40 times the alarms asked
//! for. Counts add up, so that a pooled ratio is that of all points together.
//!
//! The interval is Wilson's (*Probable inference, the law of succession, and statistical inference*,
//! JASA 22, 1927), which stays within `[0, 1]` and says something for zero alarms too. It takes alarms
//! to be independent; those of a real series come in runs, so the truth is wider.

use super::events::runs;
use super::{EvalError, same_length};

/// Points on either side of an event that count neither as normal nor as anomalous.
pub const GUARD: usize = 30;

/// A series with this many normal points or fewer says nothing about a rate of 1e-3.
pub const TOO_FEW_POINTS: usize = 500;

/// 0.975 quantile of the normal distribution: the interval covers 95 %.
const Z: f64 = 1.959_963_984_540_054;

const SECONDS_A_DAY: f64 = 86_400.0;

/// Marks the points that must not alarm, shape `[n]`: after `train_len` and away from every event.
pub fn normal_points(labels: &[bool], train_len: usize) -> Vec<bool> {
    let n = labels.len();
    let mut normal = vec![true; n];
    normal[..train_len.min(n)].fill(false);
    for event in runs(labels) {
        let end = (event.last + GUARD + 1).min(n);
        normal[event.first.saturating_sub(GUARD)..end].fill(false);
    }
    normal
}

/// Alarms among normal points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FalseAlarms {
    /// Normal points.
    pub points: u64,
    /// Those that alarm.
    pub alarms: u64,
    /// Alerts: alarms at neighbouring normal points count once.
    pub alerts: u64,
}

impl FalseAlarms {
    /// Counts the points marked `normal` whose p-value is at most `alarm_rate`; both of shape `[n]`.
    ///
    /// # Errors
    ///
    /// Columns of different length, or a p-value outside `[0, 1]`.
    pub fn count(normal: &[bool], p_values: &[f64], alarm_rate: f64) -> Result<Self, EvalError> {
        same_length(normal.len(), p_values.len())?;
        if let Some(index) = p_values.iter().position(|p| !(0.0..=1.0).contains(p)) {
            return Err(EvalError::NotAProbability { index });
        }
        let mut counted = Self::default();
        let mut alarmed = false;
        for (p_value, _) in p_values.iter().zip(normal).filter(|(_, normal)| **normal) {
            let alarm = *p_value <= alarm_rate;
            counted.points += 1;
            counted.alarms += u64::from(alarm);
            counted.alerts += u64::from(alarm && !alarmed);
            alarmed = alarm;
        }
        Ok(counted)
    }

    /// Share of normal points that alarm; `None` without a point.
    pub fn rate(&self) -> Option<f64> {
        (self.points > 0).then(|| self.alarms as f64 / self.points as f64)
    }

    /// Observed rate over requested rate; `None` without a point or where nothing was requested.
    pub fn ratio(&self, alarm_rate: f64) -> Option<f64> {
        let ratio = self.rate()? / alarm_rate;
        ratio.is_finite().then_some(ratio)
    }

    /// The 95 % interval of the rate, lower and upper end; `None` without a point.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let rate = self.rate()?;
        let n = self.points as f64;
        let shrink = 1.0 + Z * Z / n;
        let middle = (rate + Z * Z / (2.0 * n)) / shrink;
        let half = Z / shrink * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
        // Rounding leaves 1e-20 where the ends are exact.
        let lower = if self.alarms == 0 { 0.0 } else { middle - half };
        let upper = if self.alarms == self.points {
            1.0
        } else {
            middle + half
        };
        Some((lower.max(0.0), upper.min(1.0)))
    }

    /// False alerts a day where points are `step_s` seconds apart; `None` without a point or step.
    pub fn alerts_a_day(&self, step_s: f64) -> Option<f64> {
        let alerts = self.alerts as f64 * SECONDS_A_DAY / (self.points as f64 * step_s);
        (alerts.is_finite() && step_s > 0.0).then_some(alerts)
    }
}

impl std::iter::Sum for FalseAlarms {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            points: sum.points + one.points,
            alarms: sum.alarms + one.alarms,
            alerts: sum.alerts + one.alerts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_is_thirty_points_wide_on_both_sides_of_every_event() {
        let labels: Vec<bool> = (0..300).map(|i| i == 20 || i == 200).collect();
        let normal = normal_points(&labels, 45);
        let first_after = |from| (from..300).find(|&i| normal[i]);
        assert_eq!(first_after(0), Some(51), "an event before train_len counts");
        assert!(normal[169] && !normal[170] && !normal[230] && normal[231]);
        assert_eq!(normal_points(&labels, 999), [false; 300]);
    }

    #[test]
    fn alarms_and_alerts_by_hand() {
        let normal = [true, true, false, true, true, true, true];
        // The third point is not counted, and does not separate the alarms around it.
        let p_values = [0.5, 0.01, 0.5, 0.01, 0.02, 0.001, 0.01];
        let counted = FalseAlarms::count(&normal, &p_values, 0.01).unwrap();
        let expected = FalseAlarms {
            points: 6,
            alarms: 4,
            alerts: 2,
        };
        assert_eq!(counted, expected);
        assert!((counted.ratio(0.01).unwrap() - 4.0 / 6.0 / 0.01).abs() < 1e-9);
        assert_eq!(counted.alerts_a_day(86_400.0), Some(2.0 / 6.0));
        let twice: FalseAlarms = [counted, counted].into_iter().sum();
        assert_eq!((twice.points, twice.alarms, twice.alerts), (12, 8, 4));
    }

    #[test]
    fn no_points_give_no_number() {
        let nothing = FalseAlarms::default();
        assert_eq!(nothing.rate(), None);
        assert_eq!(nothing.ratio(0.01), None);
        assert_eq!(nothing.interval(), None);
        assert_eq!(nothing.alerts_a_day(60.0), None);
        let one = FalseAlarms {
            points: 1,
            alarms: 1,
            alerts: 1,
        };
        assert_eq!((one.ratio(0.0), one.alerts_a_day(0.0)), (None, None));
        assert_eq!(one.alerts_a_day(-1.0), None);
    }

    #[test]
    fn the_interval_is_wilsons() {
        let interval = |alarms, points| {
            let counted = FalseAlarms {
                points,
                alarms,
                alerts: alarms,
            };
            counted.interval().unwrap()
        };
        // Newcombe, Statistics in Medicine 17, 1998, table I: 81/263, 15/148, 0/20, 1/29.
        for (alarms, points, lower, upper) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (low, high) = interval(alarms, points);
            assert!((low - lower).abs() < 5e-5 && (high - upper).abs() < 5e-5);
        }
        assert_eq!(interval(7, 7).1, 1.0);
    }

    #[test]
    fn what_is_no_probability_is_an_error() {
        for bad in [f64::NAN, -0.1, 1.1] {
            assert_eq!(
                FalseAlarms::count(&[true; 2], &[0.5, bad], 0.01),
                Err(EvalError::NotAProbability { index: 1 })
            );
        }
        assert!(FalseAlarms::count(&[true; 2], &[0.5], 0.01).is_err());
    }
}
