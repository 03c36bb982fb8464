//! Little's law as a check of the measurement on itself: L = λ·W, the mean number of requests in flight is their rate
//! times the mean time each is (J. D. C. Little, "A Proof for the Queuing Formula L = λW", *Operations Research* 9,
//! 1961).
//!
//! ```text
//! L = ∫ in flight dt ÷ wall clock      by the engine, which counts up and down and reads a clock of its own
//! λ = requests ÷ wall clock            by the records
//! W = Σ (outcome − sent) ÷ requests    by the records
//! ```
//!
//! From the start of a run until nothing is in flight the two are the same for any load, without a steady state and
//! without an edge: each request adds to the integral what it adds to the sum. A residual therefore is an error of the
//! client: moments that were noted wrong, records that were lost or counted twice.

use crate::results::summary::ClientUse;
use crate::results::text::share;
use crate::tally::stats::RunStats;

/// The residual that is allowed, as a share of L.
const RESIDUAL: f64 = 0.05;

/// What may lie between the engine's readings of the clock and the record's, a request.
const BETWEEN_NS: f64 = 3_000.0;

/// Both sides of the law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LittlesLaw {
    /// L: requests in flight, mean over the run.
    pub in_flight: f64,
    /// λ: requests a second.
    pub per_s: f64,
    /// W: seconds that one takes.
    pub each_s: f64,
    holds: bool,
}

impl LittlesLaw {
    /// Of a run; none without requests, or when some were dropped in flight, which have no record.
    #[must_use]
    pub fn of(stats: &RunStats, used: &ClientUse) -> Option<Self> {
        let integral_ns = used.in_flight_ns? as f64;
        let n = stats.requests as f64;
        if stats.requests == 0 || stats.wall_ns == 0 || integral_ns <= 0.0 {
            return None;
        }
        let summed_ns = stats.in_flight_ns as f64;
        let wall_ns = stats.wall_ns as f64;
        let apart = (integral_ns - summed_ns).abs();
        Some(Self {
            in_flight: integral_ns / wall_ns,
            per_s: n / (wall_ns / 1e9),
            each_s: summed_ns / n / 1e9,
            holds: apart <= (RESIDUAL * integral_ns).max(BETWEEN_NS * n),
        })
    }

    /// |L − λ·W| ÷ L.
    #[must_use]
    pub fn residual(&self) -> f64 {
        (self.in_flight - self.per_s * self.each_s).abs() / self.in_flight
    }

    /// Whether the residual is within 5 %, or within 3 µs a request, which the client takes between its two clocks.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// Why a measurement on which it does not hold is not valid.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        (!self.holds).then(|| {
            format!(
                "Little's law does not hold: {:.3} requests were in flight, and their rate times their latency is {:.3}: \
                 {} apart, and may be 5 %",
                self.in_flight,
                self.per_s * self.each_s,
                share(self.residual())
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::tests::sample_stats;

    fn law(stats: &RunStats, in_flight_ns: Option<u64>) -> Option<LittlesLaw> {
        let used = ClientUse {
            cpu_s: 1.0,
            cpu_share: None,
            max_rss_bytes: 1,
            connections: 1,
            reconnects: 0,
            senders_share: None,
            waited_for_disk_ns: 0,
            in_flight_ns,
        };
        LittlesLaw::of(stats, &used)
    }

    #[test]
    fn both_sides_are_the_same_and_five_percent_are_allowed() {
        let stats = sample_stats(2_000);
        assert!(
            stats.in_flight_ns > 2_000 * 100_000,
            "long enough for a share to decide"
        );
        let with = |factor: f64| {
            let integral = stats.in_flight_ns as f64 * factor;
            law(&stats, Some(integral as u64)).unwrap()
        };
        let exact = with(1.0);
        assert!(exact.holds() && exact.residual() < 1e-9 && exact.reason().is_none());
        assert!((exact.in_flight - exact.per_s * exact.each_s).abs() < 1e-6);
        assert!(with(1.04).holds() && with(0.96).holds());
        for wrong in [1.07, 0.94, 2.0] {
            let law = with(wrong);
            assert!(!law.holds(), "{wrong}");
            assert!(
                law.reason()
                    .unwrap()
                    .starts_with("Little's law does not hold")
            );
        }
    }

    #[test]
    fn what_the_client_takes_between_its_clocks_is_allowed() {
        let mut stats = sample_stats(2_000);
        stats.in_flight_ns = stats.requests * 20_000;
        let integral = |each_ns: u64| law(&stats, Some(stats.requests * each_ns)).unwrap();
        assert!(integral(22_900).holds());
        assert!(!integral(23_200).holds());
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(law(&sample_stats(200), None), None);
        assert_eq!(law(&sample_stats(0), Some(1)), None);
    }
}
