//! From what a fit found, in units of the history, to a model in units of the series.

use crate::auto::Choice;
use crate::models::banded::{Banded, Kind, Reference};
use crate::models::fan::Fan;
use crate::models::history::{History, MAD_TO_STD, MEAN_DEVIATION_TO_STD};
use crate::models::verdict::{Rate, finite};
use crate::params::{Direction, MinDeviation, TimeUnit};
use crate::seasons::Seasonality;
use crate::stats::empirical::Empirical;
use crate::stats::order::OrderStatistics;
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
        let reference = match Empirical::fit(&self.held_out) {
            Some(empirical) => Reference::Empirical(Box::new(empirical)),
            None => {
                let df = (MAD_EFFICIENCY * (n.max(1) as f64 - 1.0) + 0.5).round() as u32;
                Reference::StudentT(StudentT::new(df.max(1)))
            }
        };
        let (z_lower, z_upper) = reference.bounds(request.alarm_rate, request.direction);
        let scale = finite(self.scale * history.unit).max(f64::MIN_POSITIVE);
        Banded {
            level: finite(history.center + finite(self.level * history.unit)),
            slope: finite(self.slope * history.unit),
            scale,
            trained: history.range(),
            fan: self.fan,
            seasonality: self.seasonality.map(Box::new),
            reference,
            z_lower,
            z_upper,
            rate: Rate::new(request.alarm_rate),
            min_deviation: request.min_deviation,
            n: n as u64,
            kind: self.kind,
            direction: request.direction,
            time_unit: request.time_unit,
            choice: request.choice,
        }
    }
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
