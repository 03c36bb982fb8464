//! Keeping the last versions of a series: what a fit exceeds goes in the fit's own commit, what was there
//! before the limit was set goes bit by bit beside the commits.
//!
//! A version that an alias points to is never removed. It stays below those that are kept for being the
//! last ones, and does not count among them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::aliases::AliasWrites;
use super::committer::{Shared, Tables};
use super::deletes::Deleted;
use super::head::Head;
use super::heads::{Heads, Series, text};
use super::{PutError, StoreError};

/// Versions of one series that are removed in one commit, beside as many as it has new ones.
const REMOVED_BESIDE: usize = 64;
/// Series that are looked at in one step, and versions removed in it at least: about a millisecond.
const STEP: (usize, usize) = (1_024, 256);

/// Removes what the new versions of a batch exceed.
pub(super) fn of_batch<'a>(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    heads: &mut Heads<'a>,
    aliases: &AliasWrites<'a>,
) -> Result<Vec<Deleted>, String> {
    let mut removed = Vec::new();
    if tables.keep_versions == 0 {
        return Ok(removed);
    }
    for series in heads.with_puts() {
        let most = series.n_puts() + REMOVED_BESIDE;
        removed.extend(remove_from(write, tables, series, aliases, most)?);
    }
    Ok(removed)
}

/// Removes up to `most` of the lowest versions beyond those that are kept.
fn remove_from<'a>(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    series: &mut Series<'a>,
    aliases: &AliasWrites<'a>,
    most: usize,
) -> Result<Option<Deleted>, String> {
    let below = series.head.count.saturating_sub(tables.keep_versions);
    let kept = series.head.kept.clone();
    // Nothing but what aliases kept the last time, and still may.
    if below == 0 {
        return Ok(None);
    }
    let pointed: BTreeSet<u64> = match aliases.versions(&tables.aliases, series.name) {
        Ok(pointed) => pointed,
        // One that cannot be read may point to any version.
        Err(StoreError::Damaged { .. }) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let mut left = below;
    let mut removed = Vec::new();
    for version in kept
        .into_iter()
        .take(usize::try_from(below).unwrap_or(usize::MAX))
    {
        left -= 1;
        if !pointed.contains(&version) {
            removed.push(version);
        }
    }
    let mut from = series.head.from;
    let mut kept = Vec::new();
    if left > 0 {
        for version in series.upwards(tables) {
            if left == 0 || removed.len() >= most {
                break;
            }
            let version = version?;
            left -= 1;
            from = version + 1;
            if pointed.contains(&version) {
                kept.push(version);
            } else {
                removed.push(version);
            }
        }
    }
    for version in &removed {
        series.remove(write, tables, *version)?;
    }
    series.pass(from, kept);
    Ok((!removed.is_empty()).then(|| Deleted::Versions {
        series: series.name.into(),
        versions: removed,
    }))
}

/// Looks through all series once.
pub(super) struct Pass {
    /// The series that is looked at next, or one before it; `None` when all were.
    next: Option<Vec<u8>>,
}

impl Pass {
    /// A pass over the series of `tables`, if versions are to be removed at all.
    pub(super) fn over(tables: &Tables) -> Self {
        // No series has an id that begins with a byte below.
        Self {
            next: (tables.keep_versions > 0).then(|| vec![1]),
        }
    }

    /// Whether there is more to look at.
    pub(super) fn is_due(&self) -> bool {
        self.next.is_some()
    }

    /// Looks at some series and removes of them what is beyond. Not synced: what a crash brings back is
    /// removed again.
    pub(super) fn step(
        &mut self,
        tables: &Tables,
        shared: &Shared,
    ) -> Result<Vec<Deleted>, String> {
        let Some(from) = self.next.take() else {
            return Ok(Vec::new());
        };
        let (mut looked_at, mut n_removed) = (0, 0);
        let mut names = Vec::new();
        for entry in tables.heads.range(from.as_slice()..) {
            let (key, head) = entry.into_inner().map_err(text)?;
            if looked_at == STEP.0 {
                self.next = Some(key.to_vec());
                break;
            }
            looked_at += 1;
            // A damaged one is told of when the series is asked for.
            let is_beyond = Head::open(&head).is_ok_and(|head| head.count > tables.keep_versions);
            if let (true, Ok(name)) = (is_beyond, String::from_utf8(key.to_vec())) {
                names.push(name);
            }
        }
        let mut write = tables
            .db
            .batch()
            .durability(Some(fjall::PersistMode::Buffer));
        let mut heads = Heads::default();
        let aliases = AliasWrites::after(0, 0);
        let mut removed = Vec::new();
        for name in &names {
            let series = match heads.of(tables, name)? {
                Ok(series) => series,
                Err(PutError::Damaged(_)) => continue,
                Err(error) => return Err(error.to_string()),
            };
            let most = STEP.1 - n_removed;
            if let Some(deleted) = remove_from(&mut write, tables, series, &aliases, most)? {
                let Deleted::Versions { versions, .. } = &deleted else {
                    continue;
                };
                n_removed += versions.len();
                removed.push(deleted);
            }
            if n_removed >= STEP.1 {
                // There may be more of this one.
                self.next = Some(name.as_bytes().to_vec());
                break;
            }
        }
        let n_series = shared.series.load(Ordering::Relaxed);
        heads.write(&mut write, tables, n_series);
        // No number is given, as for nothing that is not synced.
        write.commit().map_err(text)?;
        Ok(removed)
    }
}
