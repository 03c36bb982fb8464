//! A hand-written hyper server: HTTP/1.1 on one thread, the same parse of the body and a constant
//! reply. No framework, no middleware, no checks: what an HTTP server in Rust costs at the least.

use std::convert::Infallible;

use api::{PredictRequest, decode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::process;

pub(super) fn run(reply: Bytes) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("a port is free");
        let addr = listener.local_addr().expect("it is bound");
        println!("{}{addr}", process::LISTENING);
        loop {
            let (stream, _) = listener.accept().await.expect("connections are accepted");
            stream.set_nodelay(true).expect("a socket has no delay");
            let reply = reply.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| answer(request, reply.clone()));
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                drop(served);
            });
        }
    });
}

async fn answer(
    request: Request<Incoming>,
    reply: Bytes,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let named = request.uri().path().starts_with("/predict/");
    let body = request.into_body().collect().await;
    let body = body.map(http_body_util::Collected::to_bytes);
    let points = body
        .ok()
        .and_then(|body| decode::<PredictRequest>(&body).ok()?.into_points().ok());
    let mut response = Response::new(Full::new(reply));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !named || points.is_none() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}
