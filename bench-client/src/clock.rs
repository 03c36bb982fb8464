//! Time as the records need it: wall-clock stamps that agree with the measured durations.
//!
//! A record carries both a wall-clock start and end and a latency. Were the stamps read from
//! the system clock at each call, a clock step during the run would make them contradict the
//! latency. So the system clock is read once, and every stamp is that reading plus the
//! monotonic time since.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A pair of simultaneous readings of the monotonic and the system clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
    origin_epoch: Duration,
}

impl Clock {
    /// Reads both clocks now; that moment becomes the origin.
    #[must_use]
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
            origin_epoch: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// The monotonic reading at the origin.
    #[must_use]
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Milliseconds since the Unix epoch at `at`, to the microsecond (the last digit a double
    /// can hold for today's dates with room to spare).
    #[must_use]
    pub fn epoch_ms(&self, at: Instant) -> f64 {
        let since = self.origin_epoch + at.saturating_duration_since(self.origin);
        // Below 2^53 for the next two centuries, so the division is the only rounding.
        since.as_micros() as f64 / 1e3
    }
}

/// A duration in milliseconds, exact to the nanosecond for anything below 104 days.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

/// The name of a run that started at `at`: UTC as `%Y%m%d_%H%M%S`, for example
/// `20261122_134501`.
#[must_use]
pub fn run_id(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y%m%d_%H%M%S")
        .to_string()
}

/// The name of a run that starts now, which no other has, also if it starts in the same second, or on
/// another machine: [`run_id`] and 32 random bits, for example `20261122_134501_09f3a6c2`.
#[must_use]
pub fn unique_run_id() -> String {
    let random: u32 = rand::random();
    format!("{}_{random:08x}", run_id(Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_differ_by_the_monotonic_time() {
        let clock = Clock::start();
        let later = clock.origin() + Duration::from_micros(1_234_567);
        let elapsed = clock.epoch_ms(later) - clock.epoch_ms(clock.origin());
        assert!((elapsed - 1_234.567).abs() < 1e-3, "{elapsed}");
        assert!(clock.epoch_ms(clock.origin()) > 1.7e12, "epoch is in ms");
    }

    #[test]
    fn milliseconds_keep_nanoseconds() {
        assert_eq!(millis(Duration::from_nanos(12_345_678)), 12.345_678);
        assert_eq!(millis(Duration::from_secs(60)), 60_000.0);
    }

    #[test]
    fn run_ids_are_utc() {
        let at: Timestamp = "2026-11-22T23:59:07+14:00".parse().unwrap();
        assert_eq!(run_id(at), "20261122_095907");
    }

    /// A thousand within a second or two: by the second alone they would have two names.
    #[test]
    fn runs_of_one_second_have_names_of_their_own() {
        let ids: std::collections::BTreeSet<_> = (0..1_000).map(|_| unique_run_id()).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(
            ids.iter()
                .all(|id| id.len() == "20261122_134501_09f3a6c2".len())
        );
    }
}
