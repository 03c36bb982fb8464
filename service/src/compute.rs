//! The CPU pools: everything that takes more than about 100 µs runs here, not on an HTTP worker.
//!
//! An HTTP worker serves its connections in turn and nobody steals its work, so one long fit would
//! hold up every predict of that worker. Each class of work has a pool of its own behind a
//! [gate](crate::admission::Gate), and the system gives the threads of the fits what the others leave:
//! fits go on under any load of predicts, and predicts do not wait for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use detectors::whole::Workers;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tokio::sync::oneshot;

use crate::admission::{Class, Gate, Refusal, Ticket};
use crate::telemetry::RequestSpan;

/// Work from this body size on goes to the pool: about what a worker parses in 100 µs.
pub const POOL_FROM_BYTES: usize = 16 * 1024;

/// The threads for CPU work.
pub struct Compute {
    threads: usize,
    predict: Lane,
    fit: Lane,
}

struct Lane {
    pool: rayon::ThreadPool,
    gate: Arc<Gate>,
}

/// The threads of the pool on which a job runs, for the parts of that job.
///
/// A thread that waits for a part which another one took may begin a job of the queue meanwhile, and
/// then ends that one first.
#[derive(Clone, Copy, Debug)]
pub struct PoolWorkers;

impl Workers for PoolWorkers {
    fn map<T: Send>(&self, parts: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        (0..parts).into_par_iter().map(work).collect()
    }
}

/// Why a job gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputeError {
    /// The job was not started.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The job panicked.
    #[error("the computation failed")]
    Failed,
}

impl Compute {
    /// Pools of `threads` threads each.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let lane = |class| {
            Ok(Lane {
                pool: pool(class, threads)?,
                gate: Gate::new(class, threads),
            })
        };
        Ok(Self {
            threads,
            predict: lane(Class::Predict)?,
            fit: lane(Class::Fit)?,
        })
    }

    /// The gate of a class.
    #[must_use]
    pub fn gate(&self, class: Class) -> &Arc<Gate> {
        &self.lane(class).gate
    }

    /// Runs `job` on the pool of its class and waits for its result without blocking the caller's
    /// thread. A job whose caller stops waiting before it begins never runs.
    ///
    /// # Errors
    /// When it is refused or panics.
    pub async fn run<T: Send + 'static>(
        &self,
        ticket: &mut Ticket,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let lane = self.lane(ticket.class);
        let queued = ticket.part("queue");
        let mut permit = lane.gate.enter(ticket).await?;
        let begun = ticket.begin();
        begun.inspect_err(|refusal| lane.gate.stats().refuse(*refusal))?;
        let memory = ticket.memory.clone();
        let span = ticket.span.clone();
        let gate = Arc::clone(&lane.gate);
        let (sender, receiver) = oneshot::channel();
        lane.pool.spawn(move || {
            // The caller has gone: nobody waits for the result.
            if sender.is_closed() {
                gate.stats().abandon();
                return;
            }
            permit.start();
            drop(queued);
            let working = span.as_ref().map(RequestSpan::work);
            let result = catch_unwind(AssertUnwindSafe(job));
            // Before the caller hears of the end: it may come back at once.
            drop((permit, memory, working, span));
            let _ = sender.send(result);
        });
        match receiver.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(ComputeError::Failed),
        }
    }

    /// As [`Compute::run`], once `turn` is there, which ends with the job. Whoever waits for it has a
    /// place and no thread.
    ///
    /// # Errors
    /// As [`Compute::run`].
    pub async fn run_after<Turn: Send + 'static, T: Send + 'static>(
        &self,
        ticket: &mut Ticket,
        turn: impl Future<Output = Turn>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let gate = self.gate(ticket.class);
        if !ticket.is_begun {
            gate.check(ticket)?;
        }
        let place = gate.stand_by()?;
        let turn = match ticket.deadline {
            None => turn.await,
            Some(deadline) => {
                let turn = tokio::time::timeout_at(deadline.into(), turn).await;
                turn.map_err(|_| Refusal::Deadline)
                    .inspect_err(|refusal| gate.stats().refuse(*refusal))?
            }
        };
        drop(place);
        let job = move || {
            let result = job();
            drop(turn);
            result
        };
        self.run(ticket, job).await
    }

    /// Jobs running and waiting, of the class that has more of them, as a share of the most there can be.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        let of = |lane: &Lane| lane.gate.stats().utilization(self.threads);
        of(&self.predict).max(of(&self.fit))
    }

    fn lane(&self, class: Class) -> &Lane {
        match class {
            Class::Predict => &self.predict,
            Class::Fit => &self.fit,
        }
    }
}

/// Starts a thread for work that nobody waits for: it gets of a core what all pools leave.
///
/// # Errors
/// When the system starts none.
pub fn in_background(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let name = format!("tidemark-{name}");
    std::thread::Builder::new().name(name).spawn(move || {
        if let Err(error) = rustix::process::nice(BACKGROUND_NICENESS) {
            tracing::warn!(%error, "a background thread keeps its priority");
        }
        work();
    })
}

/// See [`niceness`].
const BACKGROUND_NICENESS: i32 = 19;

/// How much less than the threads that serve connections the threads of a class get of a core that
/// both want, as a nice value (setpriority(2); on Linux each thread has one).
const fn niceness(class: Class) -> i32 {
    match class {
        Class::Predict => 3,
        Class::Fit => 10,
    }
}

fn pool(class: Class, threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |i| format!("tidemark-{}-{i}", class.as_str()))
        .start_handler(move |_| {
            let raised = rustix::process::nice(niceness(class));
            if let Err(error) = raised {
                tracing::warn!(class = class.as_str(), %error, "threads keep their priority");
            }
        })
        .build()
}

#[cfg(test)]
mod tests;
