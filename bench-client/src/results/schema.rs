//! The JSON Schema of the files of folders, as `bench-client/schemas` has it.

use schemars::{Schema, schema_for};

use super::config::RunConfig;
use super::summary::{RunSummary, StatsFile};
use crate::batch_compare;
use crate::compare;
use crate::heatmap::HeatmapFile;
use crate::load::response::ResponseRecord;
use crate::scenario;
use crate::sweep::SweepFile;

/// Schemas by the name of their file. That of responses is of one line.
#[must_use]
pub fn schemas() -> [(&'static str, Schema); 9] {
    [
        ("run_config.schema.json", schema_for!(RunConfig)),
        ("responses.schema.json", schema_for!(ResponseRecord)),
        ("stats.schema.json", schema_for!(StatsFile)),
        ("summary.schema.json", schema_for!(RunSummary)),
        ("sweep.schema.json", schema_for!(SweepFile)),
        ("heatmap.schema.json", schema_for!(HeatmapFile)),
        (
            "compare.schema.json",
            schema_for!(compare::file::Comparison),
        ),
        (
            "comparison.schema.json",
            schema_for!(batch_compare::comparison::Comparison),
        ),
        ("scenario.schema.json", schema_for!(scenario::Report)),
    ]
}
