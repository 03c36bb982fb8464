//! Any path: no panic, one spelling of each resource, and no id that is none.

use api::{Alias, SeriesId};
use service::http::route::Route;
use service::http::router::Resource;

use crate::{Outcome, query, refusal};

pub(crate) fn check(data: &[u8]) -> Outcome {
    let Ok(path) = std::str::from_utf8(data) else {
        return Ok(false);
    };
    let resource = Resource::at(path);
    if let Some(spelt) = spelling(resource)
        && spelt != path
    {
        return Err(format!("{path:?} is another spelling of {spelt:?}"));
    }
    if Route::from(resource).template().is_empty() || resource.allow().is_empty() {
        return Err(format!("{path:?} has no template or no method"));
    }
    let (id, alias) = match resource {
        Resource::Predict(id) | Resource::Update(id) | Resource::Fit(id) => (id, None),
        Resource::Series(id) | Resource::Version(id, _) | Resource::Artifact(id, _) => (id, None),
        Resource::Calibration(id) | Resource::Versions(id) | Resource::Aliases(id) => (id, None),
        Resource::Alias(id, alias) => (id, Some(alias)),
        _ => return Ok(resource != Resource::Unknown),
    };
    if let Some(Err(rejection)) = alias.map(|alias| Alias::parse(alias, ["path", "alias"])) {
        return refusal::check(&rejection);
    }
    match SeriesId::parse(id) {
        Ok(id) => query::is_id(id.as_str()),
        Err(rejection) => refusal::check(&rejection),
    }
}

/// The path of a resource; none where it has two.
fn spelling(resource: Resource<'_>) -> Option<String> {
    Some(match resource {
        Resource::Predict(id) => format!("/predict/{id}"),
        Resource::Update(id) => format!("/update/{id}"),
        Resource::Fit(id) => format!("/fit/{id}"),
        Resource::Calibration(id) => format!("/series/{id}/calibration"),
        Resource::Versions(id) => format!("/series/{id}/versions"),
        Resource::SeriesList => "/series".to_owned(),
        Resource::Series(id) => format!("/series/{id}"),
        Resource::Version(id, version) => format!("/series/{id}/versions/{version}"),
        Resource::Artifact(id, version) => format!("/series/{id}/versions/{version}/artifact"),
        Resource::Aliases(id) => format!("/series/{id}/aliases"),
        Resource::Alias(id, alias) => format!("/series/{id}/aliases/{alias}"),
        Resource::ProblemPage(code) => format!("/problems/{code}"),
        _ => return None,
    })
}
