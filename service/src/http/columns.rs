//! The reply to columns: each point scored once, each requested column written once.

use api::{Column, Columns, ColumnsReply};
use bytes::Bytes;
use detectors::Score;
use detectors::envelope::digest_hex;

use super::predict::Asked;
use super::{convert, json_with_capacity};
use crate::registry::{ServedModel, Watch};

/// Columns that need no score: the verdict alone is a comparison with the bounds.
const WITHOUT_SCORES: [Column; 3] = [Column::Timestamps, Column::Values, Column::Anomaly];

/// Anomalies of one request that are explained, the first ones.
const EXPLAINED_MAX: usize = 1_000;

pub(super) fn reply(
    watch: Watch<'_>,
    model: &ServedModel,
    timestamps: &[i64],
    values: &[f64],
    asked: Asked,
) -> Bytes {
    let fields = asked.fields.unwrap_or(Columns::ALL);
    let hash = digest_hex(&model.digest);
    let mut filling = Filling::new(fields, values.len());
    filling.reply.model_version = model.version;
    filling.reply.model_hash = &hash;
    filling.points(timestamps, values);
    if fields.are_within(&WITHOUT_SCORES) && !asked.explain {
        let verdicts = model.fitted.anomalies(timestamps, values);
        filling.reply.n_anomalies = verdicts.iter().filter(|anomaly| **anomaly).count();
        watch.verdicts(values.len(), filling.reply.n_anomalies);
        filling.reply.anomaly = fields.has(Column::Anomaly).then_some(verdicts);
    } else {
        let mut watched = watch.column();
        let mut points = timestamps.iter().zip(values);
        filling.reply.reasons = asked.explain.then(|| Vec::with_capacity(values.len()));
        model.fitted.score_columns(timestamps, values, |score| {
            watched.point(score.p_value);
            filling.push(&score);
            let (reply, point) = (&mut filling.reply, points.next());
            if let (Some(reasons), Some((timestamp, value))) = (&mut reply.reasons, point) {
                // Only for anomalies, and for so many: a sentence is a hundred times a score.
                reasons.push(if score.anomaly && reply.n_anomalies <= EXPLAINED_MAX {
                    convert::reasons(&model.fitted, *timestamp, *value, &score)
                } else {
                    Vec::new()
                });
            }
        });
    }
    json_with_capacity(&filling.reply, filling.capacity())
}

/// A reply whose columns grow point by point.
pub(super) struct Filling<'a> {
    pub(super) reply: ColumnsReply<'a>,
    fields: Columns,
}

impl<'a> Filling<'a> {
    /// Columns of `fields`, with room for `n` points.
    pub(super) fn new(fields: Columns, n: usize) -> Self {
        let numbers = |column| fields.has(column).then(|| Vec::with_capacity(n));
        let words = |column| fields.has(column).then(|| Vec::with_capacity(n));
        let verdicts = |column| fields.has(column).then(|| Vec::with_capacity(n));
        let reply = ColumnsReply {
            n_points: n,
            anomaly: verdicts(Column::Anomaly),
            anomaly_score: numbers(Column::AnomalyScore),
            p_value: numbers(Column::PValue),
            severity: numbers(Column::Severity),
            expected_value: numbers(Column::ExpectedValue),
            lower_bound: numbers(Column::LowerBound),
            upper_bound: numbers(Column::UpperBound),
            direction: words(Column::Direction),
            status: words(Column::Status),
            tail_extrapolated: verdicts(Column::TailExtrapolated),
            ..ColumnsReply::default()
        };
        Self { reply, fields }
    }

    /// Repeats the points, as far as they were asked for.
    pub(super) fn points(&mut self, timestamps: &'a [i64], values: &'a [f64]) {
        let Self { reply, fields } = self;
        reply.timestamps = fields.has(Column::Timestamps).then_some(timestamps);
        reply.values = fields.has(Column::Values).then_some(values);
    }

    /// Adds the score of the next point.
    #[inline]
    pub(super) fn push(&mut self, score: &Score) {
        let reply = &mut self.reply;
        reply.n_anomalies += usize::from(score.anomaly);
        push(&mut reply.anomaly, score.anomaly);
        push(&mut reply.anomaly_score, score.anomaly_score);
        push(&mut reply.p_value, score.p_value);
        push(&mut reply.severity, score.severity);
        push(&mut reply.expected_value, score.expected);
        push(&mut reply.lower_bound, score.lower);
        push(&mut reply.upper_bound, score.upper);
        push(&mut reply.direction, score.side.as_str());
        push(&mut reply.status, score.status.as_str());
        push(&mut reply.tail_extrapolated, score.tail_extrapolated);
    }

    /// Bytes of the whole reply: growing to its size by doubling copies it several times.
    pub(super) fn capacity(&self) -> usize {
        let asked = Column::ALL.into_iter().filter(|c| self.fields.has(*c));
        512 + self.reply.n_points * asked.map(width).sum::<usize>()
    }
}

/// Bytes of an entry and its comma, as it usually is.
const fn width(column: Column) -> usize {
    match column {
        Column::Timestamps => 11,
        Column::Values | Column::AnomalyScore | Column::PValue => 21,
        Column::ExpectedValue | Column::LowerBound | Column::UpperBound => 21,
        Column::Anomaly | Column::TailExtrapolated => 6,
        Column::Severity | Column::Status => 5,
        Column::Direction => 8,
    }
}

fn push<T>(column: &mut Option<Vec<T>>, entry: T) {
    if let Some(column) = column {
        column.push(entry);
    }
}
