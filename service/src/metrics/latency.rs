//! Latencies of the last requests, for `/healthcheck`. Recording is two atomic operations.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use api::Latency;

/// How many requests `/healthcheck` looks back on.
const WINDOW: usize = 1_000;
/// Slots count in units of 100 ns, which reach 429 s; 0 marks an empty slot.
const UNIT_NS: u128 = 100;
const UNITS_PER_MS: f64 = 10_000.0;

/// The latencies of the last 1,000 requests of one kind.
pub struct LatencyWindow {
    next: AtomicUsize,
    slots: Box<[AtomicU32]>,
}

impl Default for LatencyWindow {
    fn default() -> Self {
        Self {
            next: AtomicUsize::new(0),
            slots: (0..WINDOW).map(|_| AtomicU32::new(0)).collect(),
        }
    }
}

impl LatencyWindow {
    /// Records one request in place of the oldest.
    pub fn record(&self, latency: Duration) {
        let units = u32::try_from(latency.as_nanos() / UNIT_NS)
            .unwrap_or(u32::MAX)
            .max(1);
        let at = self.next.fetch_add(1, Ordering::Relaxed) % WINDOW;
        self.slots[at].store(units, Ordering::Relaxed);
    }

    /// Mean and 95th percentile (linear interpolation, type 7); zeros before the first request.
    #[must_use]
    pub fn summary(&self) -> Latency {
        let mut units: Vec<u32> = self
            .slots
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .filter(|units| *units > 0)
            .collect();
        if units.is_empty() {
            return Latency::default();
        }
        units.sort_unstable();
        let sum: u64 = units.iter().copied().map(u64::from).sum();
        let rank = 0.95 * (units.len() - 1) as f64;
        let (below, above) = (
            f64::from(units[rank.floor() as usize]),
            f64::from(units[rank.ceil() as usize]),
        );
        let p95 = below + (above - below) * rank.fract();
        Latency {
            avg: sum as f64 / units.len() as f64 / UNITS_PER_MS,
            p95: p95 / UNITS_PER_MS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_window_is_zero() {
        assert_eq!(
            LatencyWindow::default().summary(),
            Latency { avg: 0.0, p95: 0.0 }
        );
    }

    #[test]
    fn mean_and_quantile_agree_with_the_definition() {
        let window = LatencyWindow::default();
        (1..=100).for_each(|ms| window.record(Duration::from_millis(ms)));
        let summary = window.summary();
        assert!(
            (summary.avg - 50.5).abs() < 1e-9 && (summary.p95 - 95.05).abs() < 1e-9,
            "{summary:?}"
        );
    }

    #[test]
    fn only_the_last_thousand_count() {
        let window = LatencyWindow::default();
        (0..1_000).for_each(|_| window.record(Duration::from_secs(1)));
        (0..1_000).for_each(|_| window.record(Duration::from_millis(2)));
        assert_eq!(window.summary(), Latency { avg: 2.0, p95: 2.0 });
    }
}
