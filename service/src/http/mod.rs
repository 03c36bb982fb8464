//! HTTP: one file a resource. A handler extracts, converts, calls the registry and maps the answer.

mod admit;
mod alias;
pub mod bodies;
mod body;
mod calibration;
mod columns;
mod convert;
mod counts;
mod detect;
mod fit;
mod health;
mod held;
mod idempotency;
mod log_level;
mod metrics;
mod plot;
mod plot_page;
mod predict;
mod probes;
mod problems;
mod refusal;
mod request_log;
pub mod route;
pub mod router;
pub mod stamp;
mod trace;
mod update;
mod versions;

use std::time::Duration;

use actix_http::ConnectionType;
use actix_web::body::BoxBody;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use api::Code;
use bytes::Bytes;

use crate::admission::Ticket;
use crate::connection::Working;
use crate::startup::State;
pub use counts::{HttpCounts, Replies};
pub use probes::dispatch_probe;
use route::Route;
use router::Resource;
use stamp::Received;

/// A request whose head was read, with what its handler needs.
struct Call<'a> {
    request: &'a HttpRequest,
    state: &'a Data<State>,
    received: &'a Received,
}

/// Answers every request: the one handler the framework knows.
pub async fn dispatch(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let working = Working::on(&request);
    let received = Received::now(request.headers()).traced(trace::begin(&state, &request));
    let call = Call {
        request: &request,
        state: &state,
        received: &received,
    };
    // The raw path: what the framework matches on would be decoded.
    let resource = Resource::at(request.uri().path());
    let counted = Counted::from(resource, &state.metrics.http);
    let mut reply = answer(&call, resource, payload).await;
    let is_too_slow = reply.status() == StatusCode::REQUEST_TIMEOUT;
    if is_too_slow && let Some(working) = &working {
        // The framework would go on to read a body in chunks.
        working.hang_up();
    }
    if is_too_slow || state.is_draining() {
        // The client opens its next connection elsewhere.
        reply.head_mut().set_connection_type(ConnectionType::Close);
    }
    request_log::write(&call, &reply);
    trace::answered(&received, &reply);
    let took = received.stamp(&mut reply);
    counted.reply(request.method(), reply.status(), took);
    reply
}

/// A request that will be counted, by its reply or by the lack of one.
struct Counted<'a> {
    route: Route,
    counts: &'a HttpCounts,
    is_answered: bool,
}

impl<'a> Counted<'a> {
    fn from(resource: Resource<'_>, counts: &'a HttpCounts) -> Self {
        Self {
            route: resource.into(),
            counts,
            is_answered: false,
        }
    }

    fn reply(mut self, method: &Method, status: StatusCode, took: Duration) {
        self.is_answered = true;
        self.counts.reply(self.route, method, status.as_u16(), took);
    }
}

impl Drop for Counted<'_> {
    /// The framework drops the handler of a client that has gone.
    fn drop(&mut self) {
        if !self.is_answered {
            self.counts.hung_up(self.route);
        }
    }
}

async fn answer(call: &Call<'_>, resource: Resource<'_>, payload: Payload) -> HttpResponse {
    if resource == Resource::Unknown {
        let path = call.request.uri().path();
        return problems::refuse_with(call, Code::NotFound, format!("there is nothing at {path}"));
    }
    if !resource.allows(call.request.method()) {
        return problems::method_not_allowed(call, resource.allow());
    }
    let _in_flight = call.state.enter();
    let outcome = match resource {
        Resource::Predict(id) => predict::handle(call, payload, id).await,
        Resource::Update(id) => update::handle(call, payload, id).await,
        Resource::Versions(id) => versions::handle(call, payload, id).await,
        Resource::Aliases(id) => alias::list(call, id).await,
        Resource::Alias(id, name) => alias::handle(call, payload, (id, name)).await,
        Resource::Fit(id) => fit::handle(call, payload, id).await,
        Resource::Detect => detect::handle(call, payload).await,
        Resource::Calibration(id) => calibration::handle(call, id).await,
        Resource::Healthcheck => health::healthcheck(call.state),
        Resource::Metrics => metrics::handle(call).await,
        Resource::Plot => plot::handle(call, payload).await,
        Resource::Live => Ok(health::live()),
        Resource::Ready => Ok(health::ready(call.state)),
        Resource::Startup => Ok(health::startup(call.state)),
        Resource::ProblemPage(code) => Ok(problems::page(call, code)),
        Resource::Unknown => unreachable!("answered above"),
    };
    outcome.unwrap_or_else(|rejection| problems::refuse(call, &rejection))
}

/// Whether `/health/ready` answers 200.
pub fn is_ready(state: &State) -> bool {
    health::why_not_ready(state).is_none()
}

/// A JSON reply with status 200.
fn ok(body: &impl serde::Serialize) -> HttpResponse {
    ok_bytes(json(body))
}

/// As [`ok_bytes`], of a request that has taken memory.
fn ok_held(body: Bytes, ticket: &Ticket) -> HttpResponse {
    if body.len() <= held::PIECE_BYTES {
        return ok_bytes(body);
    }
    ok_body(BoxBody::new(held::Held::new(body, ticket)))
}

/// A reply with status 200 of JSON already written.
fn ok_bytes(body: Bytes) -> HttpResponse {
    ok_body(BoxBody::new(body))
}

fn ok_body(body: BoxBody) -> HttpResponse {
    let mut reply = HttpResponse::new(StatusCode::OK).set_body(body);
    let json = header::HeaderValue::from_static("application/json");
    reply.headers_mut().insert(header::CONTENT_TYPE, json);
    reply
}

fn json(body: &impl serde::Serialize) -> Bytes {
    json_with_capacity(body, 512)
}

fn json_with_capacity(body: &impl serde::Serialize, capacity: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut bytes, body).expect("a reply of text and finite numbers serialises");
    Bytes::from(bytes)
}
