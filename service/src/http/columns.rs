//! The reply to columns: each point scored once, each requested column written once.

use api::{Column, Columns, ColumnsReply, VerdictColumns};
use bytes::Bytes;
use detectors::envelope::digest_hex;
use detectors::{Explanation, Score};

use super::predict::Asked;
use super::{convert, csv_reply, json_with_capacity};
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
    let (n, hash) = (values.len(), digest_hex(&model.digest));
    let mut reply = ColumnsReply {
        model_version: model.version,
        model_hash: &hash,
        verdicts: of_points(timestamps, values, fields),
        reasons: None,
    };
    if fields.are_within(&WITHOUT_SCORES) && !asked.explain {
        let verdicts = model.fitted.anomalies(timestamps, values);
        reply.verdicts.n_anomalies = verdicts.iter().filter(|anomaly| **anomaly).count();
        reply.verdicts.anomaly = fields.has(Column::Anomaly).then_some(verdicts);
        watch.verdicts(n, reply.verdicts.n_anomalies);
        if asked.csv {
            return csv_reply::written(&reply.verdicts);
        }
        return written(&reply, n, fields);
    }
    let explanations = fill(&mut reply, (watch, model), timestamps, values, asked);
    if asked.csv {
        return csv_reply::written(&reply.verdicts);
    }
    if asked.explain {
        let reasons = explanations.iter().map(|one| match one {
            Some(explanation) => convert::reasons(explanation),
            None => Vec::new(),
        });
        reply.reasons = Some(reasons.collect());
    }
    written(&reply, n, fields)
}

/// The columns that are known before any score.
pub(super) fn of_points<'a>(
    timestamps: &'a [i64],
    values: &'a [f64],
    fields: Columns,
) -> VerdictColumns<'a> {
    VerdictColumns {
        n_points: values.len(),
        timestamps: fields.has(Column::Timestamps).then_some(timestamps),
        values: fields.has(Column::Values).then_some(values),
        ..VerdictColumns::default()
    }
}

/// Room for the whole reply of `n` points at once: growing to its size by doubling copies it several
/// times.
pub(super) fn written(reply: &impl serde::Serialize, n: usize, fields: Columns) -> Bytes {
    let width: usize = Column::ALL
        .into_iter()
        .filter(|c| fields.has(*c))
        .map(width)
        .sum();
    json_with_capacity(reply, 512 + n * width)
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
    (watch, model): (Watch<'_>, &ServedModel),
    timestamps: &[i64],
    values: &[f64],
    asked: Asked,
) -> Vec<Option<Explanation>> {
    let n = values.len();
    make_room(&mut reply.verdicts, n, asked.fields.unwrap_or(Columns::ALL));
    let mut explanations = Vec::with_capacity(if asked.explain { n } else { 0 });
    let mut watched = watch.column();
    let mut points = timestamps.iter().zip(values);
    model.fitted.score_columns(timestamps, values, |score| {
        watched.point(score.p_value);
        push_score(&mut reply.verdicts, &score);
        if let (true, Some((timestamp, value))) = (asked.explain, points.next()) {
            // Only for anomalies, and for so many: a sentence costs many times a score.
            let is_told = score.anomaly && reply.verdicts.n_anomalies <= EXPLAINED_MAX;
            explanations.push(is_told.then(|| model.fitted.explain(*timestamp, *value, &score)));
        }
    });
    explanations
}

/// Makes room in the columns asked for.
pub(super) fn make_room(verdicts: &mut VerdictColumns<'_>, n: usize, fields: Columns) {
    let numbers = |column| fields.has(column).then(|| Vec::with_capacity(n));
    let words = |column| fields.has(column).then(|| Vec::with_capacity(n));
    let flags = |column| fields.has(column).then(|| Vec::with_capacity(n));
    verdicts.anomaly = flags(Column::Anomaly);
    verdicts.anomaly_score = numbers(Column::AnomalyScore);
    verdicts.p_value = numbers(Column::PValue);
    verdicts.severity = numbers(Column::Severity);
    verdicts.expected_value = numbers(Column::ExpectedValue);
    verdicts.lower_bound = numbers(Column::LowerBound);
    verdicts.upper_bound = numbers(Column::UpperBound);
    verdicts.direction = words(Column::Direction);
    verdicts.status = words(Column::Status);
    verdicts.tail_extrapolated = flags(Column::TailExtrapolated);
}

/// Adds a score to the columns that have room.
pub(super) fn push_score(verdicts: &mut VerdictColumns<'_>, score: &Score) {
    verdicts.n_anomalies += usize::from(score.anomaly);
    push(&mut verdicts.anomaly, score.anomaly);
    push(&mut verdicts.anomaly_score, score.anomaly_score);
    push(&mut verdicts.p_value, score.p_value);
    push(&mut verdicts.severity, score.severity);
    push(&mut verdicts.expected_value, score.expected);
    push(&mut verdicts.lower_bound, score.lower);
    push(&mut verdicts.upper_bound, score.upper);
    push(&mut verdicts.direction, score.side.as_str());
    push(&mut verdicts.status, score.status.as_str());
    push(&mut verdicts.tail_extrapolated, score.tail_extrapolated);
}

fn push<T>(column: &mut Option<Vec<T>>, entry: T) {
    if let Some(column) = column {
        column.push(entry);
    }
}
