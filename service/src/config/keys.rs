//! API keys: where they are kept, and the commands that change them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::keys::{Scopes, TenantName};

/// The file in the data folder, unless another is named.
const FILE: &str = "keys.toml";

/// Who may ask.
#[derive(Clone, Debug, Args)]
pub struct KeysConfig {
    /// File of API keys, written by `tidemark keys` [default: keys.toml in the data folder]. From the moment it is
    /// there, callers have to authenticate; a file that is named has to be there at the start.
    #[arg(long, env = "TIDEMARK_KEYS", value_name = "FILE")]
    pub keys: Option<PathBuf>,
}

impl KeysConfig {
    /// Where the keys are.
    #[must_use]
    pub fn file(&self, data_dir: &Path) -> PathBuf {
        let named = self.keys.clone();
        named.unwrap_or_else(|| data_dir.join(FILE))
    }
}

/// Which file a command is about.
#[derive(Clone, Debug, Args)]
pub struct KeysAt {
    /// Folder of the store, as the server has it.
    #[arg(long, env = "TIDEMARK_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// Where the keys are.
    #[command(flatten)]
    pub keys: KeysConfig,
}

impl KeysAt {
    /// The file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.keys.file(&self.data_dir)
    }
}

/// What `tidemark keys` does. A server that runs takes it over within a second.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a key and print it, once.
    Create {
        /// Whose series it reaches; `default` has those of a store that was filled without keys.
        #[arg(long)]
        tenant: TenantName,
        /// What it may be used for: some of fit,predict,admin. None implies another.
        #[arg(long)]
        scopes: Scopes,
        /// Which file.
        #[command(flatten)]
        at: KeysAt,
    },
    /// List the keys: id, tenant, scopes, times.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Which file.
        #[command(flatten)]
        at: KeysAt,
    },
    /// Revoke a key for good.
    Revoke {
        /// Its id: the part between the underscores.
        id: String,
        /// Which file.
        #[command(flatten)]
        at: KeysAt,
    },
}
