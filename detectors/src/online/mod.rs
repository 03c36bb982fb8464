//! Detection that learns from every point it scores.
//!
//! [`Online`] is one durable object a series has beside its immutable versions: it scores a point
//! first and then learns from it. Its state is bounded (about 4 KiB), can be written at any point,
//! and replays bit for bit: the same points in the same order give the same bytes on every machine.
//! [`Online::freeze`] makes a version of it.

mod alerts;
pub(crate) mod autoregression;
mod constants;
pub(crate) mod control;
pub(crate) mod cycle;
pub(crate) mod null;
pub(crate) mod recent;
pub(crate) mod tail_views;
pub(crate) mod tails;
pub(crate) mod views;

pub use alerts::Alerts;
pub use constants::{CONSTANTS, Constants};

use crate::auto::Choice;
use crate::codec::{self, DecodeError};
use crate::fitted::{Fitted, Inner};
use crate::params::{CheckedParams, TimeUnit};
use crate::score::Score;
use crate::seasons::Clock;
use crate::series::Series;
use tail_views::{Setup, TailViews, beside_the_calendar};

/// The online state of one series.
///
/// ```
/// use detectors::{Params, online::Online};
///
/// let mut online = Online::new(&Params::default().check()?, 0);
/// for i in 0..1_000_i64 {
///     let observed = online.observe(60 * i, (i * 7919 % 101) as f64);
///     assert!(observed.learnt && !observed.alert);
/// }
/// let spike = online.observe(60_000, 5_000.0);
/// assert!(spike.score.anomaly && spike.alert);
/// // Not later than the last point: scored as of now, not learnt.
/// assert!(!online.observe(60_000, 5_000.0).learnt);
/// let again = Online::decode(&online.encode())?;
/// assert_eq!((again.learnt(), again.encode()), (1_001, online.encode()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Online {
    state: Box<TailViews>,
}

/// What the state says of a point, from before it learnt from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// The score; until the state has warmed up, `status` says so and nothing is an anomaly.
    pub score: Score,
    /// Whether this alarm is the first of its event or much stronger than the one before: what a
    /// person should be woken by.
    pub alert: bool,
    /// Whether the point was learnt: not where its time is not later than that of all before, nor
    /// where its value is not finite.
    pub learnt: bool,
}

/// How the adaptive control of the alarm rate stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Control {
    /// Points judged since the state had warmed up.
    pub points: u64,
    /// Alarms among them.
    pub alarms: u64,
    /// What is added to ln p, ≥ 0: more than 0 while alarms come more often than asked.
    pub log_factor: f64,
}

impl Online {
    /// What a state takes on the heap at most: itself, and the changes of its clock.
    pub const HEAP_BYTES_MAX: usize = size_of::<TailViews>() + Clock::HEAP_BYTES_MAX;

    /// Starts from nothing at a time in ticks, with the alarm rate, time unit, time zone and seasons
    /// asked for; the model named is not looked at. Without seasons its cycles are the day and the week.
    pub fn new(params: &CheckedParams, from: i64) -> Self {
        Self {
            state: Box::new(TailViews::new(Setup::from_nothing(params, from))),
        }
    }

    /// Starts from a version and the points it was fitted on, which are learnt one after the other
    /// (the latest 65,536 of them): with its alarm rate, time unit, seasons and time zone. A version
    /// that was frozen from an online state goes on exactly where it was, whatever the points.
    pub fn resume(model: &Fitted, history: &Series<'_>) -> Self {
        if let Inner::TailViews(state) = &model.inner {
            return Self {
                state: state.clone(),
            };
        }
        let setup = Setup {
            alarm_rate: model.alarm_rate(),
            time_unit: model.time_unit(),
            clock: model.clock(),
            choice: Choice::Named,
            periods: beside_the_calendar(model.summary().periods, model.time_unit()),
        };
        Self {
            state: Box::new(TailViews::learnt_from(setup, history)),
        }
    }

    /// Scores a point, then learns from it. `timestamp` in ticks of the time unit.
    pub fn observe(&mut self, timestamp: i64, value: f64) -> Observed {
        let learnt = value.is_finite() && self.state.is_next(timestamp);
        let seen = self.state.learn(timestamp, value);
        Observed {
            score: seen.score,
            alert: seen.alert && learnt,
            learnt,
        }
    }

    /// An immutable model that judges what comes next as this state would now.
    pub fn freeze(&self) -> Fitted {
        Fitted::from((*self.state).clone())
    }

    /// The state's bytes: the same for the same points in the same order, on every machine.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode_online(&self.state)
    }

    /// Reads a state's bytes; it then goes on as if it had never been written.
    ///
    /// # Errors
    ///
    /// Damaged bytes, another kind of bytes, a newer format, or numbers no learning can give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode_online(bytes).map(|state| Self {
            state: Box::new(state),
        })
    }

    /// Number of points learnt.
    pub fn learnt(&self) -> u64 {
        self.state.learnt
    }

    /// Time of the last point learnt, in ticks.
    pub fn last_timestamp(&self) -> Option<i64> {
        (self.state.learnt > 0).then_some(self.state.to)
    }

    /// Share of normal points that may alarm.
    pub fn alarm_rate(&self) -> f64 {
        self.state.rate.alarm_rate
    }

    /// What one tick of a timestamp is.
    pub fn time_unit(&self) -> TimeUnit {
        self.state.time_unit
    }

    /// Periods of the two cycles whose usual course is known, in ticks.
    pub fn periods(&self) -> [i64; 2] {
        self.state.periods()
    }

    /// How the alarm rate is controlled.
    pub fn control(&self) -> Control {
        let control = &self.state.control;
        Control {
            points: control.points,
            alarms: control.alarms,
            log_factor: control.log_factor,
        }
    }
}

/// Changes of a time zone that a state keeps: its bytes are bounded.
const CLOCK_CHANGES: usize = 32;

impl TailViews {
    /// Points of a history that are learnt, the latest ones: the cost of a fit has a bound.
    const HISTORY_MAX: usize = 1 << 16;

    /// A state that has learnt a history.
    pub(crate) fn learnt_from(setup: Setup, history: &Series<'_>) -> Self {
        let mut state = Self::new(setup);
        let from = history.len().saturating_sub(Self::HISTORY_MAX);
        let points = history.timestamps()[from..]
            .iter()
            .zip(&history.values()[from..]);
        for (tick, value) in points {
            state.observe(*tick, *value);
        }
        // Those of the next ten years, and some of the past for whoever judges the history again.
        state.clock = state.clock.with_latest(CLOCK_CHANGES);
        state
    }
}

impl Setup {
    fn from_nothing(params: &CheckedParams, from: i64) -> Self {
        let ticks_per_second = params.time_unit().ticks_per_second();
        let clock = |zone| Clock::new(zone, from, from, ticks_per_second);
        Self {
            alarm_rate: params.alarm_rate(),
            time_unit: params.time_unit(),
            clock: params.zone().map_or_else(Clock::default, clock),
            choice: Choice::Named,
            periods: params.seasons().named().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Online;
    use crate::params::Params;

    #[test]
    fn no_state_takes_more_of_the_heap_than_it_may() {
        let taken = |params: Params| {
            let state = Online::new(&params.check().unwrap(), 0).state;
            size_of_val(&*state) + size_of_val(&*state.clock.changes)
        };
        let in_zone = |name: &str| Params {
            timezone: Some(name.into()),
            ..Params::default()
        };
        let of_many_changes = taken(in_zone("America/New_York"));
        assert!(of_many_changes > taken(Params::default()));
        assert!(of_many_changes <= Online::HEAP_BYTES_MAX);
    }
}
