//! What the server takes on when it is asked for more than it can do (O3, O4, O7, O8, O9), each with a control.

mod classes;
mod deadlines;
mod fairness;
mod memory;
mod refusals;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::histories::{HOUR, daily, end, with};
use crate::reply::Reply;
use crate::server::Server;

/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

/// Jobs that a class takes at most, on one thread: what `pool_utilization` is a share of.
const PLACES: f64 = 1_025.0;
/// A series whose predicts go to the pool, each for some tens of milliseconds.
const DEAR: &str = "dear";
/// Points of a predict: in less than 16 KiB, so that only the model tells that it is dear.
const POINTS: usize = 700;

/// A server with one thread a class, that knows [`DEAR`].
async fn busy_server(flags: &[&str]) -> Arc<Server> {
    let flags = [&["--workers", "2", "--compute-threads", "1"], flags].concat();
    let server = Server::with(&flags).await;
    fit_dear(&server, DEAR).await;
    Arc::new(server)
}

async fn fit_dear(server: &Server, series: &str) {
    let history = with(daily(250), &json!({"model": "nearest"}));
    server.fit(series, &history).await.ok();
}

/// A dear predict of `n` points.
fn columns(n: usize) -> Value {
    let first = end(&daily(250)) + HOUR;
    let timestamps: Vec<i64> = (0..n as i64).map(|i| first + HOUR * i).collect();
    let values: Vec<f64> = (0..n).map(|i| 50.0 + (i % 24) as f64).collect();
    json!({"timestamps": timestamps, "values": values})
}

/// Waits until as many jobs run or wait as `is_enough` asks for.
async fn until_jobs(server: &Server, is_enough: impl Fn(f64) -> bool) {
    let begun = Instant::now();
    loop {
        let ready = server.get("/health/ready").await.json();
        let share = ready["pool_utilization"].as_f64().expect("a share");
        let jobs = share * PLACES;
        if is_enough(jobs.round()) {
            return;
        }
        assert!(begun.elapsed() < HANG, "{jobs} jobs");
    }
}

/// A fit that keeps the only thread of its class for longer than anything else here takes.
fn slow_history() -> Value {
    with(daily(800), &json!({"model": "nearest"}))
}

/// Begins so many slow fits, and returns when all have a place.
async fn slow_fits(server: &Arc<Server>, n: usize) -> tokio::task::JoinSet<u16> {
    let mut fits = tokio::task::JoinSet::new();
    for n in 0..n {
        let server = Arc::clone(server);
        fits.spawn(async move {
            let series = format!("slow-{n}");
            server.fit(&series, &slow_history()).await.status
        });
    }
    until_jobs(server, |jobs| jobs >= n as f64).await;
    fits
}

/// Callers that send dear predicts, again as soon as they are answered, until this is ended.
struct Flood {
    is_over: Arc<AtomicBool>,
    refused: Arc<Mutex<Vec<Reply>>>,
    callers: tokio::task::JoinSet<()>,
}

/// Callers of a flood: more than the queue takes.
const CALLERS: usize = 40;

impl Flood {
    /// Begins, and returns once some have been refused: the queue is full.
    async fn begin(server: &Arc<Server>, headers: &[(&'static str, &str)]) -> Self {
        let mut flood = Self {
            is_over: Arc::default(),
            refused: Arc::default(),
            callers: tokio::task::JoinSet::new(),
        };
        let body = columns(POINTS).to_string();
        let owned = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let owned: Vec<(&'static str, String)> = owned.collect();
        for _ in 0..CALLERS {
            let (server, body) = (Arc::clone(server), body.clone());
            let headers = owned.clone();
            let (is_over, refused) = (Arc::clone(&flood.is_over), Arc::clone(&flood.refused));
            flood.callers.spawn(async move {
                let headers: Vec<(&str, &str)> = headers
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let target = format!("/predict/{DEAR}");
                while !is_over.load(Ordering::SeqCst) {
                    let reply = server.send("POST", &target, &headers, body.clone()).await;
                    if reply.status != 200 {
                        refused.lock().expect("nobody panics").push(reply);
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            });
        }
        let begun = Instant::now();
        while flood.refused.lock().expect("nobody panics").len() < CALLERS {
            assert!(begun.elapsed() < HANG, "the queue does not fill");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        flood
    }

    /// Ends it; what was refused.
    async fn end(mut self) -> Vec<Reply> {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(caller) = self.callers.join_next().await {
            caller.expect("no caller panics");
        }
        std::mem::take(&mut self.refused.lock().expect("nobody panics"))
    }
}
