//! Middleware that stamps every reply: `X-Request-ID` and `X-Response-Time`.
//!
//! A future of its own and no boxed one: this runs on every request.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, HttpRequest};
use pin_project_lite::pin_project;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
/// A longer id from a caller is replaced: it goes into logs and replies.
const ID_MAX_BYTES: usize = 128;

/// When a request's head was read, and its id.
#[derive(Clone)]
pub struct Received {
    /// Monotonic clock.
    pub at: Instant,
    id: HeaderValue,
}

impl Received {
    /// The id as text.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// What the middleware noted for `request`, copied: the extensions stay unborrowed.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::now(request.headers()))
    }

    fn now(headers: &HeaderMap) -> Self {
        let sent = headers.get(&REQUEST_ID).filter(|id| {
            let id = id.as_bytes();
            (1..=ID_MAX_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
        });
        Self {
            at: Instant::now(),
            id: sent.cloned().unwrap_or_else(new_id),
        }
    }
}

/// A UUID of version 7: sorted by time, unique across servers.
fn new_id() -> HeaderValue {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = uuid::Uuid::now_v7().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(id).expect("hexadecimal digits and hyphens are visible ASCII")
}

/// The middleware.
#[derive(Clone, Copy)]
pub struct Stamp;

impl<S, B> Transform<S, ServiceRequest> for Stamp
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = Stamped<S>;
    type InitError = ();
    type Future = Ready<Result<Stamped<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Stamped { service }))
    }
}

/// A service whose replies are stamped.
pub struct Stamped<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for Stamped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Stamping<S::Future>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let received = Received::now(request.headers());
        request.extensions_mut().insert(received.clone());
        Stamping {
            reply: self.service.call(request),
            received,
        }
    }
}

pin_project! {
    /// The reply on its way.
    pub struct Stamping<F> {
        #[pin]
        reply: F,
        received: Received,
    }
}

impl<F, B> Future for Stamping<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<B>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.reply.poll(cx).map_ok(|mut reply| {
            let took = format!("{:.2}ms", this.received.at.elapsed().as_secs_f64() * 1e3);
            let took = HeaderValue::from_str(&took).expect("digits are visible ASCII");
            let headers = reply.headers_mut();
            headers.insert(REQUEST_ID, this.received.id.clone());
            headers.insert(RESPONSE_TIME, took);
            reply
        })
    }
}
