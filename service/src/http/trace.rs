//! The span of a request: what it is called and what it tells.

use actix_web::{HttpRequest, HttpResponse};

use super::route::Route;
use super::router::Resource;
use super::stamp::Received;
use crate::startup::State;
use crate::telemetry::RequestSpan;
use crate::telemetry::traces::Named;

/// The span of `request`, if it is sampled. Probes have none.
pub(super) fn begin(state: &State, request: &HttpRequest) -> Option<RequestSpan> {
    let traces = state.telemetry.traces.as_ref()?;
    let path = request.uri().path();
    let resource = Resource::at(path);
    if resource.is_probe() {
        return None;
    }
    traces.begin(request.headers(), || Named {
        method: request.method().as_str(),
        route: Route::from(resource).template(),
        path,
        work: work_of(resource),
    })
}

/// Notes on the span how the request is answered.
pub(super) fn answered(received: &Received, reply: &HttpResponse) {
    if let Some(span) = received.span() {
        span.answered(reply.status(), received.id());
    }
}

/// What the computation for a request is called.
const fn work_of(resource: Resource<'_>) -> &'static str {
    match resource {
        Resource::Predict(_) | Resource::PredictMany => "score",
        Resource::Update(_) => "learn",
        Resource::Fit(_) => "fit",
        Resource::Detect => "detect",
        _ => "compute",
    }
}
