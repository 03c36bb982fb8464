//! Layout of the banded models.

use serde::{Deserialize, Serialize};

use super::DecodeError;
use crate::auto::Choice;
use crate::models::banded::{Banded, Kind, Motion, Reference, Rest};
use crate::models::fan::Fan;
use crate::models::verdict::Rate;
use crate::params::{ALARM_RATE_MIN, Direction, MinDeviation};
use crate::seasons::{Clock, Profile, Seasonality};
use crate::stats::empirical::{Empirical, KNOTS};
use crate::stats::pareto::Pareto;
use crate::stats::student_t::StudentT;

/// Payload of the banded models, format 2: format 1 and what holds far from the training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BandedV2 {
    model: BandedV1,
    /// Of the empirical reference: shape of the tail below and of that above, far from the training.
    far_shapes: [f32; 2],
    /// Of the empirical reference: how far a level reaches.
    level_reach: f32,
    /// Bounds in scales far from the training; 0 where there is none of their own.
    far: (f32, f32),
}

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

impl From<&Banded> for BandedV2 {
    fn from(model: &Banded) -> Self {
        let (far_shapes, level_reach) = match &model.rest.reference {
            Reference::Normal | Reference::StudentT(_) => ([0.0; 2], 0.0),
            Reference::Empirical(empirical) => (
                [empirical.below.far_shape, empirical.above.far_shape],
                empirical.level,
            ),
        };
        Self {
            model: model.into(),
            far_shapes,
            level_reach,
            far: model.far,
        }
    }
}

/// As format 1 had it: the same everywhere in time, and no level.
impl From<BandedV1> for BandedV2 {
    fn from(model: BandedV1) -> Self {
        Self {
            far_shapes: model.reference.shapes(),
            model,
            level_reach: 0.0,
            far: (0.0, 0.0),
        }
    }
}

impl BandedV2 {
    /// The same in format 1, where that can hold it.
    pub(super) fn as_v1(&self) -> Option<&BandedV1> {
        let near_shapes = self.model.reference.shapes();
        let nothing_more =
            self.far_shapes == near_shapes && self.level_reach == 0.0 && self.far == (0.0, 0.0);
        nothing_more.then_some(&self.model)
    }
}

impl From<&Banded> for BandedV1 {
    fn from(model: &Banded) -> Self {
        let Motion {
            slope,
            fan,
            seasonality,
        } = model.rest.motion.as_deref().unwrap_or(&Motion::NONE);
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
            n: model.n.into(),
            trained_from: model.rest.trained.0,
            trained_to: model.rest.trained.1,
            level: model.level,
            slope: *slope,
            scale: model.scale,
            fan: [fan.linear, fan.quadratic, fan.cubic],
            alarm_rate: model.rate.alarm_rate,
            z_lower: model.z_lower,
            z_upper: model.z_upper,
            min_deviation_abs: model.rest.min_deviation.abs,
            min_deviation_rel: model.rest.min_deviation.rel,
            reference: match &model.rest.reference {
                Reference::Normal => ReferenceV1::Normal,
                Reference::StudentT(t) => ReferenceV1::StudentT(t.df()),
                Reference::Empirical(empirical) => {
                    ReferenceV1::Empirical(EmpiricalV1::new(empirical, model.n))
                }
            },
            seasonality: seasonality.as_ref().map(SeasonalityV1::from),
        }
    }
}

impl EmpiricalV1 {
    /// Of a sample of so many.
    pub(super) fn new(empirical: &Empirical, n: u32) -> Self {
        let tail = |tail: &Pareto| [tail.mass, tail.scale, tail.shape];
        Self {
            knots: empirical.knots,
            below: tail(&empirical.below),
            above: tail(&empirical.above),
            half_cell: empirical.half_cell,
            n,
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

impl BandedV2 {
    pub(super) fn into_model(self) -> Result<Banded, DecodeError> {
        let Self {
            model,
            far_shapes,
            level_reach,
            far,
        } = self;
        model.check_numbers()?;
        let kind = match model.kind {
            1 => Kind::Gaussian,
            2 => Kind::Robust,
            3 => Kind::Ewma,
            4 => Kind::HoltWinters,
            5 => Kind::Seasonal,
            _ => return invalid("kind"),
        };
        let time_unit = super::time_unit_of_code(model.time_unit)?;
        let direction = super::direction_of_code(model.direction)?;
        model.check_sides(direction)?;
        if !(far.0.is_finite() && far.0 <= 0.0 && far.1.is_finite() && far.1 >= 0.0) {
            return invalid("far");
        }
        let n = u32::try_from(model.n).map_err(|_| DecodeError::Invalid { field: "n" })?;
        let choice = Choice::from_code(model.choice);
        let seasonality = model.seasonality.map(SeasonalityV1::into_model);
        if !seasonality.as_ref().is_none_or(Seasonality::is_sound) {
            return invalid("seasonality");
        }
        let motion = Motion {
            slope: model.slope,
            fan: fan_of(model.fan),
            seasonality,
        };
        Ok(Banded {
            level: model.level,
            scale: model.scale,
            z_lower: model.z_lower,
            z_upper: model.z_upper,
            rate: Rate::new(model.alarm_rate),
            rest: Box::new(Rest {
                trained: (model.trained_from, model.trained_to),
                min_deviation: MinDeviation {
                    abs: model.min_deviation_abs,
                    rel: model.min_deviation_rel,
                },
                motion: motion.boxed(),
                reference: model.reference.into_model(n, far_shapes, level_reach)?,
            }),
            far,
            n,
            kind,
            direction,
            time_unit,
            choice: choice.ok_or(DecodeError::Invalid { field: "choice" })?,
        })
    }
}

impl BandedV1 {
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
    /// Shape of the tail below and of that above, 0 where there are none.
    fn shapes(&self) -> [f32; 2] {
        match self {
            Self::Normal | Self::StudentT(_) => [0.0; 2],
            Self::Empirical(empirical) => [empirical.below[2], empirical.above[2]],
        }
    }

    fn into_model(
        self,
        n: u32,
        far_shapes: [f32; 2],
        level_reach: f32,
    ) -> Result<Reference, DecodeError> {
        Ok(match self {
            Self::Normal => Reference::Normal,
            Self::StudentT(0) => return invalid("degrees_of_freedom"),
            Self::StudentT(df) => Reference::StudentT(StudentT::new(df)),
            Self::Empirical(empirical) => {
                let mut empirical = empirical.into_model(n.into())?;
                [empirical.below.far_shape, empirical.above.far_shape] = far_shapes;
                empirical.level = level_reach;
                if !empirical.is_sound() {
                    return invalid("reference");
                }
                Reference::Empirical(empirical)
            }
        })
    }
}

impl EmpiricalV1 {
    /// Of a model that rests on `n` points.
    pub(super) fn into_model(self, n: u64) -> Result<Empirical, DecodeError> {
        if u64::from(self.n) != n {
            return invalid("n");
        }
        let tail = |[mass, scale, shape]: [f32; 3]| Pareto {
            mass,
            scale,
            shape,
            far_shape: shape,
        };
        let empirical = Empirical {
            knots: self.knots,
            below: tail(self.below),
            above: tail(self.above),
            half_cell: self.half_cell,
            level: 0.0,
        };
        if empirical.is_sound() {
            Ok(empirical)
        } else {
            invalid("reference")
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
