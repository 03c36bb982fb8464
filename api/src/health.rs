//! The reply of `GET /healthcheck`.

use serde::Serialize;
use utoipa::ToSchema;

/// How many series are trained and how long requests took.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Health {
    /// Distinct series with at least one version, counted in the store: it survives a restart.
    pub series_trained: u64,
    /// Over the last 1,000 successful predicts.
    pub inference_latency_ms: Latency,
    /// Over the last 1,000 successful fits, the wait for the synced commit included.
    pub training_latency_ms: Latency,
}

/// Latency in milliseconds; 0 before the first request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Latency {
    /// Arithmetic mean.
    pub avg: f64,
    /// 95th percentile by linear interpolation (Hyndman and Fan, type 7).
    pub p95: f64,
}
