//! Refusals as RFC 9457 documents, and the page each of them links to.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use api::{Code, Problem, Rejection};

use super::{Call, coding, refusal, request_log};

/// The reply that refuses the request.
pub(super) fn refuse(call: &Call<'_>, rejection: &Rejection) -> HttpResponse {
    if let Some(reply) = refusal::reply(call, rejection) {
        return reply;
    }
    let status =
        StatusCode::from_u16(rejection.code.row().status).expect("the table holds valid statuses");
    let received = call.received;
    let document = Problem::new(
        rejection.code,
        &rejection.detail,
        &rejection.errors,
        received.id(),
    );
    let mut reply = HttpResponse::build(status);
    reply.content_type("application/problem+json");
    if rejection.code == Code::BodyTimeout {
        // The rest of the body may come yet, and would be read as the next request.
        reply.force_close();
    }
    if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // RFC 9110, section 15.5.16.
        reply.insert_header((header::ACCEPT_ENCODING, coding::READ));
    }
    if status == StatusCode::UNAUTHORIZED {
        reply.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE
    ) {
        // Everybody meets a store that is gone or full at the same moment, and should not come back at one.
        let seconds = call.state.admission.retry_after_s();
        reply.insert_header((header::RETRY_AFTER, seconds));
    }
    let document = serde_json::to_vec(&document);
    let mut reply = reply.body(document.expect("a document of text and numbers serialises"));
    request_log::note(&mut reply, rejection);
    reply
}

/// A refusal with nothing but a code and a sentence.
pub(super) fn refuse_with(call: &Call<'_>, code: Code, detail: impl Into<String>) -> HttpResponse {
    refuse(call, &Rejection::new(code, detail))
}

/// The refusal of a method other than those that `allow` lists.
pub(super) fn method_not_allowed(call: &Call<'_>, allow: &'static str) -> HttpResponse {
    let method = call.request.method();
    let detail = format!("{method} is not allowed here, {allow} is");
    let mut reply = refuse_with(call, Code::MethodNotAllowed, detail);
    let headers = reply.headers_mut();
    headers.insert(header::ALLOW, header::HeaderValue::from_static(allow));
    reply
}

/// `GET /problems/{code}`: what a code means and what to do about it.
pub(super) fn page(call: &Call<'_>, slug: &str) -> HttpResponse {
    let Some(code) = Code::from_slug(slug) else {
        return refuse_with(
            call,
            Code::NotFound,
            format!("there is no problem called {slug:?}"),
        );
    };
    let row = code.row();
    let text = format!(
        "{} ({})\n\n{}.\n\n{}\n",
        row.slug, row.status, row.title, row.advice
    );
    HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use actix_web::test::TestRequest;
    use actix_web::web::Data;

    use super::*;
    use crate::admission::{Admission, RETRY_AFTER_MAX_S};
    use crate::compute::Compute;
    use crate::http::stamp::Received;
    use crate::startup::State;

    #[actix_web::test]
    async fn callers_of_a_store_that_is_gone_come_back_apart() {
        let compute = Compute::new(1).unwrap();
        let state = Data::new(State::new(compute, Admission::new(1, None), 1_024));
        let request = TestRequest::default().to_http_request();
        let received = Received::now(request.headers());
        let call = Call {
            request: &request,
            state: &state,
            received: &received,
            caller: &crate::http::authenticate::UNNAMED,
        };
        let seconds = || {
            let reply = refuse_with(&call, Code::StoreUnavailable, "the disk is gone");
            let seconds = reply.headers().get(header::RETRY_AFTER).unwrap();
            seconds.to_str().unwrap().parse::<u32>().unwrap()
        };
        let told: BTreeSet<u32> = (0..20).map(|_| seconds()).collect();
        assert!(told.into_iter().eq(1..=RETRY_AFTER_MAX_S));
    }
}
