//! `POST /predict` of NDJSON: points of many series, a series a line.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{Data, Payload};
use api::lines::{SeriesPoint, SeriesPointReply};
use api::{Alias, Rejection, SeriesId, VersionSelector};
use bytes::Bytes;
use detectors::envelope::digest_hex;
use futures_util::StreamExt;
use futures_util::stream;

use super::super::predict::Which;
use super::super::scoped::{Naming, Series};
use super::super::{Call, convert};
use super::incoming::LINE_MAX_BYTES;
use super::lines::{Batch, Line, Place};
use super::one::{EXPLAINED_LINES, ticks};
use super::{Answering, INLINE_LINES, LINE_BYTES, admitted, problem_line, put, reply, too_long};
use crate::registry::{Registry, ServedModel, Watch};
use crate::startup::State;

/// Models that are read from the store at a time, for lines ahead of the one that is answered.
const READS_AHEAD: usize = 8;

/// Whose series the lines name, and what is asked of each.
pub(super) struct Caller {
    naming: Naming,
    explain: bool,
}

pub(in crate::http) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let [explain] = api::query::read(call.request.query_string(), ["explain"])?;
    let explain = api::query::switch("explain", explain.as_deref())?;
    super::super::body::only_lines(call.request)?;
    call.state.registry()?;
    let naming = call.naming()?;
    let ticket = admitted(call, &mut payload).await?;
    let answering = Answering::Many(Caller { naming, explain });
    reply(call, payload, ticket, answering).await
}

/// Lines with the models that answer them.
pub(super) struct Work {
    lines: Vec<(Place, Found)>,
    explain: bool,
}

/// A line as it was read.
enum Found {
    Point(Box<Point>),
    /// What is wrong with it, and the series if it names one.
    Refused(Rejection, Option<String>),
}

struct Point {
    line: SeriesPoint,
    name: Series<'static>,
    model: Arc<ServedModel>,
}

impl Caller {
    /// Reads lines and finds the models that they ask, a few ahead where these are not in memory.
    pub(super) async fn look_up(&self, state: &State, batch: &Batch, place: &mut Place) -> Work {
        let lines: Vec<Line<'_>> = batch.lines(place).collect();
        let found = stream::iter(lines)
            .map(async |line| (line.place, self.found(state, &line).await))
            .buffered(READS_AHEAD);
        Work {
            lines: found.collect().await,
            explain: self.explain,
        }
    }

    async fn found(&self, state: &State, line: &Line<'_>) -> Found {
        let Some(text) = line.text else {
            return Found::Refused(too_long(line.place.index, LINE_MAX_BYTES), None);
        };
        let point = match SeriesPoint::read(line.place.index, text) {
            Ok(point) => point,
            Err(rejection) => return Found::Refused(rejection, SeriesPoint::id_in(text)),
        };
        let found = async {
            let registry = state.registry()?;
            let id = SeriesId::parse_at(&point.series_id, "body")?;
            let name = self.naming.series(id).into_owned();
            let model = asked(&point)?.model(registry, &name).await;
            let model = model.map_err(|rejection| name.in_callers_words(rejection))?;
            Ok((name, model))
        };
        match found.await {
            Ok((name, model)) => Found::Point(Box::new(Point {
                line: point,
                name,
                model,
            })),
            Err(rejection) => Found::Refused(rejection, Some(point.series_id)),
        }
    }
}

/// The version that a line asks.
fn asked(point: &SeriesPoint) -> Result<Which<'_>, Rejection> {
    match (&point.alias, point.version) {
        (Some(alias), _) => Alias::parse(alias, ["body", "alias"]).map(Which::Alias),
        (None, version) => Ok(Which::Version(version.unwrap_or(VersionSelector::Latest))),
    }
}

impl Work {
    /// Whether so little is done on the thread of the connection.
    pub(super) fn is_light(&self) -> bool {
        let is_windowed = |found: &Found| match found {
            Found::Point(point) => point.model.fitted.is_windowed(),
            Found::Refused(..) => false,
        };
        let cost = if self.explain { EXPLAINED_LINES } else { 1 };
        self.lines.len() * cost <= INLINE_LINES
            && !self.lines.iter().any(|(_, found)| is_windowed(found))
    }

    /// The answers, in order.
    pub(super) fn answer(self, state: &Data<State>, request_id: &str) -> Bytes {
        let Ok(registry) = state.registry() else {
            unreachable!("the models are of it")
        };
        let work = &state.metrics.work;
        work.scores.time(|| self.answers(registry, request_id))
    }

    fn answers(self, registry: &Registry, request_id: &str) -> Bytes {
        let mut written = Vec::with_capacity(self.lines.len() * LINE_BYTES);
        for (place, found) in self.lines {
            let refused = match found {
                Found::Point(point) => {
                    match point.answer(registry, place, self.explain, &mut written) {
                        Ok(()) => continue,
                        Err(rejection) => (rejection, Some(point.line.series_id)),
                    }
                }
                Found::Refused(rejection, series_id) => (rejection, series_id),
            };
            let (rejection, id) = refused;
            let line = problem_line(&rejection, request_id, id.as_deref(), place.number);
            written.extend(line);
        }
        written.into()
    }
}

impl Point {
    fn answer(
        &self,
        registry: &Registry,
        place: Place,
        explain: bool,
        written: &mut Vec<u8>,
    ) -> Result<(), Rejection> {
        let Self { line, name, model } = self;
        let per_second = model.fitted.time_unit().ticks_per_second();
        let timestamp = ticks(place.index, line.timestamp, per_second)?;
        let score = model.fitted.score(timestamp, line.value);
        let watch = Watch::of_version(registry.monitors(), name.name(), model);
        watch.point(score.p_value);
        let hash = digest_hex(&model.digest);
        let explained = explain.then(|| model.fitted.explain(timestamp, line.value, &score));
        let mut point = convert::point_reply(model.version, &hash, timestamp, line.value, &score);
        point.reasons = explained.as_ref().map(convert::reasons);
        let series_id = &line.series_id;
        put(written, &SeriesPointReply { series_id, point });
        Ok(())
    }
}
