//! A Poisson process: waits between arrivals are independent and exponential, w = −ln(1 − u) / rate,
//! with u from the ChaCha8 stream of tag `arrivals` ([`crate::payload`] has the streams and the
//! mapping to doubles).

use super::NS_PER_S;
use crate::payload::Draw;

pub(super) struct Poisson {
    draw: Draw,
    ns_per_arrival: f64,
    now_ns: f64,
}

impl Poisson {
    pub(super) fn new(per_s: f64, seed: u64) -> Self {
        Self {
            draw: Draw::new(seed, *b"arrivals", 0),
            ns_per_arrival: NS_PER_S / per_s,
            now_ns: 0.0,
        }
    }
}

impl Iterator for Poisson {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        // The library's logarithm has the same bits on every machine. u < 1, so that it is finite.
        self.now_ns -= libm::log1p(-self.draw.unit()) * self.ns_per_arrival;
        Some(self.now_ns.round() as u64)
    }
}
