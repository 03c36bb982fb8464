//! What the store keeps beside models, and for how long; how many of them; what it leaves free.

use std::time::Duration;

use clap::Args;

use super::{parse_bytes, parse_duration};
use crate::store::KeepAnswers;

/// What the store keeps beside models, and for how long.
#[derive(Clone, Debug, Args)]
pub struct StoreConfig {
    /// How long the answer to a fit with an Idempotency-Key is kept, by the system's clock.
    #[arg(long, env = "TIDEMARK_IDEMPOTENCY_TTL", default_value = "24h", value_parser = parse_duration)]
    pub idempotency_ttl: Duration,

    /// How many such answers are kept; beyond them the oldest go first.
    #[arg(long, env = "TIDEMARK_IDEMPOTENCY_KEYS", default_value_t = 1_000_000)]
    pub idempotency_keys: u64,

    /// Versions of each series that are kept: the last so many, and those that an alias points to; 0 for all.
    #[arg(long, env = "TIDEMARK_KEEP_VERSIONS", default_value_t = 0)]
    pub keep_versions: u64,

    /// Space that is kept free on the store's file system: what would take from it is refused.
    #[arg(long, env = "TIDEMARK_DISK_RESERVE", default_value = "64MiB", value_parser = parse_bytes)]
    pub disk_reserve: usize,
}

impl StoreConfig {
    pub(crate) fn answers(&self) -> KeepAnswers {
        KeepAnswers {
            ttl: self.idempotency_ttl,
            max: self.idempotency_keys,
        }
    }
}
