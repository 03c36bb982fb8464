//! The threads of a run: each has its own runtime and its own connections, and nothing in common
//! with the others but the start, so that measuring costs no lock.

use std::cell::OnceCell;
use std::io;
use std::net::SocketAddr;
use std::panic;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender as ChannelSender;
use tokio::runtime::Runtime;
use tokio::sync::Barrier;
use tokio::task::{JoinError, JoinSet, LocalSet};

use super::closed::{self, Until};
use super::counters::Counters;
use super::hooks::Hook;
use super::open::{self, Backlog, Pool, Schedule};
use super::pacer::Pacer;
use super::recorder::{Batch, FLUSH_EVERY, Recorder};
use super::resources;
use super::sender::{Announcing, Sender, Source};
use super::wire::Connection;
use crate::interrupt::Stop;

/// What to send, when, and where to.
pub(super) struct Plan {
    pub(super) address: SocketAddr,
    pub(super) timeout: Duration,
    pub(super) threads: usize,
    pub(super) pace: Pace,
    pub(super) source: Arc<Source>,
    pub(super) hooks: Arc<[Box<dyn Hook>]>,
    /// Bytes of 2xx replies that are kept to be checked; 0 is none.
    pub(super) keep: usize,
    pub(super) ledger: Option<Announcing>,
}

pub(super) enum Pace {
    Closed {
        clients: u32,
        until: Bound,
    },
    Open {
        /// The whole run's moments, from the start; each thread takes its part.
        moments: Box<dyn Fn() -> Box<dyn Iterator<Item = u64> + Send> + Send + Sync>,
        connections: u32,
        max_connections: u32,
        until: Bound,
    },
}

/// What ends a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    /// So many requests in all.
    Requests(u64),
    /// So many requests by every client of a closed loop.
    RequestsPerClient(u64),
    /// So long after the start nothing more is sent.
    After(Duration),
}

/// How the threads ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Requests that were due and never sent.
    pub(super) unsent: u64,
    /// Time that threads waited for the collector.
    pub(super) waited: Duration,
    /// Processor time of these threads.
    pub(super) cpu: Duration,
}

/// How long connections may take to be opened before a run; all are opened at once.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Threads that send.
pub(super) struct Engine {
    shared: Arc<Shared>,
    threads: Vec<thread::JoinHandle<io::Result<Ended>>>,
}

/// What all threads share.
struct Shared {
    plan: Plan,
    /// Passed when all connections are open, by all threads and by whoever starts the run.
    ready: Barrier,
    /// Passed when the run starts.
    go: Barrier,
    start: OnceLock<Instant>,
    /// The next request of a closed loop.
    next: Arc<AtomicU64>,
    counters: Arc<[Counters]>,
}

/// One counter a thread.
pub(super) fn counters(threads: usize) -> Arc<[Counters]> {
    (0..threads).map(|_| Counters::default()).collect()
}

impl Engine {
    /// Starts the threads, which open all connections; then they wait for [`go`](Self::go). The records
    /// go to `channel`.
    pub(super) fn start(
        plan: Plan,
        counters: &Arc<[Counters]>,
        channel: &ChannelSender<Batch>,
        stop: &Stop,
    ) -> io::Result<Self> {
        let everybody = plan.threads + 1;
        let shared = Arc::new(Shared {
            ready: Barrier::new(everybody),
            go: Barrier::new(everybody),
            start: OnceLock::new(),
            next: Arc::default(),
            counters: Arc::clone(counters),
            plan,
        });
        // Here and not in the threads, where a failure of one would leave the others at a barrier.
        let means = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let pacer = {
                let _inside = runtime.enter();
                Pacer::new()?
            };
            Ok::<_, io::Error>((runtime, pacer))
        };
        let means: Vec<_> = (0..shared.plan.threads)
            .map(|_| means())
            .collect::<Result<_, _>>()?;
        let spawn = |(thread, (runtime, pacer))| {
            let (shared, channel, stop) = (Arc::clone(&shared), channel.clone(), stop.clone());
            thread::Builder::new()
                .name(format!("send-{thread}"))
                .spawn(move || shared.thread(thread, &runtime, pacer, channel, &stop))
        };
        let threads = means
            .into_iter()
            .enumerate()
            .map(spawn)
            .collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Waits until all connections are open, or could not be opened.
    pub(super) async fn ready(&self) {
        self.shared.ready.wait().await;
    }

    /// Starts sending, everywhere at once.
    pub(super) async fn go(&self) {
        self.shared.go.wait().await;
    }

    /// When sending began, after [`go`](Self::go).
    pub(super) fn start_time(&self) -> Instant {
        *self.shared.start.get_or_init(Instant::now)
    }

