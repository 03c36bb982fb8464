//! The probes, the metrics and the switch of the logs, for the listener that answers nothing else.

use actix_http::ConnectionType;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use api::Code;

use super::router::Resource;
use super::stamp::Received;
use super::{Call, health, log_level, metrics, problems};
use crate::connection::Working;
use crate::startup::State;

/// Answers every request of the health listener, and closes its connection.
pub async fn dispatch_probe(
    request: HttpRequest,
    payload: Payload,
    state: Data<State>,
) -> HttpResponse {
    let _working = Working::on(&request);
    let received = Received::now(request.headers());
    let call = Call {
        request: &request,
        state: &state,
        received: &received,
    };
    let mut reply = match request.uri().path() {
        log_level::PATH => log_level::answer(&call, payload).await,
        _ => answer(&call).await,
    };
    reply.head_mut().set_connection_type(ConnectionType::Close);
    received.stamp(&mut reply);
    reply
}

async fn answer(call: &Call<'_>) -> HttpResponse {
    if !Resource::Live.allows(call.request.method()) {
        return problems::method_not_allowed(call, Resource::Live.allow());
    }
    let path = call.request.uri().path();
    match Resource::at(path) {
        Resource::Live => health::live(),
        Resource::Ready => health::ready(call.state),
        Resource::Startup => health::startup(call.state),
        Resource::Metrics => metrics::handle(call)
            .await
            .unwrap_or_else(|rejection| problems::refuse(call, &rejection)),
        Resource::ProblemPage(code) => problems::page(call, code),
        _ => {
            let detail = format!("there is nothing at {path} on the port for probes");
            problems::refuse_with(call, Code::NotFound, detail)
        }
    }
}
