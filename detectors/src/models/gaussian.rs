//! `gaussian`: mean and standard deviation.
//!
//! With `sigma` the band is mean ± sigma·s, s the population standard deviation, and the alarm rate
//! is the normal tail beyond sigma: the reference rule of the base contract.
//!
//! Without it the band is the Student-t prediction interval for one more point,
//! mean ± t·s·√(1 + 1/n), s the sample standard deviation and t a quantile on n − 1 degrees of
//! freedom (Hahn & Meeker, *Statistical Intervals*, 1991, section 4.7). On normal data its false
//! alarm rate is the one asked for at every n: six points do not pretend to know the scale.

use super::location_scale::{Estimate, Kind, LocationScale, Reference};
use super::{FitError, Sensitivity, require};
use crate::auto::Choice;
use crate::params::Threshold;
use crate::stats::moments::Moments;
use crate::stats::normal;
use crate::stats::student_t::StudentT;

/// One point more than a mean takes up.
const POINTS_MIN: usize = 2;

pub(crate) fn fit(
    values: &[f64],
    threshold: Threshold,
    sensitivity: Sensitivity,
    choice: Choice,
) -> Result<LocationScale, FitError> {
    require(values, POINTS_MIN)?;
    let moments = Moments::of(values);
    let band = match threshold {
        Threshold::Sigma(sigma) => Estimate {
            center: moments.mean,
            scale: moments.population_std(),
            reference: Reference::Normal,
            half_width: sigma,
            alarm_rate: sensitivity.direction.rate_of(normal::two_sided(sigma).p),
        },
        Threshold::AlarmRate => {
            let n = values.len();
            let t = StudentT::new(degrees_of_freedom(n));
            Estimate {
                center: moments.mean,
                scale: moments.sample_std() * (1.0 + 1.0 / n as f64).sqrt(),
                half_width: t.quantile(sensitivity.direction.two_sided(sensitivity.alarm_rate)),
                reference: Reference::StudentT(t),
                alarm_rate: sensitivity.alarm_rate,
            }
        }
    };
    Ok(LocationScale::new(
        Kind::Gaussian,
        choice,
        values.len(),
        sensitivity.direction,
        band,
    ))
}

fn degrees_of_freedom(n: usize) -> u32 {
    u32::try_from(n - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Direction;

    fn reference(values: &[f64], direction: Direction) -> LocationScale {
        let sensitivity = Sensitivity {
            alarm_rate: 0.001,
            direction,
        };
        fit(values, Threshold::Sigma(3.0), sensitivity, Choice::Named).unwrap()
    }

    /// The vectors of the published contract: mean, population standard deviation.
    #[test]
    fn golden_vectors_to_the_last_bit() {
        let vectors: [(&[f64], f64, f64); 5] = [
            (
                &[10.0, 10.2, 10.1, 9.9, 10.3, 10.15],
                10.108333333333333,
                0.13043729868748774,
            ),
            (&[10.0, 11.0, 12.0], 11.0, 0.816496580927726),
            (&[1.0, 2.0, 1.0], 1.3333333333333333, 0.4714045207910317),
            (
                &[10.0, 11.2, 10.4, 10.8],
                10.600000000000001,
                0.44721359549995776,
            ),
            (
                &[10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25],
                10.106250000000001,
                0.13564084008881702,
            ),
        ];
        for (values, mean, std) in vectors {
            let above = reference(values, Direction::Above);
            assert_eq!((above.center, above.scale), (mean, std), "{values:?}");
            assert_eq!((above.lower, above.upper), (-f64::MAX, mean + 3.0 * std));
            let both = reference(values, Direction::Both);
            assert_eq!(
                (both.lower, both.upper),
                (mean - 3.0 * std, mean + 3.0 * std)
            );
            let below = reference(values, Direction::Below);
            assert_eq!((below.lower, below.upper), (mean - 3.0 * std, f64::MAX));
        }
        let last = reference(vectors[4].0, Direction::Above);
        assert_eq!(last.upper, 10.513172520266451);
        // The rule is strict.
        assert!(!last.score(last.upper).anomaly);
        assert!(last.score(last.upper.next_up()).anomaly);
    }

    #[test]
    fn sigma_sets_the_alarm_rate_of_its_direction() {
        let values = [1.0, 2.0, 3.0];
        let two_sided = 2.699_796_063_260_19e-3;
        let error =
            |direction, rate: f64| (reference(&values, direction).alarm_rate / rate - 1.0).abs();
        assert!(error(Direction::Both, two_sided) < 1e-14);
        assert!(error(Direction::Above, 0.5 * two_sided) < 1e-14);
        assert!(error(Direction::Below, 0.5 * two_sided) < 1e-14);
    }

    /// Quantile from printed tables: t(0.9995; 5) = 6.869.
    #[test]
    fn few_points_get_a_wide_band() {
        let sensitivity = Sensitivity {
            alarm_rate: 0.001,
            direction: Direction::Both,
        };
        let values = [10.0, 10.2, 10.1, 9.9, 10.3, 10.15];
        let model = fit(&values, Threshold::AlarmRate, sensitivity, Choice::Named).unwrap();
        let sample_std = 0.130_437_298_687_487_74 * (6.0_f64 / 5.0).sqrt();
        let half_width = (model.upper - model.center) / (sample_std * (7.0_f64 / 6.0).sqrt());
        assert!((half_width - 6.869).abs() < 5e-4, "{half_width}");
        assert!(half_width > 2.0 * 3.2905, "twice the normal quantile");
    }

    #[test]
    fn refuses_what_has_no_scale() {
        let sensitivity = Sensitivity {
            alarm_rate: 0.001,
            direction: Direction::Both,
        };
        let refused =
            |values: &[f64]| fit(values, Threshold::AlarmRate, sensitivity, Choice::Named).err();
        assert_eq!(
            refused(&[]),
            Some(FitError::TooFewPoints { needed: 2, got: 0 })
        );
        assert_eq!(
            refused(&[1.0]),
            Some(FitError::TooFewPoints { needed: 2, got: 1 })
        );
        assert_eq!(refused(&[1.0, 1.0]), Some(FitError::Constant));
        assert_eq!(refused(&[1.0, 1.0_f64.next_up()]), None);
    }
}
