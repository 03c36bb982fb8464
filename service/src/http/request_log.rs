//! One line in the log for a request.
//!
//! At `debug`, target `request`; a failure of ours at `warn`. What a caller did wrong is told to the caller and
//! counted: a line for each would let any caller write our logs full. The line is written when the head of
//! the reply is made; a reply of many lines (`/update` of NDJSON) goes on after that. Probes have none.

use actix_web::HttpResponse;
use api::Rejection;

use super::Call;
use super::route::Route;
use super::router::Resource;
use crate::telemetry::logs::REQUEST;
use crate::telemetry::{RequestSpan, traces};

/// Why a request was refused, noted on the reply for its line.
struct Why {
    code: &'static str,
    /// Of our failures alone, which are logged by default.
    failure: Option<String>,
}

/// Notes on `reply` why it refuses, if that will be logged.
pub(super) fn note(reply: &mut HttpResponse, rejection: &Rejection) {
    let is_failure = reply.status().is_server_error();
    if is_failure || is_verbose() {
        let failure = is_failure.then(|| rejection.detail.clone());
        let code = rejection.code.slug();
        reply.extensions_mut().insert(Why { code, failure });
    }
}

/// As [`note`], of a refusal that is nobody's failure.
pub(super) fn note_refusal(reply: &mut HttpResponse, rejection: &Rejection) {
    if is_verbose() {
        let (code, failure) = (rejection.code.slug(), None);
        reply.extensions_mut().insert(Why { code, failure });
    }
}

fn is_verbose() -> bool {
    tracing::enabled!(target: REQUEST, tracing::Level::DEBUG)
}

/// Writes the line of a request that `reply` answers.
pub(super) fn write(call: &Call<'_>, reply: &HttpResponse) {
    if !is_verbose() && !reply.status().is_server_error() {
        return;
    }
    let path = call.request.uri().path();
    let resource = Resource::at(path);
    if resource.is_probe() {
        return;
    }
    let why = reply.extensions();
    let why = why.get::<Why>();
    let code = why.map(|why| why.code);
    let failure = why.and_then(|why| why.failure.as_deref());
    let (method, status) = (call.request.method().as_str(), reply.status().as_u16());
    let route = Route::from(resource).template();
    let request_id = call.received.id();
    let own = call.received.span().map(RequestSpan::trace_id);
    let trace_id = own.or_else(|| traces::trace_id(call.request.headers()));
    let duration_ms = call.received.elapsed().as_micros() as f64 / 1e3;
    if let Some(detail) = failure {
        tracing::warn!(
            target: REQUEST, request_id, method, route, path, status, duration_ms, code, trace_id, detail, "request failed"
        );
    } else {
        tracing::debug!(
            target: REQUEST, request_id, method, route, path, status, duration_ms, code, trace_id, "request"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Result, Write};
    use std::sync::{Arc, Mutex};

    use actix_web::test::TestRequest;
    use actix_web::web::Data;
    use api::Code;
    use serde_json::Value;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::admission::Admission;
    use crate::compute::Compute;
    use crate::http::problems;
    use crate::http::stamp::Received;
    use crate::startup::State;
    use crate::telemetry::LogControl;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    /// What is logged of a request to `path` that is refused with `code`.
    fn logged(filter: &str, path: &str, code: Code) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let (filter, _control) = LogControl::new(filter.parse().unwrap());
        let json = tracing_subscriber::fmt::layer().json().flatten_event(true);
        let json = json.with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(json);
        let state = State::new(Compute::new(1).unwrap(), Admission::new(1 << 20, None), 0);
        let state = Data::new(state);
        let request = TestRequest::get().uri(path).to_http_request();
        let received = Received::now(request.headers());
        let call = Call {
            request: &request,
            state: &state,
            received: &received,
            caller: &crate::http::authenticate::UNNAMED,
        };
        tracing::subscriber::with_default(subscriber, || {
            let reply = problems::refuse(&call, &Rejection::new(code, "why"));
            write(&call, &reply);
        });
        let bytes = lines.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn only_failures_of_ours_are_logged_by_default() {
        let lines = logged("info", "/predict/a", Code::StoreUnavailable);
        let [line] = lines.as_slice() else {
            panic!("one request has one line: {lines:?}");
        };
        assert_eq!(
            (&line["level"], &line["status"]),
            (&"WARN".into(), &503.into())
        );
        assert_eq!(
            (&line["code"], &line["detail"]),
            (&"store_unavailable".into(), &"why".into())
        );
        assert_eq!(line["route"], "/predict/{series_id}");
        for code in [Code::UnknownSeries, Code::BodyTooLarge, Code::MalformedJson] {
            assert_eq!(logged("info", "/predict/a", code), [Value::Null; 0]);
            let lines = logged("request=debug", "/predict/a", code);
            assert_eq!(lines.len(), 1, "the control: {lines:?}");
            assert_eq!(lines[0]["code"], code.slug());
        }
        assert_eq!(
            logged("off", "/predict/a", Code::Internal),
            [Value::Null; 0]
        );
        assert_eq!(
            logged("debug", "/health/ready", Code::Internal),
            [Value::Null; 0]
        );
    }

    #[test]
    fn refusals_under_load_have_a_line_in_sum_and_not_each() {
        let lines = logged("info", "/predict/a", Code::Overloaded);
        assert!(
            lines.iter().all(|line| line.get("request_id").is_none()),
            "{lines:?}"
        );
        let lines = logged("debug", "/predict/a", Code::Overloaded);
        let own = lines.iter().filter(|line| line.get("request_id").is_some());
        assert_eq!(
            own.map(|line| &line["code"]).collect::<Vec<_>>(),
            ["overloaded"]
        );
    }
}
