//! HTTP: one file a resource. A handler extracts, converts, calls the registry and maps the answer.

mod admit;
mod alias;
mod authenticate;
mod backtest;
pub mod bodies;
mod body;
mod calibration;
mod columns;
mod convert;
mod counts;
mod detect;
mod feedback;
mod fit;
mod health;
mod held;
mod idempotency;
mod log_level;
mod metrics;
pub mod openapi;
mod plot;
mod plot_page;
mod predict;
mod probes;
mod problems;
mod refusal;
mod request_log;
pub mod route;
pub mod router;
mod scoped;
mod scopes;
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
use api::{Code, Rejection, SeriesId};
use bytes::Bytes;

use crate::admission::Ticket;
use crate::connection::Working;
use crate::startup::State;
pub use authenticate::AuthenticationCounts;
use authenticate::{Caller, Reason};
pub use counts::{HttpCounts, Replies};
pub use probes::dispatch_probe;
use route::Route;
use router::Resource;
use stamp::Received;

/// A request whose head was read, with what its handler needs.
#[derive(Clone, Copy)]
struct Call<'a> {
    request: &'a HttpRequest,
    state: &'a Data<State>,
    received: &'a Received,
    caller: &'a Caller,
}

/// Answers every request: the one handler the framework knows.
pub async fn dispatch(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let working = Working::on(&request);
    let received = Received::now(request.headers()).traced(trace::begin(&state, &request));
    let call = Call {
        request: &request,
        state: &state,
        received: &received,
        caller: &authenticate::UNNAMED,
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

async fn answer(call: &Call<'_>, resource: Resource<'_>, mut payload: Payload) -> HttpResponse {
    if resource == Resource::Unknown {
        let path = call.request.uri().path();
        return problems::refuse_with(call, Code::NotFound, format!("there is nothing at {path}"));
    }
    if !resource.allows(call.request.method()) {
        return problems::method_not_allowed(call, resource.allow());
    }
    let caller = match authenticate::caller(call, resource) {
        Ok(caller) => caller,
        Err(rejection) => {
            admit::drain_refused(call, &mut payload).await;
            return problems::refuse(call, &rejection);
        }
    };
    let call = &Call {
        caller: &caller,
        ..*call
    };
    let _in_flight = call.state.enter();
    let outcome = match resource {
        Resource::Predict(id)
        | Resource::Update(id)
        | Resource::Versions(id)
        | Resource::Aliases(id)
        | Resource::Alias(id, _)
        | Resource::Fit(id)
        | Resource::Backtest(id)
        | Resource::Feedback(id)
        | Resource::FeedbackEntry(id, _)
        | Resource::Calibration(id) => answer_of_series(call, payload, resource, id).await,
        Resource::Detect => detect::handle(call, payload).await,
        Resource::Backtests => backtest::list(call).await,
        Resource::BacktestJob(id) => backtest::job(call, id).await,
        Resource::BacktestReport(id) => backtest::report(call, id).await,
        Resource::Healthcheck => health::healthcheck(call.state),
        Resource::Metrics => metrics::handle(call).await,
        Resource::Plot => plot::handle(call, payload).await,
        Resource::Live => Ok(health::live()),
        Resource::Ready => Ok(health::ready(call.state)),
        Resource::Startup => Ok(health::startup(call.state)),
        Resource::ProblemPage(code) => Ok(problems::page(call, code)),
        Resource::OpenApi => openapi::handle(call),
        Resource::Unknown => unreachable!("answered above"),
    };
    outcome.unwrap_or_else(|rejection| {
        // Of a handler that needs a further scope.
        if rejection.code == Code::InsufficientScope {
            call.state.metrics.authentication.refused(Reason::Scope);
        }
        problems::refuse(call, &rejection)
    })
}

/// Answers a request whose path names a series.
async fn answer_of_series(
    call: &Call<'_>,
    payload: Payload,
    resource: Resource<'_>,
    id: &str,
) -> Result<HttpResponse, Rejection> {
    let series = &call.series(SeriesId::parse(id)?)?;
    let outcome = match resource {
        Resource::Predict(_) => predict::handle(call, payload, series).await,
        Resource::Update(_) => update::handle(call, payload, series).await,
        Resource::Versions(_) => versions::handle(call, payload, series).await,
        Resource::Aliases(_) => alias::list(call, series).await,
        Resource::Alias(_, name) => alias::handle(call, payload, series, name).await,
        Resource::Fit(_) => fit::handle(call, payload, series).await,
        Resource::Backtest(_) => backtest::start(call, payload, series).await,
        Resource::Feedback(_) => feedback::handle(call, payload, series).await,
        Resource::FeedbackEntry(_, id) => feedback::take_back(call, series, id).await,
        Resource::Calibration(_) => calibration::handle(call, series).await,
        Resource::Detect
        | Resource::Backtests
        | Resource::BacktestJob(_)
        | Resource::BacktestReport(_)
        | Resource::Healthcheck
        | Resource::Metrics
        | Resource::Plot
        | Resource::Live
        | Resource::Ready
        | Resource::Startup
        | Resource::ProblemPage(_)
        | Resource::OpenApi
        | Resource::Unknown => unreachable!("its path names no series"),
    };
    outcome.map_err(|rejection| {
        if rejection.code == Code::StoredRecordDamaged {
            // For who repairs it, with the tenant; the reply has the caller's words.
            let (series, reason) = (series.name(), &rejection.detail);
            tracing::error!(series, reason, "a stored record is damaged");
        }
        series.in_callers_words(rejection)
    })
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
