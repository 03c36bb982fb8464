//! One alert per event: of the alarms of one event only the first, and those that are much stronger.
//!
//! Scores are never altered by this: whoever wants every alarm has `anomaly`, whoever wants to be woken
//! once has `alert`.

use super::constants::CONSTANTS;

/// What the last alert was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alerts {
    /// Points since the last alert.
    pub(crate) since: u32,
    /// Score of it.
    pub(crate) level: f64,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            since: u32::MAX,
            level: 0.0,
        }
    }
}

impl Alerts {
    /// Whether the next point, with this score, is an alert: it is above `least`, and either no alert
    /// was raised within the last [`alert_points`](super::Constants::alert_points) points or the
    /// score is [`alert_growth`](super::Constants::alert_growth) times that of the last one.
    pub fn next(&mut self, anomaly_score: f64, least: f64) -> bool {
        if self.since >= CONSTANTS.alert_points {
            self.level = 0.0;
        }
        self.since = self.since.saturating_add(1);
        let is_alert = anomaly_score > least && anomaly_score > self.level * CONSTANTS.alert_growth;
        if is_alert {
            self.level = anomaly_score;
            self.since = 1;
        }
        is_alert
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.level.is_finite() && self.level >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_alerts_once_unless_it_grows() {
        let mut alerts = Alerts::default();
        let scores = [0.5, 2.0, 2.5, 2.7, 0.3, 2.0];
        let raised: Vec<bool> = scores.iter().map(|s| alerts.next(*s, 1.0)).collect();
        assert_eq!(raised, [false, true, false, true, false, false]);
    }

    #[test]
    fn after_a_while_it_is_another_event() {
        let mut alerts = Alerts::default();
        assert!(alerts.next(3.0, 1.0));
        let later = (0..CONSTANTS.alert_points).map(|_| alerts.next(2.0, 1.0));
        let raised: Vec<bool> = later.collect();
        assert_eq!(raised.iter().filter(|raised| **raised).count(), 1);
        assert!(raised[CONSTANTS.alert_points as usize - 1]);
    }
}
