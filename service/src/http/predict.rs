//! `POST /predict/{series_id}?version=|alias=|as_of=`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::{
    Alias, Code, Columns, FieldError, Loc, Points, PredictRequest, Rejection, Timestamp,
    VersionSelector, decode,
};
use bytes::Bytes;
use detectors::envelope::digest_hex;

use super::body::Media;
use super::scoped::Series;
use super::{
    Call, admit, body, columns, compressed, convert, json_with_capacity, negotiate, stream,
};
use crate::admission::Class;
use crate::compute::POOL_FROM_BYTES;
use crate::registry::{Registry, ServedModel, Watch};

/// Bytes of most replies with reasons.
const EXPLAINED_BYTES: usize = 2_048;

/// What the query asks of the reply.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// The columns, where the caller chose some.
    pub(super) fields: Option<Columns>,
    /// Reasons, too.
    pub(super) explain: bool,
    /// The reply as CSV.
    pub(super) csv: bool,
}

pub(super) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call {
        request,
        state,
        received,
        ..
    } = *call;
    let query = request.query_string();
    let [version, alias, as_of, fields, explain] =
        api::query::read(query, ["version", "alias", "as_of", "fields", "explain"])?;
    let which = Which::read(version.as_deref(), alias.as_deref(), as_of.as_deref())?;
    let mut asked = Asked {
        fields: fields.map(|list| Columns::parse(&list)).transpose()?,
        explain: api::query::switch("explain", explain.as_deref())?,
        csv: false,
    };
    if body::is_lines(request) {
        return stream::one(call, payload, series, Question { which, asked }).await;
    }
    let media_type = negotiate::choose(request, &[negotiate::JSON, negotiate::CSV])?;
    asked.csv = media_type == negotiate::CSV;
    if asked.csv && asked.explain {
        let reason = "reasons have no place in CSV: ask for application/json";
        let error = FieldError::new([Loc::from("query"), Loc::from("explain")], reason);
        return Err(Rejection::one(Code::InvalidQuery, error));
    }
    let registry = state.registry()?;
    let is_pooled = || {
        let model = which.peek(registry, series);
        model.is_some_and(|model| model.fitted.is_windowed())
    };
    let mut ticket = admit::admit(call, &mut payload, Class::Predict, is_pooled).await?;
    let limit = state.max_body_bytes;
    let reads = [Media::Json, Media::Csv];
    let (media, body) = body::read_of(call, payload, limit, &mut ticket, &reads).await?;
    // The body is checked before the series is looked up: what is wrong with a request does not
    // depend on what is stored.
    let is_small = body.len() < POOL_FROM_BYTES;
    let points = if is_small {
        read(media, &body, asked)?
    } else {
        let read = state
            .compute
            .run(&mut ticket, move || read(media, &body, asked))
            .await;
        read.map_err(convert::compute_rejection)??
    };
    // Found once: whatever is published from here on, the answer is of this one version.
    let model = which.model(registry, series).await?;
    // A window is compared with thousands of others: not on a thread that serves connections.
    let reply = if is_small && !model.fitted.is_windowed() {
        let _work = ticket.work();
        let watch = Watch::of_version(registry.monitors(), series.name(), &model);
        let scores = &state.metrics.work.scores;
        scores.time(|| answer(watch, &model, points, asked))?
    } else {
        let work = Arc::clone(&state.metrics.work);
        let (monitors, name) = (Arc::clone(registry.monitors()), series.name().to_owned());
        let scored = move || {
            let watch = Watch::of_version(&monitors, &name, &model);
            work.scores.time(|| answer(watch, &model, points, asked))
        };
        let answer = state.compute.run(&mut ticket, scored).await;
        answer.map_err(convert::compute_rejection)??
    };
    state.metrics.inference.record(received.elapsed());
    compressed::ok(call, &mut ticket, media_type, reply).await
}

/// What is asked, and of which model.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) which: Which<'q>,
    pub(super) asked: Asked,
}

/// Which model a predict asks.
#[derive(Clone, Copy)]
pub(super) enum Which<'q> {
    Version(VersionSelector),
    Alias(Alias<'q>),
    /// The version that was the latest then, Unix seconds.
    AsOf(u64),
}

