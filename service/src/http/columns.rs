//! The reply to columns: each point scored once, each requested column written once.

use api::{Column, Columns, ColumnsReply};
use bytes::Bytes;
use detectors::Explanation;

use super::predict::Asked;
use super::{convert, json_with_capacity};
use crate::registry::Watch;

/// Columns that need no score: the verdict alone is a comparison with the bounds.
const WITHOUT_SCORES: [Column; 3] = [Column::Timestamps, Column::Values, Column::Anomaly];

/// Anomalies of one request that are explained, the first ones.
const EXPLAINED_MAX: usize = 1_000;

pub(super) fn reply(
    watch: Watch<'_>,
    hash: &str,
    timestamps: &[i64],
    values: &[f64],
    asked: Asked,
) -> Bytes {
    let fields = asked.fields.unwrap_or(Columns::ALL);
    let model = watch.model;
    let n = values.len();
    let mut reply = ColumnsReply {
        model_version: model.version,
        model_hash: hash,
        n_points: n,
        timestamps: fields.has(Column::Timestamps).then_some(timestamps),
        values: fields.has(Column::Values).then_some(values),
        ..ColumnsReply::default()
    };
    if fields.are_within(&WITHOUT_SCORES) && !asked.explain {
        let verdicts = model.fitted.anomalies(timestamps, values);
        reply.n_anomalies = verdicts.iter().filter(|anomaly| **anomaly).count();
        reply.anomaly = fields.has(Column::Anomaly).then_some(verdicts);
        watch.verdicts(n, reply.n_anomalies);
        return written(&reply, fields);
    }
    let explanations = fill(&mut reply, watch, timestamps, values, asked);
    if asked.explain {
        let reasons = explanations.iter().map(|one| match one {
            Some(explanation) => convert::reasons(explanation),
            None => Vec::new(),
        });
        reply.reasons = Some(reasons.collect());
    }
    written(&reply, fields)
}

/// Room for the whole reply at once: growing to its size by doubling copies it several times.
fn written(reply: &ColumnsReply<'_>, fields: Columns) -> Bytes {
    let width: usize = Column::ALL
        .into_iter()
        .filter(|c| fields.has(*c))
        .map(width)
        .sum();
    json_with_capacity(reply, 512 + reply.n_points * width)
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

/// Fills the columns asked for; where reasons are, too, gives those of each point that has them.
fn fill(
    reply: &mut ColumnsReply<'_>,
    watch: Watch<'_>,
    timestamps: &[i64],
    values: &[f64],
    asked: Asked,
) -> Vec<Option<Explanation>> {
    let fields = asked.fields.unwrap_or(Columns::ALL);
    let n = values.len();
    let numbers = |column| fields.has(column).then(|| Vec::with_capacity(n));
    let words = |column| fields.has(column).then(|| Vec::with_capacity(n));
    reply.anomaly = fields.has(Column::Anomaly).then(|| Vec::with_capacity(n));
    reply.anomaly_score = numbers(Column::AnomalyScore);
    reply.p_value = numbers(Column::PValue);
    reply.severity = numbers(Column::Severity);
    reply.expected_value = numbers(Column::ExpectedValue);
    reply.lower_bound = numbers(Column::LowerBound);
    reply.upper_bound = numbers(Column::UpperBound);
    reply.direction = words(Column::Direction);
    reply.status = words(Column::Status);
    reply.tail_extrapolated = fields
        .has(Column::TailExtrapolated)
        .then(|| Vec::with_capacity(n));
    let mut explanations = Vec::with_capacity(if asked.explain { n } else { 0 });
    let (model, mut watched) = (watch.model, watch.column());
    let mut points = timestamps.iter().zip(values);
    model.fitted.score_columns(timestamps, values, |score| {
        watched.point(score.p_value);
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
        if let (true, Some((timestamp, value))) = (asked.explain, points.next()) {
            // Only for anomalies, and for so many: a sentence costs many times a score.
            let is_told = score.anomaly && reply.n_anomalies <= EXPLAINED_MAX;
            explanations.push(is_told.then(|| model.fitted.explain(*timestamp, *value, &score)));
        }
    });
    explanations
}

fn push<T>(column: &mut Option<Vec<T>>, entry: T) {
    if let Some(column) = column {
        column.push(entry);
    }
}
