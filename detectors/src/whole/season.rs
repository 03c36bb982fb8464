//! The shape of a day, a week or a period that was asked for, and what is left of a series without it.
//!
//! A phase follows the timestamp on the clock of the time zone, never the index of a point. A period
//! is cut into phases as long as the median step; each phase has the median of the points in it, so
//! that what happens once leaves no trace in it.

use jiff::tz::TimeZone;

use super::constants::CONSTANTS;
use crate::models::FitError;
use crate::params::Seasons;
use crate::seasons::Clock;
use crate::stats::order::median_of;

const DAY: i64 = 86_400;
const WEEK: i64 = 604_800;

/// 1970 began on a Thursday; a week does so on Monday.
const MONDAY: i64 = 3 * DAY;

/// The times of a series.
#[derive(Debug, Clone)]
pub(super) struct Times<'a> {
    ticks: &'a [i64],
    clock: Clock,
    ticks_per_second: i64,
    /// Median distance of two points in ticks, ≥ 1.
    step: i64,
}

impl<'a> Times<'a> {
    /// Of at least two points.
    pub(super) fn new(ticks: &'a [i64], zone: Option<&TimeZone>, ticks_per_second: i64) -> Self {
        let steps = ticks.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
        let step = median_of(&mut steps.collect::<Vec<_>>()) as i64;
        let clock = zone.map_or_else(Clock::default, |zone| {
            Clock::new(zone, ticks[0], ticks[ticks.len() - 1], ticks_per_second)
        });
        Self {
            ticks,
            clock,
            ticks_per_second,
            step: step.max(1),
        }
    }

    /// Ticks the points stand for: the last one lasts a step as well.
    fn length(&self) -> i64 {
        let span = self.ticks[self.ticks.len() - 1] - self.ticks[0];
        span.saturating_add(self.step)
    }

    /// Number of steps that are so many times as long as the median one, or longer.
    pub(super) fn steps_from(&self, times: i64) -> usize {
        let long = self.step.saturating_mul(times);
        let steps = self.ticks.windows(2).map(|pair| pair[1] - pair[0]);
        steps.filter(|step| *step >= long).count()
    }

    /// The seasons asked for, or the day and the week where the series holds them, shortest first.
    ///
    /// # Errors
    ///
    /// A period asked for that the series does not hold, or that is shorter than two steps.
    pub(super) fn periods(&self, asked: &Seasons) -> Result<Vec<i64>, FitError> {
        let (length, step) = (self.length(), self.step);
        let needed = |period: i64| (CONSTANTS.cycles_min * period as f64).ceil() as i64;
        match asked {
            Seasons::Auto => {
                let calendar = [DAY, WEEK].map(|seconds| seconds * self.ticks_per_second);
                let fits = |period: &i64| needed(*period) <= length && *period / 2 > step;
                Ok(calendar.into_iter().filter(fits).collect())
            }
            Seasons::Periods(periods) => {
                for &period in periods {
                    if period / 2 < step {
                        return Err(FitError::PeriodTooShort { period, step });
                    }
                    if needed(period) > length {
                        return Err(FitError::PeriodTooLong {
                            period,
                            needed: needed(period),
                            got: length,
                        });
                    }
                }
                Ok(periods.clone())
            }
        }
    }

    /// The values less the median of their phase.
    pub(super) fn without(&self, period: i64, values: &[f64]) -> Vec<f64> {
        let phases = (period / self.step).clamp(2, values.len() as i64) as usize;
        let anchor = MONDAY.saturating_mul(self.ticks_per_second);
        let phase_of = |tick: &i64| {
            let local = self.clock.local(*tick).saturating_add(anchor);
            let into = local.rem_euclid(period) as f64 / period as f64;
            ((into * phases as f64) as usize).min(phases - 1)
        };
        let phase: Vec<usize> = self.ticks.iter().map(phase_of).collect();
        let mut of_phase = vec![Vec::new(); phases];
        for (phase, value) in phase.iter().zip(values) {
            of_phase[*phase].push(*value);
        }
        let medians: Vec<f64> = of_phase
            .iter_mut()
            .map(|values| {
                if values.is_empty() {
                    0.0
                } else {
                    median_of(values)
                }
            })
            .collect();
        let rest = values.iter().zip(&phase);
        rest.map(|(value, phase)| value - medians[*phase]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seasons::clock;

    const HOUR: i64 = 3_600;

    #[test]
    fn the_calendar_is_there_where_the_series_holds_it() {
        let periods = |step: i64, n: i64| {
            let ticks: Vec<i64> = (0..n).map(|i| i * step).collect();
            Times::new(&ticks, None, 1).periods(&Seasons::Auto).unwrap()
        };
        assert_eq!(periods(HOUR, 60), [DAY]);
        assert_eq!(periods(HOUR, 59), []);
        assert_eq!(periods(HOUR, 420), [DAY, WEEK]);
        assert_eq!(periods(DAY, 100), [WEEK]);
        assert_eq!(periods(WEEK, 100), []);
    }

    #[test]
    fn periods_that_do_not_fit_are_refused() {
        let ticks: Vec<i64> = (0..100).collect();
        let times = Times::new(&ticks, None, 1);
        let asked = |period| times.periods(&Seasons::Periods(vec![period]));
        assert_eq!(asked(40), Ok(vec![40]));
        assert_eq!(
            asked(41),
            Err(FitError::PeriodTooLong {
                period: 41,
                needed: 103,
                got: 100
            })
        );
        assert_eq!(
            asked(1),
            Err(FitError::PeriodTooShort { period: 1, step: 1 })
        );
    }

    #[test]
    fn phases_follow_the_clock_on_the_wall() {
        // Two weeks on either side of the change of clocks in Berlin on 29 March 2026.
        let start = 1_773_442_800;
        let ticks: Vec<i64> = (0..28 * 24).map(|hour| start + hour * HOUR).collect();
        let zone = clock::zone("Europe/Berlin").unwrap();
        let local = Clock::new(&zone, ticks[0], ticks[ticks.len() - 1], 1);
        let at_nine = |tick: &i64| f64::from(u8::from(local.local(*tick) % DAY / HOUR == 9));
        let values: Vec<f64> = ticks.iter().map(at_nine).collect();
        let left = |zone| Times::new(&ticks, zone, 1).without(DAY, &values);
        assert!(left(Some(&zone)).iter().all(|value| *value == 0.0));
        assert!(left(None).iter().any(|value| *value != 0.0));
    }

    #[test]
    fn points_may_be_missing_and_irregular() {
        let ticks: Vec<i64> = (0..600)
            .map(|i| i * 3 * HOUR + i % 7)
            .filter(|t| t % 5 > 0)
            .collect();
        let values: Vec<f64> = ticks.iter().map(|t| (t / HOUR % 24) as f64).collect();
        let rest = Times::new(&ticks, None, 1).without(DAY, &values);
        assert!(rest.iter().all(|value| value.abs() <= 3.0));
    }
}
