//! Limits that are part of the contract; those an operator may change are the defaults.

/// Longest series id, in bytes.
pub const SERIES_ID_MAX_BYTES: usize = 256;

/// Fewest points a fit takes by default (`min_training_points`).
pub const MIN_TRAINING_POINTS: usize = 3;

/// Largest request body by default, in bytes: two million points in columns with room to spare.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Longest `Idempotency-Key`, in characters.
pub const IDEMPOTENCY_KEY_MAX_BYTES: usize = 255;

/// Longest alias, in characters.
pub const ALIAS_MAX_BYTES: usize = 64;

/// Most aliases of one series.
pub const ALIASES_PER_SERIES: usize = 100;

/// Most labels of one series.
pub const LABELS_MAX: usize = 32;

/// Longest key of a label, in characters.
pub const LABEL_KEY_MAX_BYTES: usize = 63;

/// Longest value of a label, in bytes.
pub const LABEL_VALUE_MAX_BYTES: usize = 256;

/// Most entries of a page.
pub const PAGE_MAX: usize = 1_000;

/// Entries of a page where no limit is given.
pub const PAGE_DEFAULT: usize = 100;
