//! What an update leaves to others while it waits, and what of it is counted.

use std::sync::Arc;

use actix_web::test::TestRequest;
use actix_web::web::Data;
use api::update::Start;
use api::{Rejection, SeriesId, Timestamp};
use bytes::Bytes;
use tempfile::TempDir;

use super::super::Call;
use super::super::authenticate::Caller;
use super::super::predict::Asked;
use super::super::stamp::Received;
use super::{INLINE_POINTS, apply, columns, lines, open};
use crate::admission::gate::MOST_WAITING;
use crate::admission::{Admission, Class, Tenant, Ticket};
use crate::compute::Compute;
use crate::registry::{Registry, RegistryOptions, Updating};
use crate::startup::State;
use crate::store::{EmbeddedOptions, EmbeddedStore};

/// More points than are learnt without the pool.
const MANY: i64 = 2 * INLINE_POINTS as i64;

/// The state of a server whose pool has one thread.
fn of_one_thread() -> (Data<State>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let options = RegistryOptions {
        min_training_points: 2,
        model_cache_bytes: 1 << 24,
    };
    let state = State::new(
        Compute::new(1).unwrap(),
        Admission::new(1 << 24, None),
        1 << 20,
    );
    state.opened(Registry::new(Arc::new(store), options));
    (Data::new(state), folder)
}

fn ticket() -> Ticket {
    Ticket::new(Class::Predict, Tenant::ALL, None)
}

/// Jobs that wait for the pool or for their turn on it, or run.
fn jobs(state: &State) -> f64 {
    state.compute.utilization() * (MOST_WAITING + 1) as f64
}

async fn opened(state: &State, series: &str) -> Updating {
    let series = SeriesId::parse(series).unwrap();
    let registry = state.registry().unwrap();
    open(
        state,
        &ticket(),
        registry,
        series.as_str(),
        Start::default(),
    )
    .await
    .unwrap()
}

async fn points(state: Data<State>, series: &'static str) -> Result<(), Rejection> {
    let updating = opened(&state, series).await;
    let points = (0..MANY).map(|t| (t, 1.0)).collect();
    apply(&state, &mut ticket(), updating, points)
        .await
        .map(|_| ())
}

async fn in_columns(state: Data<State>, series: &'static str) -> Result<(), Rejection> {
    let updating = opened(&state, series).await;
    let time = |t: i64| Timestamp::parse(&t.to_string()).unwrap();
    let points = (0..MANY).map(|t| (time(t), 1.0)).unzip();
    let asked = Asked {
        fields: None,
        explain: false,
        csv: false,
    };
    columns::answer(&state, &mut ticket(), updating, points, asked)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn updates_that_wait_for_one_series_leave_the_pool_to_others() {
    let (state, _folder) = of_one_thread();
    let first = opened(&state, "a").await;
    let held = first.turn().await;
    let waiting = [
        tokio::spawn(points(Data::clone(&state), "a")),
        tokio::spawn(in_columns(Data::clone(&state), "a")),
    ];
    let is_any_done = || waiting.iter().any(|update| update.is_finished());
    while jobs(&state) < 1.5 && !is_any_done() {
        tokio::task::yield_now().await;
    }
    points(Data::clone(&state), "b").await.unwrap();
    in_columns(Data::clone(&state), "b").await.unwrap();
    assert!(!is_any_done());
    assert_eq!(jobs(&state), 2.0, "both are in the queue");
    drop(held);
    for update in waiting {
        update.await.unwrap().unwrap();
    }
}

#[actix_web::test]
async fn lines_are_in_flight_until_the_last_is_answered() {
    let (state, _folder) = of_one_thread();
    let request = TestRequest::default().to_http_request();
    let received = Received::now(request.headers());
    let call = Call {
        request: &request,
        state: &state,
        received: &received,
        caller: &Caller::Anybody,
    };
    let body: String = (0..1_000)
        .map(|t| format!("{{\"timestamp\":{t},\"value\":1}}\n"))
        .collect();
    let series = call.series(SeriesId::parse("a").unwrap()).unwrap();
    let registry = state.registry().unwrap();
    let reply = lines::handle(
        &call,
        ticket(),
        registry,
        &series,
        Start::default(),
        Bytes::from(body),
    )
    .await
    .unwrap();
    assert_eq!(state.in_flight(), 1, "its lines are still to come");
    let body = actix_web::body::to_bytes(reply.into_body()).await.unwrap();
    assert_eq!(body.split(|byte| *byte == b'\n').count(), 1_001);
    while state.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}
