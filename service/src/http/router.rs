//! Which resource a raw path names: a match on the bytes as they arrived.
//!
//! The framework's pattern router decodes percent-escapes before it matches and costs more than
//! the rest of a predict. Matching the raw path by hand is both the safe and the fast shape.

use actix_web::http::Method;

/// A resource of the service. Ids are raw and unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `/predict/{series_id}`
    Predict(&'a str),
    /// `/predict`
    PredictMany,
    /// `/update/{series_id}`
    Update(&'a str),
    /// `/fit/{series_id}`
    Fit(&'a str),
    /// `/detect`
    Detect,
    /// `/series`
    SeriesList,
    /// `/series/{series_id}`
    Series(&'a str),
    /// `/series/{series_id}/calibration`
    Calibration(&'a str),
    /// `/series/{series_id}/versions`
    Versions(&'a str),
    /// `/series/{series_id}/versions/{version}`
    Version(&'a str, &'a str),
    /// `/series/{series_id}/versions/{version}/artifact`
    Artifact(&'a str, &'a str),
    /// `/series/{series_id}/aliases`
    Aliases(&'a str),
    /// `/series/{series_id}/aliases/{alias}`
    Alias(&'a str, &'a str),
    /// `/healthcheck`
    Healthcheck,
    /// `/metrics`
    Metrics,
    /// `/plot`
    Plot,
    /// `/health/live`
    Live,
    /// `/health/ready` and `/health`
    Ready,
    /// `/health/startup`
    Startup,
    /// `/problems/{code}`
    ProblemPage(&'a str),
    /// `/openapi.json`
    OpenApi,
    /// `/docs`
    Docs,
    /// `/docs/{file}`
    DocsFile(&'a str),
    /// Nothing of ours.
    Unknown,
}

impl<'a> Resource<'a> {
    /// The resource at `path`.
    #[must_use]
    pub fn at(path: &'a str) -> Self {
        if let Some(id) = path.strip_prefix("/predict/") {
            return Self::Predict(id);
        }
        if let Some(id) = path.strip_prefix("/update/") {
            return Self::Update(id);
        }
        if let Some(id) = path.strip_prefix("/fit/") {
            return Self::Fit(id);
        }
        if let Some(rest) = path.strip_prefix("/series/") {
            return Self::of_series(rest);
        }
        if let Some(code) = path.strip_prefix("/problems/") {
            return Self::ProblemPage(code);
        }
        if let Some(file) = path.strip_prefix("/docs/") {
            return Self::DocsFile(file);
        }
        match path {
            "/predict" => Self::PredictMany,
            "/detect" => Self::Detect,
            "/series" => Self::SeriesList,
            "/healthcheck" => Self::Healthcheck,
            "/metrics" => Self::Metrics,
            "/plot" => Self::Plot,
            "/health/live" => Self::Live,
            "/health/ready" | "/health" => Self::Ready,
            "/health/startup" => Self::Startup,
            "/openapi.json" => Self::OpenApi,
            "/docs" => Self::Docs,
            _ => Self::Unknown,
        }
    }

    /// The resource at `path`, which comes after `/series/`.
    fn of_series(path: &'a str) -> Self {
        let Some((id, rest)) = path.split_once('/') else {
            return Self::Series(path);
        };
        match rest {
            "calibration" => return Self::Calibration(id),
            "versions" => return Self::Versions(id),
            "aliases" => return Self::Aliases(id),
            _ => {}
        }
        let step = |name: &str| {
            let step = rest.strip_prefix(name);
            step.filter(|step| !step.contains('/'))
        };
        if let Some(version) = step("versions/") {
            return Self::Version(id, version);
        }
        let of_version = rest.strip_prefix("versions/");
        match of_version.and_then(|rest| rest.split_once('/')) {
            Some((version, "artifact")) => return Self::Artifact(id, version),
            Some(_) => return Self::Unknown,
            None => {}
        }
        step("aliases/").map_or(Self::Unknown, |alias| Self::Alias(id, alias))
    }

    /// Whether a machine asks for it, every few seconds and for ever.
    #[must_use]
    pub const fn is_probe(self) -> bool {
        matches!(
            self,
            Self::Live | Self::Ready | Self::Startup | Self::Metrics
        )
    }

    /// The methods of the resource, as the `Allow` header lists them.
    #[must_use]
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Predict(_)
            | Self::PredictMany
            | Self::Update(_)
            | Self::Fit(_)
            | Self::Detect => "POST",
            Self::Versions(_) => "GET, HEAD, POST",
            Self::Series(_) | Self::Version(..) => "GET, HEAD, DELETE",
            Self::Alias(..) => "GET, HEAD, PUT, DELETE",
            Self::SeriesList
            | Self::Artifact(..)
            | Self::Calibration(_)
            | Self::Aliases(_)
            | Self::Healthcheck
            | Self::Metrics
            | Self::Plot
            | Self::Live
            | Self::Ready
            | Self::Startup
            | Self::ProblemPage(_)
            | Self::OpenApi
            | Self::Docs
            | Self::DocsFile(_)
            | Self::Unknown => "GET, HEAD",
        }
    }

    /// Whether the resource has `method`.
    #[must_use]
    pub fn allows(self, method: &Method) -> bool {
        self.allow()
            .split(", ")
            .any(|allowed| allowed == method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_rest_of_the_raw_path() {
        assert_eq!(
            Resource::at("/predict/a%2Fb/c"),
            Resource::Predict("a%2Fb/c")
        );
        assert_eq!(Resource::at("/fit/"), Resource::Fit(""));
        assert_eq!(Resource::at("/update/a/b"), Resource::Update("a/b"));
        assert_eq!(
            Resource::at("/series/a%2Fb/versions"),
            Resource::Versions("a%2Fb")
        );
        assert_eq!(
            Resource::at("/series/a%2Fb/calibration"),
            Resource::Calibration("a%2Fb")
        );
        assert_eq!(
            Resource::at("/series//calibration"),
            Resource::Calibration("")
        );
        assert_eq!(
            Resource::at("/series/a%2Fb/aliases/"),
            Resource::Alias("a%2Fb", "")
        );
        assert_eq!(Resource::at("/series/a/aliases"), Resource::Aliases("a"));
        assert_eq!(Resource::at("/series"), Resource::SeriesList);
        assert_eq!(Resource::at("/series/"), Resource::Series(""));
        assert_eq!(
            Resource::at("/series/calibration"),
            Resource::Series("calibration")
        );
        assert_eq!(
            Resource::at("/series/a%2Fb/versions/v0"),
            Resource::Version("a%2Fb", "v0")
        );
        assert_eq!(
            Resource::at("/series/a/versions/"),
            Resource::Version("a", "")
        );
        assert_eq!(
            Resource::at("/series/a/versions//artifact"),
            Resource::Artifact("a", "")
        );
        assert_eq!(Resource::at("/detect"), Resource::Detect);
        for path in [
            "/",
            "/series/a/b/calibration",
            "/series/a/calibration/",
            "/series/a/versions/1/",
            "/series/a/versions/1/artifact/",
            "/series/a/versions/1/calibration",
            "/series/a/b/versions/1",
            "/series/a/aliases/b/c",
            "/series/a/b/aliases/c",
            "/update",
            "/fit",
            "/detect/",
            "/detect/a",
            "/%70redict/a",
            "//predict/a",
            "/healthcheck/",
            "/openapi.json/",
            "/openapi",
            "/Healthcheck",
        ] {
            assert_eq!(Resource::at(path), Resource::Unknown, "{path}");
        }
    }

    #[test]
    fn methods_are_those_of_the_allow_header() {
        assert!(
            Resource::Fit("a").allows(&Method::POST) && !Resource::Fit("a").allows(&Method::GET)
        );
        assert!(Resource::Live.allows(&Method::HEAD) && !Resource::Live.allows(&Method::POST));
    }
}
