//! Points that a user called expected: a model that was fitted with them in its history does not alarm for their like.
//!
//! They are fitted and calibrated on as any other point. A band by ranks has room for what is as frequent as alarms
//! may be; what is rarer would alarm again, as it should if nobody had said anything. So the band is widened, in scales, as far
//! as the expected points lie from where their neighbours are, and a tenth more, since the next one is not the same. There
//! are then fewer alarms than were asked for, and never more. The reference stays what it was: the p-value of a point that
//! only the widened band takes in is the alarm rate.

use crate::models::banded::Banded;
use crate::models::windowed::Windowed;
use crate::params::Excluded;
use crate::series::Series;

/// Points on either side that tell where a point would have been.
const NEIGHBOURS: usize = 8;

/// How far beyond the expected points their like may be.
const MARGIN: f64 = 1.1;

/// Whether each point is expected, if any is.
pub(crate) fn flags(series: &Series<'_>, expected: &[Excluded]) -> Option<Vec<bool>> {
    let flags = crate::backtest::flags_of(series.timestamps(), expected);
    flags.contains(&true).then_some(flags)
}

impl Banded {
    /// Widens the band to where the flagged points of its history lie.
    pub(crate) fn expects(&mut self, series: &Series<'_>, flags: &[bool]) {
        let (ticks, values) = (series.timestamps(), series.values());
        let usual: Vec<usize> = (0..flags.len()).filter(|i| !flags[*i]).collect();
        let deviation = |i: usize| {
            let at = self.at(ticks[i]);
            (values[i] * 0.5 - at.band.expected * 0.5) / (at.scale * 0.5)
        };
        let (mut lowest, mut highest) = (0.0_f64, 0.0_f64);
        let mut around = Vec::with_capacity(2 * NEIGHBOURS);
        for i in (0..flags.len()).filter(|i| flags[*i]) {
            // The level may have been elsewhere than it is at the end of the history.
            let next = usual.partition_point(|other| *other < i);
            let from = next.saturating_sub(NEIGHBOURS);
            let to = (next + NEIGHBOURS).min(usual.len());
            around.clear();
            around.extend(usual[from..to].iter().map(|other| deviation(*other)));
            let level = if around.is_empty() {
                0.0
            } else {
                crate::stats::order::median_of(&mut around)
            };
            let z = deviation(i) - level;
            if z.is_finite() {
                (lowest, highest) = (lowest.min(z), highest.max(z));
            }
        }
        self.z_lower = self.z_lower.min(MARGIN * lowest);
        self.z_upper = self.z_upper.max(MARGIN * highest);
    }
}

impl Windowed {
    /// Raises the threshold to the novelties of the windows that a flagged point is in.
    pub(crate) fn expects(&mut self, series: &Series<'_>, flags: &[bool]) {
        let m = self.m();
        let mut novelest = 0.0_f64;
        for run in crate::eval::events::runs(flags) {
            let from = run.first.saturating_sub(m - 1);
            let to = (run.last + m).min(flags.len());
            if to - from < m {
                continue;
            }
            let values = series.values()[from..to].iter();
            let values: Vec<f64> = values.map(|value| self.standardized(*value)).collect();
            let novelties = self.core.novelties(&values, m);
            novelest = novelties.into_iter().fold(novelest, f64::max);
        }
        if novelest.is_finite() && MARGIN * novelest < f64::MAX {
            self.threshold = self.threshold.max(MARGIN * novelest);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Excluded, Feedback, Fitted, Params, Score, Series};

    const POINTS: usize = 4_000;
    /// Rarer than one in a thousand, and at no time that repeats.
    const SPIKES: [usize; 3] = [611, 1_777, 3_301];

    fn noise(i: usize) -> f64 {
        // Nearly normal, and the same every time.
        let draw = |k: usize| ((i * 7919 + k * 104_729) % 1_009) as f64 / 1_009.0;
        (0..6).map(draw).sum::<f64>() - 3.0
    }

    fn usual(model: &str, i: usize) -> f64 {
        let daily = 8.0 * (i as f64 / 96.0 * std::f64::consts::TAU).sin();
        match model {
            "seasonal" | "holt_winters" => daily + noise(i),
            "ewma" => 0.01 * i as f64 + noise(i),
            _ => noise(i),
        }
    }

    /// A spike is in many windows: of those that calibrate, the last four tenths, none has one.
    fn spikes_of(model: &str) -> &'static [usize] {
        if model == "pca" {
            &SPIKES[..2]
        } else {
            &SPIKES
        }
    }

