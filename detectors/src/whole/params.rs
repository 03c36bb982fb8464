//! From [`Params`] to a detector of whole series, which takes some of them and refuses the others by
//! name.

use jiff::tz::TimeZone;

use crate::params::{Direction, ParamError, ParamErrorKind, Params, Seasons, TimeUnit};

/// What a detection is asked for, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) alarm_rate: f64,
    pub(super) seasons: Seasons,
    pub(super) zone: Option<TimeZone>,
    pub(super) time_unit: TimeUnit,
}

/// Checks every field.
///
/// # Errors
///
/// The first field that cannot be used.
pub(super) fn check(params: &Params) -> Result<Asked, ParamError> {
    let refuse = |field, reason: &str| {
        Err(ParamError {
            field,
            index: None,
            kind: ParamErrorKind::Unsupported,
            reason: reason.to_owned(),
        })
    };
    if params.model.is_some() {
        let reason =
            "a whole series is judged by one method, which no model names; a model is fitted";
        return refuse("model", reason);
    }
    if params.sigma.is_some() {
        let reason = "a number of standard deviations is a rule of the \"gaussian\" model, which is \
                      fitted; give alarm_rate";
        return refuse("sigma", reason);
    }
    if params
        .direction
        .is_some_and(|direction| direction != Direction::Both)
    {
        let reason = "a whole series is judged by its stretches, which lie on no side of an expected \
                      value; \"both\" is the only choice";
        return refuse("direction", reason);
    }
    if params.min_deviation.is_some() {
        let reason = "a whole series is judged by its stretches, which have no deviation in the unit \
                      of the series";
        return refuse("min_deviation", reason);
    }
    if !params.exclude.is_empty() {
        let reason = "a whole series is judged as it was sent; leave the points out of it";
        return refuse("exclude", reason);
    }
    Ok(Asked {
        alarm_rate: params.check_alarm_rate()?,
        seasons: params.check_periods(crate::seasons::PERIODS_MAX, "a whole series")?,
        zone: params.check_zone_name()?,
        time_unit: params.time_unit.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Excluded, MinDeviation};

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let refused = [
            Params {
                model: Some("auto".to_owned()),
                ..Params::default()
            },
            Params {
                sigma: Some(3.0),
                ..Params::default()
            },
            Params {
                direction: Some(Direction::Above),
                ..Params::default()
            },
            Params {
                min_deviation: Some(MinDeviation { abs: 1.0, rel: 0.0 }),
                ..Params::default()
            },
            Params {
                exclude: vec![Excluded { from: 0, to: 1 }],
                ..Params::default()
            },
        ];
        let fields = refused.map(|params| {
            let error = check(&params).unwrap_err();
            assert_eq!(error.kind, ParamErrorKind::Unsupported);
            error.field
        });
        let expected = ["model", "sigma", "direction", "min_deviation", "exclude"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_fits_is_checked_as_for_a_fit() {
        let params = Params {
            alarm_rate: Some(0.01),
            direction: Some(Direction::Both),
            seasons: Some(Seasons::Periods(vec![600, 60])),
            timezone: Some("Europe/Berlin".to_owned()),
            time_unit: Some(TimeUnit::Milliseconds),
            ..Params::default()
        };
        let asked = check(&params).unwrap();
        assert_eq!(asked.alarm_rate, 0.01);
        assert_eq!(asked.seasons, Seasons::Periods(vec![60, 600]));
        assert!(asked.zone.is_some());
        for (field, params) in [
            (
                "alarm_rate",
                Params {
                    alarm_rate: Some(0.6),
                    ..Params::default()
                },
            ),
            (
                "seasonality",
                Params {
                    seasons: Some(Seasons::Periods(vec![0])),
                    ..Params::default()
                },
            ),
            (
                "timezone",
                Params {
                    timezone: Some("Berlin".to_owned()),
                    ..Params::default()
                },
            ),
        ] {
            let error = check(&params).unwrap_err();
            assert_eq!(
                (error.field, error.kind),
                (field, ParamErrorKind::OutOfRange)
            );
        }
    }
}
