//! The JSON Schema of the files of folders, as `bench-client/schemas` has it.

use schemars::{Schema, schema_for};

use super::config::RunConfig;
use super::summary::{RunSummary, StatsFile};
use crate::chaos::ChaosFigures;
use crate::heatmap::HeatmapFile;
use crate::load::response::ResponseRecord;
use crate::server_side::{ServerFigures, ServerSample};
use crate::sweep::SweepFile;
use crate::{batch_compare, compare, scenario};

/// Schemas by the name of their file. Those of responses and of the timeline are of one line, those of
/// chaos and of the server are of what their hooks contribute.
#[must_use]
pub fn schemas() -> [(&'static str, Schema); 12] {
    [
        ("run_config.schema.json", schema_for!(RunConfig)),
        ("responses.schema.json", schema_for!(ResponseRecord)),
        ("timeline.schema.json", schema_for!(ServerSample)),
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
        ("server.schema.json", schema_for!(ServerFigures)),
    ]
}
