//! `?diff_from=` of a version: what differs between two versions of a series.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What differs between two versions.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VersionDiff {
    /// The version that is compared with, a bare number.
    #[schema(schema_with = crate::schema::version)]
    pub from: String,
    /// The version that was asked for.
    #[schema(schema_with = crate::schema::version)]
    pub to: String,
    /// What is not the same, in the order of the version's own members; empty where nothing differs.
    pub changes: Vec<VersionChange>,
    /// The band of both at one time.
    pub normal: VersionBands,
}

/// A member that is not the same.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VersionChange {
    /// Its name, with dots between steps.
    pub field: String,
    /// What it was.
    pub from: Value,
    /// What it is.
    pub to: Value,
}

/// The bands of two versions at the last training time of the later one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct VersionBands {
    /// The time, in the unit of the version.
    pub at: i64,
    /// Of the version that is compared with.
    pub from: VersionBand,
    /// Of the version that was asked for.
    pub to: VersionBand,
}

/// What is normal at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct VersionBand {
    /// The value expected.
    pub expected_value: f64,
    /// The lowest normal value.
    pub lower_bound: f64,
    /// The highest normal value.
    pub upper_bound: f64,
}
