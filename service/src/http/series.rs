//! `GET /series` and `GET /series/{series_id}`.

use std::borrow::Cow;

use actix_web::HttpResponse;
use api::inventory::{LabelsReply, SeriesEntry, SeriesListReply, SeriesReply};
use api::limits::{PAGE_DEFAULT, PAGE_MAX, SERIES_ID_MAX_BYTES};
use api::{Code, FieldError, Loc, Rejection, labels};
use compact_str::CompactString;

use super::cursor::List;
use super::scoped::Series;
use super::{Call, alias, convert, ok, version};
use crate::store::{Labels, SeriesQuery};

/// All series of the caller, page by page.
pub(super) async fn list(call: &Call<'_>) -> Result<HttpResponse, Rejection> {
    let query = call.request.query_string();
    let ([prefix, cursor, limit], filters) =
        api::query::read_with_repeated(query, ["prefix", "cursor", "limit"], "label")?;
    let prefix = check_prefix(prefix.as_deref().unwrap_or(""))?;
    let limit = limit_of(limit.as_deref())?;
    let filters = filters.iter().map(|text| labels::parse_filter(text));
    let mut filters = filters.collect::<Result<Vec<_>, _>>()?;
    // The same filter twice is one, and their order decides nothing.
    filters.sort_unstable();
    filters.dedup();
    if filters.len() > api::limits::LABELS_MAX {
        let reason = "no series has so many labels";
        return Err(refused("label", reason.to_owned()));
    }
    let own = call.own_series()?;
    let list = List::new("series").of(own.scope()).of(prefix);
    let list = filters
        .iter()
        .fold(list, |list, (key, value)| list.of(key).of(value));
    let after = cursor.map(|cursor| list.read(&cursor)).transpose()?;
    let after = after.map(|id| own.name_of(&String::from_utf8_lossy(&id)));
    let page = call.state.registry()?.list(SeriesQuery {
        scope: own.scope().clone(),
        prefix: prefix.into(),
        labels: filters
            .iter()
            .map(|(key, value)| (CompactString::from(*key), CompactString::from(*value)))
            .collect(),
        after,
        limit,
    });
    let page = page.await.map_err(|error| convert::rejection(&error))?;
    let entries = page.series.iter().map(|listed| {
        let series_id = own.id_of(&listed.series);
        match &listed.found {
            Ok(found) => SeriesEntry {
                series_id,
                latest_version: Some(found.latest),
                versions: Some(found.versions),
                labels: Some(told(&found.labels)),
                fitted_at: Some(found.fitted_at_ms.div_euclid(1_000)),
                problem: None,
            },
            Err(reason) => {
                let series = listed.series.as_str();
                tracing::error!(series, reason, "a stored record is damaged");
                SeriesEntry {
                    series_id,
                    problem: Some(Code::StoredRecordDamaged),
                    ..SeriesEntry::default()
                }
            }
        }
    });
    let next = page.next.as_deref();
    Ok(ok(&SeriesListReply {
        series: entries.collect(),
        next_cursor: next.map(|name| list.after(own.id_of(name).as_bytes())),
    }))
}

/// One series.
pub(super) async fn get(call: &Call<'_>, series: &Series<'_>) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    let found = call.state.registry()?.series(series.name()).await;
    let found = found.map_err(|error| convert::rejection(&error))?;
    let facts = version::whole(series, &found.latest)?;
    let hash = version::hash_of(&found.latest);
    let tags: Vec<String> = found
        .aliases
        .iter()
        .map(|(_, record)| alias::tag_of(record))
        .collect();
    let aliases = found.aliases.iter().zip(&tags);
    Ok(ok(&SeriesReply {
        series_id: series.id(),
        latest_version: found.latest.version,
        first_version: found.first,
        versions: found.versions,
        labels: told(&found.labels),
        fitted_at: facts.fitted_at_ms.div_euclid(1_000),
        aliases: aliases
            .map(|((name, record), tag)| alias::told_of(series, name, record, tag))
            .collect(),
        online: found.is_online,
        last_fit: version::entry(&found.latest, &hash, &found.aliases),
    }))
}

/// Labels as a reply has them.
pub(super) fn told(labels: &Labels) -> LabelsReply<'_> {
    let labels = labels.iter();
    labels
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// How many entries a page is to have at most.
///
/// # Errors
/// `invalid_query`, located at `["query","limit"]`.
pub(super) fn limit_of(text: Option<&str>) -> Result<usize, Rejection> {
    let Some(text) = text else {
        return Ok(PAGE_DEFAULT);
    };
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(limit @ 1..=PAGE_MAX) if is_number => Ok(limit),
        _ => {
            let reason = format!("{text:?} is not a number of entries: expected 1 to {PAGE_MAX}");
            Err(refused("limit", reason))
        }
    }
}

fn check_prefix(prefix: &str) -> Result<&str, Rejection> {
    let is_of_ids = prefix
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._:@-".contains(&b));
    if is_of_ids && prefix.len() <= SERIES_ID_MAX_BYTES {
        return Ok(prefix);
    }
    let shown: Cow<'_, str> = prefix.chars().take(SERIES_ID_MAX_BYTES).collect();
    let reason = format!(
        "no series id begins with {shown:?}: an id has 1 to {SERIES_ID_MAX_BYTES} of A-Z a-z 0-9 . _ : @ -"
    );
    Err(refused("prefix", reason))
}

/// A refusal of a parameter of the query.
pub(super) fn refused(name: &str, reason: String) -> Rejection {
    let loc = [Loc::from("query"), Loc::from(name)];
    Rejection::one(Code::InvalidQuery, FieldError::new(loc, reason))
}
