//! Feedback: what users say of stretches of a series. The next fit obeys it.
//!
//! It is kept as documents of the series, in the order in which it was given: of two that speak of one point, the later
//! one counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api::feedback::{Feedback, FeedbackLabel, FeedbackObeyed};
use api::limits::FEEDBACK_PER_SERIES;
use detectors::backtest::{flags_of, runs_of};
use detectors::{Excluded, TimeUnit};
use tokio::sync::oneshot;

use super::lookup::find;
use super::{FitJob, Registry, RegistryError};
use crate::store::{
    DocumentKind, DocumentPut, DocumentWrite, PutError, Store, StoreError, VersionSelector,
};

const KIND: DocumentKind = DocumentKind::Feedback;

/// Whether any series has feedback: a fit on a server without asks nothing of the store.
pub(super) struct HasFeedback(AtomicBool);

impl HasFeedback {
    /// As the store has it. Blocks.
    pub(super) fn of(store: &dyn Store) -> Self {
        let first = store.documents(KIND, None, None, 1);
        // What cannot be read now may be there.
        let has_none = first.is_ok_and(|found| found.is_empty());
        Self(AtomicBool::new(!has_none))
    }
}

/// What was said of the points of a history, as a fit takes it; how many points there are of each.
pub(super) fn resolve(
    given: &[Feedback],
    timestamps: &[i64],
    (time_unit, exclude): (TimeUnit, &[Excluded]),
) -> (detectors::Feedback, FeedbackObeyed) {
    let mut said: Vec<Option<FeedbackLabel>> = vec![None; timestamps.len()];
    for feedback in given {
        // A time that the unit cannot tell is in no history of it.
        let Ok((from, to)) = feedback.ticks(time_unit.ticks_per_second()) else {
            continue;
        };
        let from = timestamps.partition_point(|tick| *tick < from);
        let to = timestamps.partition_point(|tick| *tick <= to);
        if from < to {
            said[from..to].fill(Some(feedback.label));
        }
    }
    // What the fit itself excludes is excluded whatever was said.
    for (said, excluded) in said.iter_mut().zip(flags_of(timestamps, exclude)) {
        if excluded {
            *said = None;
        }
    }
    let flags = |labels: &[FeedbackLabel]| -> Vec<bool> {
        let is_one = |said: &Option<FeedbackLabel>| said.is_some_and(|said| labels.contains(&said));
        said.iter().map(is_one).collect()
    };
    let count = |label| flags(&[label]).iter().filter(|flag| **flag).count();
    let stretches = |labels: &[FeedbackLabel]| runs_of(timestamps, &flags(labels));
    let feedback = detectors::Feedback {
        expected: stretches(&[FeedbackLabel::Expected]),
        left_out: stretches(&[FeedbackLabel::Anomaly, FeedbackLabel::Ignore]),
    };
    let obeyed = FeedbackObeyed {
        expected: count(FeedbackLabel::Expected),
        anomaly: count(FeedbackLabel::Anomaly),
        ignore: count(FeedbackLabel::Ignore),
    };
    (feedback, obeyed)
}

