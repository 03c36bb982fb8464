//! When the requests of an open loop are meant to be sent: moments in nanoseconds since the run's
//! start, ascending, fixed before the run by nothing but the configuration and the seed.
//!
//! Every sending thread makes the whole row for itself and takes its share with `step_by`, which is
//! a computation a moment for all processes but [`Arrivals::Poisson`], whose moments depend on all
//! before them (some ten nanoseconds each).

mod poisson;
mod stages;
mod trace;

use std::iter::FusedIterator;

use self::poisson::Poisson;
use self::stages::Stages;
use crate::results::config::Arrivals;

pub use self::stages::{StagesError, check_stages};
pub use self::trace::{Trace, TraceError};

const NS_PER_S: f64 = 1e9;

/// The moments of `arrivals`, in nanoseconds since the run's start. They never end but for a trace,
/// which must be given as `trace`, and for stages that end at a rate of 0.
///
/// - Constant: arrival k = 0, 1, … at k / rate.
/// - Burst: arrivals k of burst ⌊k / size⌋ at ⌊k / size⌋ · size / rate.
/// - Poisson: independent exponential waits, the first before the first arrival.
/// - Stages: arrival k = 1, 2, … where the integral of the rate reaches k.
#[must_use]
pub fn schedule(
    arrivals: &Arrivals,
    seed: u64,
    trace: Option<&Trace>,
) -> Box<dyn Iterator<Item = u64> + Send> {
    match arrivals {
        Arrivals::Constant { per_s } => Box::new(Bursts::new(*per_s, 1)),
        Arrivals::Burst { per_s, size } => Box::new(Bursts::new(*per_s, *size)),
        Arrivals::Poisson { per_s } => Box::new(Poisson::new(*per_s, seed)),
        Arrivals::Stages { stages } => Box::new(Stages::new(stages)),
        Arrivals::Trace { .. } => match trace {
            Some(trace) => Box::new(trace.moments()),
            None => Box::new(std::iter::empty()),
        },
    }
}

/// `size` at once, in equal distances.
#[derive(Debug)]
struct Bursts {
    per_s: f64,
    size: u64,
    next: u64,
}

impl Bursts {
    fn new(per_s: f64, size: u32) -> Self {
        Self {
            per_s,
            size: u64::from(size.max(1)),
            next: 0,
        }
    }
}

impl Iterator for Bursts {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<u64> {
        let k = self.next.saturating_add(skipped as u64);
        self.next = k.saturating_add(1);
        let first = k / self.size * self.size;
        Some((first as f64 / self.per_s * NS_PER_S).round() as u64)
    }
}

impl FusedIterator for Bursts {}

#[cfg(test)]
mod tests;
