//! The view from the server's side, as it joins a run.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::metrics::{MetricsSource, Reading};
use super::reconcile::{Reconciliation, Replies, reconcile};
use super::sampler::{Sampler, Watched};
use super::{NAME, ServerFigures, timeline};
use crate::chaos::Subject;
use crate::console;
use crate::load::hooks::Hook;
use crate::load::response::ResponseRecord;
use crate::results::config::RunConfig;
use crate::tally::stats::RunStats;

/// Looks at the server while a run goes on, and compares its counts with the client's.
pub struct ServerSide {
    subject: Arc<Subject>,
    metrics: Option<Arc<MetricsSource>>,
    /// Whether a server without metrics is none of the run's business.
    optional: bool,
    out: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    before: Option<Result<Reading, String>>,
    /// Whether there are metrics to be read.
    read: bool,
    sampler: Option<Sampler>,
    replies: Replies,
    dropped: u64,
}

impl ServerSide {
    /// Looks at the process of `subject`, if it is known which it is, and at `metrics`; `out` is the folder of the run.
    #[must_use]
    pub fn new(subject: Arc<Subject>, metrics: Option<MetricsSource>, out: &Path) -> Self {
        Self {
            subject,
            metrics: metrics.map(Arc::new),
            optional: false,
            out: out.to_owned(),
            inner: Mutex::default(),
        }
    }

    /// The same, where a server that does not answer with metrics before the run has none.
    #[must_use]
    pub fn if_it_has_metrics(self) -> Self {
        Self {
            optional: true,
            ..self
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Option<Result<Reading, String>> {
        let source = self.metrics.as_ref()?;
        let url = source.url();
        Some(
            source
                .read()
                .map_err(|error| format!("{url} was not read: {error}")),
        )
    }
}

impl Hook for ServerSide {
    fn name(&self) -> &str {
        NAME
    }

    fn before_run(&self, _config: &RunConfig) {
        // After the untimed requests, and before all others.
        let before = self.read();
        let mut inner = self.inner();
        inner.read = match &before {
            Some(Ok(_)) => true,
            Some(Err(_)) => !self.optional,
            None => false,
        };
        inner.before = before.filter(|_| inner.read);
    }

    fn started(&self, start: Instant) {
        let mut inner = self.inner();
        let watched = Watched {
            subject: Arc::clone(&self.subject),
            metrics: self.metrics.clone().filter(|_| inner.read),
        };
        if watched.is_nothing() {
            return;
        }
        match Sampler::start(watched, &self.out, start) {
            Ok(sampler) => inner.sampler = Some(sampler),
            Err(error) => console::note(format_args!("the server is not watched: {error}")),
        }
    }

    fn after_response(&self, response: &ResponseRecord) {
        self.inner().replies.add(response);
    }

    fn over(&self, dropped: u64) {
        self.inner().dropped = dropped;
    }

    fn after_run(&self, _config: &RunConfig, _stats: &RunStats) -> Option<serde_json::Value> {
        let mut inner = self.inner();
        let sampling = inner.sampler.take().map(Sampler::end)?;
        let source = self.metrics.as_ref().filter(|_| inner.read);
        let counts = inner.before.take().map(|before| {
            let after = self
                .read()
                .unwrap_or_else(|| Err("there is no second reading".to_owned()));
            match (before, after) {
                (Ok(before), Ok(after)) => {
                    reconcile(&inner.replies, &before, &after, inner.dropped)
                }
                (Err(why), _) | (_, Err(why)) => Reconciliation::unknown(why),
            }
        });
        let metrics_url = source.map(|source| source.url().to_string());
        let samples = timeline::read(&self.out);
        let figures = ServerFigures::of(&samples, sampling, metrics_url, counts);
        serde_json::to_value(figures).ok()
    }
}
