//! Replies to requests that are not taken on: made ahead, but for the request's id.
//!
//! Under overload most replies are these, so they have to cost next to nothing: text that was written once, a
//! `Retry-After` whose turn it is, and no line in the log for each.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use api::{Code, Problem, Rejection};

use super::router::Resource;
use super::{Call, request_log};
use crate::admission::gate::MOST_WAITING;
use crate::admission::{Class, RETRY_AFTER_MAX_S};

/// As draft-ietf-httpapi-ratelimit-headers has them since its version 08: a policy and what is left of it.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A problem document in three pieces, between which detail and request id go.
struct Template {
    code: Code,
    status: StatusCode,
    pieces: [String; 3],
}

/// The header fields of the replies, by seconds to wait.
struct Fields {
    retry_after: Vec<HeaderValue>,
    /// Of each class.
    policy: [HeaderValue; Class::ALL.len()],
    left: [Vec<HeaderValue>; Class::ALL.len()],
}

static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let codes = [
        Code::Overloaded,
        Code::TenantOverShare,
        Code::DeadlineExceeded,
    ];
    codes.map(template).into()
});

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let value = |text: String| HeaderValue::from_str(&text).expect("visible ASCII");
    let seconds = || 1..=RETRY_AFTER_MAX_S;
    Fields {
        retry_after: seconds().map(|s| value(s.to_string())).collect(),
        policy: Class::ALL.map(|class| {
            let (name, quota) = (class.as_str(), MOST_WAITING);
            value(format!("\"{name}\";q={quota};qu=\"concurrent-requests\""))
        }),
        left: Class::ALL.map(|class| {
            let left = |s| value(format!("\"{}\";r=0;t={s}", class.as_str()));
            seconds().map(left).collect()
        }),
    }
});

fn template(code: Code) -> Template {
    let (detail, id) = ("\u{fffc}detail", "\u{fffc}id");
    let document = Problem::new(code, detail, &[], id);
    let text = serde_json::to_string(&document).expect("text and numbers serialise");
    let (before, rest) = text.split_once(detail).expect("the detail is told");
    let (between, after) = rest.split_once(id).expect("the request id is told");
    Template {
        code,
        status: StatusCode::from_u16(code.row().status).expect("the table holds valid statuses"),
        pieces: [before, between, after].map(str::to_owned),
    }
}

/// The reply, if the request was refused because there is too much to do.
pub(super) fn reply(call: &Call<'_>, rejection: &Rejection) -> Option<HttpResponse> {
    let template = TEMPLATES.iter().find(|it| it.code == rejection.code)?;
    let needs_escape = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\');
    if !rejection.errors.is_empty() || rejection.detail.bytes().any(needs_escape) {
        return None;
    }
    if let Some(refused) = call.state.admission.refused() {
        let code = template.code.slug();
        tracing::warn!(
            refused,
            last = code,
            "requests refused since this was said last"
        );
    }
    let [before, between, after] = &template.pieces;
    let (detail, id) = (rejection.detail.as_str(), call.received.id());
    let parts = [before, detail, between, id, after];
    let mut reply = HttpResponse::build(template.status).body(parts.concat());
    let headers = reply.headers_mut();
    let problem = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, problem);
    let at = call.state.admission.retry_after_s() as usize - 1;
    let class = class_of(call) as usize;
    headers.insert(header::RETRY_AFTER, FIELDS.retry_after[at].clone());
    headers.insert(RATE_LIMIT, FIELDS.left[class][at].clone());
    headers.insert(RATE_LIMIT_POLICY, FIELDS.policy[class].clone());
    request_log::note_refusal(&mut reply, rejection);
    Some(reply)
}

/// The class whose limit the request met.
fn class_of(call: &Call<'_>) -> Class {
    match Resource::at(call.request.uri().path()) {
        Resource::Fit(_) | Resource::Detect | Resource::Plot => Class::Fit,
        _ => Class::Predict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_document() {
        for template in &*TEMPLATES {
            let [before, between, after] = &template.pieces;
            let text = [before, "why", between, "r1", after].concat();
            let document = Problem::new(template.code, "why", &[], "r1");
            assert_eq!(text, serde_json::to_string(&document).unwrap());
        }
    }

    #[test]
    fn fields_are_structured_fields_of_the_draft() {
        assert_eq!(
            FIELDS.policy[Class::Fit as usize],
            "\"fit\";q=1024;qu=\"concurrent-requests\""
        );
        assert_eq!(
            FIELDS.left[Class::Predict as usize][2],
            "\"predict\";r=0;t=3"
        );
        assert_eq!(FIELDS.retry_after[4], "5");
    }
}
