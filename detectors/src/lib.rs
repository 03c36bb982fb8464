//! Anomaly detectors for univariate time series.
//!
//! [`Params`] (unchecked) → [`Params::check`] → [`CheckedParams::fit`] → [`Fitted`]; then
//! [`Fitted::score`] is a pure function of the model's bytes and the point. [`online::Online`] scores
//! each point and then learns from it.
//!
//! What is deliberately absent: a clock, a disk, a random number that is not the same every time, a
//! thread (save those of `rayon` that linfa's k-means takes while it fits). No function here panics
//! on any input and none returns a number that is not finite. Logarithms and their kin come from
//! tables here or from `libm`, never from the C library, which picks its code by the processor: a
//! score has the same bits on every machine.
//!
//! # One decision rule
//!
//! For every model and point, `anomaly` ⇔ `p_value < alarm_rate` ⇔ `anomaly_score > 1` ⇔ the value
//! is outside `[lower, upper]`, exactly and in `f64`: see [`Score`].
//!
//! ```
//! use detectors::{Direction, Params, Series};
//!
//! let timestamps = [0, 60, 120, 180, 240, 300];
//! let values = [10.0, 10.2, 10.1, 9.9, 10.3, 10.15];
//! let series = Series::new(&timestamps, &values)?;
//! let params = Params { direction: Some(Direction::Above), ..Params::default() };
//! let model = params.check()?.fit(&series)?;
//!
//! let normal = model.score(360, 10.2);
//! assert!(!normal.anomaly && normal.p_value >= 0.001 && normal.severity == 0.0);
//! let spike = model.score(360, 25.0);
//! assert!(spike.anomaly && spike.p_value < 0.001 && spike.anomaly_score > 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod backtest;
pub mod envelope;
pub mod eval;
pub mod monitor;
pub mod online;
pub mod whole;

mod auto;
mod codec;
mod explain;
mod fitted;
mod models;
mod params;
mod score;
mod seasons;
mod series;
mod stats;

pub use codec::{DecodeError, FORMAT, MAGIC};
pub use explain::{Explanation, Reason};
pub use fitted::{Calibration, Fitted, Interval, Summary, Warning};
pub use models::FitError;
pub use params::{
    ALARM_RATE_DEFAULT, ALARM_RATE_MAX, ALARM_RATE_MIN, CheckedParams, Direction, EXCLUDED_MAX,
    Excluded, Feedback, MODELS, MinDeviation, ParamError, ParamErrorKind, Params, Seasons,
    TimeUnit, UnknownDirection, UnknownTimeUnit,
};
pub use score::{Score, Side, Status};
pub use seasons::PERIODS_MAX;
pub use series::{Series, SeriesError};
