//! The server: one thread accepts, and hands connections to all threads in turn, so that they have
//! equally many; each serves its own on a runtime of its own.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::answer::{Answer, answer, problem};
use super::body::{Lines, Reply};
use super::learnt::Learnt;
use super::pacing::{Fate, Pacing};
use super::settings::Settings;
use crate::interrupt::{self, Stop, StopHandle};

const BODY_LIMIT: usize = 64 << 20;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");

/// A running stub. Dropping it closes its connections and ends its threads.
#[derive(Debug)]
pub struct Stub {
    /// Its address, such as `http://127.0.0.1:40123`.
    pub url: String,
    shared: Arc<Shared>,
    stop: StopHandle,
    threads: Vec<JoinHandle<()>>,
}

/// A stub could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StubError {
    /// The port cannot be had.
    #[error("cannot listen on 127.0.0.1:{port}: {reason}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A thread or its runtime cannot be started.
    #[error("cannot start a thread of the stub: {0}")]
    Thread(#[source] io::Error),
}

#[derive(Debug)]
struct Shared {
    pacing: Arc<Pacing>,
    requests: AtomicU64,
    learnt: Option<Learnt>,
}

/// The connection is to be closed without a word.
#[derive(Debug, thiserror::Error)]
#[error("dropped")]
struct Dropped;

impl Stub {
    /// Listens, and answers on threads of its own from now on.
    ///
    /// # Errors
    /// When the port cannot be had, or a thread cannot be started.
    pub fn start(settings: &Settings) -> Result<Self, StubError> {
        let listen = || {
            let listener = StdListener::bind((Ipv4Addr::LOCALHOST, settings.port))?;
            listener.set_nonblocking(true)?;
            let url = format!("http://{}", listener.local_addr()?);
            Ok((listener, url))
        };
        let port = settings.port;
        let (listener, url) = listen().map_err(|reason| StubError::Listen { port, reason })?;
        let shared = Arc::new(Shared {
            pacing: Arc::new(Pacing::new(settings)),
            requests: AtomicU64::new(0),
            learnt: settings
                .learn
                .then(|| Learnt::new(settings.wrong, settings.lose_ack, settings.seed)),
        });
        let (stop, stopped) = interrupt::manual();
        let mut threads = Vec::new();
        let mut servers = Vec::new();
        for n in 0..settings.threads.max(1) {
            let (sender, connections) = unbounded_channel();
            servers.push(sender);
            let serving = serve_all(connections, Arc::clone(&shared));
            threads.push(spawn(&format!("stub-{n}"), stopped.clone(), serving)?);
        }
        threads.push(spawn(
            "stub-accept",
            stopped,
            accept_all(listener, servers),
        )?);
        Ok(Self {
            url,
            shared,
            stop,
            threads,
        })
    }

    /// Requests that came so far, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

/// Runs `work` on a thread and a runtime of its own, until it ends or is told to stop; what it has
/// spawned ends with it.
fn spawn(
    name: &str,
    stop: Stop,
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, StubError> {
    let runtime: io::Result<Runtime> = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StubError::Thread)?;
    let run = move || {
        runtime.block_on(stop.guard(work));
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(StubError::Thread)
}

async fn accept_all(listener: StdListener, servers: Vec<UnboundedSender<StdStream>>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            crate::console::note(format_args!("the stub cannot accept: {error}"));
            return;
        }
    };
    for server in servers.iter().cycle() {
        loop {
            let accepted = listener.accept().await;
            match accepted.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => {
                    // A thread that is gone serves nobody; its connections close.
                    let _ = server.send(stream);
                    break;
                }
                // Most often too many open files, which ends when connections do.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}

async fn serve_all(mut connections: UnboundedReceiver<StdStream>, shared: Arc<Shared>) {
    while let Some(stream) = connections.recv().await {
        // A socket that fails here was closed by its client.
        let usable = stream
            .set_nodelay(true)
            .and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = usable {
            tokio::spawn(serve(stream, Arc::clone(&shared)));
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| respond(request, &shared));
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // Whatever a client or a fault broke is the client's to report.
    drop(served);
}

async fn respond(request: Request<Incoming>, shared: &Shared) -> Result<Response<Reply>, Dropped> {
    let came = Instant::now();
    let Shared {
        pacing,
        requests,
        learnt,
    } = shared;
    let number = requests.fetch_add(1, Ordering::Relaxed);
    pacing.request_came();
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too long",
                came,
            ));
        }
        // The client went away in the middle of it.
        Err(_) => return Err(Dropped),
    };
    // In a stall, nobody is refused either.
    pacing.pass(Duration::ZERO).await;
    match pacing.fate(number) {
        Fate::Answered => {}
        Fate::Refused(status) => return Ok(refusal(status, "as the stub was told", came)),
        Fate::Dropped => return Err(Dropped),
    }
    let whole = async |kind: HeaderValue, body: Bytes, cost: Duration| {
        let place = pacing.place().await;
        pacing.pass(cost).await;
        drop(place);
        reply(StatusCode::OK, kind, Reply::Whole(Some(body)), came)
    };
    let kept = learnt.as_ref().and_then(|it| it.answer(&head, &body));
    Ok(match kept.unwrap_or_else(|| answer(&head, &body)) {
        Answer::One(body) => whole(JSON, body, pacing.one()).await,
        Answer::Page(body) => whole(HTML, body, pacing.one()).await,
        Answer::Batch(body, points) => whole(JSON, body, pacing.batch(points)).await,
        Answer::Lines(lines) => {
            let cost = pacing.batch(lines.len());
            let place = pacing.place().await;
            pacing.pass(Duration::ZERO).await;
            let body = if cost.is_zero() {
                Reply::Whole(Some(lines.concat().into()))
            } else {
                Reply::Lines(Box::new(Lines::new(lines, cost, Arc::clone(pacing), place)))
            };
            reply(StatusCode::OK, NDJSON, body, came)
        }
        Answer::Refused(status, detail) => refusal(status, detail, came),
        Answer::WrongMethod(there_is) => {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let mut response = refusal(status, "the method is another one", came);
            let allow = HeaderValue::from_static(there_is);
            response.headers_mut().insert(ALLOW, allow);
            response
        }
    })
}

fn refusal(status: StatusCode, detail: &str, came: Instant) -> Response<Reply> {
    let body = Reply::Whole(Some(problem(status, detail).into()));
    let mut response = reply(status, PROBLEM, body, came);
    let headers = response.headers_mut();
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn reply(status: StatusCode, content: HeaderValue, body: Reply, came: Instant) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content);
    let us = came.elapsed().as_micros();
    let time = format!("{}.{:03}ms", us / 1000, us % 1000);
    if let Ok(time) = HeaderValue::from_maybe_shared(Bytes::from(time)) {
        headers.insert(RESPONSE_TIME, time);
    }
    response
}
