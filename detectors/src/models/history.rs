//! The history as the models read it: recent, standardised, with the step between points.

use crate::series::Series;
use crate::stats::order::{OrderStatistics, median_of};

/// Points read at most, the latest ones: the cost of a fit has a bound.
pub(crate) const POINTS_MAX: usize = 1 << 18;

/// `1 / Φ⁻¹(3/4)`: makes the MAD of normal data its standard deviation.
pub(crate) const MAD_TO_STD: f64 = 1.482_602_218_505_601_8;

/// `√(π/2)`: makes the mean absolute deviation of normal data its standard deviation.
pub(crate) const MEAN_DEVIATION_TO_STD: f64 = 1.253_314_137_315_500_3;

/// Points in time order with values in units of their spread about their median.
#[derive(Debug, Clone)]
pub(crate) struct History<'a> {
    pub(crate) ticks: &'a [i64],
    /// (value − center) / unit, within ± 1e15.
    pub(crate) values: Vec<f64>,
    pub(crate) center: f64,
    /// > 0.
    pub(crate) unit: f64,
    /// Median distance of two points in ticks, ≥ 1.
    pub(crate) step: i64,
}

impl<'a> History<'a> {
    /// Largest standardised value: squares of it can still be summed up.
    pub(crate) const LARGEST: f64 = 1e15;

    /// Of at least two points whose values are not all equal.
    pub(crate) fn of(series: &Series<'a>) -> Self {
        let from = series.len().saturating_sub(POINTS_MAX);
        let ticks = &series.timestamps()[from..];
        let values = &series.values()[from..];
        let statistics = OrderStatistics::of(values);
        let unit = spread(&statistics).clamp(f64::MIN_POSITIVE, f64::MAX);
        let center = statistics.median;
        let values = values
            .iter()
            .map(|value| standardized(*value, center, unit).clamp(-Self::LARGEST, Self::LARGEST))
            .collect();
        let mut steps: Vec<f64> = ticks
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64)
            .collect();
        let step = if steps.is_empty() {
            1
        } else {
            median_of(&mut steps) as i64
        };
        Self {
            ticks,
            values,
            center,
            unit,
            step: step.max(1),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// First and last tick.
    pub(crate) fn range(&self) -> (i64, i64) {
        match self.ticks {
            [first, .., last] => (*first, *last),
            [only] => (*only, *only),
            [] => (0, 0),
        }
    }

    /// Ticks the points stand for: the last one lasts a step as well.
    pub(crate) fn length(&self) -> i64 {
        self.span().saturating_add(self.step)
    }

    /// Ticks from the first point to the last, ≥ 1.
    pub(crate) fn span(&self) -> i64 {
        let (from, to) = self.range();
        (to - from).max(1)
    }
}

/// Standard deviation by the MAD; by the mean deviation where over half of the values are equal.
pub(crate) fn spread(statistics: &OrderStatistics) -> f64 {
    if statistics.mad > 0.0 {
        statistics.mad * MAD_TO_STD
    } else {
        statistics.mean_deviation * MEAN_DEVIATION_TO_STD
    }
}

fn standardized(value: f64, center: f64, unit: f64) -> f64 {
    let deviation = value - center;
    if deviation.is_finite() {
        deviation / unit
    } else {
        (value * 0.5 - center * 0.5) / (unit * 0.5)
    }
}
