//! Seventeen looks at the newest point, in four families.
//!
//! | family | views |
//! |---|---|
//! | level | the value; means of the last 3, 6, 12, 24 |
//! | residual | value less the usual one at this phase of the shorter and of the longer cycle; means of the last 6 and 24 of the latter |
//! | variability | standard deviation of the last 12, 48; range of the last 12, 48, 96 |
//! | dynamics | difference to the value before; error of an autoregression; mean of its last 3 errors |
//!
//! No family wins everywhere: level and residual win on slow machine metrics, dynamics on web metrics
//! by the minute, variability on waveforms; equal weights lose little against the best of each.

use super::autoregression::{Autoregression, ORDER};
use super::constants::CONSTANTS;
use super::cycle::Cycle;
use super::recent::Recent;
use crate::models::history::History;

/// Number of views.
pub(crate) const VIEWS: usize = 17;

/// Number of families.
pub(crate) const FAMILIES: usize = 4;

/// First view of each family, and the end.
pub(crate) const FAMILY: [usize; FAMILIES + 1] = [0, 5, 9, 14, 17];

/// What the families are called.
pub(crate) const FAMILY_NAMES: [&str; FAMILIES] = ["level", "season", "variability", "dynamics"];

/// Index of the view that is the error of the autoregression.
pub(crate) const ERROR: usize = 15;

/// Phases of the shorter cycle: the hours of a day.
pub(crate) const SHORT_PHASES: usize = 24;
/// Phases of the longer cycle: the hours of a week.
pub(crate) const LONG_PHASES: usize = 168;

/// Points looked back on.
pub(crate) const RECENT: usize = 96;
pub(crate) const RESIDUALS: usize = 24;
pub(crate) const ERRORS: usize = 3;

/// What the views remember of the series, standardised.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Memory {
    pub(crate) values: Recent<RECENT>,
    pub(crate) residuals: Recent<RESIDUALS>,
    pub(crate) errors: Recent<ERRORS>,
    pub(crate) short: Cycle<SHORT_PHASES>,
    pub(crate) long: Cycle<LONG_PHASES>,
    pub(crate) autoregression: Autoregression,
}

impl Memory {
    /// Periods in ticks, the shorter first.
    pub(crate) fn new(periods: [i64; 2]) -> Self {
        Self {
            values: Recent::new(),
            residuals: Recent::new(),
            errors: Recent::new(),
            short: Cycle::new(periods[0]),
            long: Cycle::new(periods[1]),
            autoregression: Autoregression::new(),
        }
    }

    /// What the autoregression says comes next, standardised; `None` before it has points enough.
    pub(crate) fn predicted(&self) -> Option<f64> {
        self.autoregression.predict(self.values.last(ORDER))
    }

    /// The last value, standardised; 0 before the first.
    pub(crate) fn last(&self) -> f64 {
        self.values.last(1).map_or(0.0, |last| last[0])
    }

    /// Takes in a value at a local time, for which `predicted` was [`predicted`](Self::predicted), and
    /// looks at it; a view that has too little to go by is `None`.
    pub(crate) fn take(
        &mut self,
        local: i64,
        value: f64,
        predicted: Option<f64>,
    ) -> [Option<f64>; VIEWS] {
        let by_short = self.short.residual(local, value);
        let by_long = self.long.residual(local, value);
        let past = self.values.last(ORDER);
        let error = predicted.map(|p| value - p);
        let difference = self.values.last(1).map(|last| value - last[0]);
        self.autoregression.learn(past, value);
        self.short.learn(local, value, CONSTANTS.short_cycle_gain);
        self.long.learn(local, value, CONSTANTS.long_cycle_gain);
        self.values.push(value);
        if let Some(residual) = by_long {
            self.residuals.push(residual);
        }
        if let Some(error) = error {
            self.errors.push(error);
        }
        let recent = &self.values;
        [
            Some(value),
            recent.mean(3),
            recent.mean(6),
            recent.mean(12),
            recent.mean(24),
            by_short,
            by_long,
            by_long.and_then(|_| self.residuals.mean(6)),
            by_long.and_then(|_| self.residuals.mean(24)),
            recent.std(12),
            recent.std(48),
            recent.range(12),
            recent.range(48),
            recent.range(96),
            difference,
            error,
            error.and_then(|_| self.errors.mean(ERRORS)),
        ]
    }

    /// Whether the numbers are ones that learning gives.
    pub(crate) fn is_sound(&self) -> bool {
        let most = History::LARGEST;
        self.values.is_sound(most)
            && self.residuals.is_sound(4.0 * most)
            && self.errors.is_sound(4.0 * most)
            && self.short.is_sound()
            && self.long.is_sound()
            && self.autoregression.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_is_there_once_the_cycles_were_seen() {
        let mut memory = Memory::new([86_400, 604_800]);
        let hours = 24 * 7 + 24;
        let mut views = [None; VIEWS];
        for hour in 0..hours {
            let predicted = memory.predicted();
            views = memory.take(3_600 * hour, (hour % 24) as f64, predicted);
        }
        assert!(views.iter().all(Option::is_some), "{views:?}");
        assert_eq!(
            (views[5], views[6], views[8]),
            (Some(0.0), Some(0.0), Some(0.0))
        );
        assert_eq!((views[0], views[14]), (Some(23.0), Some(1.0)));
        assert_eq!(FAMILY[FAMILIES], VIEWS);
    }

    #[test]
    fn the_first_point_is_seen_by_the_level_alone() {
        let views = Memory::new([10, 100]).take(0, 1.0, None);
        let seen = views.iter().flatten().count();
        assert_eq!((seen, views[0]), (1, Some(1.0)));
    }
}
