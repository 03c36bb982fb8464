//! What metrics and logs call a resource: its template, never an id from a path.

use super::router::Resource;

macro_rules! routes {
    ($($route:ident = $template:literal,)+) => {
        /// A resource without what its path carries: there are as many as there are templates, whoever asks for what.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Route {
            $(#[doc = concat!("`", $template, "`")] $route,)+
        }

        impl Route {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$route),+];

            /// The path with names in the place of what it carries.
            #[must_use]
            pub const fn template(self) -> &'static str {
                match self {
                    $(Self::$route => $template,)+
                }
            }
        }
    };
}

routes! {
    Predict = "/predict/{series_id}",
    PredictMany = "/predict",
    Update = "/update/{series_id}",
    Fit = "/fit/{series_id}",
    Detect = "/detect",
    SeriesList = "/series",
    Series = "/series/{series_id}",
    Calibration = "/series/{series_id}/calibration",
    Versions = "/series/{series_id}/versions",
    Version = "/series/{series_id}/versions/{version}",
    Artifact = "/series/{series_id}/versions/{version}/artifact",
    Aliases = "/series/{series_id}/aliases",
    Alias = "/series/{series_id}/aliases/{alias}",
    Healthcheck = "/healthcheck",
    Metrics = "/metrics",
    Plot = "/plot",
    Live = "/health/live",
    Ready = "/health/ready",
    Startup = "/health/startup",
    Problem = "/problems/{code}",
    OpenApi = "/openapi.json",
    Docs = "/docs",
    DocsFile = "/docs/{file}",
    Unmatched = "unmatched",
}

impl From<Resource<'_>> for Route {
    fn from(resource: Resource<'_>) -> Self {
        match resource {
            Resource::Predict(_) => Self::Predict,
            Resource::PredictMany => Self::PredictMany,
            Resource::Update(_) => Self::Update,
            Resource::Fit(_) => Self::Fit,
            Resource::Detect => Self::Detect,
            Resource::Calibration(_) => Self::Calibration,
            Resource::SeriesList => Self::SeriesList,
            Resource::Series(_) => Self::Series,
            Resource::Versions(_) => Self::Versions,
            Resource::Version(..) => Self::Version,
            Resource::Artifact(..) => Self::Artifact,
            Resource::Aliases(_) => Self::Aliases,
            Resource::Alias(..) => Self::Alias,
            Resource::Healthcheck => Self::Healthcheck,
            Resource::Metrics => Self::Metrics,
            Resource::Plot => Self::Plot,
            Resource::Live => Self::Live,
            Resource::Ready => Self::Ready,
            Resource::Startup => Self::Startup,
            Resource::ProblemPage(_) => Self::Problem,
            Resource::OpenApi => Self::OpenApi,
            Resource::Docs => Self::Docs,
            Resource::DocsFile(_) => Self::DocsFile,
            Resource::Unknown => Self::Unmatched,
        }
    }
}
