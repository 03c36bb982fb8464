//! Fit a series: check, fit and encode (CPU, no waiting), then store and publish.

use std::sync::Arc;

use api::feedback::{Feedback, FeedbackObeyed};
use compact_str::CompactString;
use detectors::{Excluded, Fitted, Params, Seasons, Series};
use tokio::sync::oneshot;

use super::aliases::AliasCache;
use super::cache::ModelCache;
use super::model::model_digest;
use super::{Registry, RegistryError, RegistryOptions, ServedModel};
use crate::store::training::TrainingPoints;
use crate::store::{
    Condition, FitParameters, Indexed, Labels, Metadata, Put, PutError, Request, Store, Stored,
    VersionRecord,
};

/// Sealed training points up to this size stand in the version's record: one insert for a small
/// series. Larger ones stand apart, so that loading a model does not read them.
const INLINE_TRAINING_BYTES: usize = 1_024;

/// A history and how to fit it, checked by [`FitJob::run`].
pub struct FitJob {
    /// The history.
    pub points: TrainingPoints,
    /// Unchecked parameters.
    pub params: Params,
    /// Wall clock of the fit, milliseconds since 1970.
    pub fitted_at_ms: i64,
    /// An alias that is to point to the version.
    pub set_alias: Option<CompactString>,
    /// Labels of the version and, from then on, of the series.
    pub labels: Option<Labels>,
}

/// A fitted model on its way to the store.
pub struct Fitting {
    /// The model.
    pub fitted: Fitted,
    /// The envelope's digest over the model's bytes.
    pub digest: [u8; 16],
    /// Points it was fitted on.
    pub points_used: usize,
    /// First timestamp of those points, in the model's time unit.
    pub trained_from: i64,
    /// Last timestamp of those points, in the model's time unit.
    pub trained_to: i64,
    /// An alias that points to the version from its commit on.
    pub set_alias: Option<CompactString>,
    /// Only if that alias is as assumed.
    pub alias_if: Condition,
    /// Points that were treated as feedback says, if the series has any.
    pub feedback: Option<FeedbackObeyed>,
    /// The life of the series that it was made of, if it was made of something that the series had.
    pub(super) life: Option<u64>,
    pub(super) record: Vec<u8>,
    pub(super) training: Option<Vec<u8>>,
    pub(super) index: Indexed,
}

/// Points from which a fit that looks for seasons takes longer than a worker may be held up.
const HEAVY_FROM: usize = 64;

/// The points of a history that are not left out.
#[derive(Clone, Copy)]
struct Used {
    n_points: usize,
    /// First and last timestamp; `None` where there is no point.
    range: Option<(i64, i64)>,
}

impl Used {
    /// `timestamps` increase; the stretches may lie in any order and overlap.
    fn of(timestamps: &[i64], exclude: &[Excluded]) -> Self {
        let mut stretches = exclude.to_vec();
        stretches.sort_unstable_by_key(|stretch| stretch.from);
        let mut stretches = stretches.into_iter().peekable();
        let mut excluded_to = None;
        let mut used = Self {
            n_points: 0,
            range: None,
        };
        for &timestamp in timestamps {
            while let Some(stretch) = stretches.next_if(|stretch| stretch.from <= timestamp) {
                excluded_to = excluded_to.max(Some(stretch.to));
            }
            if excluded_to < Some(timestamp) {
                used.n_points += 1;
                used.range = Some((used.range.map_or(timestamp, |(from, _)| from), timestamp));
            }
        }
        used
    }
}

/// First and last timestamp of enough points.
fn enough(
    used: Used,
    n_sent: usize,
    options: &RegistryOptions,
) -> Result<(i64, i64), RegistryError> {
    let needed = options.min_training_points;
    match used.range {
        Some(range) if used.n_points >= needed => Ok(range),
        _ => Err(RegistryError::TooFewPoints {
            got: used.n_points,
            left_out: n_sent - used.n_points,
            needed: needed.max(1),
        }),
    }
}

