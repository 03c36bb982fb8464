//! The jobs there are, in memory: how each stands, whose turn it is, and which have to go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use api::backtest::{Backtest, BacktestStatus};
use api::limits::{BACKTESTS_ACTIVE_MAX, BACKTESTS_KEPT_MAX};
use compact_str::CompactString;

use super::run::Observer;
use super::work::Work;
use super::{now_s, tenant_of};
use crate::registry::RegistryError;

/// Tenant and id. Ids are in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobKey {
    pub(super) tenant: CompactString,
    pub(super) id: CompactString,
}

impl JobKey {
    pub(super) fn new(tenant: &str, id: &str) -> Self {
        Self {
            tenant: tenant.into(),
            id: id.into(),
        }
    }
}

/// What is shared with the thread that runs a job.
#[derive(Default)]
pub(super) struct Signals {
    stop: AtomicBool,
    /// The progress as the bits of an `f64`.
    progress: AtomicU64,
}

impl Observer for Signals {
    fn passed(&self, passed: usize, of: usize) {
        // All but the end itself: that is told with the result.
        let progress = (passed as f64 / of.max(1) as f64).min(0.999);
        self.progress.store(progress.to_bits(), Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Signals {
    fn progress(&self) -> f64 {
        f64::from_bits(self.progress.load(Ordering::Relaxed))
    }
}

/// One job.
pub(super) struct Entry {
    series: CompactString,
    status: BacktestStatus,
    started_at: Option<i64>,
    signals: Arc<Signals>,
    /// What is to be done, while it waits.
    work: Option<Box<Work>>,
}

/// How a job stands.
pub(super) struct Standing {
    pub(super) series: CompactString,
    pub(super) status: BacktestStatus,
    pub(super) progress: f64,
    pub(super) started_at: Option<i64>,
}

/// A job that a thread has taken.
pub(super) struct Turn {
    pub(super) key: JobKey,
    pub(super) series: CompactString,
    pub(super) work: Box<Work>,
    pub(super) signals: Arc<Signals>,
    pub(super) started_at: i64,
}

/// Who had a job that was cancelled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    FromQueue,
    ByWorker,
}

#[derive(Default)]
pub(super) struct Index {
    jobs: BTreeMap<JobKey, Entry>,
    /// The tenant whose turn was last.
    served: CompactString,
    is_stopped: bool,
}

impl Entry {
    pub(super) fn new(series: &str, job: &Backtest) -> Self {
        Self {
            series: series.into(),
            status: job.status,
            started_at: job.started_at,
            signals: Arc::default(),
            work: None,
        }
    }
}

impl Index {
    /// Notes a job that has ended.
    pub(super) fn insert_ended(&mut self, series: &str, job: &Backtest) {
        let key = JobKey::new(tenant_of(series), &job.job_id);
        self.jobs.insert(key, Entry::new(series, job));
    }

    /// Takes on a job, which waits for its work, or refuses it.
    pub(super) fn admit(&mut self, key: JobKey, entry: Entry) -> Result<(), RegistryError> {
        let (of_tenant, of_all) = BACKTESTS_ACTIVE_MAX;
        let active = |(_, entry): &(&JobKey, &Entry)| !entry.status.is_final();
        if self.is_stopped {
            return Err(RegistryError::TooManyBacktests { of_tenant: false });
        }
        let of = self.of_tenant(&key.tenant).filter(active).count();
        if of >= of_tenant {
            return Err(RegistryError::TooManyBacktests { of_tenant: true });
        }
        if self.active() >= of_all {
            return Err(RegistryError::TooManyBacktests { of_tenant: false });
        }
        self.jobs.insert(key, entry);
        Ok(())
    }

    /// Gives a job its work: it is stored.
    pub(super) fn queue(&mut self, key: &JobKey, work: Work) {
        if let Some(entry) = self.jobs.get_mut(key) {
            entry.work = Some(Box::new(work));
        }
    }

    pub(super) fn remove(&mut self, key: &JobKey) {
        self.jobs.remove(key);
    }

    /// Removes all jobs of a series; what runs of them stops and has nowhere to tell of it.
    pub(super) fn forget(&mut self, series: &str) {
        self.jobs.retain(|_, entry| {
            let stays = entry.series != series;
            if !stays {
                entry.signals.stop.store(true, Ordering::Relaxed);
            }
            stays
        });
    }

    pub(super) fn active(&self) -> usize {
        let active = self.jobs.values().filter(|entry| !entry.status.is_final());
        active.count()
    }

    /// The next job: the oldest of the tenant after the one whose turn was last.
    pub(super) fn take(&mut self) -> Option<Turn> {
        if self.is_stopped {
            return None;
        }
        let waits = |(_, entry): &(&JobKey, &Entry)| entry.work.is_some();
        let after = self
            .jobs
            .iter()
            .find(|(key, entry)| key.tenant > self.served && waits(&(key, entry)));
        let (key, _) = after.or_else(|| self.jobs.iter().find(waits))?;
        let key = key.clone();
        let entry = self.jobs.get_mut(&key)?;
        let work = entry.work.take()?;
        let started_at = now_s();
        entry.status = BacktestStatus::Running;
        entry.started_at = Some(started_at);
        self.served.clone_from(&key.tenant);
        Some(Turn {
            series: entry.series.clone(),
            signals: Arc::clone(&entry.signals),
            key,
            work,
            started_at,
        })
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    pub(super) fn stop(&mut self) {
        self.is_stopped = true;
        for entry in self.jobs.values_mut() {
            entry.signals.stop.store(true, Ordering::Relaxed);
            entry.work = None;
        }
    }

    /// Stops a job; `None` if it has ended.
    pub(super) fn cancel(&mut self, key: &JobKey) -> Option<Taken> {
        let entry = self.jobs.get_mut(key)?;
        if entry.status.is_final() {
            return None;
        }
        entry.signals.stop.store(true, Ordering::Relaxed);
        let was_waiting = entry.work.take().is_some();
        if was_waiting {
            entry.status = BacktestStatus::Cancelled;
            return Some(Taken::FromQueue);
        }
        Some(Taken::ByWorker)
    }

    /// Notes how a job ended, and tells which have to go: the oldest that have ended.
    pub(super) fn end(
        &mut self,
        key: &JobKey,
        status: BacktestStatus,
    ) -> Vec<(JobKey, CompactString)> {
        if let Some(entry) = self.jobs.get_mut(key) {
            entry.status = status;
        }
        let (of_tenant, of_all) = BACKTESTS_KEPT_MAX;
        let ended = |(_, entry): &(&JobKey, &Entry)| entry.status.is_final();
        let told = |(key, entry): (&JobKey, &Entry)| (key.clone(), entry.series.clone());
        let own: Vec<_> = self
            .of_tenant(&key.tenant)
            .filter(ended)
            .map(told)
            .collect();
        let mut gone: Vec<_> = own
            .iter()
            .take(own.len().saturating_sub(of_tenant))
            .cloned()
            .collect();
        let mut all: Vec<_> = self.jobs.iter().filter(ended).map(told).collect();
        all.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
        let over = all.len().saturating_sub(of_all);
        gone.extend(all.into_iter().take(over));
        gone
    }

    pub(super) fn standing(&self, key: &JobKey) -> Option<Standing> {
        let entry = self.jobs.get(key)?;
        Some(Standing {
            series: entry.series.clone(),
            status: entry.status,
            progress: entry.signals.progress(),
            started_at: entry.started_at,
        })
    }

    /// Ids of a tenant, or of one series of it, the newest first, that are older than `cursor`.
    pub(super) fn page(
        &self,
        tenant: &str,
        series: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Vec<CompactString> {
        let of = self.of_tenant(tenant).rev();
        let older = of.filter(|(key, _)| cursor.is_none_or(|cursor| key.id.as_str() < cursor));
        let of_series =
            older.filter(|(_, entry)| series.is_none_or(|series| entry.series == series));
        of_series
            .take(limit)
            .map(|(key, _)| key.id.clone())
            .collect()
    }

    fn of_tenant(&self, tenant: &str) -> impl DoubleEndedIterator<Item = (&JobKey, &Entry)> {
        let from = JobKey::new(tenant, "");
        // No id begins with it.
        let to = JobKey::new(tenant, "\u{10ffff}");
        self.jobs.range(from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str, id: usize) -> JobKey {
        JobKey::new(tenant, &format!("{id:05}"))
    }

    fn entry(tenant: &str, status: BacktestStatus) -> Entry {
        Entry {
            series: format!("{tenant}/s").into(),
            status,
            started_at: None,
            signals: Arc::default(),
            work: None,
        }
    }

    #[test]
    fn a_tenant_has_its_share_and_all_have_theirs() {
        let mut index = Index::default();
        let (of_tenant, of_all) = BACKTESTS_ACTIVE_MAX;
        let mut admit =
            |tenant: &str, id| index.admit(key(tenant, id), entry(tenant, BacktestStatus::Queued));
        for id in 0..of_tenant {
            admit("a", id).unwrap();
        }
        let refused = admit("a", 99).unwrap_err();
        assert!(matches!(
            refused,
            RegistryError::TooManyBacktests { of_tenant: true }
        ));
        for i in of_tenant..of_all {
            admit(&format!("t{}", i % 7), i).unwrap();
        }
        let refused = admit("z", 99).unwrap_err();
        assert!(matches!(
            refused,
            RegistryError::TooManyBacktests { of_tenant: false }
        ));
        index.end(&key("a", 0), BacktestStatus::Succeeded);
        index
            .admit(key("z", 99), entry("z", BacktestStatus::Queued))
            .unwrap();
    }

    #[test]
    fn the_oldest_that_have_ended_go() {
        let mut index = Index::default();
        let (of_tenant, _) = BACKTESTS_KEPT_MAX;
        let mut gone = Vec::new();
        for id in 0..of_tenant + 3 {
            index
                .jobs
                .insert(key("a", id), entry("a", BacktestStatus::Running));
            for (old, _) in index.end(&key("a", id), BacktestStatus::Succeeded) {
                index.remove(&old);
                gone.push(old);
            }
        }
        assert_eq!(gone, [key("a", 0), key("a", 1), key("a", 2)]);
    }

    #[test]
    fn pages_are_of_one_tenant_and_go_backwards() {
        let mut index = Index::default();
        for id in 0..5 {
            for tenant in ["", "a", "ab"] {
                let entry = entry(tenant, BacktestStatus::Succeeded);
                index.jobs.insert(key(tenant, id), entry);
            }
        }
        assert_eq!(index.page("a", None, None, 2), ["00004", "00003"]);
        assert_eq!(
            index.page("a", None, Some("00003"), 9),
            ["00002", "00001", "00000"]
        );
        assert_eq!(index.page("a", Some("ab/s"), None, 9).len(), 0);
        assert_eq!(index.page("", Some("/s"), None, 9).len(), 5);
        assert_eq!(index.cancel(&key("a", 1)), None, "it has ended");
    }
}
