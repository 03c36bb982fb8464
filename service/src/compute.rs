//! The CPU pool: everything that takes more than about 100 µs runs here, not on an HTTP worker.
//!
//! An HTTP worker serves its connections in turn and nobody steals its work, so one long fit would
//! hold up every predict of that worker. The queue is bounded: what would not start soon is
//! refused at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use detectors::whole::Workers;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tokio::sync::oneshot;

/// Work from this body size on goes to the pool: about what a worker parses in 100 µs.
pub const POOL_FROM_BYTES: usize = 16 * 1024;

/// A bounded pool of threads for CPU work.
pub struct Compute {
    pool: rayon::ThreadPool,
    capacity: usize,
    jobs: Arc<AtomicUsize>,
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
    /// The queue is full; the job was not started.
    #[error("the compute queue is full")]
    Busy,
    /// The job panicked.
    #[error("the computation failed")]
    Failed,
}

impl Compute {
    /// A pool of `threads` threads and at most `capacity` jobs, running and waiting together.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(threads: usize, capacity: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("tidemark-compute-{i}"))
            .build()?;
        Ok(Self {
            pool,
            capacity,
            jobs: Arc::new(AtomicUsize::new(0)),
        })
    }

    /// Runs `job` on the pool and waits for its result without blocking the caller's thread.
    ///
    /// # Errors
    /// When the queue is full or the job panics.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        self.run_after(std::future::ready(()), job).await
    }

    /// As [`Compute::run`], once `turn` is there, which ends with the job. Whoever waits for it has a
    /// place in the queue and no thread.
    ///
    /// # Errors
    /// As [`Compute::run`].
    pub async fn run_after<Turn: Send + 'static, T: Send + 'static>(
        &self,
        turn: impl Future<Output = Turn>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ComputeError> {
        let slot = Slot::take(&self.jobs, self.capacity).ok_or(ComputeError::Busy)?;
        let turn = turn.await;
        let job = move || {
            let result = job();
            drop(turn);
            result
        };
        let (sender, receiver) = oneshot::channel();
        self.pool.spawn(move || {
            // The caller has gone: nobody waits for the result.
            if sender.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(job));
            // Before the caller hears of the end: it may come back at once.
            drop(slot);
            let _ = sender.send(result);
        });
        match receiver.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(ComputeError::Failed),
        }
    }

    /// Jobs running and waiting, as a share of the capacity.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        self.jobs.load(Ordering::Relaxed) as f64 / self.capacity as f64
    }
}

/// One place in the queue, given back when dropped.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(jobs: &Arc<AtomicUsize>, capacity: usize) -> Option<Self> {
        let taken = jobs.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |n| {
            (n < capacity).then_some(n + 1)
        });
        taken.ok().map(|_| Self(Arc::clone(jobs)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_panic_fails_one_job_and_no_other() {
        let compute = Compute::new(1, 4).unwrap();
        let failed: Result<(), _> = compute.run(|| panic!("seeded")).await;
        assert_eq!(failed, Err(ComputeError::Failed));
        assert_eq!(compute.run(|| 7).await, Ok(7));
        assert_eq!(compute.utilization(), 0.0);
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_holds_no_thread() {
        let compute = Arc::new(Compute::new(1, 4).unwrap());
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        let held = Arc::clone(&turn).lock_owned().await;
        let after = |job: fn() -> i32| {
            let (compute, turn) = (Arc::clone(&compute), Arc::clone(&turn).lock_owned());
            tokio::spawn(async move { compute.run_after(turn, job).await })
        };
        let waiting = [after(|| 1), after(|| panic!("seeded")), after(|| 2)];
        while compute.utilization() < 0.75 {
            tokio::task::yield_now().await;
        }
        assert_eq!(compute.run(|| 7).await, Ok(7), "the thread is free");
        assert_eq!(compute.utilization(), 0.75, "they wait in the queue");
        drop(held);
        let mut results = Vec::new();
        for job in waiting {
            results.push(job.await.unwrap());
        }
        assert_eq!(results, [Ok(1), Err(ComputeError::Failed), Ok(2)]);
        assert!(turn.try_lock().is_ok(), "every turn has ended");
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let compute = Arc::new(Compute::new(1, 1).unwrap());
        let (release, blocked) = mpsc::channel::<()>();
        let running = {
            let compute = Arc::clone(&compute);
            tokio::spawn(async move { compute.run(move || blocked.recv().is_ok()).await })
        };
        while compute.utilization() < 1.0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(compute.run(|| 1).await, Err(ComputeError::Busy));
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap(), Ok(true));
        assert_eq!(compute.run(|| 1).await, Ok(1));
    }
}
