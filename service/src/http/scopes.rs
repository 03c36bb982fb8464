//! Which scope a request needs: the one table, which a new resource has to be added to before it compiles.

use actix_web::http::Method;

use super::router::Resource;
use crate::keys::Scope;

impl Resource<'_> {
    /// The scope that a request with `method` needs; none if anybody may ask.
    #[must_use]
    pub fn scope(self, method: &Method) -> Option<Scope> {
        match self {
            // What reads is named: a method that comes later changes something until it is said not to.
            Self::SeriesList
            | Self::Series(_)
            | Self::Versions(_)
            | Self::Version(..)
            // An artifact has the training points, which a plot shows as well.
            | Self::Artifact(..)
            | Self::Alias(..)
                if [Method::GET, Method::HEAD].contains(method) =>
            {
                Some(Scope::Predict)
            }
            Self::Fit(_) | Self::Update(_) | Self::Versions(_) => Some(Scope::Fit),
            Self::Predict(_)
            | Self::PredictMany
            | Self::Detect
            | Self::Calibration(_)
            | Self::Plot
            | Self::Aliases(_) => Some(Scope::Predict),
            // Figures of the whole server tell of all tenants together.
            // Deleting takes away what others score with, as pointing an alias elsewhere does.
            Self::SeriesList
            | Self::Series(_)
            | Self::Version(..)
            | Self::Artifact(..)
            | Self::Alias(..)
            | Self::Metrics
            | Self::Healthcheck => Some(Scope::Admin),
            Self::Live
            | Self::Ready
            | Self::Startup
            | Self::ProblemPage(_)
            | Self::OpenApi
            | Self::Docs
            | Self::DocsFile(_)
            | Self::Unknown => None,
        }
    }
}
