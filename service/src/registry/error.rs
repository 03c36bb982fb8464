//! Why a use case failed, before a protocol has words for it.

use compact_str::CompactString;
use detectors::{FitError, ParamError, SeriesError};

use crate::store::{PutError, StoreError};

/// Why a use case failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegistryError {
    /// The series has no version.
    #[error("series {0} is not known")]
    UnknownSeries(String),
    /// The series has no such version.
    #[error("series {series} has no version {version}, its latest is {latest}")]
    UnknownVersion {
        /// The series.
        series: String,
        /// The version asked for.
        version: u64,
        /// The newest version there is.
        latest: u64,
    },
    /// The series had no version at the time asked for.
    #[error("series {series} had no version yet at {at}")]
    NoVersionYet {
        /// The series.
        series: String,
        /// The time asked for, Unix seconds.
        at: u64,
    },
    /// The bytes are no version that can be imported.
    #[error("{0}")]
    InvalidArtifact(String),
    /// The series has no such alias.
    #[error("series {series} has no alias {alias}")]
    UnknownAlias {
        /// The series.
        series: String,
        /// The alias asked for.
        alias: String,
    },
    /// Aliases point to the version that was to be deleted.
    #[error("version {version} of series {series} is in use: {} to it", pointing(.aliases))]
    VersionInUse {
        /// The series.
        series: String,
        /// The version.
        version: u64,
        /// The aliases that point to it.
        aliases: Vec<CompactString>,
    },
    /// The version that was to be deleted is not the one that the request assumes.
    #[error("version {version} of series {series} has another hash than the request assumes")]
    VersionUnmet {
        /// The series.
        series: String,
        /// The version.
        version: u64,
    },
    /// An alias is not as the request assumes; how it is.
    #[error("{0}")]
    AliasUnmet(String),
    /// The series has an online state, and the request would have started another.
    #[error(
        "series {series} has an online state that was not started so: {parameter} cannot be chosen any more"
    )]
    OnlineStateExists {
        /// The series.
        series: String,
        /// The parameter that says so.
        parameter: &'static str,
    },
    /// The request says how to start from nothing, and the series has a version to start from.
    #[error("the online state starts from version {version}, which has a {parameter} of its own")]
    StartConflict {
        /// The parameter that says so.
        parameter: &'static str,
        /// The version.
        version: u64,
    },
    /// The series has no online state.
    #[error("series {0} has no online state")]
    NoOnlineState(String),
    /// The online state was started and has learnt nothing.
    #[error("the online state of series {0} has learnt no point yet")]
    NothingLearnt(String),
    /// The history is not a series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// The history is shorter than this server takes.
    #[error("there are {got} points{}, a fit needs at least {needed}", without(*.left_out))]
    TooFewPoints {
        /// Points sent that are not left out.
        got: usize,
        /// Points sent that the request leaves out.
        left_out: usize,
        /// Points needed.
        needed: usize,
    },
    /// A parameter does not hold.
    #[error(transparent)]
    Params(#[from] ParamError),
    /// The model could not be fitted to the history.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The version was not stored.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// As many requests wait for the store as may.
    #[error("too many requests wait for models that are not in memory")]
    TooManyReads,
    /// A thread that worked on the request is gone.
    #[error("a worker of the server failed")]
    WorkerLost,
}

fn pointing(aliases: &[CompactString]) -> String {
    match aliases {
        [one] => format!("the alias {one} points"),
        several => format!("the aliases {} point", several.join(", ")),
    }
}

fn without(left_out: usize) -> String {
    match left_out {
        0 => String::new(),
        n => format!(" without the {n} that are excluded"),
    }
}
