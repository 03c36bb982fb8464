//! Where the detectors run.

use crate::base_url::BaseUrl;

/// Who scores the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Via {
    /// The detectors in this process.
    #[default]
    Process,
    /// A running service, asked by its HTTP API.
    Http(BaseUrl),
}
