//! The figures that the notebook's own run recorded, for the report's side-by-side. They come
//! from another server on another machine: they give the scale, not a controlled comparison.

use crate::summary::LatencySummary;

/// One phase as the notebook recorded it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// Calls made, all of them answered with 200.
    pub calls: usize,
    /// Calls allowed on the wire at the same time.
    pub workers: usize,
    /// Seconds the burst took.
    pub wall_s: f64,
    /// Latency from sending.
    pub latency: LatencySummary,
}

/// The fit phase.
pub const RECORDED_FIT: Recorded = Recorded {
    calls: 100,
    workers: 100,
    wall_s: 1.16,
    latency: LatencySummary {
        min_ms: Some(89.86),
        p50_ms: Some(694.04),
        p95_ms: Some(834.28),
        max_ms: Some(871.74),
        mean_ms: Some(606.71),
    },
};

/// The predict phase.
pub const RECORDED_PREDICT: Recorded = Recorded {
    calls: 100,
    workers: 100,
    wall_s: 0.72,
    latency: LatencySummary {
        min_ms: Some(99.67),
        p50_ms: Some(292.71),
        p95_ms: Some(521.69),
        max_ms: Some(566.38),
        mean_ms: Some(323.31),
    },
};
