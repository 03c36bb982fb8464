//! Layout of the online state, which is also that of a version frozen from it.
//!
//! Numbers have a fixed width, little endian, so that the size of a state does not change while it
//! learns; each list is preceded by its length (1 byte, 2 from 128 on).
//!
//! | bytes | what |
//! |---|---|
//! | 2 | time unit, who chose the model |
//! | 8 | alarm rate |
//! | 8 + 8 + 8 | points learnt, ticks of the first and the last |
//! | 8 + 8 | center and unit of standardised values |
//! | 1 + 768, 1 | the last 96 values, how many there are |
//! | 1 + 192, 1 | the last 24 residuals, how many |
//! | 24, 1 | the last 3 errors, how many |
//! | 8 + 1 + 96 + 1 + 24 | shorter cycle: period, 24 means, 24 counts |
//! | 8 + 2 + 672 + 2 + 168 | longer cycle: period, 168 means, 168 counts |
//! | 72 + 1 + 360 + 16 + 8 | autoregression: weights, covariance, mean and variance, points |
//! | 17 × 52 | tails of each view: count, lowest, highest, two sides of threshold and three moments |
//! | 8 | echo |
//! | 32 + 40 + 8 + 8 | null: quantiles, moments, event, points |
//! | 8 + 8 + 16 | control: factor, present alert, counts |
//! | 4 + 8 | last alert |
//! | 8 + 1 + 16 × changes | clock: offset, changes of the time zone (none for UTC) |

use postcard::fixint;
use serde::{Deserialize, Serialize};

use super::DecodeError;
use crate::auto::Choice;
use crate::models::verdict::Rate;
use crate::online::Alerts;
use crate::online::autoregression::{Autoregression, PACKED};
use crate::online::control::Controller;
use crate::online::cycle::Cycle;
use crate::online::null::Null;
use crate::online::recent::Recent;
use crate::online::tail_views::TailViews;
use crate::online::tails::{Side, Tails};
use crate::online::views::{ERRORS, Memory, VIEWS};
use crate::params::ALARM_RATE_MIN;
use crate::seasons::Clock;

