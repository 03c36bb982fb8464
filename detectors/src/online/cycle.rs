//! The usual course of a cycle: an exponentially weighted mean for each of its phases.

use crate::models::history::History;
use crate::stats::elementary::within;

/// Visits after which a phase is told by its gain alone; counts stop here.
const VISITS_MAX: u8 = 200;

/// Means by phase of one period.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cycle<const PHASES: usize> {
    /// In ticks, > 0.
    pub(crate) period: i64,
    pub(crate) means: [f32; PHASES],
    /// How often each phase was seen.
    pub(crate) visits: [u8; PHASES],
}

impl<const PHASES: usize> Cycle<PHASES> {
    pub(crate) fn new(period: i64) -> Self {
        Self {
            period,
            means: [0.0; PHASES],
            visits: [0; PHASES],
        }
    }

    /// Difference from what is usual at this local time; `None` where the phase is new.
    pub(crate) fn residual(&self, local: i64, value: f64) -> Option<f64> {
        let phase = self.phase(local);
        (self.visits[phase] > 0).then(|| value - f64::from(self.means[phase]))
    }

    /// Learns a value; `gain` is the least weight of the newest.
    pub(crate) fn learn(&mut self, local: i64, value: f64, gain: f64) {
        let phase = self.phase(local);
        let visits = &mut self.visits[phase];
        *visits = (*visits + 1).min(VISITS_MAX);
        let gain = gain.max(1.0 / f64::from(*visits));
        let mean = f64::from(self.means[phase]);
        let mean = mean + gain * (value - mean);
        self.means[phase] = within(mean, -History::LARGEST, History::LARGEST) as f32;
    }

    fn phase(&self, local: i64) -> usize {
        let within = i128::from(local.rem_euclid(self.period));
        (within * PHASES as i128 / i128::from(self.period)) as usize
    }

    /// Whether the numbers are ones that learning gives.
    pub(crate) fn is_sound(&self) -> bool {
        let most = 2.0 * History::LARGEST as f32;
        let counted = self.visits.iter().all(|visits| *visits <= VISITS_MAX);
        self.period > 0 && counted && self.means.iter().all(|mean| mean.abs() <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_compared_with_its_own_past() {
        let mut day = Cycle::<24>::new(86_400);
        assert_eq!(day.residual(0, 1.0), None);
        for day_index in 0..10 {
            for hour in 0..24 {
                day.learn(86_400 * day_index + 3_600 * hour, hour as f64, 0.2);
            }
        }
        let residual = |hour: i64, value| day.residual(86_400 * 11 + 3_600 * hour + 59, value);
        assert_eq!(residual(3, 3.0), Some(0.0));
        assert_eq!(residual(23, 20.0), Some(-3.0));
    }

    #[test]
    fn any_time_and_period_has_a_phase() {
        for period in [1, 7, i64::MAX] {
            let cycle = Cycle::<168>::new(period);
            for time in [i64::MIN, -1, 0, 1, i64::MAX] {
                assert!(cycle.phase(time) < 168);
            }
        }
    }
}
