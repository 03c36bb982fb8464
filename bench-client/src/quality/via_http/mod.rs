//! Scores of a running service, asked by its API (docs/http-api.md) as any caller would: the same bits
//! as those of the detectors in this process.
//!
//! A model that learns is started by `POST /update` with the seasons that a fit of the first rows
//! tells, and learns every row; any other is fitted and then scores by `POST /predict`; a whole series
//! goes to `POST /detect`. What fits and updates leave behind in the service stays there, under ids
//! that no other run has.

mod service;
mod wire;

use std::sync::Arc;

use super::data::LabelledSeries;
use super::error::QualityError;
use super::index::IndexEntry;
use super::online;
use super::scorer::{Scored, Scorer, in_order, is_later};
use super::whole;
use service::Answer;
pub use service::Service;
use wire::{FIELDS, Fitted, Rows, Verdicts};

/// Rows of an update. A service learns so few all or none at once, so that a piece which it had no
/// room for can be sent again.
const PIECE_ROWS: usize = 1_000;

/// A model or the detector of whole series in a service.
#[derive(Debug, Clone)]
pub struct Remote {
    service: Arc<Service>,
    name: String,
    /// What the ids of its series begin with.
    prefix: String,
    kind: Kind,
    alarm_rate: f64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Learning,
    Fitted,
    /// Fitted, and judges a row with those before it.
    Windowed,
    Whole,
}

impl Remote {
    /// What `scorer`, the model at that place of the list, is in the service.
    pub(super) fn new(
        service: &Arc<Service>,
        place: usize,
        scorer: &Scorer,
        alarm_rate: f64,
    ) -> Self {
        let kind = match scorer {
            Scorer::Model(_) if scorer.name() == online::MODEL => Kind::Learning,
            Scorer::Model(model) if model.judges_windows() => Kind::Windowed,
            Scorer::Whole(_) => Kind::Whole,
            _ => Kind::Fitted,
        };
        Self {
            service: Arc::clone(service),
            name: scorer.name().to_owned(),
            prefix: format!("quality_{}_{place}_{}", service.run(), scorer.name()),
            kind,
            alarm_rate,
        }
    }

    /// Name for the table.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Scores every row, as the same model or detector would in this process.
    ///
    /// # Errors
    /// No answer, or one that is neither scores nor a refusal of the rows.
    pub(super) fn score(
        &self,
        series: &LabelledSeries,
        entry: &IndexEntry,
    ) -> Result<Scored, QualityError> {
        let id = format!("{}_{}", self.prefix, entry.line());
        match self.kind {
            Kind::Learning => self.learning(&id, series, entry.train_len),
            Kind::Fitted => self.fitted(&id, series, entry.train_len, 0),
            Kind::Windowed => self.fitted(&id, series, entry.train_len, entry.train_len),
            Kind::Whole => self.whole(series),
        }
    }

    /// See [`online::score`].
    fn learning(
        &self,
        id: &str,
        series: &LabelledSeries,
        train_len: usize,
    ) -> Result<Scored, QualityError> {
        // Of its own, because an update would start from the version of its series.
        let (fit, out_of_order) = self.fit(&format!("{id}-seasons"), series, train_len)?;
        let periods = match fit {
            Answer::Done(fitted) => fitted.periods,
            Answer::Refused(_) => Vec::new(),
        };
        let periods: Vec<String> = periods.iter().map(i64::to_string).collect();
        // How to start is told once, and no seasons where none are known.
        let mut query = format!("alarm_rate={:?}&{FIELDS}", self.alarm_rate);
        if !periods.is_empty() {
            query = format!("seasonality={}&{query}", periods.join(","));
        }
        let later: Vec<bool> = is_later(&series.timestamps).collect();
        let mut scored = Scored::with_capacity(series.len());
        scored.out_of_order = out_of_order;
        for from in (0..series.len()).step_by(PIECE_ROWS) {
            let piece = from..series.len().min(from + PIECE_ROWS);
            let rows = Rows::new(
                &series.timestamps[piece.clone()],
                &series.values[piece.clone()],
            );
            let path = ["update", id];
            let verdicts = self.verdicts(&path, &query, &rows)?;
            let learnable = later[piece].iter().filter(|later| **later).count();
            // A piece that arrived twice, say, would be scored by a state that knows it.
            let learnt = verdicts.n_learnt;
            if learnt != learnable {
                let reason = format!("learnt {learnt} rows where there are {learnable} to learn");
                return Err(self.service.error(&path, reason));
            }
            scored.extend(verdicts.pairs());
            FIELDS.clone_into(&mut query);
        }
        Ok(scored)
    }