/// Payload of the online state, format 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TailViewsV1 {
    /// 0 s, 1 ms, 2 us, 3 ns.
    time_unit: u8,
    /// As of [`Choice`].
    choice: u8,
    alarm_rate: f64,
    #[serde(with = "fixint::le")]
    learnt: u64,
    #[serde(with = "fixint::le")]
    from: i64,
    #[serde(with = "fixint::le")]
    to: i64,
    center: f64,
    unit: f64,
    values: Vec<f64>,
    values_filled: u8,
    residuals: Vec<f64>,
    residuals_filled: u8,
    errors: [f64; ERRORS],
    errors_filled: u8,
    short: CycleV1,
    long: CycleV1,
    autoregression: AutoregressionV1,
    tails: [TailsV1; VIEWS],
    echo: f64,
    null: NullV1,
    control: ControlV1,
    #[serde(with = "fixint::le")]
    alert_since: u32,
    alert_level: f64,
    #[serde(with = "fixint::le")]
    clock_first: i64,
    clock_changes: Vec<ChangeV1>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CycleV1 {
    #[serde(with = "fixint::le")]
    period: i64,
    means: Vec<f32>,
    visits: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct AutoregressionV1 {
    weights: [f64; 9],
    covariance: Vec<f64>,
    mean: f64,
    variance: f64,
    #[serde(with = "fixint::le")]
    learnt: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct TailsV1 {
    #[serde(with = "fixint::le")]
    n: u32,
    lowest: f32,
    highest: f32,
    above: SideV1,
    below: SideV1,
}

/// Threshold; mean excess, mean square, count.
type SideV1 = (f64, [f32; 3]);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NullV1 {
    quantiles: [f64; 4],
    /// Weight, count, censored, mean excess, mean square.
    moments: [f64; 5],
    #[serde(with = "fixint::le")]
    since_event: u32,
    #[serde(with = "fixint::le")]
    event_age: u32,
    #[serde(with = "fixint::le")]
    n: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ControlV1 {
    log_factor: f64,
    #[serde(with = "fixint::le")]
    since_alarm: u32,
    #[serde(with = "fixint::le")]
    alarms_of_alert: u32,
    #[serde(with = "fixint::le")]
    points: u64,
    #[serde(with = "fixint::le")]
    alarms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct ChangeV1 {
    #[serde(with = "fixint::le")]
    tick: i64,
    #[serde(with = "fixint::le")]
    offset: i64,
}

impl From<&TailViews> for TailViewsV1 {
    fn from(state: &TailViews) -> Self {
        let memory = &state.memory;
        let change = |&(tick, offset): &(i64, i64)| ChangeV1 { tick, offset };
        Self {
            time_unit: super::code_of_time_unit(state.time_unit),
            choice: state.choice as u8,
            alarm_rate: state.rate.alarm_rate,
            learnt: state.learnt,
            from: state.from,
            to: state.to,
            center: state.center,
            unit: state.unit,
            values: memory.values.values.to_vec(),
            values_filled: memory.values.filled as u8,
            residuals: memory.residuals.values.to_vec(),
            residuals_filled: memory.residuals.filled as u8,
            errors: memory.errors.values,
            errors_filled: memory.errors.filled as u8,
            short: (&memory.short).into(),
            long: (&memory.long).into(),
            autoregression: (&memory.autoregression).into(),
            tails: state.tails.each_ref().map(TailsV1::from),
            echo: state.echo,
            null: (&state.null).into(),
            control: (&state.control).into(),
            alert_since: state.alerts.since,
            alert_level: state.alerts.level,
            clock_first: state.clock.first,
            clock_changes: state.clock.changes.iter().map(change).collect(),
        }
    }
}

impl TailViewsV1 {
    pub(super) fn into_state(self) -> Result<TailViews, DecodeError> {
        let invalid = |field| DecodeError::Invalid { field };
        let state = TailViews {
            rate: Rate::new(self.alarm_rate),
            time_unit: super::time_unit_of_code(self.time_unit)?,
            choice: Choice::from_code(self.choice).ok_or(invalid("choice"))?,
            learnt: self.learnt,
            from: self.from,
            to: self.to,
            center: self.center,
            unit: self.unit,
            memory: Memory {
                values: recent(self.values, self.values_filled, "values")?,
                residuals: recent(self.residuals, self.residuals_filled, "residuals")?,
                errors: recent(self.errors.to_vec(), self.errors_filled, "errors")?,
                short: self.short.into_cycle("short")?,
                long: self.long.into_cycle("long")?,
                autoregression: self.autoregression.into_filter()?,
            },
            tails: self.tails.map(TailsV1::into_tails),
            echo: self.echo,
            null: self.null.into_null(),
            control: self.control.into_controller(),
            alerts: Alerts {
                since: self.alert_since,
                level: self.alert_level,
            },
            clock: Clock {
                first: self.clock_first,
                changes: self
                    .clock_changes
                    .iter()
                    .map(|c| (c.tick, c.offset))
                    .collect(),
            },
        };
        let rate_holds = self.alarm_rate >= ALARM_RATE_MIN && self.alarm_rate < 1.0;
        let checks = [
            ("alarm_rate", rate_holds),
            ("range", state.learnt == 0 || state.from <= state.to),
            ("center", state.center.is_finite()),
            (
                "unit",
                state.unit == 0.0 || (f64::MIN_POSITIVE..=f64::MAX).contains(&state.unit),
            ),
            ("memory", state.memory.is_sound()),
            ("tails", state.tails.iter().all(Tails::is_sound)),
            ("echo", (0.0..=1e3).contains(&state.echo)),
            ("null", state.null.is_sound()),
            ("control", state.control.is_sound()),
            ("alerts", state.alerts.is_sound()),
            ("clock", state.clock.is_sound()),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((field, _)) => Err(invalid(field)),
            None => Ok(state),
        }
    }
}

fn recent<const N: usize>(
    values: Vec<f64>,
    filled: u8,
    field: &'static str,
) -> Result<Recent<N>, DecodeError> {
    Ok(Recent {
        values: array(values, field)?,
        filled: usize::from(filled),
    })
}

fn array<T, const N: usize>(values: Vec<T>, field: &'static str) -> Result<[T; N], DecodeError> {
    let wrong_length = |_| DecodeError::Invalid { field };
    values.try_into().map_err(wrong_length)
}

impl<const PHASES: usize> From<&Cycle<PHASES>> for CycleV1 {
    fn from(cycle: &Cycle<PHASES>) -> Self {
        Self {
            period: cycle.period,
            means: cycle.means.to_vec(),
            visits: cycle.visits.to_vec(),
        }
    }
}

impl CycleV1 {
    fn into_cycle<const PHASES: usize>(
        self,
        field: &'static str,
    ) -> Result<Cycle<PHASES>, DecodeError> {
        Ok(Cycle {
            period: self.period,
            means: array(self.means, field)?,
            visits: array(self.visits, field)?,
        })
    }
}

impl From<&Autoregression> for AutoregressionV1 {
    fn from(filter: &Autoregression) -> Self {
        Self {
            weights: filter.weights,
            covariance: filter.covariance.to_vec(),
            mean: filter.mean,
            variance: filter.variance,
            learnt: filter.learnt,
        }
    }
}

impl AutoregressionV1 {
    fn into_filter(self) -> Result<Autoregression, DecodeError> {
        Ok(Autoregression {
            weights: self.weights,
            covariance: array::<f64, PACKED>(self.covariance, "covariance")?,
            mean: self.mean,
            variance: self.variance,
            learnt: self.learnt,
        })
    }
}

impl From<&Tails> for TailsV1 {
    fn from(tails: &Tails) -> Self {
        let side = |side: &Side| {
            (
                side.threshold,
                [side.mean_excess, side.mean_square, side.count],
            )
        };
        Self {
            n: tails.n,
            lowest: tails.lowest,
            highest: tails.highest,
            above: side(&tails.above),
            below: side(&tails.below),
        }
    }
}

impl TailsV1 {
    fn into_tails(self) -> Tails {
        let side = |(threshold, [mean_excess, mean_square, count]): SideV1| Side {
            threshold,
            mean_excess,
            mean_square,
            count,
        };
        Tails {
            n: self.n,
            lowest: self.lowest,
            highest: self.highest,
            above: side(self.above),
            below: side(self.below),
        }
    }
}

impl From<&Null> for NullV1 {
    fn from(null: &Null) -> Self {
        Self {
            quantiles: null.quantiles,
            moments: [
                null.weight,
                null.count,
                null.censored,
                null.mean_excess,
                null.mean_square,
            ],
            since_event: null.since_event,
            event_age: null.event_age,
            n: null.n,
        }
    }
}

impl NullV1 {
    fn into_null(self) -> Null {
        let [weight, count, censored, mean_excess, mean_square] = self.moments;
        Null {
            quantiles: self.quantiles,
            weight,
            count,
            censored,
            mean_excess,
            mean_square,
            since_event: self.since_event,
            event_age: self.event_age,
            n: self.n,
        }
    }
}

impl From<&Controller> for ControlV1 {
    fn from(control: &Controller) -> Self {
        Self {
            log_factor: control.log_factor,
            since_alarm: control.since_alarm,
            alarms_of_alert: control.alarms_of_alert,
            points: control.points,
            alarms: control.alarms,
        }
    }
}

impl ControlV1 {
    fn into_controller(self) -> Controller {
        Controller {
            log_factor: self.log_factor,
            since_alarm: self.since_alarm,
            alarms_of_alert: self.alarms_of_alert,
            points: self.points,
            alarms: self.alarms,
        }
    }
}
