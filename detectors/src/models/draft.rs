//! From what a fit found, in units of the history, to a model in units of the series.

use crate::auto::Choice;
use crate::models::banded::{Banded, Kind, Motion, Reference, Rest};
use crate::models::fan::Fan;
use crate::models::history::{History, MAD_TO_STD, MEAN_DEVIATION_TO_STD};
use crate::models::verdict::{Rate, finite};
use crate::params::{Direction, MinDeviation, TimeUnit};
use crate::seasons::Seasonality;
use crate::stats::empirical::Empirical;
use crate::stats::order::OrderStatistics;
use crate::stats::pareto::Reach;
use crate::stats::student_t::StudentT;

/// Efficiency of the MAD at the normal distribution.
const MAD_EFFICIENCY: f64 = 0.37;

/// What the user asked for, as far as every banded model takes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) alarm_rate: f64,
    pub(crate) direction: Direction,
    pub(crate) min_deviation: MinDeviation,
    pub(crate) time_unit: TimeUnit,
    /// Who chose the model, and why.
    pub(crate) choice: Choice,
}

/// A fit in units of the history.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) kind: Kind,
    pub(crate) level: f64,
    /// Per tick.
    pub(crate) slope: f64,
    /// Scale of the deviations, > 0.
    pub(crate) scale: f64,
    pub(crate) fan: Fan,
    pub(crate) seasonality: Option<Seasonality>,
    /// Deviations of points that were held out of the fit, in scales.
    pub(crate) held_out: Vec<f64>,
}

impl Draft {
    /// The model, its bounds at the alarm rate asked for.
    pub(crate) fn into_model(self, history: &History<'_>, request: Request) -> Banded {
        let n = self.held_out.len();
        let empirical = match self.kind {
            // Errors of one step, in which no level shows; what becomes of it is in the fan.
            Kind::Ewma | Kind::HoltWinters => Empirical::fit(&self.held_out),
            Kind::Gaussian | Kind::Robust | Kind::Seasonal => {
                Empirical::fit_held_out(&self.held_out)
            }
        };
        let reference = match empirical {
            Some(empirical) => Reference::Empirical(empirical),
            None => {
                let df = (MAD_EFFICIENCY * (n.max(1) as f64 - 1.0) + 0.5).round() as u32;
                Reference::StudentT(StudentT::new(df.max(1)))
            }
        };
        let bounds = |reach| reference.bounds(request.alarm_rate, request.direction, reach);
        let (z_lower, z_upper) = bounds(Reach::Near);
        let far = if bounds(Reach::Far) == (z_lower, z_upper) {
            (0.0, 0.0)
        } else {
            bounds(Reach::Far)
        };
        let scale = finite(self.scale * history.unit).max(f64::MIN_POSITIVE);
        let motion = Motion {
            slope: finite(self.slope * history.unit),
            fan: self.fan,
            seasonality: self.seasonality,
        };
        Banded {
            level: finite(history.center + finite(self.level * history.unit)),
            scale,
            z_lower,
            z_upper,
            rate: Rate::new(request.alarm_rate),
            rest: Box::new(Rest {
                trained: history.range(),
                min_deviation: request.min_deviation,
                motion: motion.boxed(),
                reference,
            }),
            far: narrowed(far),
            n: u32::try_from(n).unwrap_or(u32::MAX),
            kind: self.kind,
            direction: request.direction,
            time_unit: request.time_unit,
            choice: request.choice,
        }
    }
}

/// In half the bytes, no further out than those can tell; a side without a bound says so already.
fn narrowed((lower, upper): (f64, f64)) -> (f32, f32) {
    let most = f64::from(f32::MAX);
    let narrow = |bound: f64| {
        if bound.is_infinite() {
            0.0
        } else {
            bound.clamp(-most, most) as f32
        }
    };
    (narrow(lower), narrow(upper))
}

/// A robust scale > 0 of deviations about 0: the MAD, or, where most of them are equal, a part of
/// their mean. At least one deviation.
pub(crate) fn scale_of(deviations: &[f64]) -> f64 {
    let statistics = OrderStatistics::of(deviations);
    let by_mad = statistics.mad * MAD_TO_STD;
    let by_mean = statistics.mean_deviation * MEAN_DEVIATION_TO_STD;
    // A MAD far below the mean deviation is that of the grid the values lie on.
    let scale = by_mad.max(0.05 * by_mean);
    if scale > 0.0 { scale } else { 1e-12 }
}
