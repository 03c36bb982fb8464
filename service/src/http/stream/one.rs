//! `POST /predict/{series_id}` of NDJSON: points of one series, judged by one version from the first line to the last.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::update::read_line;
use api::{Code, FieldError, Loc, Rejection, Timestamp};
use bytes::Bytes;
use detectors::envelope::digest_hex;

use super::super::predict::Question;
use super::super::scoped::Series as Named;
use super::super::{Call, convert};
use super::incoming::LINE_MAX_BYTES;
use super::lines::{Batch, Line, Place, Splitter};
use super::{Answering, INLINE_LINES, LINE_BYTES, admitted, problem_line, reply, too_long};
use crate::metrics::WorkTimes;
use crate::registry::{Monitors, ServedModel, Watch, WatchedColumn};

/// Reasons for a point cost as much as scores of so many.
pub(super) const EXPLAINED_LINES: usize = INLINE_LINES;

/// Lines that are answered at once.
pub(super) const BATCH_LINES: usize = 1_024;

/// The version that answers.
pub(super) struct Series {
    model: Arc<ServedModel>,
    hash: String,
    ticks_per_second: i64,
    explain: bool,
    name: String,
    monitors: Arc<Monitors>,
    work: Arc<WorkTimes>,
}

pub(in crate::http) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Named<'_>,
    question: Question<'_>,
) -> Result<HttpResponse, Rejection> {
    if question.asked.fields.is_some() {
        let reason = "`fields` chooses columns; the reply to lines has none";
        let error = FieldError::new([Loc::from("query"), Loc::from("fields")], reason);
        return Err(Rejection::one(Code::InvalidQuery, error));
    }
    let registry = call.state.registry()?;
    let ticket = admitted(call, &mut payload).await?;
    // Found once: whatever is published while lines come, the answers are of this one version.
    let model = question.which.model(registry, series).await?;
    let answering = Series {
        explain: question.asked.explain,
        work: Arc::clone(&call.state.metrics.work),
        ..Series::new(series.name(), model, Arc::clone(registry.monitors()))
    };
    let answering = Answering::One(Arc::new(answering));
    reply(call, payload, ticket, answering).await
}

/// As lines are answered, without a connection around them: takes bytes as they come, gives what is answered by then.
pub(in crate::http) fn answers(
    name: &str,
    model: Arc<ServedModel>,
    monitors: Arc<Monitors>,
) -> impl FnMut(Bytes) -> Vec<Bytes> + use<> {
    let series = Series::new(name, model, monitors);
    let (mut splitter, mut place) = (Splitter::new(LINE_MAX_BYTES), Place::default());
    move |mut chunk| {
        let mut answers = Vec::new();
        while !chunk.is_empty() {
            let mut batch = Batch::default();
            chunk = splitter.push(chunk, BATCH_LINES, &mut batch);
            let (written, after) = series.answer(&batch, place, "");
            place = after;
            answers.push(written);
        }
        answers
    }
}

impl Series {
    fn new(name: &str, model: Arc<ServedModel>, monitors: Arc<Monitors>) -> Self {
        Self {
            hash: digest_hex(&model.digest),
            ticks_per_second: model.fitted.time_unit().ticks_per_second(),
            explain: false,
            name: name.to_owned(),
            monitors,
            work: Arc::default(),
            model,
        }
    }

    /// Whether so few lines are answered on the thread of their connection.
    pub(super) fn is_light(&self, batch: &Batch) -> bool {
        let cost = if self.explain { EXPLAINED_LINES } else { 1 };
        !self.model.fitted.is_windowed() && batch.n_lines() * cost <= INLINE_LINES
    }

    /// The answers to lines that begin at `place`, and the place after them.
    pub(super) fn answer(&self, batch: &Batch, place: Place, request_id: &str) -> (Bytes, Place) {
        self.work
            .scores
            .time(|| self.answers(batch, place, request_id))
    }

    fn answers(&self, batch: &Batch, mut place: Place, request_id: &str) -> (Bytes, Place) {
        let mut written = Vec::with_capacity(batch.n_lines() * LINE_BYTES);
        let watch = Watch::of_version(&self.monitors, &self.name, &self.model);
        let mut watched = watch.column();
        for line in batch.lines(&mut place) {
            if let Err(rejection) = self.answer_line(&line, &mut watched, &mut written) {
                let number = line.place.number;
                written.extend(problem_line(&rejection, request_id, None, number));
            }
        }
        drop(watched);
        (written.into(), place)
    }

    fn answer_line(
        &self,
        line: &Line<'_>,
        watched: &mut WatchedColumn<'_>,
        written: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        let index = line.place.index;
        let text = line.text.ok_or_else(|| too_long(index, LINE_MAX_BYTES))?;
        let (time, value) = read_line(index, text)?;
        let timestamp = ticks(index, time, self.ticks_per_second)?;
        let score = self.model.fitted.score(timestamp, value);
        watched.point(score.p_value);
        let fitted = &self.model.fitted;
        let explained = self
            .explain
            .then(|| fitted.explain(timestamp, value, &score));
        let version = self.model.version;
        let mut reply = convert::point_reply(version, &self.hash, timestamp, value, &score);
        reply.reasons = explained.as_ref().map(convert::reasons);
        reply.write_json(written);
        written.push(b'\n');
        Ok(())
    }
}

/// The time of a line in ticks.
pub(in crate::http) fn ticks(
    index: usize,
    time: Timestamp,
    per_second: i64,
) -> Result<i64, Rejection> {
    time.ticks(per_second).ok_or_else(|| {
        let loc = [Loc::from("body"), Loc::from(index), Loc::from("timestamp")];
        let reason = "past the last time that the model's time_unit can tell";
        Rejection::one(Code::TimestampInvalid, FieldError::new(loc, reason))
    })
}
