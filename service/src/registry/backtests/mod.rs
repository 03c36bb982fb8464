//! Backtests: durable jobs that replay a history, one at a time on a thread of their own.
//!
//! A job is told to its caller once it is in the store, as `queued`. Who runs it is [`Backtests::begin`]; how far it is,
//! memory alone knows. With its end, the store has its result in the same write as its status. A job that the store has as
//! unfinished when it is opened was cut off by the end of the process, and is `interrupted`.
//!
//! The index of jobs is in memory: what there are is bounded, and all of them are read at a start.

mod charts;
mod index;
mod promotion;
mod run;
mod work;
mod worker;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use api::backtest::{Backtest, BacktestStatus};
use compact_str::CompactString;
use tokio::sync::oneshot;

pub use charts::{Chart, Charts};
pub use promotion::Rule;
pub use work::{BacktestRequest, Candidate, History, SetAlias, Train, VersionName};

use super::aliases::AliasCache;
use super::cache::ModelCache;
use super::{Registry, RegistryError, RegistryOptions};
use crate::compute;
use crate::store::{DocumentKind, DocumentPut, DocumentWrite, PutError, Store};
use index::{Entry, Index, JobKey, Taken};
use work::Work;

/// The jobs of one server.
pub struct Backtests {
    store: Arc<dyn Store>,
    cache: Arc<ModelCache>,
    aliases: Arc<AliasCache>,
    options: RegistryOptions,
    index: Mutex<Index>,
    /// Told when there is something to run, or nothing will be.
    woken: Condvar,
    /// The thread of [`Backtests::work`].
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// How long a stop waits for the step that the worker is at: until it is over, the worker has the store.
const STEP_WITHIN: Duration = Duration::from_secs(2);

/// What became of a request to delete a job.
#[derive(Debug)]
pub enum Deleted {
    /// It is cancelled, or will be after its next step.
    Cancelled(Box<Backtest>),
    /// It had ended, and is gone.
    Removed,
}

/// The tenant of a series' name, empty for the one whose series are kept under their ids.
fn tenant_of(series: &str) -> &str {
    series.split_once('/').map_or("", |(tenant, _)| tenant)
}

pub(super) fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

impl Backtests {
    /// The jobs that the store has. Those that are unfinished in it are interrupted. Blocks.
    pub(super) fn open(
        store: Arc<dyn Store>,
        cache: Arc<ModelCache>,
        aliases: Arc<AliasCache>,
        options: RegistryOptions,
    ) -> Self {
        let mut index = Index::default();
        let documents = store.documents(DocumentKind::Backtest, None, None, usize::MAX);
        let documents = documents.unwrap_or_else(|error| {
            tracing::error!(%error, "the backtests cannot be read: none is told");
            Vec::new()
        });
        for document in documents {
            let body = document.body.and_then(|body| read(&body));
            let mut job = match body {
                Ok(job) => job,
                Err(reason) => {
                    let (series, job) = (document.series, document.id);
                    tracing::error!(%series, %job, reason, "the document of a backtest is damaged");
                    continue;
                }
            };
            if !job.status.is_final() {
                job.status = BacktestStatus::Interrupted;
                job.error = Some("the server stopped before it ended".to_owned());
                job.finished_at = Some(now_s());
                let put = put_of((&document.series, None), &job, None);
                let id = job.job_id.clone();
                store.submit_document(
                    put,
                    Box::new(move |outcome| {
                        if let Err(error) = outcome {
                            tracing::warn!(%error, job = id, "an interrupted backtest is not noted");
                        }
                    }),
                );
            }
            index.insert_ended(&document.series, &job);
        }
        Self {
            store,
            cache,
            aliases,
            options,
            index: Mutex::new(index),
            woken: Condvar::new(),
            worker: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to run what is queued, on a thread of its own until [`Backtests::stop`].
    ///
    /// # Errors
    /// When the system has no thread.
    pub fn begin(self: &Arc<Self>) -> io::Result<()> {
        let backtests = Arc::clone(self);
        let thread = compute::in_background("backtest", move || backtests.work())?;
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Stops what runs and takes no more; what is queued stays unfinished in the store. Waits for the worker, but no
    /// longer than for a short step.
    pub fn stop(&self) {
        self.lock().stop();
        self.woken.notify_all();
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = worker.take() else { return };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < STEP_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::error!("the thread of backtests failed");
        }
    }

    /// Drops the jobs of a series that was deleted, and stops those that are not done.
    pub(super) fn forget(&self, series: &str) {
        self.lock().forget(series);
    }

    /// Jobs that wait or run.
    #[must_use]
    pub fn active(&self) -> usize {
        self.lock().active()
    }

    /// Writes documents and waits until they are durable. Blocks.
    fn put(&self, put: DocumentPut) -> Result<(), PutError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let done = move |outcome| drop(sender.send(outcome));
        self.store.submit_document(put, Box::new(done));
        let gone = || Err(PutError::Unknown("the committer is gone".into()));
        receiver.recv().unwrap_or_else(|_| gone())
    }

    /// The job as it stands, if there is one. Blocks.
    fn find(&self, tenant: &str, id: &str) -> Result<(CompactString, Backtest), RegistryError> {
        let unknown = || RegistryError::UnknownBacktest(id.to_owned());
        let key = JobKey::new(tenant, id);
        let now = self.lock().standing(&key).ok_or_else(unknown)?;
        let body = self
            .store
            .document(DocumentKind::Backtest, &now.series, id)?;
        let body = body.ok_or_else(unknown)?;
        let mut job = read(&body).map_err(|reason| crate::store::StoreError::Damaged {
            key: format!("{} (backtest {id})", now.series),
            reason,
        })?;
        // What was read may be newer than what stood in memory before, and never the other way round.
        if !job.status.is_final() {
            job.status = now.status;
            job.progress = now.progress;
            job.started_at = now.started_at;
        }
        Ok((now.series, job))
    }
}

impl Registry {
    /// The backtests.
    #[must_use]
    pub fn backtests(&self) -> &Arc<Backtests> {
        &self.backtests
    }

