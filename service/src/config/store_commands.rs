//! What commands on a closed store are told.

use std::path::PathBuf;

use clap::Args;

/// How to verify.
#[derive(Clone, Debug, Args)]
pub struct VerifyConfig {
    /// Folder of the store.
    #[arg(long, env = "TIDEMARK_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// Print a JSON document a line.
    #[arg(long)]
    pub json: bool,
}

/// How to repair.
#[derive(Clone, Debug, Args)]
pub struct RepairConfig {
    /// Folder of the store.
    #[arg(long, env = "TIDEMARK_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// Go on without the acknowledged commits that are missing.
    #[arg(long)]
    pub accept_loss: bool,
}
