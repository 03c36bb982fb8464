//! HTTP: one file a resource. A handler extracts, converts, calls the registry and maps the answer.

mod body;
mod columns;
mod convert;
mod fit;
mod health;
mod plot;
mod plot_page;
mod predict;
mod problems;
pub mod router;
pub mod stamp;

use actix_http::ConnectionType;
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use api::Code;
use bytes::Bytes;

use crate::startup::State;
use router::Resource;

/// Answers every request: the one handler the framework knows.
pub async fn dispatch(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    // The raw path: `request.path()` is the same bytes, `match_info` would be decoded.
    let resource = Resource::at(request.uri().path());
    if resource == Resource::Unknown {
        return problems::refuse_with(
            &request,
            Code::NotFound,
            format!("there is nothing at {}", request.uri().path()),
        );
    }
    if !resource.allows(request.method()) {
        let detail = format!(
            "{} is not allowed here, {} is",
            request.method(),
            resource.allow()
        );
        let mut reply = problems::refuse_with(&request, Code::MethodNotAllowed, detail);
        reply.headers_mut().insert(
            header::ALLOW,
            header::HeaderValue::from_static(resource.allow()),
        );
        return reply;
    }
    let _in_flight = state.enter();
    let outcome = match resource {
        Resource::Predict(id) => predict::handle(&request, payload, &state, id).await,
        Resource::Fit(id) => fit::handle(&request, payload, &state, id).await,
        Resource::Healthcheck => health::healthcheck(&state),
        Resource::Plot => plot::handle(&request, &state).await,
        Resource::Live => Ok(health::live()),
        Resource::Ready => Ok(health::ready(&state)),
        Resource::Startup => Ok(health::startup(&state)),
        Resource::ProblemPage(code) => Ok(problems::page(&request, code)),
        Resource::Unknown => unreachable!("answered above"),
    };
    let mut reply = outcome.unwrap_or_else(|rejection| problems::refuse(&request, &rejection));
    if state.is_draining() {
        // The client opens its next connection elsewhere.
        reply.head_mut().set_connection_type(ConnectionType::Close);
    }
    reply
}

/// A JSON reply with status 200.
fn ok(body: &impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(json(body))
}

fn json(body: &impl serde::Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(body).expect("a reply of text and finite numbers serialises"))
}