    /// Queues a backtest of `series`, which its caller calls `series_id`; answers once it is durable.
    ///
    /// # Errors
    /// When something that it names is not there or does not hold, too many wait, or the store takes no writes.
    pub async fn start_backtest(
        &self,
        series: &str,
        series_id: &str,
        request: BacktestRequest,
    ) -> Result<Backtest, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), CompactString::from(series));
        let least = self.options.min_training_points;
        let read = move || Work::read(&*store, &name, request, least);
        let (work, asked) = self.reads.run(read).await?;
        let job = Backtest {
            job_id: uuid::Uuid::now_v7().to_string(),
            series_id: series_id.to_owned(),
            status: BacktestStatus::Queued,
            progress: 0.0,
            created_at: work.now_ms / 1_000,
            started_at: None,
            finished_at: None,
            asked,
            error: None,
            result: None,
        };
        let key = JobKey::new(tenant_of(series), &job.job_id);
        let entry = Entry::new(series, &job);
        self.backtests.lock().admit(key.clone(), entry)?;
        let (sender, receiver) = oneshot::channel();
        let backtests = Arc::clone(&self.backtests);
        let put = put_of((series, Some(work.life)), &job, None);
        // It belongs in here: a caller that hangs up leaves a job that is stored, and runs.
        let done = move |outcome: Result<(), PutError>| {
            match &outcome {
                Ok(()) => {
                    backtests.lock().queue(&key, work);
                    backtests.woken.notify_one();
                }
                Err(_) => backtests.lock().remove(&key),
            }
            let _ = sender.send(outcome);
        };
        self.store.submit_document(put, Box::new(done));
        let gone = || Err(PutError::Unknown("the committer is gone".into()));
        receiver.await.unwrap_or_else(|_| gone())?;
        Ok(job)
    }

    /// The backtest `id` of a tenant.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read.
    pub async fn backtest(&self, tenant: &str, id: &str) -> Result<Backtest, RegistryError> {
        let backtests = Arc::clone(&self.backtests);
        let (tenant, id) = (tenant.to_owned(), id.to_owned());
        let read = move || backtests.find(&tenant, &id).map(|(_, job)| job);
        self.reads.run(read).await
    }

    /// As [`Registry::backtest`], with what its report draws; none before it has succeeded.
    ///
    /// # Errors
    /// As [`Registry::backtest`].
    pub async fn backtest_report(
        &self,
        tenant: &str,
        id: &str,
    ) -> Result<(Backtest, Option<Charts>), RegistryError> {
        let backtests = Arc::clone(&self.backtests);
        let (tenant, id) = (tenant.to_owned(), id.to_owned());
        let read = move || {
            let (series, job) = backtests.find(&tenant, &id)?;
            let kind = DocumentKind::BacktestCharts;
            let body = backtests.store.document(kind, &series, &id)?;
            let charts = body.map(|body| serde_json::from_slice(&body)).transpose();
            let charts = charts.map_err(|error| crate::store::StoreError::Damaged {
                key: format!("{series} (charts of backtest {id})"),
                reason: error.to_string(),
            })?;
            Ok((job, charts))
        };
        self.reads.run(read).await
    }

    /// The backtests of a tenant, or of one series of it, the newest first and without results: up to `limit` that
    /// are older than `cursor`, and whether there are more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_backtests(
        &self,
        tenant: &str,
        series: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Backtest>, bool), RegistryError> {
        let mut keys = self
            .backtests
            .lock()
            .page(tenant, series, cursor, limit + 1);
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let (backtests, tenant) = (Arc::clone(&self.backtests), tenant.to_owned());
        let read = move || {
            let mut found = Vec::with_capacity(keys.len());
            for id in keys {
                match backtests.find(&tenant, &id) {
                    Ok((_, job)) => found.push(Backtest {
                        result: None,
                        ..job
                    }),
                    // It went meanwhile.
                    Err(RegistryError::UnknownBacktest(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(found)
        };
        Ok((self.reads.run(read).await?, has_more))
    }

    /// Cancels a backtest that has not ended, or removes one that has.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read or takes no writes.
    pub async fn delete_backtest(&self, tenant: &str, id: &str) -> Result<Deleted, RegistryError> {
        let backtests = Arc::clone(&self.backtests);
        let (tenant, id) = (tenant.to_owned(), id.to_owned());
        let change = move || {
            let (series, mut job) = backtests.find(&tenant, &id)?;
            let key = JobKey::new(&tenant, &id);
            // Its thread tells the store of the end first.
            let has_ended = job.status.is_final();
            let cancelled = (!has_ended).then(|| backtests.lock().cancel(&key));
            match cancelled.flatten() {
                None => {
                    backtests.put(removal_of(&series, &id))?;
                    backtests.lock().remove(&key);
                    Ok(Deleted::Removed)
                }
                // Its thread writes what became of it.
                Some(Taken::ByWorker) => Ok(Deleted::Cancelled(Box::new(job))),
                Some(Taken::FromQueue) => {
                    job.status = BacktestStatus::Cancelled;
                    job.finished_at = Some(now_s());
                    backtests.put(put_of((&series, None), &job, None))?;
                    Ok(Deleted::Cancelled(Box::new(job)))
                }
            }
        };
        self.reads.run(change).await
    }
}

fn read(body: &[u8]) -> Result<Backtest, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// The write of a job, and of what its report draws.
fn put_of(
    (series, life): (&str, Option<u64>),
    job: &Backtest,
    charts: Option<&Charts>,
) -> DocumentPut {
    let body = |written: serde_json::Result<Vec<u8>>| {
        Some(written.expect("text and finite numbers serialise"))
    };
    let mut writes = vec![DocumentWrite {
        kind: DocumentKind::Backtest,
        id: job.job_id.as_str().into(),
        body: body(serde_json::to_vec(job)),
    }];
    writes.extend(charts.map(|charts| DocumentWrite {
        kind: DocumentKind::BacktestCharts,
        id: job.job_id.as_str().into(),
        body: body(serde_json::to_vec(charts)),
    }));
    DocumentPut {
        series: series.into(),
        life,
        writes,
    }
}

fn removal_of(series: &str, id: &str) -> DocumentPut {
    let kinds = [DocumentKind::Backtest, DocumentKind::BacktestCharts];
    let writes = kinds.map(|kind| DocumentWrite {
        kind,
        id: id.into(),
        body: None,
    });
    DocumentPut {
        series: series.into(),
        life: None,
        writes: writes.into(),
    }
}
