//! Layout of the banded models.

use serde::{Deserialize, Serialize};

use super::DecodeError;
use crate::auto::Choice;
use crate::models::banded::{Banded, Kind, Reference};
use crate::models::fan::Fan;
use crate::models::verdict::Rate;
use crate::params::{ALARM_RATE_MIN, Direction, MinDeviation};
use crate::seasons::{Clock, Profile, Seasonality};
use crate::stats::empirical::{Empirical, KNOTS};
use crate::stats::pareto::Pareto;
use crate::stats::student_t::StudentT;

/// Payload of the banded models, format 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BandedV1 {
    /// 1 gaussian, 2 robust, 3 ewma, 4 holt_winters, 5 seasonal.
    kind: u8,
    /// 0 both, 1 above, 2 below.
    direction: u8,
    /// 0 s, 1 ms, 2 us, 3 ns.
    time_unit: u8,
    /// As of [`Choice`].
    choice: u8,
    n: u64,
    trained_from: i64,
    trained_to: i64,
    level: f64,
    slope: f64,
    scale: f64,
    /// Linear, quadratic, cubic.
    fan: [f64; 3],
    alarm_rate: f64,
    /// In scales; infinite where there is no bound.
    z_lower: f64,
    z_upper: f64,
    min_deviation_abs: f64,
    min_deviation_rel: f64,
    reference: ReferenceV1,
    seasonality: Option<SeasonalityV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum ReferenceV1 {
    Normal,
    /// Degrees of freedom.
    StudentT(u32),
    Empirical(EmpiricalV1),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct EmpiricalV1 {
    knots: [f32; KNOTS],
    /// Mass, scale, shape; the threshold is the outermost knot.
    below: [f32; 3],
    above: [f32; 3],
    half_cell: f32,
    n: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SeasonalityV1 {
    first_offset: i64,
    changes: Vec<(i64, i64)>,
    seasons: Vec<ProfileV1>,
    shape: Option<ProfileV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ProfileV1 {
    period: i64,
    anchor: i64,
    knots: Vec<f32>,
}

impl From<&Banded> for BandedV1 {
    fn from(model: &Banded) -> Self {
        Self {
            kind: match model.kind {
                Kind::Gaussian => 1,
                Kind::Robust => 2,
                Kind::Ewma => 3,
                Kind::HoltWinters => 4,
                Kind::Seasonal => 5,
            },
            direction: super::code_of_direction(model.direction),
            time_unit: super::code_of_time_unit(model.time_unit),
            choice: model.choice as u8,
            n: model.n,
            trained_from: model.trained.0,
            trained_to: model.trained.1,
            level: model.level,
            slope: model.slope,
            scale: model.scale,
            fan: [model.fan.linear, model.fan.quadratic, model.fan.cubic],
            alarm_rate: model.rate.alarm_rate,
            z_lower: model.z_lower,
            z_upper: model.z_upper,
            min_deviation_abs: model.min_deviation.abs,
            min_deviation_rel: model.min_deviation.rel,
            reference: match &model.reference {
                Reference::Normal => ReferenceV1::Normal,
                Reference::StudentT(t) => ReferenceV1::StudentT(t.df()),
                Reference::Empirical(empirical) => ReferenceV1::Empirical((&**empirical).into()),
            },
            seasonality: model.seasonality.as_deref().map(SeasonalityV1::from),
        }
    }
}

impl From<&Empirical> for EmpiricalV1 {
    fn from(empirical: &Empirical) -> Self {
        let tail = |tail: &Pareto| [tail.mass, tail.scale, tail.shape];
        Self {
            knots: empirical.knots,
            below: tail(&empirical.below),
            above: tail(&empirical.above),
            half_cell: empirical.half_cell,
            n: empirical.n,
        }
    }
}

impl From<&Seasonality> for SeasonalityV1 {
    fn from(seasonality: &Seasonality) -> Self {
        Self {
            first_offset: seasonality.clock.first,
            changes: seasonality.clock.changes.to_vec(),
            seasons: seasonality.seasons.iter().map(ProfileV1::from).collect(),
            shape: seasonality.shape.as_ref().map(ProfileV1::from),
        }
    }
}

impl From<&Profile> for ProfileV1 {
    fn from(profile: &Profile) -> Self {
        Self {
            period: profile.period,
            anchor: profile.anchor,
            knots: profile.knots.to_vec(),
        }
    }
}

impl BandedV1 {
    pub(super) fn into_model(self) -> Result<Banded, DecodeError> {
        self.check_numbers()?;
        let kind = match self.kind {
            1 => Kind::Gaussian,
            2 => Kind::Robust,
            3 => Kind::Ewma,
            4 => Kind::HoltWinters,
            5 => Kind::Seasonal,
            _ => return invalid("kind"),
        };
        let time_unit = super::time_unit_of_code(self.time_unit)?;
        let direction = super::direction_of_code(self.direction)?;
        self.check_sides(direction)?;
        let choice = Choice::from_code(self.choice);
        let seasonality = self.seasonality.map(SeasonalityV1::into_model);
        if !seasonality.as_ref().is_none_or(Seasonality::is_sound) {
            return invalid("seasonality");
        }
        Ok(Banded {
            level: self.level,
            slope: self.slope,
            scale: self.scale,
            trained: (self.trained_from, self.trained_to),
            fan: fan_of(self.fan),
            seasonality: seasonality.map(Box::new),
            reference: self.reference.into_model()?,
            z_lower: self.z_lower,
            z_upper: self.z_upper,
            rate: Rate::new(self.alarm_rate),
            min_deviation: MinDeviation {
                abs: self.min_deviation_abs,
                rel: self.min_deviation_rel,
            },
            n: self.n,
            kind,
            direction,
            time_unit,
            choice: choice.ok_or(DecodeError::Invalid { field: "choice" })?,
        })
    }

    fn check_numbers(&self) -> Result<(), DecodeError> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let not_negative = |x: f64| x.is_finite() && x >= 0.0;
        let checks = [
            (
                "trained",
                0 <= self.trained_from && self.trained_from <= self.trained_to,
            ),
            ("level", self.level.is_finite()),
            ("slope", self.slope.is_finite()),
            ("scale", positive(self.scale)),
            ("fan", fan_of(self.fan).is_sound()),
            (
                "alarm_rate",
                self.alarm_rate >= ALARM_RATE_MIN && self.alarm_rate < 1.0,
            ),
            ("z_lower", self.z_lower <= 0.0),
            ("z_upper", self.z_upper >= 0.0),
            ("min_deviation", not_negative(self.min_deviation_abs)),
            ("min_deviation", not_negative(self.min_deviation_rel)),
            ("n", self.n > 0),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((field, _)) => invalid(field),
            None => Ok(()),
        }
    }

    /// A side that does not alarm has no bound.
    fn check_sides(&self, direction: Direction) -> Result<(), DecodeError> {
        if direction == Direction::Above && self.z_lower != f64::NEG_INFINITY {
            return invalid("z_lower");
        }
        if direction == Direction::Below && self.z_upper != f64::INFINITY {
            return invalid("z_upper");
        }
        Ok(())
    }
}

impl ReferenceV1 {
    fn into_model(self) -> Result<Reference, DecodeError> {
        Ok(match self {
            Self::Normal => Reference::Normal,
            Self::StudentT(0) => return invalid("degrees_of_freedom"),
            Self::StudentT(df) => Reference::StudentT(StudentT::new(df)),
            Self::Empirical(empirical) => {
                let empirical = empirical.into_model();
                if !empirical.is_sound() {
                    return invalid("reference");
                }
                Reference::Empirical(Box::new(empirical))
            }
        })
    }
}

impl EmpiricalV1 {
    pub(super) fn into_model(self) -> Empirical {
        let tail = |threshold: f32, [mass, scale, shape]: [f32; 3]| Pareto {
            threshold,
            mass,
            scale,
            shape,
        };
        Empirical {
            below: tail(-self.knots[0], self.below),
            above: tail(self.knots[KNOTS - 1], self.above),
            knots: self.knots,
            half_cell: self.half_cell,
            n: self.n,
        }
    }
}

impl SeasonalityV1 {
    fn into_model(self) -> Seasonality {
        Seasonality {
            clock: Clock {
                first: self.first_offset,
                changes: self.changes.into(),
            },
            seasons: self
                .seasons
                .into_iter()
                .map(ProfileV1::into_model)
                .collect(),
            shape: self.shape.map(ProfileV1::into_model),
        }
    }
}

impl ProfileV1 {
    fn into_model(self) -> Profile {
        Profile::new(self.period, self.anchor, self.knots.into())
    }
}

fn fan_of([linear, quadratic, cubic]: [f64; 3]) -> Fan {
    Fan {
        linear,
        quadratic,
        cubic,
    }
}

fn invalid<T>(field: &'static str) -> Result<T, DecodeError> {
    Err(DecodeError::Invalid { field })
}
