//! The wire types, limits and problem codes of Tidemark's HTTP API.
//!
//! Nothing here does I/O and nothing here knows a model: the crate says what bytes may arrive,
//! what bytes go back, and which problem a refusal names. Times are Unix seconds unless a request says
//! otherwise.

pub mod alias;
pub mod calibration;
pub mod csv;
pub mod decode;
pub mod detect;
pub mod fit;
pub mod health;
pub mod idempotency;
pub mod inventory;
pub mod labels;
pub mod limits;
pub mod lines;
mod point_json;
pub mod predict;
pub mod problem;
pub mod query;
pub mod schema;
pub mod series_id;
pub mod timestamp;
pub mod update;
pub mod version;

pub use alias::{Alias, AliasReply, AliasRequest, AliasesReply};
pub use decode::{Rejection, decode};
pub use detect::{DetectReply, DetectRequest};
pub use fit::{Calibration, Excluded, FitReply, FitRequest, MinDeviation, Seasonality, Warning};
pub use health::{Health, Latency};
pub use idempotency::IdempotencyKey;
pub use labels::Labels;
pub use predict::{
    Column, Columns, ColumnsReply, PointReply, Points, PredictRequest, Reason, VerdictColumns,
};
pub use problem::{Code, FieldError, Loc, Problem};
pub use series_id::SeriesId;
pub use timestamp::Timestamp;
pub use version::VersionSelector;

/// Writes a version as the contract has it: a bare number in a string.
fn version_as_text<S: serde::Serializer>(version: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(version)
}
