//! HTTP: one file a resource. A handler extracts, converts, calls the registry and maps the answer.

mod admit;
mod alias;
mod artifact;
mod authenticate;
pub mod bodies;
mod body;
mod calibration;
mod coding;
mod columns;
mod compressed;
mod convert;
mod counts;
mod csv_reply;
mod cursor;
mod detect;
mod docs;
mod fit;
mod health;
mod held;
mod idempotency;
mod log_level;
mod metrics;
mod negotiate;
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
mod series;
mod series_delete;
pub mod stamp;
mod stream;
mod trace;
mod update;
mod version;
mod version_delete;
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
    let received_at = received.at();
    let took = received.stamp(&mut reply);
    if let Some(working) = &working {
        working.answered_at(received_at + took);
    }
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
        | Resource::Series(id)
        | Resource::Versions(id)
        | Resource::Version(id, _)
        | Resource::Artifact(id, _)
        | Resource::Aliases(id)
        | Resource::Alias(id, _)
        | Resource::Fit(id)
        | Resource::Calibration(id) => answer_of_series(call, payload, resource, id).await,
        Resource::PredictMany => stream::many(call, payload).await,
        Resource::SeriesList => series::list(call).await,
        Resource::Detect => detect::handle(call, payload).await,
        Resource::Healthcheck => health::healthcheck(call.state),
        Resource::Metrics => metrics::handle(call).await,
        Resource::Plot => Box::pin(plot::handle(call, payload)).await,
        Resource::Live => Ok(health::live()),
        Resource::Ready => Ok(health::ready(call.state)),
        Resource::Startup => Ok(health::startup(call.state)),
        Resource::ProblemPage(code) => Ok(problems::page(call, code)),
        Resource::OpenApi => openapi::handle(call),
        Resource::Docs => docs::page(call),
        Resource::DocsFile(name) => docs::file(call, name),
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
    // What other requests need beyond a predict is in boxes of their own: each request is moved with room for all of them.
    let outcome = match resource {
        Resource::Predict(_) => predict::handle(call, payload, series).await,
        Resource::Update(_) => Box::pin(update::handle(call, payload, series)).await,
        Resource::Series(_) if call.request.method() == Method::DELETE => {
            series_delete::delete(call, series).await
        }
        Resource::Series(_) => series::get(call, series).await,
        Resource::Versions(_) if call.request.method() == Method::POST => {
            versions::handle(call, payload, series).await
        }
        Resource::Versions(_) => version::list(call, series).await,
        Resource::Version(_, number) if call.request.method() == Method::DELETE => {
            version_delete::delete(call, series, number).await
        }
        Resource::Version(_, number) => version::get(call, series, number).await,
        Resource::Artifact(_, number) => artifact::get(call, payload, series, number).await,
        Resource::Aliases(_) => alias::list(call, series).await,
        Resource::Alias(_, name) => alias::handle(call, payload, series, name).await,
        Resource::Fit(_) => Box::pin(fit::handle(call, payload, series)).await,
        Resource::Calibration(_) => calibration::handle(call, series).await,
        Resource::PredictMany
        | Resource::SeriesList
        | Resource::Detect
        | Resource::Healthcheck
        | Resource::Metrics
        | Resource::Plot
        | Resource::Live
        | Resource::Ready
        | Resource::Startup
        | Resource::ProblemPage(_)
        | Resource::OpenApi
        | Resource::Docs
        | Resource::DocsFile(_)
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

/// As [`ok_bytes`], of this media type and of a request that has taken memory.
fn ok_held(body: Bytes, media_type: &'static str, ticket: &Ticket) -> HttpResponse {
    let body = if body.len() <= held::PIECE_BYTES {
        BoxBody::new(body)
    } else {
        BoxBody::new(held::Held::new(body, ticket))
    };
    ok_body(body, media_type)
}

/// A reply with status 200 of JSON already written.
fn ok_bytes(body: Bytes) -> HttpResponse {
    ok_body(BoxBody::new(body), negotiate::JSON)
}

fn ok_body(body: BoxBody, media_type: &'static str) -> HttpResponse {
    let mut reply = HttpResponse::new(StatusCode::OK).set_body(body);
    let media_type = header::HeaderValue::from_static(media_type);
    reply.headers_mut().insert(header::CONTENT_TYPE, media_type);
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
