//! Whether asking about several points at once serves the single point better: the same points at the
//! same rate, one request a point and one request a batch.
//!
//! A batch can be sent when its last point is there, and each point's latency counts from its own
//! arrival, so that the wait for a batch to fill is part of it. What batching saves has to be more
//! than that wait. Before anything is measured, [`checks`] must hold: a faster way to other answers is
//! none.

pub mod checks;
pub mod comparison;
pub mod inputs;
pub mod items;

use crate::load::hooks::Hook;
use crate::workload::Prepared;

/// Puts the requests that both ways share in the place of generated ones.
struct Fixed(Vec<Prepared>);

impl Hook for Fixed {
    fn name(&self) -> &str {
        "fixed"
    }

    fn before_request(&self, index: u64, request: &mut Prepared) {
        if let Some(fixed) = usize::try_from(index).ok().and_then(|n| self.0.get(n)) {
            request.clone_from(fixed);
        }
    }
}

/// A hook that sends `requests`, the n-th as the run's n-th.
#[must_use]
pub fn fixed(requests: Vec<Prepared>) -> Box<dyn Hook> {
    Box::new(Fixed(requests))
}
