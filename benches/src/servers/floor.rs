//! The floor under a handler: the service's server, settings, routing, parsers and reply headers
//! around one that answers a constant.
//!
//! A predict reads and parses its body. A fit does all that a fit does but to store it: it parses,
//! fits, seals its record and publishes the model to the map.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use api::{FitRequest, PredictRequest, decode};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use service::http::router::Resource;
use service::http::stamp::Received;
use service::registry::{FitJob, Registry, RegistryOptions};
use service::store::training::TrainingPoints;

use crate::memory_store::MemoryStore;
use crate::{data, process};

const FIT_REPLY: &[u8] = &[b' '; 512];

struct State {
    reply: Bytes,
    stamp: Stamp,
    registry: Registry,
}

/// Whether replies carry what the service's replies carry.
#[derive(Clone, Copy)]
enum Stamp {
    Applied,
    LeftOut,
}

pub(super) fn run(reply: Bytes) {
    serve(reply, Stamp::Applied);
}

pub(super) fn run_unstamped(reply: Bytes) {
    serve(reply, Stamp::LeftOut);
}

fn state(reply: Bytes, stamp: Stamp) -> Data<State> {
    let options = RegistryOptions {
        min_training_points: api::limits::MIN_TRAINING_POINTS,
        model_cache_bytes: 512 << 20,
    };
    Data::new(State {
        reply,
        stamp,
        registry: Registry::new(std::sync::Arc::new(MemoryStore), options),
    })
}

/// The service's own settings, see its `startup`.
fn serve(reply: Bytes, stamp: Stamp) {
    let state = state(reply, stamp);
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .default_service(web::to(dispatch))
        })
        .backlog(4_096)
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::from_secs(10))
        .bind(("127.0.0.1", 0))
        .expect("a port is free");
        println!("{}{}", process::LISTENING, server.addrs()[0]);
        server.run().await.expect("the server serves");
    });
}

async fn dispatch(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    match state.stamp {
        Stamp::LeftOut => answer(&request, payload, &state).await,
        Stamp::Applied => {
            let received = Received::now(request.headers());
            let mut reply = answer(&request, payload, &state).await;
            received.stamp(&mut reply);
            reply
        }
    }
}

async fn answer(request: &HttpRequest, payload: Payload, state: &State) -> HttpResponse {
    let resource = Resource::at(request.uri().path());
    if !resource.allows(request.method()) {
        return HttpResponse::MethodNotAllowed().finish();
    }
    let reply = match resource {
        Resource::Predict(_) => predict(payload, state).await,
        Resource::Fit(id) => fit(id, payload, state).await,
        _ => None,
    };
    match reply {
        Some(reply) => HttpResponse::Ok()
            .content_type("application/json")
            .body(reply),
        None => HttpResponse::BadRequest().finish(),
    }
}

async fn predict(payload: Payload, state: &State) -> Option<Bytes> {
    let body = read(payload).await?;
    decode::<PredictRequest>(&body).ok()?.into_points().ok()?;
    Some(state.reply.clone())
}

async fn fit(id: &str, payload: Payload, state: &State) -> Option<Bytes> {
    let body = read(payload).await?;
    let (timestamps, values) = decode::<FitRequest>(&body).ok()?.take_columns().ok()?;
    let job = FitJob {
        points: TrainingPoints { timestamps, values },
        params: data::params("auto"),
        fitted_at_ms: data::START * 1_000,
        set_alias: None,
        labels: None,
    };
    let mut fitting = job.run(&state.registry.options()).ok()?;
    state.registry.store(id, &mut fitting).await.ok()?;
    Some(Bytes::from_static(FIT_REPLY))
}

async fn read(payload: Payload) -> Option<Bytes> {
    let mut stream = payload.into_inner();
    let mut next = async || poll_fn(|cx| Stream::poll_next(Pin::new(&mut stream), cx)).await;
    let Some(first) = next().await else {
        return Some(Bytes::new());
    };
    let first = first.ok()?;
    let Some(second) = next().await else {
        return Some(first);
    };
    let mut body = BytesMut::from(first);
    body.extend_from_slice(&second.ok()?);
    while let Some(chunk) = next().await {
        body.extend_from_slice(&chunk.ok()?);
    }
    Some(body.freeze())
}