    /// Waits for the end of all threads.
    pub(super) fn join(self) -> io::Result<Ended> {
        let mut all = Ended::default();
        for thread in self.threads {
            let one = thread
                .join()
                .unwrap_or_else(|panicked| panic::resume_unwind(panicked))?;
            all.unsent += one.unsent;
            all.waited += one.waited;
            all.cpu += one.cpu;
        }
        Ok(all)
    }
}

impl Shared {
    fn thread(
        self: Arc<Self>,
        thread: usize,
        runtime: &Runtime,
        pacer: Pacer,
        channel: ChannelSender<Batch>,
        stop: &Stop,
    ) -> io::Result<Ended> {
        let recorder = Rc::new(Recorder::new(channel));
        let backlog = Rc::default();
        let work = self.work(thread, pacer, Rc::clone(&recorder), Rc::clone(&backlog));
        let worked = LocalSet::new().block_on(runtime, stop.guard(work));
        recorder.flush();
        worked.transpose()?;
        Ok(Ended {
            unsent: backlog.get().map_or(0, |backlog| backlog.unsent()),
            waited: recorder.waited(),
            cpu: resources::thread_cpu_time(),
        })
    }

    /// One thread's part. What an open loop has to send is left in `backlog`, which is there when
    /// this is dropped.
    async fn work(
        &self,
        thread: usize,
        pacer: Pacer,
        recorder: Rc<Recorder>,
        backlog: Rc<OnceCell<Rc<Backlog>>>,
    ) -> io::Result<()> {
        let plan = &self.plan;
        let (opened, most) = match plan.pace {
            Pace::Closed { clients, .. } => (clients, clients),
            Pace::Open {
                connections,
                max_connections,
                ..
            } => (connections, max_connections),
        };
        let mine = |client: &u32| *client as usize % plan.threads == thread;
        let connection = || Connection::new(plan.address, plan.timeout).keeping(plan.keep);
        let place = |client| (client, connection());
        let open = self
            .open(thread, (0..opened).filter(mine).map(place).collect())
            .await;
        self.ready.wait().await;
        self.go.wait().await;
        let start = *self.start.get_or_init(Instant::now);

        let flushing = tokio::task::spawn_local(flush(Rc::clone(&recorder)));
        let sender = Rc::new(Sender {
            source: Arc::clone(&plan.source),
            hooks: Arc::clone(&plan.hooks),
            recorder,
            counters: Arc::clone(&self.counters),
            thread,
            checked: plan.keep > 0,
            ledger: plan.ledger.clone(),
            start,
        });
        let worked = match &plan.pace {
            Pace::Closed { until, .. } => {
                let until = match *until {
                    Bound::Requests(requests) => Until::Requests(requests),
                    Bound::RequestsPerClient(requests) => Until::RequestsPerClient(requests),
                    Bound::After(time) => Until::Deadline(start + time),
                };
                closed::run(sender, open, Arc::clone(&self.next), until).await;
                Ok(())
            }
            Pace::Open { moments, until, .. } => {
                let (most_requests, time) = match *until {
                    Bound::Requests(requests) | Bound::RequestsPerClient(requests) => {
                        (requests, None)
                    }
                    Bound::After(time) => (u64::MAX, Some(time)),
                };
                let schedule: Schedule = Box::new(
                    (0..most_requests)
                        .zip(moments())
                        .skip(thread)
                        .step_by(plan.threads)
                        .map(|(index, ns)| (index, Duration::from_nanos(ns))),
                );
                let spare = (opened..most).filter(mine).map(place).collect();
                let backlog = backlog.get_or_init(|| Rc::new(Backlog::new(schedule, start, time)));
                open::run(sender, Pool { open, spare }, Rc::clone(backlog), pacer).await
            }
        };
        flushing.abort();
        worked
    }

    /// Opens connections, all at once. A failure is told by a connection's first request, which
    /// tries again.
    async fn open(&self, thread: usize, places: Vec<(u32, Connection)>) -> Vec<(u32, Connection)> {
        let mut opening = JoinSet::new();
        for (client, mut connection) in places {
            opening.spawn_local(async move {
                let _ = connection.open(OPEN_WITHIN).await;
                (client, connection)
            });
        }
        let mut open = Vec::with_capacity(opening.len());
        while let Some(done) = opening.join_next().await {
            open.extend(unless_cancelled(done));
        }
        open.sort_unstable_by_key(|(client, _)| *client);
        let opened = open.iter().map(|(_, connection)| connection.opened().0);
        self.counters[thread].connected(opened.sum(), 0);
        open
    }
}

async fn flush(recorder: Rc<Recorder>) {
    loop {
        tokio::time::sleep(FLUSH_EVERY).await;
        recorder.flush();
    }
}

/// A panic in a task ends the run with it; a cancelled task is one that a stop dropped.
pub(super) fn unless_cancelled<T>(done: Result<T, JoinError>) -> Option<T> {
    match done {
        Ok(value) => Some(value),
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_cancelled) => None,
    }
}
