//! A rate that changes in straight lines between corners (tᵢ, rᵢ) and stays at the last.
//!
//! Arrival k = 1, 2, … comes where the integral of the rate reaches k. Within a line of slope
//! a = (r₁ − r₀) / (t₁ − t₀) that begins after n arrivals, k − n = r₀·τ + a·τ²/2 is solved by
//!
//! `τ = 2·(k − n) / (r₀ + √(r₀² + 2·a·(k − n)))`,
//!
//! the form of the quadratic formula that loses no digits where a is small or 0. Two corners at one
//! time are a jump.

use super::NS_PER_S;
use crate::results::config::Stage;

/// Why corners are no course of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StagesError {
    /// There is no corner.
    #[error("there is no stage")]
    Empty,
    /// The first corner is not at 0.
    #[error("the first stage has to begin at 0")]
    LateStart,
    /// A corner is before the one before it.
    #[error("stage {0} is before the one before it")]
    Unordered(usize),
    /// A rate is negative, infinite or not a number.
    #[error("stage {0} has a rate that is no finite number from 0 up")]
    Rate(usize),
    /// All rates are 0.
    #[error("no stage has a rate above 0")]
    AllZero,
}

/// Checks that the corners begin at 0 and go on in time, and that a request is sent at all.
///
/// # Errors
/// With the number, from 1, of the first corner that is wrong.
pub fn check_stages(stages: &[Stage]) -> Result<(), StagesError> {
    let first = stages.first().ok_or(StagesError::Empty)?;
    if first.at_ns != 0 {
        return Err(StagesError::LateStart);
    }
    if let Some(k) = stages
        .iter()
        .position(|s| !(s.per_s >= 0.0 && s.per_s.is_finite()))
    {
        return Err(StagesError::Rate(k + 1));
    }
    if let Some(k) = stages
        .windows(2)
        .position(|pair| pair[1].at_ns < pair[0].at_ns)
    {
        return Err(StagesError::Unordered(k + 2));
    }
    if stages.iter().all(|stage| stage.per_s == 0.0) {
        return Err(StagesError::AllZero);
    }
    Ok(())
}

#[derive(Debug)]
pub(super) struct Stages {
    lines: Vec<Line>,
    line: usize,
    sent: u64,
    last_ns: u64,
}

/// The rate from one corner to the next, the last without an end.
#[derive(Debug, Clone, Copy)]
struct Line {
    from_s: f64,
    until_s: f64,
    rate: f64,
    slope: f64,
    /// Arrivals before it and by its end.
    before: f64,
    by_end: f64,
}

impl Stages {
    pub(super) fn new(stages: &[Stage]) -> Self {
        let seconds = |stage: &Stage| stage.at_ns as f64 / NS_PER_S;
        let mut lines = Vec::with_capacity(stages.len());
        let mut before = 0.0;
        for pair in stages.windows(2) {
            let (from_s, until_s) = (seconds(&pair[0]), seconds(&pair[1]));
            let (rate, then) = (pair[0].per_s, pair[1].per_s);
            let length = until_s - from_s;
            if length <= 0.0 {
                continue;
            }
            let by_end = before + (rate + then) / 2.0 * length;
            lines.push(Line {
                from_s,
                until_s,
                rate,
                slope: (then - rate) / length,
                before,
                by_end,
            });
            before = by_end;
        }
        if let Some(last) = stages.last().filter(|last| last.per_s > 0.0) {
            lines.push(Line {
                from_s: seconds(last),
                until_s: f64::INFINITY,
                rate: last.per_s,
                slope: 0.0,
                before,
                by_end: f64::INFINITY,
            });
        }
        Self {
            lines,
            line: 0,
            sent: 0,
            last_ns: 0,
        }
    }
}

impl Line {
    /// When arrival `k` comes, which is within this line.
    fn at(&self, k: f64) -> f64 {
        let n = k - self.before;
        // A rate that falls to 0 can leave a negative zero's worth of rounding under the root.
        let then = (self.rate * self.rate + 2.0 * self.slope * n)
            .max(0.0)
            .sqrt();
        (self.from_s + 2.0 * n / (self.rate + then)).min(self.until_s)
    }
}

impl Iterator for Stages {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<u64> {
        self.sent = self.sent.saturating_add(skipped as u64).saturating_add(1);
        let k = self.sent as f64;
        while self.lines.get(self.line)?.by_end < k {
            self.line += 1;
        }
        let at_ns = (self.lines.get(self.line)?.at(k) * NS_PER_S).round() as u64;
        // Equal up to rounding at a corner.
        self.last_ns = self.last_ns.max(at_ns);
        Some(self.last_ns)
    }
}
