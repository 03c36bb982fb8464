//! Which scope a request needs: the one table, which a new resource has to be added to before it compiles.

use actix_web::http::Method;

use super::router::Resource;
use crate::keys::Scope;

impl Resource<'_> {
    /// The scope that a request with `method` needs; none if anybody may ask.
    #[must_use]
    pub fn scope(self, method: &Method) -> Option<Scope> {
        match self {
            Self::Fit(_) | Self::Update(_) | Self::Versions(_) | Self::Backtest(_) => {
                Some(Scope::Fit)
            }
            Self::Predict(_)
            | Self::Detect
            | Self::Calibration(_)
            | Self::Plot
            | Self::Backtests
            | Self::BacktestReport(_)
            | Self::Aliases(_) => Some(Scope::Predict),
            // What reads is named: a method that comes later changes something until it is said not to.
            Self::Alias(..) if [Method::GET, Method::HEAD].contains(method) => Some(Scope::Predict),
            Self::Feedback(_) if [Method::GET, Method::HEAD].contains(method) => {
                Some(Scope::Predict)
            }
            Self::BacktestJob(_) if [Method::GET, Method::HEAD].contains(method) => {
                Some(Scope::Predict)
            }
            Self::BacktestJob(_) | Self::Feedback(_) | Self::FeedbackEntry(..) => Some(Scope::Fit),
            // Figures of the whole server tell of all tenants together.
            Self::Alias(..) | Self::Metrics | Self::Healthcheck => Some(Scope::Admin),
            Self::Live
            | Self::Ready
            | Self::Startup
            | Self::ProblemPage(_)
            | Self::OpenApi
            | Self::Unknown => None,
        }
    }
}