impl FitJob {
    /// Whether the fit takes no longer than reading the points did: location and scale, or few
    /// points. Anything else belongs on the compute pool.
    #[must_use]
    pub fn is_light(&self) -> bool {
        let by_model = matches!(self.params.model.as_deref(), Some("gaussian" | "robust"));
        by_model || self.points.values.len() < HEAVY_FROM
    }

    /// Checks, fits and encodes. Pure CPU work: on a large history it belongs on the compute pool.
    ///
    /// # Errors
    /// When the history is no series or too short, a parameter does not hold, or the model cannot
    /// be fitted to it.
    pub fn run(self, options: &RegistryOptions) -> Result<Fitting, RegistryError> {
        self.run_obeying(&[], options)
    }

    /// As [`FitJob::run`], with the feedback that was `given` on the series.
    ///
    /// # Errors
    /// As [`FitJob::run`].
    pub fn run_obeying(
        mut self,
        given: &[Feedback],
        options: &RegistryOptions,
    ) -> Result<Fitting, RegistryError> {
        let feedback = self.obey(given);
        let TrainingPoints { timestamps, values } = &self.points;
        let series = Series::new(timestamps, values)?;
        // The points sent are counted first: what is wrong with them is wrong whatever is asked for.
        enough(Used::of(timestamps, &[]), series.len(), options)?;
        let params = self.params.check()?;
        let told = &self.params.feedback.left_out;
        let left_out = [self.params.exclude.as_slice(), told].concat();
        let used = Used::of(timestamps, &left_out);
        let (trained_from, trained_to) = enough(used, series.len(), options)?;
        let fitted = params.fit(&series)?;
        let metadata = Metadata {
            labels: self.labels,
            parameters: Some(Box::new(asked_for(&self.params))),
            imported_at_ms: None,
            feedback,
        };
        let mut fitting = Fitting::seal(
            fitted,
            self.fitted_at_ms,
            used.n_points,
            (trained_from, trained_to),
            &self.points,
            metadata,
        );
        fitting.set_alias = self.set_alias;
        fitting.feedback = feedback;
        Ok(fitting)
    }
}

/// What the model does not tell of what it was asked for, defaults filled in.
fn asked_for(params: &Params) -> FitParameters {
    let least = params.min_deviation.unwrap_or_default();
    let text =
        |given: &Option<String>, default: &str| given.as_deref().unwrap_or(default).to_owned();
    FitParameters {
        model: text(&params.model, "auto"),
        sigma: params.sigma,
        min_deviation: (least.abs, least.rel),
        periods: match &params.seasons {
            None | Some(Seasons::Auto) => None,
            Some(Seasons::Periods(periods)) => Some(periods.clone()),
        },
        timezone: text(&params.timezone, "UTC"),
        exclude: params.exclude.iter().map(|it| (it.from, it.to)).collect(),
    }
}

impl Fitting {
    /// Seals a model and the points that stand behind it.
    pub(super) fn seal(
        fitted: Fitted,
        fitted_at_ms: i64,
        points_used: usize,
        (trained_from, trained_to): (i64, i64),
        points: &TrainingPoints,
        metadata: Metadata,
    ) -> Self {
        let model = fitted.encode();
        let digest = model_digest(&model).expect("the model was sealed just now");
        let record = VersionRecord {
            fitted_at_ms,
            points_used: points_used as u64,
            trained_from,
            trained_to,
            model,
            training: None,
            metadata,
        };
        let mut fitting = Self {
            fitted,
            digest,
            points_used,
            trained_from,
            trained_to,
            set_alias: None,
            alias_if: Condition::Any,
            feedback: None,
            life: None,
            record: Vec::new(),
            training: None,
            index: index_of(&record),
        };
        fitting.place(record, points.seal());
        fitting
    }

    /// Puts sealed points into the record, or beside it, and seals the record.
    pub(super) fn place(&mut self, mut record: VersionRecord, points: Vec<u8>) {
        if points.len() <= INLINE_TRAINING_BYTES {
            record.training = Some(points);
        } else {
            self.training = Some(points);
        }
        self.record = record.seal();
    }
}

/// By what a version with this record is found.
pub(super) fn index_of(record: &VersionRecord) -> Indexed {
    Indexed {
        since_ms: u64::try_from(record.since_ms()).unwrap_or(0),
        labels: record.metadata.labels.clone(),
    }
}

