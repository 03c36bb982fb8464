//! Query strings and the names that stand in paths, queries and headers.

use api::update::UpdateQuery;
use api::{Alias, Columns, IdempotencyKey, Rejection, SeriesId, Timestamp, VersionSelector};
use service::http::bodies;

use crate::{Outcome, refusal};

/// Every query string that a resource has.
pub(crate) fn check(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else {
        return Ok(false);
    };
    let of_predict =
        of_predict(text).map_or_else(|rejection| refusal::check(&rejection), |()| Ok(true))?;
    let start = UpdateQuery::read(text).and_then(|query| bodies::start(query.start));
    let of_update = match start {
        // What is wrong with a parameter is found by the check; it is not to panic.
        Ok(start) => start.params.check().is_ok(),
        Err(rejection) => refusal::check(&rejection)?,
    };
    let of_list =
        of_list(text).map_or_else(|rejection| refusal::check(&rejection), |()| Ok(true))?;
    Ok(of_predict || of_update || of_list)
}

fn of_list(text: &str) -> Result<(), Rejection> {
    let ([_prefix, _cursor, _limit], labels) =
        api::query::read_with_repeated(text, ["prefix", "cursor", "limit"], "label")?;
    labels
        .iter()
        .try_for_each(|label| api::labels::parse_filter(label).map(|_| ()))
}

fn of_predict(text: &str) -> Result<(), Rejection> {
    let [version, alias, _as_of, fields, explain] =
        api::query::read(text, ["version", "alias", "as_of", "fields", "explain"])?;
    version
        .map(|text| VersionSelector::parse(&text))
        .transpose()?;
    alias
        .map(|text| Alias::parse(&text, ["query", "alias"]).map(|_| ()))
        .transpose()?;
    fields.map(|text| Columns::parse(&text)).transpose()?;
    api::query::switch("explain", explain.as_deref())?;
    Ok(())
}

/// Everything that is a name; what is one is of its alphabet and length.
pub(crate) fn check_names(data: &[u8]) -> Outcome {
    let mut is_read = false;
    match IdempotencyKey::parse(data) {
        Ok(key) => {
            let key = key.as_str();
            if !(1..=255).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("{key:?} was taken for a key"));
            }
            is_read = true;
        }
        Err(rejection) => is_read |= refusal::check(&rejection)?,
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return Ok(is_read);
    };
    match SeriesId::parse(text) {
        Ok(id) => is_read |= is_id(id.as_str())?,
        Err(rejection) => is_read |= refusal::check(&rejection)?,
    }
    match Alias::parse(text, ["path", "alias"]) {
        Ok(alias) if alias.as_str() == "latest" || VersionSelector::parse(text).is_ok() => {
            return Err(format!("{text:?} is a version and an alias"));
        }
        Ok(_) => is_read = true,
        Err(rejection) => is_read |= refusal::check(&rejection)?,
    }
    if let Err(rejection) = VersionSelector::parse(text) {
        refusal::check(&rejection)?;
    }
    if let Ok(time) = Timestamp::parse(text) {
        is_read = true;
        if time.ticks(1).is_some_and(|ticks| ticks < 0) {
            return Err(format!("{text:?} is before 1970"));
        }
    }
    Ok(is_read)
}

/// The alphabet of ids, told here again.
pub(crate) fn is_id(id: &str) -> Outcome {
    let is_of_set = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
    if (1..=256).contains(&id.len()) && id.bytes().all(is_of_set) && id != "." && id != ".." {
        Ok(true)
    } else {
        Err(format!("{id:?} was taken for an id"))
    }
}