/// The feedback of a series, from the first that is later than `after`. Blocks.
pub(super) fn feedback_of(
    store: &dyn Store,
    series: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Feedback>, StoreError> {
    let found = store.documents(KIND, Some(series), after, limit)?;
    let read = found.into_iter().map(|document| {
        let damaged = |reason: String| StoreError::Damaged {
            key: format!("{series} (feedback {})", document.id),
            reason,
        };
        let body = document.body.clone().map_err(damaged)?;
        serde_json::from_slice(&body).map_err(|error| damaged(error.to_string()))
    });
    read.collect()
}

impl FitJob {
    /// Has the fit obey what was given before; tells how many points it is about, if anything was given.
    pub(super) fn obey(&mut self, given: &[Feedback]) -> Option<FeedbackObeyed> {
        if given.is_empty() {
            return None;
        }
        let how = (
            self.params.time_unit.unwrap_or_default(),
            &*self.params.exclude,
        );
        let (feedback, obeyed) = resolve(given, &self.points.timestamps, how);
        self.params.feedback = feedback;
        Some(obeyed)
    }
}

impl Registry {
    /// Keeps feedback; answers once it is durable.
    ///
    /// # Errors
    /// When the series is not known or has as much feedback as it may have, or the store takes no writes.
    pub async fn give_feedback(
        &self,
        series: &str,
        feedback: &Feedback,
    ) -> Result<(), RegistryError> {
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        let check = move || {
            find(&*store, &name, VersionSelector::Latest)?;
            let n = store
                .documents(KIND, Some(&name), None, FEEDBACK_PER_SERIES)?
                .len();
            if n >= FEEDBACK_PER_SERIES {
                return Err(RegistryError::TooMuchFeedback(name));
            }
            Ok(store.head(&name)?.life)
        };
        let life = self.reads.run(check).await?;
        // Before it is written: a fit that begins after the answer looks for it.
        self.has_feedback.0.store(true, Ordering::Release);
        let body = serde_json::to_vec(feedback).expect("text serialises");
        self.put_feedback(series, &feedback.feedback_id, Some((body, life)))
            .await
    }

    /// A page of the feedback of a series, in the order in which it was given, and whether there is more.
    ///
    /// # Errors
    /// When the series is not known, a record is damaged, or the store cannot be read.
    pub async fn list_feedback(
        &self,
        series: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Feedback>, bool), RegistryError> {
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        let cursor = cursor.map(str::to_owned);
        let read = move || {
            let mut found = feedback_of(&*store, &name, cursor.as_deref(), limit + 1)?;
            if found.is_empty() {
                find(&*store, &name, VersionSelector::Latest)?;
            }
            let has_more = found.len() > limit;
            found.truncate(limit);
            Ok((found, has_more))
        };
        self.reads.run(read).await
    }

    /// Takes feedback back; answers when that is durable.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read or takes no writes.
    pub async fn take_back_feedback(&self, series: &str, id: &str) -> Result<(), RegistryError> {
        let (store, name, of) = (Arc::clone(&self.store), series.to_owned(), id.to_owned());
        let read = move || {
            if store.document(KIND, &name, &of)?.is_none() {
                find(&*store, &name, VersionSelector::Latest)?;
                return Err(RegistryError::UnknownFeedback(of));
            }
            Ok(())
        };
        self.reads.run(read).await?;
        self.put_feedback(series, id, None).await
    }

    /// What the next fit of a series has to obey.
    ///
    /// # Errors
    /// When a record is damaged, or the store cannot be read.
    pub async fn feedback_for_fit(&self, series: &str) -> Result<Vec<Feedback>, RegistryError> {
        if !self.has_feedback.0.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        let read = move || Ok(feedback_of(&*store, &name, None, FEEDBACK_PER_SERIES)?);
        self.reads.run(read).await
    }

    async fn put_feedback(
        &self,
        series: &str,
        id: &str,
        body: Option<(Vec<u8>, u64)>,
    ) -> Result<(), RegistryError> {
        let (body, life) = body.unzip();
        let put = DocumentPut {
            series: series.into(),
            life,
            writes: vec![DocumentWrite {
                kind: KIND,
                id: id.into(),
                body,
            }],
        };
        let (sender, receiver) = oneshot::channel();
        let done = move |outcome| drop(sender.send(outcome));
        self.store.submit_document(put, Box::new(done));
        let gone = || Err(PutError::Unknown("the committer is gone".into()));
        Ok(receiver.await.unwrap_or_else(|_| gone())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(label: FeedbackLabel, from: i64, to: i64) -> Feedback {
        Feedback {
            feedback_id: "1".to_owned(),
            label,
            from: from.to_string(),
            to: to.to_string(),
            note: None,
            created_at: 0,
        }
    }

    #[test]
    fn the_later_word_counts_and_what_is_excluded_stays_so() {
        let timestamps: Vec<i64> = (0..10).map(|i| 10 * i).collect();
        let given = [
            said(FeedbackLabel::Anomaly, 10, 50),
            said(FeedbackLabel::Expected, 30, 39),
            said(FeedbackLabel::Ignore, 45, 65),
            said(FeedbackLabel::Expected, 200, 300),
        ];
        let exclude = [Excluded { from: 60, to: 60 }];
        let (feedback, obeyed) = resolve(&given, &timestamps, (TimeUnit::Seconds, &exclude));
        let stretch = |from, to| Excluded { from, to };
        assert_eq!(feedback.expected, [stretch(30, 30)]);
        // 10 and 20, 40, and 50 that is to be ignored.
        assert_eq!(feedback.left_out, [stretch(10, 20), stretch(40, 50)]);
        let expected = FeedbackObeyed {
            expected: 1,
            anomaly: 3,
            ignore: 1,
        };
        assert_eq!(obeyed, expected);
    }

    #[test]
    fn instants_follow_the_unit_of_the_fit() {
        let mut instant = said(FeedbackLabel::Ignore, 0, 0);
        (instant.from, instant.to) = ("1970-01-01T00:00:01Z".into(), "1970-01-01T00:00:02Z".into());
        let timestamps = [0, 1_000, 1_500, 2_000, 2_001];
        let (_, obeyed) = resolve(&[instant], &timestamps, (TimeUnit::Milliseconds, &[]));
        assert_eq!(obeyed.ignore, 3);
    }
}