impl Registry {
    /// What the operator set.
    #[must_use]
    pub fn options(&self) -> RegistryOptions {
        self.options
    }

    /// Stores a fitted model as the next version of `series` and answers with its number, once it
    /// is durable and every later look-up on this node sees it.
    ///
    /// # Errors
    /// When the store takes no writes or the outcome of the write is unknown.
    pub async fn store(&self, series: &str, fitting: &mut Fitting) -> Result<u64, RegistryError> {
        match self.store_once(series, fitting, None).await? {
            Stored::New { version, .. } => Ok(version),
            Stored::Before(kept) => Ok(kept.version),
        }
    }

    /// As [`Registry::store`] for a request that may have named itself; tells the answer of before,
    /// if it was answered already.
    ///
    /// The version is published by the store's completion and not after the await: a caller that
    /// hangs up drops the await, and must not leave readers at an older version for ever.
    ///
    /// # Errors
    /// As [`Registry::store`], and when the request's key was used for another body.
    pub async fn store_once(
        &self,
        series: &str,
        fitting: &mut Fitting,
        request: Option<Request>,
    ) -> Result<Stored, RegistryError> {
        let (sender, receiver) = oneshot::channel();
        let publish = (&self.cache, &self.aliases);
        submit(
            &*self.store,
            publish,
            series,
            (fitting, request),
            |outcome| {
                let _ = sender.send(outcome);
            },
        );
        let outcome = receiver
            .await
            .unwrap_or_else(|_| Err(PutError::Unknown("the committer is gone".into())));
        self.evict_if_due();
        self.evict_aliases_if_due();
        Ok(outcome?)
    }

    fn evict_if_due(&self) {
        if self.cache.is_over_budget() {
            let cache = Arc::clone(&self.cache);
            tokio::task::spawn_blocking(move || cache.evict());
        }
    }
}

/// Queues a fitted model, to be published by the store's completion before `tell` hears of it.
pub(super) fn submit(
    store: &dyn Store,
    (cache, aliases): (&Arc<ModelCache>, &Arc<AliasCache>),
    series: &str,
    (fitting, request): (&mut Fitting, Option<Request>),
    tell: impl FnOnce(Result<Stored, PutError>) + Send + 'static,
) {
    let (cache, aliases) = (Arc::clone(cache), Arc::clone(aliases));
    let (fitted, digest) = (fitting.fitted.clone(), fitting.digest);
    let (name, set_alias) = (CompactString::from(series), fitting.set_alias.clone());
    let put = Put {
        series: name.clone(),
        record: std::mem::take(&mut fitting.record),
        training: fitting.training.take(),
        request,
        alias: fitting.set_alias.clone(),
        alias_if: fitting.alias_if.clone(),
        index: std::mem::take(&mut fitting.index),
        life: fitting.life,
    };
    let done = move |outcome: Result<Stored, PutError>| {
        if let Ok(Stored::New { version, alias }) = &outcome {
            cache.publish(&name, Arc::new(ServedModel::new(*version, fitted, digest)));
            if let (Some(name_of), Some(record)) = (&set_alias, alias) {
                aliases.publish(&name, name_of, Some(record));
            }
        }
        tell(outcome);
    };
    store.submit(put, Box::new(done));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(exclude: &[(i64, i64)]) -> (usize, Option<(i64, i64)>) {
        let exclude: Vec<Excluded> = exclude
            .iter()
            .map(|&(from, to)| Excluded { from, to })
            .collect();
        let used = Used::of(&[0, 10, 20, 30, 40], &exclude);
        (used.n_points, used.range)
    }

    #[test]
    fn stretches_leave_out_both_their_ends_in_any_order() {
        assert_eq!(used(&[]), (5, Some((0, 40))));
        assert_eq!(used(&[(5, 9), (41, 50)]), (5, Some((0, 40))));
        assert_eq!(used(&[(40, 40), (0, 10)]), (2, Some((20, 30))));
        assert_eq!(used(&[(10, 30), (15, 20)]), (2, Some((0, 40))));
        assert_eq!(used(&[(0, 40)]), (0, None));
    }
}