    fn fitted(model: &str, feedback: Feedback) -> Fitted {
        let times: Vec<i64> = (0..POINTS as i64).map(|i| 900 * i).collect();
        let at = spikes_of(model);
        let spike = |i: usize| if at.contains(&i) { 40.0 } else { 0.0 };
        let values: Vec<f64> = (0..POINTS).map(|i| usual(model, i) + spike(i)).collect();
        let params = Params {
            model: Some(model.to_owned()),
            feedback,
            ..Params::default()
        };
        let series = Series::new(&times, &values).unwrap();
        params.check().unwrap().fit(&series).unwrap()
    }

    /// The score of a point shortly after the history, so far above what is usual.
    fn score(fitted: &Fitted, model: &str, above: f64) -> Score {
        let points = POINTS..POINTS + 30;
        let times: Vec<i64> = points.clone().map(|i| 900 * i as i64).collect();
        let mut values: Vec<f64> = points.map(|i| usual(model, i)).collect();
        values[20] += above;
        let mut scores = Vec::new();
        fitted.score_columns(&times, &values, |score| scores.push(score));
        scores[20]
    }

    fn spikes() -> Vec<Excluded> {
        let stretch = |i: &usize| Excluded {
            from: 900 * *i as i64,
            to: 900 * *i as i64,
        };
        SPIKES.iter().map(stretch).collect()
    }

    #[test]
    fn a_recurring_spike_that_is_expected_alarms_before_and_not_after() {
        for model in [
            "auto",
            "robust",
            "gaussian",
            "ewma",
            "holt_winters",
            "seasonal",
            "pca",
        ] {
            let before = fitted(model, Feedback::default());
            let expecting = Feedback {
                expected: spikes(),
                left_out: Vec::new(),
            };
            let after = fitted(model, expecting);
            assert!(score(&before, model, 40.0).anomaly, "{model} before");
            let again = score(&after, model, 40.0);
            assert!(!again.anomaly, "{model} after: {again:?}");
            assert!(again.p_value >= after.alarm_rate(), "{model}");
            assert!(!score(&after, model, 0.0).anomaly, "{model}: what is usual");
            // The control: it is not deaf.
            assert!(
                score(&after, model, 400.0).anomaly,
                "{model}: ten times as far"
            );
            let decoded = Fitted::decode(&after.encode()).unwrap();
            assert_eq!(decoded, after, "{model}");
        }
    }

    #[test]
    fn what_is_left_out_is_as_if_it_were_excluded() {
        let left_out = Feedback {
            expected: Vec::new(),
            left_out: spikes(),
        };
        let times: Vec<i64> = (0..POINTS as i64).map(|i| 900 * i).collect();
        let spike = |i: usize| if SPIKES.contains(&i) { 40.0 } else { 0.0 };
        let values: Vec<f64> = (0..POINTS).map(|i| noise(i) + spike(i)).collect();
        let excluding = Params {
            model: Some("gaussian".to_owned()),
            exclude: spikes(),
            ..Params::default()
        };
        let series = Series::new(&times, &values).unwrap();
        let excluded = excluding.check().unwrap().fit(&series).unwrap();
        assert_eq!(fitted("gaussian", left_out), excluded);
        assert_ne!(fitted("gaussian", Feedback::default()), excluded);
    }
}
