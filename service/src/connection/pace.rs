//! How fast something arrives or is taken.

use std::time::{Duration, Instant};

/// Bytes a second that are fast enough, on average.
const ENOUGH: u64 = 1024;

/// Bytes that get on, or do not.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    begun: Instant,
    last: Instant,
    bytes: u64,
}

impl Pace {
    pub(crate) fn begin(now: Instant) -> Self {
        Self::begin_with(0, now)
    }

    /// As [`Pace::begin`], where so many bytes are on their way, of which it cannot be seen how they move.
    pub(super) fn begin_with(unseen: u32, now: Instant) -> Self {
        Self {
            begun: now,
            last: now,
            bytes: unseen.into(),
        }
    }

    pub(crate) fn moved(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes as u64;
        self.last = now;
    }

    /// When patience ends, if nothing moves until then: so long after the last byte, or when the bytes so far are less
    /// than [`ENOUGH`] for the time so far, of which a first while is free.
    pub(crate) fn deadline(&self, patience: Duration) -> Instant {
        let earned = Duration::from_millis(self.bytes.saturating_mul(1_000) / ENOUGH);
        let too_slow = self.begun.checked_add(patience.max(earned));
        let stalled = self.last + patience;
        too_slow.map_or(stalled, |too_slow| too_slow.min(stalled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Second in which patience ends with `bytes` every `every` seconds, if it does within 200 s.
    fn ends(bytes: usize, every: u64) -> Option<u64> {
        let begun = Instant::now();
        let at = |second| begun + Duration::from_secs(second);
        let mut pace = Pace::begin(begun);
        for second in 1..200 {
            if pace.deadline(PATIENCE) <= at(second) {
                return Some(second);
            }
            if second % every == 0 {
                pace.moved(bytes, at(second));
            }
        }
        None
    }

    #[test]
    fn silence_and_dribbling_end_it_and_a_steady_kilobyte_does_not() {
        assert_eq!(ends(0, 1), Some(10));
        assert_eq!(ends(1, 1), Some(10));
        assert_eq!(ends(1_000, 1), Some(10));
        assert_eq!(ends(1_200, 1), None);
        assert_eq!(ends(22 * 1_024, 9), None);
        assert_eq!(ends(usize::MAX, 15), Some(10), "it stalls before the first");
        assert_eq!(ends(1 << 20, 11), Some(10));
    }

    #[test]
    fn what_moves_unseen_counts() {
        let begun = Instant::now();
        let mut pace = Pace::begin_with(16 * 1_024, begun);
        pace.moved(8 * 1_024, begun + Duration::from_secs(8));
        assert_eq!(pace.deadline(PATIENCE), begun + Duration::from_secs(18));
        let mut pace = Pace::begin(begun);
        pace.moved(8 * 1_024, begun + Duration::from_secs(8));
        assert_eq!(pace.deadline(PATIENCE), begun + PATIENCE);
    }

    #[test]
    fn much_at_once_does_not_excuse_silence() {
        let begun = Instant::now();
        let mut pace = Pace::begin(begun);
        pace.moved(usize::MAX, begun);
        assert_eq!(pace.deadline(PATIENCE), begun + PATIENCE);
    }
}
