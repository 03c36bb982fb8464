//! What slows a request down, or ends it early.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::settings::{Settings, Stall};
use crate::payload::Draw;

/// What becomes of a request before anybody looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    Refused(StatusCode),
    Dropped,
}

/// Delays, queue, stall and faults.
#[derive(Debug)]
pub(super) struct Pacing {
    delay: Duration,
    batch_cost: Option<f64>,
    queue: Option<Arc<Semaphore>>,
    stall: Option<Stall>,
    first_request: OnceLock<Instant>,
    /// Ascending ends of the parts of [0, 1) that do not end in an answer.
    faults: Vec<(f64, Fate)>,
    seed: u64,
}

impl Pacing {
    pub(super) fn new(settings: &Settings) -> Self {
        let dropped = (settings.drop, Fate::Dropped);
        let refused = settings.respond.iter().map(|refusal| {
            let status = StatusCode::from_u16(refusal.status);
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (refusal.share, Fate::Refused(status))
        });
        let shares = std::iter::once(dropped).chain(refused);
        let faults = shares
            .filter(|(share, _)| *share > 0.0)
            .scan(0.0, |end, (share, fate)| {
                *end += share;
                Some((*end, fate))
            });
        Self {
            delay: settings.delay,
            batch_cost: settings.batch_cost,
            queue: settings.capacity.map(|n| Arc::new(Semaphore::new(n))),
            stall: settings.stall,
            first_request: OnceLock::new(),
            faults: faults.collect(),
            seed: settings.seed,
        }
    }

    /// Decided by the seed and the number of the request.
    pub(super) fn fate(&self, number: u64) -> Fate {
        if self.faults.is_empty() {
            return Fate::Answered;
        }
        let u = Draw::new(self.seed, *b"stubfate", number).unit();
        let fault = self.faults.iter().find(|(end, _)| u < *end);
        fault.map_or(Fate::Answered, |(_, fate)| *fate)
    }

    /// Has to be told of every request as it comes.
    pub(super) fn request_came(&self) {
        if self.stall.is_some() {
            self.first_request.get_or_init(Instant::now);
        }
    }

    /// Waits for a place among the requests that are handled at once. Dropping it gives it back.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let queue = Arc::clone(self.queue.as_ref()?);
        // The queue is never closed.
        queue.acquire_owned().await.ok()
    }

    /// What a batch of `points` costs.
    pub(super) fn batch(&self, points: usize) -> Duration {
        self.delay.mul_f64(self.batch_cost.unwrap_or(points as f64))
    }

    /// What anything else costs.
    pub(super) fn one(&self) -> Duration {
        self.delay
    }

    /// Passes once `cost` is over, and no stall is on.
    pub(super) async fn pass(&self, cost: Duration) {
        self.outlast_stall().await;
        if !cost.is_zero() {
            sleep_until(Instant::now() + cost).await;
            self.outlast_stall().await;
        }
    }

    async fn outlast_stall(&self) {
        if let Some(end) = self.stalled_until() {
            sleep_until(end).await;
        }
    }

    /// The end of the stall, if one is on.
    pub(super) fn stalled_until(&self) -> Option<Instant> {
        let stall = self.stall?;
        let start = *self.first_request.get()? + stall.after;
        let end = start + stall.length;
        let now = Instant::now();
        (start <= now && now < end).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(seed: u64) -> Pacing {
        Pacing::new(&Settings {
            respond: vec!["503:0.1".parse().unwrap(), "500:0.01".parse().unwrap()],
            drop: 0.05,
            seed,
            ..Settings::default()
        })
    }

    #[test]
    fn fates_have_their_shares_and_are_seeded() {
        let pacing = faulty(1);
        let fates: Vec<_> = (0..20_000).map(|number| pacing.fate(number)).collect();
        let share = |fate| fates.iter().filter(|f| **f == fate).count() as f64 / 20_000.0;
        // Standard errors are 0.0015, 0.0021 and 0.0007; the seed is fixed.
        assert!((share(Fate::Dropped) - 0.05).abs() < 0.006);
        let refused = |status| share(Fate::Refused(status));
        assert!((refused(StatusCode::SERVICE_UNAVAILABLE) - 0.1).abs() < 0.009);
        assert!((refused(StatusCode::INTERNAL_SERVER_ERROR) - 0.01).abs() < 0.003);
        assert!((0..50).all(|number| faulty(1).fate(number) == fates[number as usize]));
        assert!((0..500).any(|number| faulty(2).fate(number) != fates[number as usize]));
    }

    #[test]
    fn a_batch_costs_a_delay_a_point_unless_told_otherwise() {
        let cost = |batch_cost| {
            let delay = Duration::from_millis(3);
            let settings = Settings {
                delay,
                batch_cost,
                ..Settings::default()
            };
            Pacing::new(&settings).batch(100)
        };
        assert_eq!(cost(None), Duration::from_millis(300));
        assert_eq!(cost(Some(2.0)), Duration::from_millis(6));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_passes_in_a_stall() {
        let stalling = Pacing::new(&Settings {
            delay: Duration::from_millis(100),
            stall: Some("2s@4s".parse().unwrap()),
            ..Settings::default()
        });
        let start = Instant::now();
        let passed = async || {
            stalling.request_came();
            stalling.pass(stalling.one()).await;
            start.elapsed().as_millis()
        };
        assert!(passed().await < 110);
        sleep_until(start + Duration::from_millis(3_950)).await;
        let spanning = passed().await;
        assert!((6_000..6_010).contains(&spanning), "{spanning}");
        let after = passed().await;
        assert!((6_100..6_120).contains(&after), "{after}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_in_a_stall_waits_for_its_end_and_then_costs_what_it_costs() {
        let stalling = Pacing::new(&Settings {
            delay: Duration::from_millis(100),
            stall: Some("2s@0s".parse().unwrap()),
            ..Settings::default()
        });
        let start = Instant::now();
        stalling.request_came();
        stalling.pass(stalling.one()).await;
        let took = start.elapsed().as_millis();
        assert!((2_100..2_120).contains(&took), "{took}");
    }
}
