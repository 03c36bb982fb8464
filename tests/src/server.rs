//! A server in this process: its own thread, its own runtime, a free port, a folder that goes away.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client, Method};
use serde_json::Value;
use service::config::{Cli, Command};
use service::startup::{Application, StartupError};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::reply::Reply;

/// A guard against hanging, not a promise about speed.
const START_WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    client: Client,
    stop: UnboundedSender<()>,
    thread: Option<JoinHandle<Result<(), StartupError>>>,
    /// Goes away after the server; absent when the test brought one.
    folder: Option<tempfile::TempDir>,
}

impl Server {
    /// A server with the defaults of the binary over an empty store.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// As [`Server::start`], with further flags of `tidemark serve`.
    pub(crate) async fn with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("data");
        let mut server = Self::at(&path, flags).await;
        server.folder = Some(folder);
        server
    }

    /// A server over the store in `data_dir`, which the test keeps.
    pub(crate) async fn at(data_dir: &Path, flags: &[&str]) -> Self {
        let (stop, stops) = unbounded_channel();
        let (bound, addr) = std::sync::mpsc::channel();
        let line = command_line(data_dir.to_owned(), flags);
        let thread = std::thread::spawn(move || {
            let Command::Serve(config) = Cli::try_parse_from(line).expect("valid flags").command
            else {
                unreachable!("`serve` was parsed")
            };
            actix_web::rt::System::new().block_on(async move {
                let application = Application::build(&config)?;
                bound.send(application.addr()).expect("the test waits");
                application.run_until_stopped(stops).await
            })
        });
        let addr = addr.recv().expect("the server binds its address");
        let client = Client::builder()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("a client without TLS needs nothing");
        let server = Self {
            addr,
            client,
            stop,
            thread: Some(thread),
            folder: None,
        };
        let started = Instant::now();
        while server.get("/health/startup").await.status != 200 {
            assert!(started.elapsed() < START_WITHIN, "the store does not open");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server
    }

    /// Drains and stops; the store is closed when this returns.
    pub(crate) async fn stop(mut self) {
        self.stop.send(()).expect("the server listens");
        let thread = self.thread.take().expect("it stops once");
        tokio::task::spawn_blocking(move || thread.join())
            .await
            .expect("joining does not fail")
            .expect("the server does not panic")
            .expect("the server ends in order");
    }

    /// Any request. `target` is normalised by the client; hostile ones go through `raw`.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let method = Method::from_bytes(method.as_bytes()).expect("a method token");
        let mut request = self
            .client
            .request(method, format!("http://{}{target}", self.addr))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = request.send().await.expect("the server answers");
        let status = reply.status().as_u16();
        let headers = reply
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let body = reply.bytes().await.expect("the body arrives").to_vec();
        Reply {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], "").await
    }

    /// A POST of JSON as it stands, right or wrong.
    pub(crate) async fn post(&self, target: &str, body: impl Into<Body>) -> Reply {
        let json = [(CONTENT_TYPE.as_str(), "application/json")];
        self.send("POST", target, &json, body).await
    }

    pub(crate) async fn fit(&self, series: &str, body: &Value) -> Reply {
        self.post(&format!("/fit/{series}"), body.to_string()).await
    }

    /// `series` may carry a query.
    pub(crate) async fn predict(&self, series: &str, body: &Value) -> Reply {
        let target = format!("/predict/{series}");
        self.post(&target, body.to_string()).await
    }

    /// Distinct series, as the server counts them.
    pub(crate) async fn series_trained(&self) -> u64 {
        let health = self.get("/healthcheck").await.ok();
        health["series_trained"].as_u64().expect("a count")
    }
}

impl Drop for Server {
    /// A test that does not stop its server leaves no thread behind, also when it fails.
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn command_line(data_dir: PathBuf, flags: &[&str]) -> Vec<std::ffi::OsString> {
    let fixed = [
        "tidemark",
        "serve",
        "--addr",
        "127.0.0.1:0",
        "--drain-delay",
        "0s",
        "--data-dir",
    ];
    fixed
        .iter()
        .map(Into::into)
        .chain([data_dir.into_os_string()])
        .chain(flags.iter().map(Into::into))
        .collect()
}

/// A short history: `values` at seconds 1, 2, 3, …
pub(crate) fn history(values: &[f64]) -> Value {
    let timestamps: Vec<usize> = (1..=values.len()).collect();
    serde_json::json!({ "timestamps": timestamps, "values": values })
}

/// A history with `n` points of a noisy daily rhythm, the same ones every time.
pub(crate) fn long_history(n: usize) -> Value {
    let noise = |i: usize| ((i * 7919 + 13) % 1_000) as f64 / 1_000.0;
    let values: Vec<f64> = (0..n)
        .map(|i| 50.0 + 10.0 * (i as f64 / 24.0).sin() + noise(i))
        .collect();
    let timestamps: Vec<usize> = (0..n).map(|i| 1_700_000_000 + 60 * i).collect();
    serde_json::json!({ "timestamps": timestamps, "values": values })
}

/// One point in the form of the base contract.
pub(crate) fn point(timestamp: i64, value: f64) -> Value {
    serde_json::json!({ "timestamp": timestamp.to_string(), "value": value })
}
