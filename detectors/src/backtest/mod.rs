//! What a detector would have said of a history, point by point as it came: a replay in causal order.
//!
//! A [`Replay`] fits a [`Contender`] on the points before a cut and scores those after it, with new fits as the
//! [`Plan`] says. A point is scored by a model that was fitted on points before it alone; a version that is given
//! scores the points that are later than all it was fitted on, and no others. [`Measured`] says what the scores are
//! worth: how often there were alarms, whether that is as often as asked for, and, with labels, how much of what
//! was labelled was found, and how late. There is no I/O and no clock in here; a replay goes on in steps, so that
//! whoever runs it can do something else in between, or stop.
//!
//! ```
//! use detectors::backtest::{Contender, Part, Measured, Plan, Refit, Replay};
//! use detectors::{Params, Series};
//!
//! let timestamps: Vec<i64> = (0..2_000).map(|i| 60 * i).collect();
//! let mut values: Vec<f64> = (0..2_000).map(|i| f64::from(i * 7919 % 101)).collect();
//! values[1_500] = 5_000.0;
//! let series = Series::new(&timestamps, &values)?;
//! let contender = Contender::Fit(Box::new(Params::default().check()?));
//! let plan = Plan { first: 1_000, refit: Refit::Never };
//!
//! let mut replay = Replay::new(series, contender, plan);
//! while replay.step()?.is_some() {}
//! let replayed = replay.finish();
//! assert_eq!((replayed.from, replayed.scores.len()), (1_000, 1_000));
//!
//! let alarms = replayed.alarms();
//! let part = Part { timestamps: &timestamps[1_000..], alarms: &alarms, labels: None };
//! let measured = Measured::of(part, 0.001, 1);
//! assert!(alarms[500] && measured.alarms >= 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chart;
mod labels;
#[cfg(test)]
mod laws;
mod measure;
mod replay;

pub use chart::{BUCKETS_MAX, Bucket, buckets};
pub use labels::{flags_of, runs_of};
pub use measure::{
    ByEvent, ByPoint, EVENTS_LISTED, Event, Labelled, Measured, Part, Rate, TOP_ALARMS, histogram,
    top_alarms,
};
pub use replay::{PIECE, Replay, Replayed, Step};

use crate::fitted::Fitted;
use crate::params::CheckedParams;

/// Who is replayed.
#[derive(Debug, Clone)]
pub enum Contender {
    /// A model that is fitted on the points before those it scores.
    Fit(Box<CheckedParams>),
    /// A model that is there already; it is never fitted anew.
    Version {
        /// The model.
        model: Box<Fitted>,
        /// The last timestamp it was fitted on.
        trained_to: i64,
    },
    /// The model that learns from every point it scores; it is never fitted anew.
    Online(Box<CheckedParams>),
}

/// Which points are scored, and when a model is fitted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Index of the first point that is scored: so many points are there for the first fit.
    pub first: usize,
    /// When a model is fitted anew.
    pub refit: Refit,
}

/// When a model is fitted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refit {
    /// Never: the model of the first points scores all others.
    Never,
    /// After so many points, at least 1.
    Every {
        /// Points between two fits.
        points: usize,
        /// What each fit is made on.
        window: Window,
    },
}

/// What a fit is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// On all points before.
    Expanding,
    /// On so many points before, the latest ones.
    Sliding(usize),
}

impl Plan {
    /// Fits of a replay of `n` points at most.
    #[must_use]
    pub fn fits(self, n: usize) -> usize {
        match self.refit {
            Refit::Never => 1,
            Refit::Every { points, .. } => n.saturating_sub(self.first).div_ceil(points.max(1)),
        }
    }
}
