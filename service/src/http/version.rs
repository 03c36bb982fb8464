//! `GET /series/{series_id}/versions` and `GET /series/{series_id}/versions/{version}`: how versions were made.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use api::inventory::{
    ExcludedReply, MinDeviationReply, ParametersReply, SeasonalityReply, VersionEntry,
    VersionReply, VersionsReply,
};
use api::{Calibration, Code, Rejection, VersionSelector, Warning};
use compact_str::CompactString;
use detectors::envelope::digest_hex;

use super::cursor::List;
use super::scoped::Series;
use super::series::{limit_of, refused, told};
use super::{Call, convert, ok};
use crate::registry::{VersionFacts, VersionOfList};
use crate::store::{AliasRecord, VersionsQuery};

/// The versions of a series, page by page.
pub(super) async fn list(call: &Call<'_>, series: &Series<'_>) -> Result<HttpResponse, Rejection> {
    let query = call.request.query_string();
    let [cursor, limit, order] = api::query::read(query, ["cursor", "limit", "order"])?;
    let limit = limit_of(limit.as_deref())?;
    let is_descending = match order.as_deref() {
        None | Some("desc") => true,
        Some("asc") => false,
        Some(other) => {
            let reason = format!("{other:?} is neither desc nor asc");
            return Err(refused("order", reason));
        }
    };
    let order = if is_descending { "desc" } else { "asc" };
    let list = List::new("versions").of(series.name()).of(order);
    let after = match cursor {
        Some(cursor) => {
            let key = list.read(&cursor)?;
            let number = <[u8; 8]>::try_from(key.as_slice()).map(u64::from_be_bytes);
            Some(number.map_err(|_| refused("cursor", "it has no version".to_owned()))?)
        }
        None => None,
    };
    let page = call.state.registry()?.versions(VersionsQuery {
        series: series.name().into(),
        after,
        is_descending,
        limit,
    });
    let page = page.await.map_err(|error| convert::rejection(&error))?;
    let hashes: Vec<String> = page.versions.iter().map(hash_of).collect();
    let last = page.versions.last().filter(|_| page.has_more);
    let versions = page.versions.iter().zip(&hashes);
    Ok(ok(&VersionsReply {
        series_id: series.id(),
        versions: versions
            .map(|(version, hash)| entry(version, hash, &page.aliases))
            .collect(),
        next_cursor: last.map(|last| list.after(&last.version.to_be_bytes())),
    }))
}

/// One version.
pub(super) async fn get(
    call: &Call<'_>,
    series: &Series<'_>,
    version: &str,
) -> Result<HttpResponse, Rejection> {
    let selector = VersionSelector::parse_at(["path", "version"], version)?;
    let [from] = api::query::read(call.request.query_string(), ["diff_from"])?;
    let from = from.map(|from| VersionSelector::parse_at(["query", "diff_from"], &from));
    let from = from.transpose()?;
    let found = call
        .state
        .registry()?
        .version(series.name(), selector)
        .await;
    let found = found.map_err(|error| convert::rejection(&error))?;
    let (facts, hash) = (whole(series, &found)?, hash_of(&found));
    let mut detail = detail(series, facts, &hash, found.bytes);
    if let Some(from) = from {
        let pair = (from, VersionSelector::Exactly(found.version));
        let registry = call.state.registry()?;
        let diff = registry.version_diff(series.name(), pair).await;
        detail.diff = Some(diff.map_err(|error| convert::rejection(&error))?);
    }
    let mut reply = ok(&detail);
    let tag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("digits are visible ASCII");
    reply.headers_mut().insert(header::ETAG, tag);
    Ok(reply)
}

/// What is known of a version, if its record is whole.
///
/// # Errors
/// `stored_record_damaged`.
pub(super) fn whole<'a>(
    series: &Series<'_>,
    found: &'a VersionOfList,
) -> Result<&'a VersionFacts, Rejection> {
    found.facts.as_ref().map_err(|reason| {
        let (name, version) = (series.name(), found.version);
        let detail = format!("the record of {name} version {version} is damaged: {reason}");
        Rejection::new(Code::StoredRecordDamaged, detail)
    })
}

