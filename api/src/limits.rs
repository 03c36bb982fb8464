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

/// Most points of the history of a backtest.
pub const BACKTEST_POINTS_MAX: usize = 500_000;

/// Most candidates and versions of a backtest, together.
pub const BACKTEST_CONTENDERS_MAX: usize = 8;

/// Most fits of one candidate of a backtest.
pub const BACKTEST_FITS_MAX: usize = 1_000;

/// Most stretches that can be labelled in a backtest.
pub const BACKTEST_LABELS_MAX: usize = 10_000;

/// Longest name of a candidate, in bytes.
pub const BACKTEST_NAME_MAX_BYTES: usize = 64;

/// Backtests of one tenant that may wait or run at a time, and of all.
pub const BACKTESTS_ACTIVE_MAX: (usize, usize) = (8, 32);

/// Finished backtests of one tenant that are kept, and of all; the oldest go.
pub const BACKTESTS_KEPT_MAX: (usize, usize) = (100, 1_000);

/// Most entries of a page of backtests or of feedback, and how many there are by default.
pub const SHORT_PAGE: (usize, usize) = (100, 20);

/// Most labels of feedback of one series.
pub const FEEDBACK_PER_SERIES: usize = 1_000;

/// Longest note of a label of feedback, in bytes.
pub const FEEDBACK_NOTE_MAX_BYTES: usize = 1_024;

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
