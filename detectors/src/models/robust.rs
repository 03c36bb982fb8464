//! `robust`: median and median absolute deviation (MAD).
//!
//! Up to half of the points may be anything without moving the band far. The scale is
//! 1.4826·MAD (Hampel, *The influence curve and its role in robust estimation*, JASA 69, 1974), the
//! band median ± t·scale·√(1 + π/2n): π/2n is the variance of the median of n normal points.
//!
//! t is a quantile of Student's t, since the scale is not known but estimated. An estimate of
//! efficiency e from n points varies like the standard deviation of about e·n, and the MAD has
//! e = 0.37 (Rousseeuw & Croux, *Alternatives to the median absolute deviation*, JASA 88, 1993). On
//! `0.37·(n − 1) + 1/2` degrees of freedom, rounded, simulated false alarms on normal data are
//! within 5 % of what was asked for at rates from 0.05 to 0.001 and n ≥ 100, within 25 % for
//! n ≥ 10, and at most double for fewer points (`tests/calibration.rs`).
//!
//! From 64 points on, no distribution is assumed: the deviations of each third of the history from
//! the median of the other two thirds give ranks and Pareto tails
//! ([`Empirical`](crate::stats::empirical::Empirical)). Consecutive thirds, so that a level that
//! moves shows in the deviations.
//!
//! What differs from the textbook: where over half of the values are equal the MAD is 0, which
//! would make an anomaly of any other value. The scale is then √(π/2) times the mean absolute
//! deviation about the median (Iglewicz & Hoaglin, *How to detect and handle outliers*, 1993).

use std::f64::consts::FRAC_PI_2;

use super::banded;
use super::draft::{Draft, scale_of};
use super::fan::Fan;
use super::history::{History, MAD_TO_STD};
use super::location_scale::{Estimate, Kind, LocationScale, Reference};
use super::{FitError, Sensitivity, require};
use crate::auto::Choice;
use crate::stats::order::{OrderStatistics, median_of};
use crate::stats::student_t::StudentT;

/// With two points the MAD says no more than their distance.
const POINTS_MIN: usize = 3;

/// Stretches of the history that are held out in turn.
const FOLDS: usize = 3;

/// Efficiency of the MAD at the normal distribution.
const MAD_EFFICIENCY: f64 = 0.37;

pub(crate) fn fit(
    values: &[f64],
    sensitivity: Sensitivity,
    choice: Choice,
) -> Result<LocationScale, FitError> {
    require(values, POINTS_MIN)?;
    let statistics = OrderStatistics::of(values);
    let n = values.len() as f64;
    let (kind, std) = if statistics.mad > 0.0 {
        (Kind::Robust, statistics.mad * MAD_TO_STD)
    } else {
        (
            Kind::RobustTied,
            statistics.mean_deviation * FRAC_PI_2.sqrt(),
        )
    };
    let t = StudentT::new(degrees_of_freedom(n));
    let band = Estimate {
        center: statistics.median,
        scale: std * (1.0 + FRAC_PI_2 / n).sqrt(),
        half_width: t.quantile(sensitivity.direction.two_sided(sensitivity.alarm_rate)),
        reference: Reference::StudentT(t),
        alarm_rate: sensitivity.alarm_rate,
    };
    Ok(LocationScale::new(
        kind,
        choice,
        values.len(),
        sensitivity.direction,
        band,
    ))
}

/// The fit to at least 64 points: deviations from a median they had no part in.
pub(crate) fn draft(history: &History<'_>) -> Draft {
    let values = &history.values;
    let n = values.len();
    let mut deviations = Vec::with_capacity(n);
    for fold in 0..FOLDS {
        let (from, to) = (fold * n / FOLDS, (fold + 1) * n / FOLDS);
        let mut others = [&values[..from], &values[to..]].concat();
        let median = median_of(&mut others);
        deviations.extend(values[from..to].iter().map(|value| value - median));
    }
    let scale = scale_of(&deviations);
    for deviation in &mut deviations {
        *deviation /= scale;
    }
    Draft {
        kind: banded::Kind::Robust,
        level: median_of(&mut values.clone()),
        slope: 0.0,
        scale,
        fan: Fan::NONE,
        seasonality: None,
        held_out: deviations,
    }
}

/// Whole, so that the tail has a closed form; half a degree keeps ten points from being cautious by
/// a factor of nine.
fn degrees_of_freedom(n: f64) -> u32 {
    (MAD_EFFICIENCY * (n - 1.0) + 0.5).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Direction;

    const SENSITIVITY: Sensitivity = Sensitivity {
        alarm_rate: 0.001,
        direction: Direction::Both,
    };

    fn fitted(values: &[f64]) -> LocationScale {
        fit(values, SENSITIVITY, Choice::Named).unwrap()
    }

    #[test]
    fn center_and_scale_are_median_and_mad() {
        let model = fitted(&[1.0, 2.0, 3.0, 4.0, 100.0]);
        assert_eq!((model.center, model.kind), (3.0, Kind::Robust));
        let expected = MAD_TO_STD * (1.0 + FRAC_PI_2 / 5.0).sqrt();
        assert!((model.scale - expected).abs() < 1e-15);
    }

    #[test]
    fn outliers_do_not_widen_the_band() {
        let clean: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
        let mut dirty = clean.clone();
        dirty[..20].fill(1e9);
        let width = |model: LocationScale| model.upper - model.lower;
        assert!(width(fitted(&dirty)) < 2.0 * width(fitted(&clean)));
    }

    #[test]
    fn ties_fall_back_to_the_mean_deviation() {
        let model = fitted(&[5.0, 5.0, 5.0, 5.0, 7.0]);
        assert_eq!((model.center, model.kind), (5.0, Kind::RobustTied));
        let expected = 0.4 * FRAC_PI_2.sqrt() * (1.0 + FRAC_PI_2 / 5.0).sqrt();
        assert!((model.scale - expected).abs() < 1e-15);
    }

    #[test]
    fn refuses_what_has_no_scale() {
        let refused = |values: &[f64]| fit(values, SENSITIVITY, Choice::Named).err();
        assert_eq!(
            refused(&[1.0, 2.0]),
            Some(FitError::TooFewPoints { needed: 3, got: 2 })
        );
        assert_eq!(refused(&[0.0, -0.0, 0.0]), Some(FitError::Constant));
    }
}
