//! What went through lately, from the totals at each tick.

use std::collections::VecDeque;
use std::time::Duration;

/// The longest stretch that counts as lately.
const STRETCH: Duration = Duration::from_secs(2);
/// Below this a rate is mostly chance.
const LEAST: Duration = Duration::from_millis(400);

/// Requests with an outcome, at the last ticks.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ticks: VecDeque<(Duration, u64)>,
}

impl Recent {
    /// Takes in the total at a tick.
    pub(super) fn note(&mut self, elapsed: Duration, requests: u64) {
        let aged = |from: Duration| elapsed.saturating_sub(from);
        // The tick before the stretch goes as soon as another one covers it.
        while self
            .ticks
            .get(1)
            .is_some_and(|(at, _)| aged(*at) >= STRETCH)
        {
            self.ticks.pop_front();
        }
        self.ticks.push_back((elapsed, requests));
    }

    /// Requests a second over the last half to two seconds, or over what there is of a run that
    /// has just begun.
    pub(super) fn per_s(&self) -> Option<f64> {
        let (to, after) = self.ticks.back()?;
        let within = |(at, _): &&(Duration, u64)| to.saturating_sub(*at) <= STRETCH;
        let first = self.ticks.iter().find(within);
        let (from, before) = match first {
            Some(first) if *to - first.0 >= LEAST => *first,
            // Ticks that are far apart; or the first one, before which there was nothing.
            _ if self.ticks.len() > 1 => self.ticks[self.ticks.len() - 2],
            _ => (Duration::ZERO, 0),
        };
        let stretch = to.checked_sub(from)?;
        (stretch >= LEAST).then(|| after.saturating_sub(before) as f64 / stretch.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ticks: &[(u64, u64)]) -> Option<f64> {
        let mut recent = Recent::default();
        for (ms, requests) in ticks {
            recent.note(Duration::from_millis(*ms), *requests);
        }
        recent.per_s()
    }

    #[test]
    fn the_first_tick_counts_from_the_start() {
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[(100, 7)]), None, "too short to say");
        assert_eq!(after(&[(500, 50)]), Some(100.0));
    }

    #[test]
    fn only_the_last_two_seconds_count() {
        let mut ticks: Vec<(u64, u64)> = (0..=20).map(|n| (n * 500, n * 500)).collect();
        assert_eq!(after(&ticks), Some(1_000.0));
        // A stall shows at once and is all there is after two seconds.
        ticks.push((10_500, 10_000));
        assert_eq!(after(&ticks), Some(750.0));
        ticks.extend((22..25).map(|n| (n * 500, 10_000)));
        assert_eq!(after(&ticks), Some(0.0));
    }

    #[test]
    fn ticks_that_are_far_apart_still_give_a_rate() {
        assert_eq!(after(&[(500, 0), (5_500, 500)]), Some(100.0));
    }

    #[test]
    fn memory_does_not_grow_with_the_run() {
        let mut recent = Recent::default();
        for n in 0..10_000 {
            recent.note(Duration::from_millis(n * 500), n);
        }
        assert!(recent.ticks.len() <= 6, "{}", recent.ticks.len());
    }
}
