//! The keyspaces of the embedded store, and how each is kept.

use std::path::Path;

use fjall::{KeyspaceCreateOptions, KvSeparationOptions};

pub(super) const META: &str = "meta";
pub(super) const VERSIONS: &str = "versions";
pub(super) const HEADS: &str = "heads";
pub(super) const TRAINING: &str = "training";
pub(super) const ONLINE: &str = "online";
pub(super) const POINTS: &str = "points";
pub(super) const ALIASES: &str = "aliases";
pub(super) const ANSWERS: &str = "idempotency";
pub(super) const TIMES: &str = "times";
pub(super) const LABELS: &str = "labels";
pub(super) const LABELLED: &str = "labelled";

/// All of them.
pub(super) const ALL: [&str; 11] = [
    META, VERSIONS, HEADS, TRAINING, ONLINE, POINTS, ALIASES, ANSWERS, TIMES, LABELS, LABELLED,
];

/// A restart replays the journal, so it is kept as short as fjall allows: at most this much, and
/// about as much again that is being written.
const JOURNAL_BYTES: u64 = 64 * 1024 * 1024;

/// Training columns above this size stand in a file of values of their own, which compaction
/// does not rewrite.
const LARGE_VALUE_BYTES: u32 = 4 * 1024;

/// Table files that are kept open at a time; a store of 10⁶ series has some dozens.
pub(crate) const CACHED_FILES: usize = 256;

/// Opens or makes the database in the folder `path`.
pub(super) fn open_database(path: &Path) -> fjall::Result<fjall::Database> {
    fjall::Database::builder(path)
        .max_journaling_size(JOURNAL_BYTES)
        .max_cached_files(Some(CACHED_FILES))
        .open()
}

/// Opens or makes the keyspace `name`.
pub(super) fn open(db: &fjall::Database, name: &str) -> fjall::Result<fjall::Keyspace> {
    db.keyspace(name, || options(name))
}

/// Writes are kept in memory until they go into a table. What may be kept is together well below
/// the journal's limit, so that it is rarely the journal that forces a table to be written.
fn options(name: &str) -> KeyspaceCreateOptions {
    let buffered = |mebibytes: u64| {
        KeyspaceCreateOptions::default().max_memtable_size(mebibytes * 1024 * 1024)
    };
    match name {
        VERSIONS => buffered(16),
        HEADS | TIMES => buffered(4),
        ONLINE | POINTS | ANSWERS => buffered(8),
        ALIASES | LABELS | LABELLED => buffered(2),
        _ => KeyspaceCreateOptions::default().with_kv_separation(separation(name)),
    }
}

/// Which values of the keyspace `name` stand in files of their own.
pub(super) fn separation(name: &str) -> Option<KvSeparationOptions> {
    let separated = KvSeparationOptions::default().separation_threshold(LARGE_VALUE_BYTES);
    (name == TRAINING).then_some(separated)
}
