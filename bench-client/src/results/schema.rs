//! The JSON Schema of a folder's files, as `bench-client/schemas` has it.

use schemars::{Schema, schema_for};

use super::config::RunConfig;
use super::summary::{RunSummary, StatsFile};
use crate::load::response::ResponseRecord;

/// Schemas by the name of their file. That of responses is of one line.
#[must_use]
pub fn schemas() -> [(&'static str, Schema); 4] {
    [
        ("run_config.schema.json", schema_for!(RunConfig)),
        ("responses.schema.json", schema_for!(ResponseRecord)),
        ("stats.schema.json", schema_for!(StatsFile)),
        ("summary.schema.json", schema_for!(RunSummary)),
    ]
}
