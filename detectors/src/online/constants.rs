//! Everything about `tail_views` that is chosen and not learnt.

/// The constants, the same for every series and collection; printed in accuracy reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// Share of points beyond the threshold of a view, on each side.
    pub tail_share: f64,
    /// Largest shape of the Pareto tail of a view.
    pub shape_max: f64,
    /// Points by which a view starts to judge.
    pub warm_up: u32,
    /// Points after which the weight of the newest one falls no further.
    pub memory: f64,
    /// Largest −log10 p of one view.
    pub view_max: f64,
    /// Weight of record novelty beside tail probabilities.
    pub record_weight: f64,
    /// Novelty in widths of the range so far at which a record counts half.
    pub record_half: f64,
    /// Points over which evidence echoes.
    pub echo_points: f64,
    /// Order of the autoregression's forgetting: weight of the past per point.
    pub forgetting: f64,
    /// Weight of the newest visit in the profile of the shorter cycle.
    pub short_cycle_gain: f64,
    /// Weight of the newest visit in the profile of the longer cycle.
    pub long_cycle_gain: f64,
    /// Mean of the combined statistic beyond its threshold before any was seen …
    pub null_scale: f64,
    /// … and how many exceedances that guess weighs.
    pub null_scale_weight: f64,
    /// Largest shape of the tail of the combined statistic.
    pub null_shape_max: f64,
    /// p-value below which a point is an event that the null is not taught …
    pub event: f64,
    /// … for so many points at most: what lasts longer is the new normal.
    pub event_points: u32,
    /// Step of the alarm-rate control for one alarm, in ln p.
    pub control_gain: f64,
    /// Most that the control adds to ln p.
    pub control_max: f64,
    /// Alarms that one alert counts for at most in the control.
    pub control_alarms: u32,
    /// Points after an alert within which only a stronger alarm is another one.
    pub alert_points: u32,
    /// How much stronger: factor of the score.
    pub alert_growth: f64,
}

/// The constants in force.
pub const CONSTANTS: Constants = Constants {
    tail_share: 0.03,
    shape_max: 0.5,
    warm_up: 100,
    memory: 100_000.0,
    view_max: 12.0,
    record_weight: 4.0,
    record_half: 0.05,
    echo_points: 3.0,
    forgetting: 0.9995,
    short_cycle_gain: 0.2,
    long_cycle_gain: 0.3,
    null_scale: 1.1,
    null_scale_weight: 300.0,
    null_shape_max: 0.2,
    event: 1e-3,
    event_points: 20,
    control_gain: 0.02,
    control_max: 1.4,
    control_alarms: 2,
    alert_points: 100,
    alert_growth: 1.3,
};
