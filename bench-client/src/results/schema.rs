//! The JSON Schema of the files of folders, as `bench-client/schemas` has it.

use schemars::{Schema, schema_for};

use super::config::RunConfig;
use super::summary::{RunSummary, StatsFile};
use crate::heatmap::HeatmapFile;
use crate::load::response::ResponseRecord;
use crate::server_side::ServerSample;
use crate::sweep::SweepFile;

/// Schemas by the name of their file. That of responses, and of the timeline, is of one line.
#[must_use]
pub fn schemas() -> [(&'static str, Schema); 7] {
    [
        ("run_config.schema.json", schema_for!(RunConfig)),
        ("responses.schema.json", schema_for!(ResponseRecord)),
        ("timeline.schema.json", schema_for!(ServerSample)),
        ("stats.schema.json", schema_for!(StatsFile)),
        ("summary.schema.json", schema_for!(RunSummary)),
        ("sweep.schema.json", schema_for!(SweepFile)),
        ("heatmap.schema.json", schema_for!(HeatmapFile)),
    ]
}
