//! A replay as few enough stretches to draw.

use super::measure::is_stronger;
use crate::score::Score;

/// Stretches of a chart at most.
pub const BUCKETS_MAX: usize = 480;

/// Points beside each other, as they are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// First timestamp.
    pub from: i64,
    /// Last timestamp.
    pub to: i64,
    /// Lowest value.
    pub low: f64,
    /// Highest value.
    pub high: f64,
    /// Mean of the lower bounds; `None` where there is a point without one.
    pub lower: Option<f64>,
    /// Mean of the upper bounds; `None` where there is a point without one.
    pub upper: Option<f64>,
    /// Alarms.
    pub alarms: usize,
    /// The value of the strongest alarm.
    pub alarm: Option<f64>,
    /// Whether a point of it is labelled.
    pub labelled: bool,
}

/// The stretches of points that were scored; columns of one length.
#[must_use]
pub fn buckets(
    timestamps: &[i64],
    values: &[f64],
    scores: &[Score],
    labels: Option<&[bool]>,
) -> Vec<Bucket> {
    let n = timestamps.len().min(values.len()).min(scores.len());
    let size = n.div_ceil(BUCKETS_MAX).max(1);
    let starts = (0..n).step_by(size);
    starts
        .map(|start| {
            let range = start..(start + size).min(n);
            let (values, scores) = (&values[range.clone()], &scores[range.clone()]);
            let fold = |least: fn(f64, f64) -> f64, from| values.iter().copied().fold(from, least);
            let alarms = || scores.iter().zip(values).filter(|(score, _)| score.anomaly);
            let strongest = alarms().reduce(|a, b| if is_stronger(b.0, a.0) { b } else { a });
            let labels = labels.and_then(|labels| labels.get(range.clone()));
            Bucket {
                from: timestamps[range.start],
                to: timestamps[range.end - 1],
                low: fold(f64::min, f64::INFINITY),
                high: fold(f64::max, f64::NEG_INFINITY),
                lower: mean(scores.iter().map(|score| score.lower)),
                upper: mean(scores.iter().map(|score| score.upper)),
                alarms: alarms().count(),
                alarm: strongest.map(|(_, value)| *value),
                labelled: labels.is_some_and(|labels| labels.contains(&true)),
            }
        })
        .collect()
}

fn mean(bounds: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = bounds.len() as f64;
    let mut sum = 0.0;
    for bound in bounds {
        if bound.abs() == f64::MAX {
            return None;
        }
        sum += bound / n;
    }
    sum.is_finite().then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Params, Series};

    #[test]
    fn no_point_alarm_or_label_is_lost() {
        let n = 1_999_usize;
        let ticks: Vec<i64> = (0..n as i64).collect();
        let mut values: Vec<f64> = (0..n).map(|i| (i * 7919 % 101) as f64).collect();
        let model = Params::default().check().unwrap();
        let model = model.fit(&Series::new(&ticks, &values).unwrap()).unwrap();
        for at in [0, 700, n - 1] {
            values[at] = 1e4 + at as f64;
        }
        let scores: Vec<Score> = ticks
            .iter()
            .zip(&values)
            .map(|(t, v)| model.score(*t, *v))
            .collect();
        let mut labels = vec![false; n];
        labels[n - 1] = true;
        let buckets = buckets(&ticks, &values, &scores, Some(&labels));
        assert!(buckets.len() <= BUCKETS_MAX);
        assert_eq!(
            (buckets[0].from, buckets[buckets.len() - 1].to),
            (0, n as i64 - 1)
        );
        assert!(
            buckets
                .windows(2)
                .all(|pair| pair[0].to + 1 == pair[1].from)
        );
        assert_eq!(buckets.iter().map(|bucket| bucket.alarms).sum::<usize>(), 3);
        let drawn: Vec<f64> = buckets.iter().filter_map(|bucket| bucket.alarm).collect();
        assert_eq!(drawn, [1e4, 10_700.0, 1e4 + (n - 1) as f64]);
        let labelled: Vec<bool> = buckets.iter().map(|bucket| bucket.labelled).collect();
        assert_eq!(labelled.iter().filter(|labelled| **labelled).count(), 1);
        assert!(labelled[labelled.len() - 1]);
        assert!(buckets.iter().all(|b| b.lower < b.upper && b.low <= b.high));
    }

    #[test]
    fn a_side_without_a_bound_has_none() {
        assert_eq!(mean([1.0, 3.0].into_iter()), Some(2.0));
        assert_eq!(mean([1.0, f64::MAX].into_iter()), None);
        assert!(buckets(&[], &[], &[], None).is_empty());
    }
}
