//! `auto`: the model chosen from the data, by a rule that is fixed and explained in the reply.
//!
//! | points | model | why |
//! |---|---|---|
//! | < 32 | `gaussian`, Student-t | every point counts: the MAD uses a third of what the standard deviation does |
//! | ≥ 32 | `robust` | enough points to pay for a band that outliers in the history do not widen |

use crate::models::location_scale::{Choice, LocationScale};
use crate::models::{FitError, Sensitivity, gaussian, robust};
use crate::params::Threshold;

/// Points from which `auto` takes the robust estimate.
pub(crate) const ROBUST_FROM: usize = 32;

pub(crate) fn fit(values: &[f64], sensitivity: Sensitivity) -> Result<LocationScale, FitError> {
    if values.len() < ROBUST_FROM {
        gaussian::fit(values, Threshold::AlarmRate, sensitivity, Choice::FewPoints)
    } else {
        robust::fit(values, sensitivity, Choice::EnoughPoints)
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
