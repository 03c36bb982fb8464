//! `/log-level`, on the port for probes alone: which logs are written.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use api::{Code, FieldError, Loc, Rejection, decode};
use serde::{Deserialize, Serialize};

use super::{Call, body, ok, problems};
use crate::telemetry::LogControl;

/// The path.
pub(super) const PATH: &str = "/log-level";
const ALLOW: &str = "GET, HEAD, PUT";
/// More than any filter with its quotes and escapes.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// As long as a prober may take for its head.
const BODY_WITHIN: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct InForce {
    filter: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    filter: String,
}

/// `GET` tells the filter, `PUT` changes it.
pub(super) async fn answer(call: &Call<'_>, payload: Payload) -> HttpResponse {
    let Some(control) = &call.state.telemetry.logs else {
        let detail = "the logs are those of another program, which embeds this server";
        return problems::refuse_with(call, Code::NotFound, detail);
    };
    let outcome = match *call.request.method() {
        Method::GET | Method::HEAD => Ok(()),
        Method::PUT => change(call, payload, control).await,
        _ => return problems::method_not_allowed(call, ALLOW),
    };
    match outcome {
        Ok(()) => ok(&InForce {
            filter: control.filter().to_string(),
        }),
        Err(rejection) => problems::refuse(call, &rejection),
    }
}

async fn change(call: &Call<'_>, payload: Payload, control: &LogControl) -> Result<(), Rejection> {
    if !may_change(call.request, call.state.is_insecure) {
        let detail = "only callers on this machine change the logs, or any with --insecure";
        return Err(Rejection::new(Code::LocalOnly, detail));
    }
    let body = body::read_json(call, payload, MAX_BODY_BYTES, None);
    let body = tokio::time::timeout(BODY_WITHIN, body).await;
    let late = |_| Rejection::new(Code::MalformedRequest, "the body did not arrive in time");
    let wanted: Wanted = decode(&body.map_err(late)??)?;
    let filter = wanted.filter.parse().map_err(|reason| {
        let loc = [Loc::from("body"), Loc::from("filter")];
        Rejection::one(Code::InvalidLogFilter, FieldError::new(loc, reason))
    })?;
    control.set(filter, "PUT /log-level");
    Ok(())
}

/// The port for probes may be open to a network that the main port is not.
fn may_change(request: &HttpRequest, is_insecure: bool) -> bool {
    let is_local = |peer: std::net::SocketAddr| peer.ip().to_canonical().is_loopback();
    is_insecure || request.peer_addr().is_some_and(is_local)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn other_machines_change_nothing_unless_the_network_is_trusted() {
        for (peer, is_local) in [
            ("127.0.0.1:9", true),
            ("127.8.0.1:9", true),
            ("[::1]:9", true),
            ("[::ffff:127.0.0.1]:9", true),
            ("10.0.0.7:9", false),
            ("[::ffff:10.0.0.7]:9", false),
            ("[2001:db8::1]:9", false),
        ] {
            let request = TestRequest::default().peer_addr(peer.parse().unwrap());
            let request = request.to_http_request();
            assert_eq!(may_change(&request, false), is_local, "{peer}");
            assert!(may_change(&request, true));
        }
        let unknown = TestRequest::default().to_http_request();
        assert!(!may_change(&unknown, false));
    }
}
