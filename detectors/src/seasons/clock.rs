//! Local time: the phase of a season follows the clock on the wall, also where it is put forward.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Seconds of a Gregorian year.
const YEAR: i64 = 31_556_952;

/// A model knows the changes of its zone for so many years after training; later times keep the
/// last offset.
const YEARS_AHEAD: i64 = 10;

/// Changes kept at most, the latest ones: a history longer than that has its oldest hours shifted.
const CHANGES_MAX: usize = 64;

/// Latest time in seconds that has a civil date.
const SECOND_MAX: i64 = 253_402_207_200;

/// Offsets of one time zone over the years a model is used in.
///
/// They are written into the model, so that its scores do not change with a later edition of the
/// time zone database.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Clock {
    /// Offset before the first change, in ticks.
    pub(crate) first: i64,
    /// Tick of each change, ascending, and the offset from there on.
    pub(crate) changes: Box<[(i64, i64)]>,
}

/// Finds a zone of the IANA database by name.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

impl Clock {
    /// What its changes take at most.
    pub(crate) const HEAP_BYTES_MAX: usize = CHANGES_MAX * size_of::<(i64, i64)>();

    /// The clock of a zone around a training range in ticks.
    pub(crate) fn new(zone: &TimeZone, from: i64, to: i64, ticks_per_second: i64) -> Self {
        let second = |tick: i64| (tick / ticks_per_second).min(SECOND_MAX);
        let time = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds()) * ticks_per_second;
        let end = second(to)
            .saturating_add(YEARS_AHEAD * YEAR)
            .min(SECOND_MAX);
        let start =
            second(from).max(second(to) - (CHANGES_MAX as i64 / 2 - 2 * YEARS_AHEAD) * YEAR);
        let begin = time(start.max(0));
        let changes: Vec<(i64, i64)> = zone
            .following(begin)
            .take_while(|change| change.timestamp().as_second() <= end)
            .take(CHANGES_MAX)
            .filter_map(|change| {
                let tick = change
                    .timestamp()
                    .as_second()
                    .checked_mul(ticks_per_second)?;
                Some((
                    tick,
                    i64::from(change.offset().seconds()) * ticks_per_second,
                ))
            })
            .collect();
        Self {
            first: offset(begin),
            changes: changes.into(),
        }
    }

    /// The tick that a clock on the wall shows.
    #[inline]
    pub(crate) fn local(&self, tick: i64) -> i64 {
        let offset = match self.changes.partition_point(|(from, _)| *from <= tick) {
            0 => self.first,
            after => self.changes[after - 1].1,
        };
        tick.saturating_add(offset)
    }

    /// The same clock with its latest `n` changes only: times before them have their first offset.
    pub(crate) fn with_latest(&self, n: usize) -> Self {
        let from = self.changes.len().saturating_sub(n);
        Self {
            first: match from.checked_sub(1) {
                Some(before) => self.changes[before].1,
                None => self.first,
            },
            changes: self.changes[from..].into(),
        }
    }

    /// Whether the numbers are ones a fit can give.
    pub(crate) fn is_sound(&self) -> bool {
        self.changes.len() <= CHANGES_MAX && self.changes.is_sorted_by(|a, b| a.0 < b.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clocks in New York went forward on 8 March 2026 at 07:00 UTC and back on 1 November at 06:00.
    #[test]
    fn follows_daylight_saving() {
        let (forward, back) = (1_772_953_200, 1_793_512_800);
        let zone = zone("America/New_York").unwrap();
        for ticks_per_second in [1, 1_000] {
            let clock = Clock::new(
                &zone,
                1_767_225_600 * ticks_per_second,
                1_772_000_000 * ticks_per_second,
                ticks_per_second,
            );
            let offset = |second: i64| {
                let tick = second * ticks_per_second;
                (clock.local(tick) - tick) / ticks_per_second
            };
            assert_eq!(offset(forward - 1), -5 * 3_600);
            assert_eq!(offset(forward), -4 * 3_600);
            assert_eq!(offset(back - 1), -4 * 3_600);
            assert_eq!(offset(back), -5 * 3_600);
            assert!(clock.is_sound());
        }
    }

    #[test]
    fn the_latest_changes_are_enough_for_late_times() {
        let zone = zone("America/New_York").unwrap();
        let clock = Clock::new(&zone, 0, 1_772_000_000, 1);
        let latest = clock.with_latest(5);
        assert_eq!(latest.changes.len(), 5);
        let from = latest.changes[0].0 - 1_000;
        for tick in (from..from + 200_000_000).step_by(1_000_003) {
            assert_eq!(latest.local(tick), clock.local(tick));
        }
        assert_eq!(clock.with_latest(1_000), clock);
    }

    #[test]
    fn utc_has_no_changes_and_far_times_do_no_harm() {
        let clock = Clock::new(&zone("UTC").unwrap(), 0, i64::MAX, 1);
        assert_eq!((clock.changes.len(), clock.local(i64::MAX)), (0, i64::MAX));
        let clock = Clock::new(&zone("Europe/Berlin").unwrap(), 0, i64::MAX, 1_000_000_000);
        assert!(clock.is_sound());
        let _ = clock.local(i64::MAX);
    }

    #[test]
    fn an_unknown_zone_is_none() {
        assert!(zone("Mars/Olympus_Mons").is_none());
    }
}