/// The hash of a version's model; empty where its record is damaged.
pub(super) fn hash_of(found: &VersionOfList) -> String {
    let facts = found.facts.as_ref();
    facts.map_or_else(|_| String::new(), |facts| digest_hex(&facts.digest))
}

/// A version as a list has it.
pub(super) fn entry<'a>(
    found: &'a VersionOfList,
    hash: &'a str,
    aliases: &'a [(CompactString, AliasRecord)],
) -> VersionEntry<'a> {
    let pointing = aliases
        .iter()
        .filter(|(_, record)| record.version == found.version);
    let bare = VersionEntry {
        version: found.version,
        aliases: pointing.map(|(name, _)| name.as_str()).collect(),
        size_bytes: found.bytes,
        ..VersionEntry::default()
    };
    match &found.facts {
        Ok(facts) => VersionEntry {
            fitted_at: Some(facts.fitted_at_ms.div_euclid(1_000)),
            imported_at: facts.metadata.imported_at_ms.map(|ms| ms.div_euclid(1_000)),
            model: Some(facts.summary.model),
            points_used: Some(facts.points_used),
            trained_from: Some(facts.trained_from),
            trained_to: Some(facts.trained_to),
            alarm_rate: Some(facts.summary.alarm_rate),
            model_hash: Some(hash),
            labels: Some(facts.metadata.labels.as_ref().map(told).unwrap_or_default()),
            ..bare
        },
        Err(_) => VersionEntry {
            problem: Some(Code::StoredRecordDamaged),
            ..bare
        },
    }
}

fn detail<'a>(
    series: &'a Series<'_>,
    facts: &'a VersionFacts,
    hash: &'a str,
    size_bytes: u64,
) -> VersionReply<'a> {
    let summary = &facts.summary;
    let warnings = summary.warnings.iter().map(|warning| Warning {
        code: warning.code,
        detail: &warning.detail,
    });
    VersionReply {
        series_id: series.id(),
        version: facts.version,
        fitted_at: facts.fitted_at_ms.div_euclid(1_000),
        imported_at: facts.metadata.imported_at_ms.map(|ms| ms.div_euclid(1_000)),
        model: summary.model,
        chosen_because: summary.chosen_because.as_deref(),
        points_used: facts.points_used,
        trained_from: facts.trained_from,
        trained_to: facts.trained_to,
        periods: &summary.periods,
        calibration: Calibration {
            n: summary.calibration.n,
            method: summary.calibration.method,
            min_attainable_alarm_rate: summary.calibration.min_attainable_alarm_rate,
        },
        parameters: parameters(facts),
        labels: facts.metadata.labels.as_ref().map(told).unwrap_or_default(),
        model_hash: hash,
        size_bytes,
        warnings: warnings.collect(),
        feedback: facts.metadata.feedback,
        diff: None,
    }
}

fn parameters(facts: &VersionFacts) -> ParametersReply<'_> {
    let (summary, asked) = (&facts.summary, facts.metadata.parameters.as_deref());
    ParametersReply {
        model: asked.map(|asked| asked.model.as_str()),
        alarm_rate: summary.alarm_rate,
        sigma: asked.and_then(|asked| asked.sigma),
        direction: summary.direction.as_str(),
        min_deviation: asked.map(|asked| MinDeviationReply {
            abs: asked.min_deviation.0,
            rel: asked.min_deviation.1,
        }),
        seasonality: asked.map(|asked| match &asked.periods {
            None => SeasonalityReply::Auto,
            Some(periods) => SeasonalityReply::Periods(periods),
        }),
        timezone: asked.map(|asked| asked.timezone.as_str()),
        time_unit: summary.time_unit.as_str(),
        exclude: asked.map(|asked| {
            let stretches = asked.exclude.iter();
            stretches
                .map(|&(from, to)| ExcludedReply { from, to })
                .collect()
        }),
    }
}
