//! The thread that runs backtests, one after the other.

use std::sync::mpsc;

use api::backtest::{Backtest, BacktestPromotion, BacktestResult, BacktestStatus};
use api::limits::FEEDBACK_PER_SERIES;
use compact_str::CompactString;

use super::index::Turn;
use super::promotion::{Decision, decide};
use super::run::{self, Observer};
use super::work::{Candidate, Contender, Promoting, Work};
use super::{Backtests, Charts, now_s, put_of, read, removal_of};
use crate::registry::feedback::feedback_of;
use crate::registry::fit::submit;
use crate::registry::{FitJob, RegistryError};
use crate::store::{AliasChanged, AliasError, AliasPut, DocumentKind, Stored};

impl Backtests {
    /// Runs what is queued until [`Backtests::stop`]: for a thread of its own.
    pub(super) fn work(&self) {
        while let Some(turn) = self.next() {
            self.run(turn);
        }
    }

    fn next(&self) -> Option<Turn> {
        let mut index = self.lock();
        loop {
            if let Some(turn) = index.take() {
                return Some(turn);
            }
            if index.is_stopped() {
                return None;
            }
            let waited = self.woken.wait(index);
            index = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn run(&self, turn: Turn) {
        let Turn {
            key,
            series,
            work,
            signals,
            started_at,
        } = turn;
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (mut result, charts) = run::run(&work, &*signals)?;
            if !signals.is_stopped()
                && let Some(promoting) = &work.set_alias
            {
                result.promotion = Some(self.promote(&series, &work, promoting, &result));
            }
            Ok((result, charts))
        }));
        let life = work.life;
        drop(work);
        if self.lock().is_stopped() {
            // Unfinished in the store, and interrupted after the next start.
            return;
        }
        let (status, error, result, charts) = match ran {
            Ok(Ok((result, charts))) if result.contenders.iter().any(has_score) => {
                (BacktestStatus::Succeeded, None, Some(result), Some(charts))
            }
            Ok(Ok((result, _))) => {
                let errors = result.contenders.iter().map(|contender| {
                    let error = contender.error.as_deref().unwrap_or("no score");
                    format!("{}: {error}", contender.name)
                });
                let errors = errors.collect::<Vec<_>>().join("; ");
                (BacktestStatus::Failed, Some(errors), None, None)
            }
            Ok(Err(run::Stopped)) => (BacktestStatus::Cancelled, None, None, None),
            Err(_) => {
                let error = "a worker of the server failed".to_owned();
                (BacktestStatus::Failed, Some(error), None, None)
            }
        };
        let ended = self.end(
            (&series, life),
            &key.id,
            (status, error, result),
            charts,
            started_at,
        );
        let status = match ended {
            Ok(()) => status,
            Err(error) => {
                tracing::error!(job = %key.id, %error, "the result of a backtest is not stored");
                BacktestStatus::Interrupted
            }
        };
        let gone = self.lock().end(&key, status);
        for (key, series) in gone {
            match self.put(removal_of(&series, &key.id)) {
                Ok(()) => self.lock().remove(&key),
                Err(error) => {
                    tracing::warn!(job = %key.id, %error, "an old backtest is not removed");
                }
            }
        }
    }

    /// Writes how a job ended, unless its series went meanwhile with all that was stored of it.
    fn end(
        &self,
        (series, life): (&str, u64),
        id: &str,
        (status, error, result): (BacktestStatus, Option<String>, Option<BacktestResult>),
        charts: Option<Charts>,
        started_at: i64,
    ) -> Result<(), RegistryError> {
        let Some(body) = self.store.document(DocumentKind::Backtest, series, id)? else {
            return Ok(());
        };
        let job = read(&body).map_err(|reason| crate::store::StoreError::Damaged {
            key: format!("{series} (backtest {id})"),
            reason,
        })?;
        let is_done = status == BacktestStatus::Succeeded;
        let job = Backtest {
            status,
            progress: if is_done { 1.0 } else { job.progress },
            started_at: Some(started_at),
            finished_at: Some(now_s()),
            error,
            result,
            ..job
        };
        Ok(self.put(put_of((series, Some(life)), &job, charts.as_ref()))?)
    }

    /// Points the alias to the winner, if there is one; says what was done and why.
    fn promote(
        &self,
        series: &CompactString,
        work: &Work,
        promoting: &Promoting,
        result: &BacktestResult,
    ) -> BacktestPromotion {
        let held_by = promoting.holder.map(|record| record.version);
        let is_holder = |contender: &Contender| match contender {
            Contender::Candidate(_) => false,
            Contender::Version { version, .. } => Some(*version) == held_by,
        };
        let holder = work.contenders.iter().position(is_holder);
        let told =
            |promoted, winner: Option<usize>, version: Option<u64>, reason| BacktestPromotion {
                alias: promoting.alias.to_string(),
                rule: promoting.rule.as_str().to_owned(),
                promoted,
                winner: winner.map(|index| result.contenders[index].name.clone()),
                version: version.map(|version| version.to_string()),
                held_by: held_by.map(|version| version.to_string()),
                reason,
            };
        let (winner, reason) = match decide(promoting.rule, &result.contenders, holder) {
            Decision::Nobody(winner, reason) => return told(false, winner, None, reason),
            Decision::Wins(winner, reason) => (winner, reason),
        };
        let changed = match &work.contenders[winner] {
            Contender::Version { version, .. } => self
                .point_at(series, promoting, *version)
                .map_err(|error| error.to_string()),
            Contender::Candidate(candidate) => self
                .fit_winner(series, promoting, candidate, work)
                .map_err(|error| error.to_string()),
        };
        match changed {
            Ok(version) => told(true, Some(winner), Some(version), reason),
            Err(error) => {
                let reason = format!("{reason}; but the alias was not set: {error}");
                told(false, Some(winner), None, reason)
            }
        }
    }

    fn point_at(
        &self,
        series: &CompactString,
        promoting: &Promoting,
        version: u64,
    ) -> Result<u64, AliasError> {
        let put = AliasPut {
            series: series.clone(),
            alias: promoting.alias.clone(),
            version: Some(version),
            condition: promoting.condition(),
        };
        let (sender, receiver) = mpsc::channel();
        let aliases = std::sync::Arc::clone(&self.aliases);
        let (of, name) = (series.clone(), promoting.alias.clone());
        let done = move |outcome: Result<AliasChanged, AliasError>| {
            if let Ok(changed) = &outcome {
                aliases.publish(&of, &name, changed.now.as_ref());
            }
            let _ = sender.send(outcome);
        };
        self.store.submit_alias(put, Box::new(done));
        let gone = || crate::store::PutError::Unknown("the committer is gone".into());
        let outcome = receiver.recv().unwrap_or_else(|_| Err(gone().into()));
        outcome.map(|_| version)
    }

    /// Fits the winner on the whole history and stores it with the alias, in one commit.
    fn fit_winner(
        &self,
        series: &CompactString,
        promoting: &Promoting,
        candidate: &Candidate,
        work: &Work,
    ) -> Result<u64, RegistryError> {
        let job = FitJob {
            points: work.points.clone(),
            params: candidate.params_of_version(),
            fitted_at_ms: now_s().saturating_mul(1_000),
            set_alias: Some(promoting.alias.clone()),
            // Those of the series stay.
            labels: None,
        };
        let given = feedback_of(&*self.store, series, None, FEEDBACK_PER_SERIES)?;
        let mut fitting = job.run_obeying(&given, &self.options)?;
        fitting.alias_if = promoting.condition();
        fitting.life = Some(work.life);
        let (sender, receiver) = mpsc::channel();
        let publish = (&self.cache, &self.aliases);
        submit(
            &*self.store,
            publish,
            series,
            (&mut fitting, None),
            move |outcome| {
                let _ = sender.send(outcome);
            },
        );
        let gone = || {
            Err(crate::store::PutError::Unknown(
                "the committer is gone".into(),
            ))
        };
        match receiver.recv().unwrap_or_else(|_| gone())? {
            Stored::New { version, .. } => Ok(version),
            Stored::Before(kept) => Ok(kept.version),
        }
    }
}

fn has_score(contender: &api::backtest::BacktestContender) -> bool {
    contender.measured.is_some()
}

impl Candidate {
    /// Parameters of the version that the candidate becomes: an online state is one of `tail_views`.
    fn params_of_version(&self) -> detectors::Params {
        let mut params = self.params.clone();
        if self.is_online {
            params.model = Some("tail_views".to_owned());
        }
        params
    }
}
