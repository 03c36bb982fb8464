//! Takes back alarms that come too often in the long run, as they do while a series drifts.
//!
//! ```text
//! ln p ← ln p + θ,   θ ← clamp(θ + η (alarm − α), 0, θ_max)
//! ```
//!
//! Adaptive conformal inference (Gibbs & Candès, *Adaptive conformal inference under distribution
//! shift*, NeurIPS 2021) moves the level α itself; here the p-value is moved by as much, so that the
//! one decision rule `p < alarm_rate` stands. θ never falls below 0: the control takes away alarms
//! that come too often and adds none. One alert counts for two alarms at most, or a long true anomaly
//! would buy silence for what follows; and θ is bounded, so that the worst it can do is known.

use super::constants::CONSTANTS;
use crate::stats::Tail;

/// Points after an alarm by which the next one is another alert.
const APART: u32 = 20;

/// The state of the control.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Controller {
    /// θ ≥ 0, added to ln p.
    pub(crate) log_factor: f64,
    pub(crate) since_alarm: u32,
    /// Alarms of the present alert.
    pub(crate) alarms_of_alert: u32,
    /// Points judged, and alarms among them.
    pub(crate) points: u64,
    pub(crate) alarms: u64,
}

impl Controller {
    /// The p-value to answer with.
    pub(crate) fn adjust(&self, tail: Tail) -> Tail {
        if self.log_factor == 0.0 {
            tail
        } else {
            Tail::of_ln_p(tail.ln_p + self.log_factor)
        }
    }

    /// Learns whether a point alarmed.
    pub(crate) fn learn(&mut self, is_alarm: bool, alarm_rate: f64) {
        self.points = self.points.saturating_add(1);
        if is_alarm {
            self.alarms = self.alarms.saturating_add(1);
            if self.since_alarm > APART {
                self.alarms_of_alert = 0;
            }
            self.since_alarm = 0;
            self.alarms_of_alert = self.alarms_of_alert.saturating_add(1);
        }
        self.since_alarm = self.since_alarm.saturating_add(1);
        let counts = is_alarm && self.alarms_of_alert <= CONSTANTS.control_alarms;
        let error = f64::from(u8::from(counts)) - alarm_rate;
        self.log_factor =
            (self.log_factor + CONSTANTS.control_gain * error).clamp(0.0, CONSTANTS.control_max);
    }

    /// Whether the numbers are ones that learning gives.
    pub(crate) fn is_sound(&self) -> bool {
        (0.0..=CONSTANTS.control_max).contains(&self.log_factor) && self.alarms <= self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_alarms_raise_p_and_calm_lowers_it_again() {
        let mut control = Controller::default();
        for index in 0..20_000 {
            control.learn(index % 100 == 0, 0.001);
        }
        assert!(control.log_factor > 0.99 * CONSTANTS.control_max);
        assert!(control.adjust(Tail::of_p(1e-4)).p > 3e-4);
        for _ in 0..200_000 {
            control.learn(false, 0.001);
        }
        assert_eq!(control.log_factor, 0.0);
        assert_eq!((control.points, control.alarms), (220_000, 200));
    }

    #[test]
    fn one_long_anomaly_counts_little() {
        let mut control = Controller::default();
        for _ in 0..500 {
            control.learn(true, 0.001);
        }
        assert!(control.log_factor <= 2.0 * CONSTANTS.control_gain);
    }
}
