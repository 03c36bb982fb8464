//! What a model says about one point.

use std::fmt;

/// The verdict on one point; every number is finite.
///
/// `anomaly` ⇔ `p_value < alarm_rate` ⇔ `anomaly_score > 1` ⇔ the value is outside
/// `[lower, upper]`. Where a model is a band, the comparison with the bounds decides; the tail
/// probability of the point is then moved to the right side of the alarm rate where rounding, about
/// 1e-13 of it, put it on the wrong one. Where evidence is judged (windows, `tail_views`, whole
/// series), its p-value decides, and the bound next to the value is moved to the side that it says.
/// So the four agree exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Whether the point raises an alarm. A value that is NaN or infinite always does.
    pub anomaly: bool,
    /// `ln(p_value) / ln(alarm_rate)`, ≥ 0: 1 at the threshold, 2 where the alarm rate is squared.
    pub anomaly_score: f64,
    /// Probability of a point at least as extreme under the model, in `[f64::MIN_POSITIVE, 1]`;
    /// the lower end for a value that is NaN or infinite.
    pub p_value: f64,
    /// 0 when normal, else `1 − 1 / anomaly_score`, below or equal to 1.
    pub severity: f64,
    /// The value the model expects at this time, in the unit of the series.
    pub expected: f64,
    /// Lowest normal value; `-f64::MAX` where the model has no bound below.
    pub lower: f64,
    /// Highest normal value; `f64::MAX` where the model has no bound above.
    pub upper: f64,
    /// Where the value lies from `expected`.
    pub side: Side,
    /// How much the model knew about this time.
    pub status: Status,
    /// Whether `p_value` is smaller than the share of one point in the calibration: it rests on the
    /// tail fitted to, or assumed of, the data and not on a rank among them.
    pub tail_extrapolated: bool,
}

/// The side of the expected value on which a point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it.
    Above,
    /// Below it.
    Below,
    /// On it, or not comparable (NaN).
    Equal,
}

impl Side {
    /// `"above"`, `"below"` or `"none"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
            Self::Equal => "none",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much the model knew about the time of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As much as it ever will.
    Ok,
    /// The model still collects what it needs; the score is cautious.
    WarmingUp,
    /// The point lies further from the training range than the model can vouch for.
    Extrapolated,
}

impl Status {
    /// `"ok"`, `"warming_up"` or `"extrapolated"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::WarmingUp => "warming_up",
            Self::Extrapolated => "extrapolated",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
