//! The threads of a run: each has its own runtime and its own connections, and nothing in common
//! with the others but the start, so that measuring costs no lock.

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
use tokio::task::{JoinError, LocalSet};

use super::closed::{self, Until};
use super::counters::Counters;
use super::hooks::Hook;
use super::open::{self, Pool, Schedule};
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

/// Threads that send.
pub(super) struct Engine {
    threads: Vec<thread::JoinHandle<io::Result<Ended>>>,
}

/// What all threads share.
struct Shared {
    plan: Plan,
    /// Passed when all connections are open.
    ready: Barrier,
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
    /// Opens all connections, then starts sending everywhere at once. The records go to `channel`.
    pub(super) fn start(
        plan: Plan,
        counters: &Arc<[Counters]>,
        channel: &ChannelSender<Batch>,
        stop: &Stop,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            ready: Barrier::new(plan.threads),
            start: OnceLock::new(),
            next: Arc::default(),
            counters: Arc::clone(counters),
            plan,
        });
        let spawn = |thread| {
            let (shared, channel, stop) = (Arc::clone(&shared), channel.clone(), stop.clone());
            // Here and not in its thread, where a failure would leave the others at the barrier.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            thread::Builder::new()
                .name(format!("send-{thread}"))
                .spawn(move || shared.thread(thread, &runtime, channel, &stop))
        };
        let threads = (0..shared.plan.threads)
            .map(spawn)
            .collect::<Result<_, _>>()?;
        Ok(Self { threads })
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
        channel: ChannelSender<Batch>,
        stop: &Stop,
    ) -> io::Result<Ended> {
        let recorder = Rc::new(Recorder::new(channel));
        let work = self.work(thread, Rc::clone(&recorder));
        let sent = LocalSet::new().block_on(runtime, stop.guard(work));
        recorder.flush();
        Ok(Ended {
            unsent: sent.transpose()?.unwrap_or_default(),
            waited: recorder.waited(),
            cpu: resources::thread_cpu_time(),
        })
    }

    /// One thread's part; gives the number of requests that were due and never sent.
    async fn work(&self, thread: usize, recorder: Rc<Recorder>) -> io::Result<u64> {
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
        let mut open: Vec<_> = (0..opened).filter(mine).map(place).collect();
        for (_, connection) in &mut open {
            // A failure is told by the connection's first request, which tries again.
            let _ = Sender::open(connection, &self.counters[thread]).await;
        }
        self.ready.wait().await;
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
        let unsent = match &plan.pace {
            Pace::Closed { until, .. } => {
                let until = match *until {
                    Bound::Requests(requests) => Until::Requests(requests),
                    Bound::RequestsPerClient(requests) => Until::RequestsPerClient(requests),
                    Bound::After(time) => Until::Deadline(start + time),
                };
                closed::run(sender, open, Arc::clone(&self.next), until).await;
                Ok(0)
            }
            Pace::Open { moments, until, .. } => {
                let (most_requests, deadline) = match *until {
                    Bound::Requests(requests) | Bound::RequestsPerClient(requests) => {
                        (requests, None)
                    }
                    Bound::After(time) => (u64::MAX, Some(start + time)),
                };
                let schedule: Schedule = Box::new(
                    (0..most_requests)
                        .zip(moments())
                        .skip(thread)
                        .step_by(plan.threads)
                        .map(|(index, ns)| (index, Duration::from_nanos(ns))),
                );
                let spare = (opened..most).filter(mine).map(place).collect();
                open::run(sender, Pool { open, spare }, schedule, deadline).await
            }
        };
        flushing.abort();
        unsent
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
