//! `auto`: the model chosen from the data, by a rule that is fixed and explained in the reply.
//!
//! | points | model | why |
//! |---|---|---|
//! | < 32 | `gaussian`, Student-t | every point counts: the MAD uses a third of what the standard deviation does |
//! | ≥ 32 | `robust` | enough points to pay for a band that outliers in the history do not widen |
//! | ≥ 32, but over 1 % and over 10 times the alarm rate of them outside of that band | `gaussian`, Student-t | what happens so often is no outlier: the values are discrete, have several levels or heavy tails, and the MAD does not see them |

use crate::models::location_scale::{Choice, LocationScale};
use crate::models::{FitError, Sensitivity, gaussian, robust};
use crate::params::Threshold;

/// Points from which `auto` takes the robust estimate.
pub(crate) const ROBUST_FROM: usize = 32;

/// A robust band may leave out so many times the alarm rate of its own history …
const EXCESS_ALLOWED: f64 = 10.0;

/// … and this share at any rate, since a history may hold an outage or two.
const OUTLIERS_ALLOWED: f64 = 0.01;

pub(crate) fn fit(values: &[f64], sensitivity: Sensitivity) -> Result<LocationScale, FitError> {
    if values.len() < ROBUST_FROM {
        gaussian::fit(values, Threshold::AlarmRate, sensitivity, Choice::FewPoints)
    } else {
        let robust = robust::fit(values, sensitivity, Choice::EnoughPoints)?;
        let outside = values
            .iter()
            .filter(|&&value| robust.is_anomaly(value))
            .count() as f64;
        let allowed = (EXCESS_ALLOWED * sensitivity.alarm_rate).max(OUTLIERS_ALLOWED);
        if outside <= allowed * values.len() as f64 {
            Ok(robust)
        } else {
            gaussian::fit(
                values,
                Threshold::AlarmRate,
                sensitivity,
                Choice::TooManyOutside,
            )
        }
    }
}

/// The sentence behind a choice; `None` where the user named the model.
pub(crate) fn reason(choice: Choice, n: u64) -> Option<String> {
    match choice {
        Choice::Named => None,
        Choice::FewPoints => Some(format!(
            "{n} points, fewer than {ROBUST_FROM}: mean and standard deviation with a Student-t \
             prediction interval make the most of few points"
        )),
        Choice::EnoughPoints => Some(format!(
            "{n} points, at least {ROBUST_FROM}: median and MAD keep the band narrow when there \
             are outliers in the history"
        )),
        Choice::TooManyOutside => Some(format!(
            "{n} points, of which a band of median and MAD would leave out too many to be outliers: mean and standard \
             deviation give a band that the history fits in"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::location_scale::Kind;
    use crate::params::Direction;

    #[test]
    fn the_number_of_points_decides() {
        let sensitivity = Sensitivity {
            alarm_rate: 0.01,
            direction: Direction::Both,
        };
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * 7 % 11)).collect();
        let chosen = |n: usize| {
            let model = fit(&values[..n], sensitivity).unwrap();
            (model.kind, model.choice)
        };
        assert_eq!(chosen(ROBUST_FROM - 1), (Kind::Gaussian, Choice::FewPoints));
        assert_eq!(chosen(ROBUST_FROM), (Kind::Robust, Choice::EnoughPoints));
    }

    /// A CPU meter that reads one of three levels: the MAD is that of the quantisation.
    #[test]
    fn a_band_that_leaves_out_much_of_its_own_history_is_not_taken() {
        let sensitivity = Sensitivity {
            alarm_rate: 0.001,
            direction: Direction::Both,
        };
        let levels: Vec<f64> = (0..1_000)
            .map(|i| match i % 10 {
                0 => 0.066,
                1..=4 => 0.132,
                5..=8 => 0.134,
                _ => 0.2,
            })
            .collect();
        let model = fit(&levels, sensitivity).unwrap();
        assert_eq!(
            (model.kind, model.choice),
            (Kind::Gaussian, Choice::TooManyOutside)
        );
        assert!(!levels.iter().any(|&value| model.is_anomaly(value)));

        let mut outage: Vec<f64> = (0..1_000).map(|i| f64::from(i % 11)).collect();
        outage[500..509].fill(1e6);
        assert_eq!(
            fit(&outage, sensitivity).unwrap().choice,
            Choice::EnoughPoints
        );
    }

    #[test]
    fn only_a_choice_has_a_reason() {
        assert_eq!(reason(Choice::Named, 5), None);
        assert!(
            reason(Choice::FewPoints, 5)
                .unwrap()
                .starts_with("5 points, fewer than 32")
        );
        assert!(
            reason(Choice::EnoughPoints, 99)
                .unwrap()
                .starts_with("99 points, at least 32")
        );
    }
}
