//! `tidemark backup` and `tidemark restore`.

use std::path::PathBuf;

use clap::Args;

/// What to back up, and where to.
#[derive(Clone, Debug, Args)]
pub struct BackupConfig {
    /// Folder of the store. If a server has it open, that server makes the backup while it serves.
    #[arg(long, env = "TIDEMARK_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// File of the backup, which appears when it is whole; `-` for stdout.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,

    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// What to restore, and where to.
#[derive(Clone, Debug, Args)]
pub struct RestoreConfig {
    /// File of the backup; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,

    /// Folder of the store to be made; it has none yet. A failed restore leaves it as it was.
    #[arg(long, env = "TIDEMARK_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// Read and verify the backup, say what is in it, and write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// Restore a backup although what is in it does not fit together.
    #[arg(long, conflicts_with = "dry_run")]
    pub accept_inconsistent: bool,
}
