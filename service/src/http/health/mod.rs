//! Probes for an orchestrator, and the base contract's `/healthcheck`.

#[cfg(test)]
mod tests;

use actix_web::HttpResponse;
use actix_web::http::header;
use api::{Health, Rejection};
use serde::Serialize;
use utoipa::ToSchema;

use super::ok;
use crate::startup::State;

/// Above this share of the compute queue a balancer should look elsewhere.
const POOL_NEAR_EXHAUSTION: f64 = 0.9;

/// What a probe is told.
#[derive(Serialize, ToSchema)]
pub(super) struct Probe {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pool_utilization: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cache_hit_ratio: Option<f64>,
}

impl Probe {
    const fn plain(status: &'static str) -> Self {
        Self {
            status,
            reason: None,
            pool_utilization: None,
            cache_hit_ratio: None,
        }
    }
}

/// `GET /health/live`: the process answers. Nothing else is asked of it, or a slow disk would
/// make an orchestrator restart the server into the same slow disk.
pub(super) fn live() -> HttpResponse {
    ok(&Probe::plain("live"))
}

/// `GET /health/startup`: 503 until the store is open.
pub(super) fn startup(state: &State) -> HttpResponse {
    if state.registry().is_ok() {
        ok(&Probe::plain("started"))
    } else {
        unavailable("starting", state)
    }
}

/// `GET /health/ready`: whether to send requests here.
pub(super) fn ready(state: &State) -> HttpResponse {
    match why_not_ready(state) {
        Some(reason) => unavailable(reason, state),
        None => ok(&measured("ready", None, state)),
    }
}

/// Why requests should be sent elsewhere, if they should.
pub(super) fn why_not_ready(state: &State) -> Option<&'static str> {
    match state.registry() {
        _ if state.is_draining() => Some("shutting_down"),
        Err(_) => Some("starting"),
        Ok(registry) if registry.refusal().is_some() || registry.store_hangs() => {
            Some("store_unavailable")
        }
        Ok(_) if state.compute.utilization() > POOL_NEAR_EXHAUSTION => Some("pool_near_exhaustion"),
        Ok(_) => None,
    }
}

fn unavailable(reason: &'static str, state: &State) -> HttpResponse {
    let body = serde_json::to_vec(&measured("unavailable", Some(reason), state))
        .expect("a probe serialises");
    HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "1"))
        .content_type("application/json")
        .body(body)
}

fn measured(status: &'static str, reason: Option<&'static str>, state: &State) -> Probe {
    let cache_hit_ratio = state
        .registry()
        .ok()
        .map(|registry| registry.cache().hit_ratio());
    Probe {
        status,
        reason,
        pool_utilization: Some(state.compute.utilization()),
        cache_hit_ratio,
    }
}

/// `GET /healthcheck`.
pub(super) fn healthcheck(state: &State) -> Result<HttpResponse, Rejection> {
    Ok(ok(&Health {
        series_trained: state.registry()?.series_count(),
        inference_latency_ms: state.metrics.inference.summary(),
        training_latency_ms: state.metrics.training.summary(),
    }))
}
