//! What the store keeps beside models, and for how long.

use std::time::Duration;

use clap::Args;

use super::parse_duration;
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
}

impl StoreConfig {
    pub(crate) fn answers(&self) -> KeepAnswers {
        KeepAnswers {
            ttl: self.idempotency_ttl,
            max: self.idempotency_keys,
        }
    }
}