    /// Fits on the rows before `train_len` and scores those from `from` on.
    fn fitted(
        &self,
        id: &str,
        series: &LabelledSeries,
        train_len: usize,
        from: usize,
    ) -> Result<Scored, QualityError> {
        let (fit, out_of_order) = self.fit(id, series, train_len)?;
        let fitted = match fit {
            Answer::Done(fitted) => fitted,
            Answer::Refused(reason) => {
                return Ok(Scored {
                    out_of_order,
                    ..Scored::refused(series.len(), reason)
                });
            }
        };
        let query = format!("version={}&{FIELDS}", fitted.version);
        let rows = Rows::new(&series.timestamps[from..], &series.values[from..]);
        let verdicts = self.verdicts(&["predict", id], &query, &rows)?;
        let mut scored = Scored::with_capacity(series.len());
        scored.extend(std::iter::repeat_n((0.0, 1.0), from));
        scored.extend(verdicts.pairs());
        Ok(Scored {
            out_of_order,
            unscored: from,
            ..scored
        })
    }

    /// See [`whole::score`].
    fn whole(&self, series: &LabelledSeries) -> Result<Scored, QualityError> {
        let (timestamps, values) = in_order(&series.timestamps, &series.values);
        let rows = Rows::new(&timestamps, &values).alarm_rate(self.alarm_rate);
        let answer: Answer<Verdicts> = self.service.post(&["detect"], Some(FIELDS), &rows)?;
        Ok(match answer {
            Answer::Done(verdicts) => {
                self.check(&["detect"], &verdicts, &rows)?;
                whole::of_rows(series, verdicts.pairs())
            }
            Answer::Refused(reason) => Scored::refused(series.len(), reason),
        })
    }

    /// Fits on those of the first rows that are in order, and counts the others.
    fn fit(
        &self,
        id: &str,
        series: &LabelledSeries,
        train_len: usize,
    ) -> Result<(Answer<Fitted>, usize), QualityError> {
        let (timestamps, values) =
            in_order(&series.timestamps[..train_len], &series.values[..train_len]);
        let rows = Rows::new(&timestamps, &values).alarm_rate(self.alarm_rate);
        let answer = self
            .service
            .post(&["fit", id], None, &rows.model(&self.name))?;
        Ok((answer, train_len - values.len()))
    }

    /// One verdict a row; a refusal is an error here.
    fn verdicts(
        &self,
        path: &[&str],
        query: &str,
        rows: &Rows<'_>,
    ) -> Result<Verdicts, QualityError> {
        match self.service.post(path, Some(query), rows)? {
            Answer::Done(verdicts) => {
                self.check(path, &verdicts, rows)?;
                Ok(verdicts)
            }
            Answer::Refused(reason) => Err(self.service.error(path, reason)),
        }
    }

    fn check(
        &self,
        path: &[&str],
        verdicts: &Verdicts,
        rows: &Rows<'_>,
    ) -> Result<(), QualityError> {
        let (scores, p_values) = (verdicts.anomaly_score.len(), verdicts.p_value.len());
        if (scores, p_values) == (rows.len(), rows.len()) {
            return Ok(());
        }
        let sent = rows.len();
        let reason = format!("{scores} scores and {p_values} p-values for {sent} rows");
        Err(self.service.error(path, reason))
    }
}