impl<'q> Which<'q> {
    fn read(
        version: Option<&str>,
        alias: Option<&'q str>,
        as_of: Option<&str>,
    ) -> Result<Self, Rejection> {
        match (version, alias, as_of) {
            (None, None, None) => Ok(Self::Version(VersionSelector::Latest)),
            (Some(version), None, None) => VersionSelector::parse(version).map(Self::Version),
            (None, Some(alias), None) => Alias::parse(alias, ["query", "alias"]).map(Self::Alias),
            (None, None, Some(time)) => time_of(time).map(Self::AsOf),
            (other, _, None) => Err(conflict("alias", other)),
            (other, _, Some(_)) => Err(conflict("as_of", other)),
        }
    }

    fn peek(self, registry: &Registry, series: &Series<'_>) -> Option<Arc<ServedModel>> {
        match self {
            Self::Version(selector) => registry.peek(series.name(), selector),
            Self::Alias(alias) => registry.peek_alias(series.name(), alias.as_str()),
            Self::AsOf(_) => None,
        }
    }

    fn resident(self, registry: &Registry, series: &Series<'_>) -> Option<Arc<ServedModel>> {
        match self {
            Self::Version(selector) => registry.resident(series.name(), selector),
            Self::Alias(alias) => registry.resident_alias(series.name(), alias.as_str()),
            Self::AsOf(_) => None,
        }
    }

    /// The model, from memory or from the store.
    pub(super) async fn model(
        self,
        registry: &Registry,
        series: &Series<'_>,
    ) -> Result<Arc<ServedModel>, Rejection> {
        match self.resident(registry, series) {
            Some(model) => Ok(model),
            None => self.find(registry, series).await,
        }
    }

    async fn find(
        self,
        registry: &Registry,
        series: &Series<'_>,
    ) -> Result<Arc<ServedModel>, Rejection> {
        let model = match self {
            Self::Version(selector) => registry.model(series.name(), selector).await,
            Self::Alias(alias) => registry.model_of_alias(series.name(), alias.as_str()).await,
            Self::AsOf(time) => registry.model_as_of(series.name(), time).await,
        };
        model.map_err(|error| convert::rejection(&error))
    }
}

fn conflict(name: &str, version: Option<&str>) -> Rejection {
    let other = version.map_or("alias", |_| "version");
    let reason = format!("`{name}` names a version, and so does `{other}`: send one of them");
    let error = FieldError::new([Loc::from("query"), Loc::from(name)], reason);
    Rejection::one(Code::ParameterConflict, error)
}

/// A time in Unix seconds; of an instant with a fraction, the second it is in.
fn time_of(text: &str) -> Result<u64, Rejection> {
    let seconds = Timestamp::parse(text).and_then(|time| {
        let seconds = time.ticks(1).and_then(|ticks| u64::try_from(ticks).ok());
        seconds.ok_or_else(|| format!("{text:?} is past the last representable time"))
    });
    seconds.map_err(|reason| {
        let error = FieldError::new([Loc::from("query"), Loc::from("as_of")], reason);
        Rejection::one(Code::TimestampInvalid, error)
    })
}

pub(super) fn read(media: Media, body: &Bytes, asked: Asked) -> Result<Points, Rejection> {
    let points = match media {
        Media::Csv => {
            api::csv::points(body).map(|(times, values)| Points::Columns(times, values))?
        }
        Media::Json | Media::Lines => decode::<PredictRequest>(body)?.into_points()?,
    };
    let points = match points {
        // A table has rows, if only one.
        Points::One(time, value) if asked.csv => Points::Columns(vec![time], vec![value]),
        points => points,
    };
    if asked.fields.is_some() && matches!(points, Points::One(..)) {
        let reason = "`fields` chooses columns; the reply to a single point has none";
        let error = FieldError::new([Loc::from("query"), Loc::from("fields")], reason);
        return Err(Rejection::one(Code::InvalidQuery, error));
    }
    Ok(points)
}

fn answer(
    watch: Watch<'_>,
    model: &ServedModel,
    points: Points,
    asked: Asked,
) -> Result<Bytes, Rejection> {
    let hash = digest_hex(&model.digest);
    let per_second = model.fitted.time_unit().ticks_per_second();
    Ok(match points.in_ticks(per_second)? {
        Points::One(timestamp, value) => {
            let score = model.fitted.score(timestamp, value);
            watch.point(score.p_value);
            let mut reply = convert::point_reply(model.version, &hash, timestamp, value, &score);
            if !asked.explain {
                return Ok(Bytes::from(reply.to_json()));
            }
            let explanation = model.fitted.explain(timestamp, value, &score);
            reply.reasons = Some(convert::reasons(&explanation));
            json_with_capacity(&reply, EXPLAINED_BYTES)
        }
        Points::Columns(timestamps, values) => {
            columns::reply(watch, model, &timestamps, &values, asked)
        }
    })
}
