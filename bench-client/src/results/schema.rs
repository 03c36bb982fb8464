//! The JSON Schema of the files of folders, as `bench-client/schemas` has it.

use schemars::{Schema, schema_for};

use super::config::RunConfig;
use super::summary::{RunSummary, StatsFile};
use crate::chaos::ChaosFigures;
use crate::heatmap::HeatmapFile;
use crate::load::response::ResponseRecord;
use crate::sweep::SweepFile;
use crate::{batch_compare, compare, scenario};

/// Schemas by the name of their file. That of responses is of one line, that of chaos is of what
/// the hook contributes.
#[must_use]
pub fn schemas() -> [(&'static str, Schema); 10] {
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
        ("chaos.schema.json", schema_for!(ChaosFigures)),
    ]
}
