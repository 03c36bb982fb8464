//! Aliases: found in memory or in the store, changed through the store in the order of commits.
//!
//! A predict resolves its alias once and keeps the model it got: its answer is of one version,
//! whatever is changed meanwhile. As with models, a commit is published on the store's own thread
//! before the caller hears of it, so whoever was told of a change never gets an older version.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use compact_str::CompactString;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::oneshot;

use super::cache::falls_within;
use super::lookup::find;
use super::{Registry, RegistryError, ServedModel};
use crate::store::{
    AliasChanged, AliasError, AliasPut, AliasRecord, Condition, PutError, VersionSelector,
};

/// Aliases take up to this share of the memory for models.
const SHARE: usize = 16;
/// After a pass, this share of that is left.
const KEEP: (usize, usize) = (7, 8);
/// A slot of the map: key, entry and the share of empty slots.
const SLOT_BYTES: usize = 96;

struct Resident {
    version: u64,
    used: AtomicBool,
}

/// Where aliases point, as far as memory knows, within a budget.
pub(super) struct AliasCache {
    /// Keyed by series, a zero byte and the alias.
    map: DashMap<CompactString, Resident, ahash::RandomState>,
    budget: usize,
    bytes: AtomicUsize,
    beside: Arc<AtomicUsize>,
    /// Entries that went: what was read from the store before one did may be older than it.
    gone: AtomicU64,
}

impl AliasCache {
    /// A cache within its share of `budget`, which counts itself in `beside`.
    pub(super) fn new(budget: usize, beside: Arc<AtomicUsize>) -> Self {
        Self {
            map: DashMap::with_hasher(ahash::RandomState::new()),
            budget: budget / SHARE,
            bytes: AtomicUsize::new(0),
            beside,
            gone: AtomicU64::new(0),
        }
    }

    fn get(&self, series: &str, alias: &str) -> Option<u64> {
        let resident = self.map.get(&key(series, alias))?;
        if !resident.used.load(Ordering::Relaxed) {
            resident.used.store(true, Ordering::Relaxed);
        }
        Some(resident.version)
    }

    /// To be called before a read from the store whose result is to be kept.
    fn epoch(&self) -> u64 {
        self.gone.load(Ordering::Acquire)
    }

    /// Notes a change that was just committed. Called in commit order.
    pub(super) fn publish(&self, series: &str, alias: &str, now: Option<&AliasRecord>) {
        match (self.map.entry(key(series, alias)), now) {
            (Entry::Occupied(mut slot), Some(record)) => slot.get_mut().version = record.version,
            (Entry::Vacant(slot), Some(record)) => {
                self.count(slot.key());
                slot.insert(Resident::of(record));
            }
            (Entry::Occupied(slot), None) => {
                self.gone.fetch_add(1, Ordering::AcqRel);
                self.discount(slot.key());
                slot.remove();
            }
            // A read that began before must not bring it back.
            (Entry::Vacant(_), None) => {
                self.gone.fetch_add(1, Ordering::AcqRel);
            }
        }
    }

    /// Keeps what was read from the store after `read_at`, unless something newer may have come
    /// and gone.
    fn offer(&self, series: &str, alias: &str, record: &AliasRecord, read_at: u64) {
        if let Entry::Vacant(slot) = self.map.entry(key(series, alias))
            // The shard is locked: whatever went from it has been counted before.
            && self.epoch() == read_at
        {
            self.count(slot.key());
            slot.insert(Resident::of(record));
        }
    }

    /// Drops aliases until the budget holds: those not used since the last pass first.
    fn evict_if_due(&self) {
        if self.bytes.load(Ordering::Relaxed) <= self.budget {
            return;
        }
        let target = self.budget / KEEP.1 * KEEP.0;
        for spare_used in [true, false] {
            let bytes = self.bytes.load(Ordering::Relaxed);
            if bytes <= target {
                return;
            }
            let salt = self.epoch();
            let share = 2.0 * (bytes - target) as f64 / bytes as f64;
            self.map.retain(|key, resident| {
                let keep = (spare_used && resident.used.swap(false, Ordering::Relaxed))
                    || !falls_within(key, salt, share)
                    || self.bytes.load(Ordering::Relaxed) <= target;
                if !keep {
                    self.gone.fetch_add(1, Ordering::AcqRel);
                    self.discount(key);
                }
                keep
            });
        }
    }

    fn count(&self, key: &str) {
        let bytes = size_of_entry(key);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.beside.fetch_add(bytes, Ordering::Relaxed);
    }

    fn discount(&self, key: &str) {
        let bytes = size_of_entry(key);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.beside.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Resident {
    fn of(record: &AliasRecord) -> Self {
        Self {
            version: record.version,
            used: AtomicBool::new(true),
        }
    }
}

fn key(series: &str, alias: &str) -> CompactString {
    compact_str::format_compact!("{series}\0{alias}")
}

fn size_of_entry(key: &str) -> usize {
    let is_inline = key.len() <= size_of::<CompactString>();
    SLOT_BYTES + if is_inline { 0 } else { key.len() }
}

impl Registry {
    /// The model that `alias` points to, if both are in memory. Never waits.
    #[must_use]
    pub fn resident_alias(&self, series: &str, alias: &str) -> Option<Arc<ServedModel>> {
        let version = self.aliases.get(series, alias)?;
        self.resident(series, VersionSelector::Exactly(version))
    }

    /// As [`Registry::resident_alias`], for who only wants to know what it is: no hit is counted.
    #[must_use]
    pub fn peek_alias(&self, series: &str, alias: &str) -> Option<Arc<ServedModel>> {
        let version = self.aliases.get(series, alias)?;
        self.peek(series, VersionSelector::Exactly(version))
    }

    /// The model that `alias` points to, from memory or from the store.
    ///
    /// # Errors
    /// When the series or alias is not known, a record is damaged, or the store cannot be read.
    pub async fn model_of_alias(
        &self,
        series: &str,
        alias: &str,
    ) -> Result<Arc<ServedModel>, RegistryError> {
        let mut version = match self.aliases.get(series, alias) {
            Some(version) => version,
            None => self.read_alias(series, alias).await?.version,
        };
        loop {
            let model = self.model(series, VersionSelector::Exactly(version)).await;
            let Err(RegistryError::UnknownVersion { .. }) = &model else {
                return model;
            };
            // The alias was pointed elsewhere and the version deleted after the look at the alias.
            match self.read_alias(series, alias).await?.version {
                same if same == version => return model,
                other => version = other,
            }
        }
    }

    /// Where `alias` points, as the store has it.
    ///
    /// # Errors
    /// As [`Registry::model_of_alias`].
    pub async fn read_alias(
        &self,
        series: &str,
        alias: &str,
    ) -> Result<AliasRecord, RegistryError> {
        let (store, cache) = (Arc::clone(&self.store), Arc::clone(&self.aliases));
        let (series, alias) = (series.to_owned(), alias.to_owned());
        let read = move || {
            let epoch = cache.epoch();
            let Some(record) = store.alias(&series, &alias)? else {
                find(&*store, &series, VersionSelector::Latest)?;
                return Err(RegistryError::UnknownAlias { series, alias });
            };
            cache.offer(&series, &alias, &record, epoch);
            cache.evict_if_due();
            Ok(record)
        };
        self.reads.run(read).await
    }

    /// All aliases of `series`, in the order of their names.
    ///
    /// # Errors
    /// When the series is not known, a record is damaged, or the store cannot be read.
    pub async fn read_aliases(
        &self,
        series: &str,
    ) -> Result<Vec<(CompactString, AliasRecord)>, RegistryError> {
        let (store, series) = (Arc::clone(&self.store), series.to_owned());
        let read = move || {
            let aliases = store.aliases(&series)?;
            if aliases.is_empty() {
                find(&*store, &series, VersionSelector::Latest)?;
            }
            Ok(aliases)
        };
        self.reads.run(read).await
    }

    /// Points `alias` to `version`, or removes it, once `condition` holds; answers when that is
    /// durable and every later look-up on this node sees it.
    ///
    /// # Errors
    /// When there is no such version, the condition does not hold, the series has as many aliases as
    /// it may have, or the store takes no writes.
    pub async fn change_alias(
        &self,
        series: &str,
        alias: &str,
        version: Option<u64>,
        condition: Condition,
    ) -> Result<AliasChanged, RegistryError> {
        if let Some(version) = version {
            // Into memory before anybody is sent there; whether there is one, the commit says.
            let _ = self.model(series, VersionSelector::Exactly(version)).await;
        }
        let (sender, receiver) = oneshot::channel();
        let put = AliasPut {
            series: series.into(),
            alias: alias.into(),
            version,
            condition,
        };
        let (cache, name, of) = (
            Arc::clone(&self.aliases),
            put.alias.clone(),
            put.series.clone(),
        );
        let done = move |outcome: Result<AliasChanged, AliasError>| {
            if let Ok(changed) = &outcome {
                cache.publish(&of, &name, changed.now.as_ref());
            }
            let _ = sender.send(outcome);
        };
        self.store.submit_alias(put, Box::new(done));
        let gone = || AliasError::Put(PutError::Unknown("the committer is gone".into()));
        let outcome = receiver.await.unwrap_or_else(|_| Err(gone()));
        self.evict_aliases_if_due();
        outcome.map_err(|error| in_words(series, alias, version, error))
    }

    /// Few enough to drop them here: a pass over all takes a fraction of the models' one.
    pub(super) fn evict_aliases_if_due(&self) {
        if self.aliases.bytes.load(Ordering::Relaxed) > self.aliases.budget {
            let aliases = Arc::clone(&self.aliases);
            tokio::task::spawn_blocking(move || aliases.evict_if_due());
        }
    }
}

fn in_words(series: &str, alias: &str, version: Option<u64>, error: AliasError) -> RegistryError {
    let series = series.to_owned();
    match error {
        AliasError::Put(put) => RegistryError::Put(put),
        AliasError::NoSuchSeries => RegistryError::UnknownSeries(series),
        AliasError::NoSuchVersion { latest } => RegistryError::UnknownVersion {
            series,
            version: version.unwrap_or_default(),
            latest,
        },
        AliasError::NoSuchAlias => RegistryError::UnknownAlias {
            series,
            alias: alias.to_owned(),
        },
        AliasError::TooMany => RegistryError::Put(PutError::TooManyAliases),
        AliasError::Unmet { .. } => RegistryError::AliasUnmet(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(version: u64) -> AliasRecord {
        AliasRecord {
            version,
            revision: version,
            updated_at_ms: 0,
        }
    }

    #[test]
    fn what_was_read_before_a_change_never_hides_it() {
        let cache = AliasCache::new(usize::MAX, Arc::default());
        let before = cache.epoch();
        cache.publish("a", "x", Some(&record(2)));
        cache.offer("a", "x", &record(1), before);
        assert_eq!(cache.get("a", "x"), Some(2));
        cache.publish("a", "x", None);
        cache.offer("a", "x", &record(2), before);
        assert_eq!(cache.get("a", "x"), None, "removed");
        let before = cache.epoch();
        cache.publish("a", "x", None);
        cache.offer("a", "x", &record(2), before);
        assert_eq!(
            cache.get("a", "x"),
            None,
            "removed while it was not in memory"
        );
        cache.offer("a", "x", &record(3), cache.epoch());
        assert_eq!(
            (cache.get("a", "x"), cache.get("a:b", "x")),
            (Some(3), None)
        );
    }

    #[test]
    fn the_budget_holds_and_used_aliases_stay() {
        let beside = Arc::new(AtomicUsize::new(0));
        let budget = 100 * size_of_entry("00000\0champion");
        let cache = AliasCache::new(SHARE * budget, Arc::clone(&beside));
        for i in 0..1_000 {
            cache.publish(&format!("{i:05}"), "champion", Some(&record(1)));
            let _ = cache.get("00000", "champion");
            cache.evict_if_due();
            assert!(cache.bytes.load(Ordering::Relaxed) <= budget);
        }
        assert!(
            cache.map.len() > 70,
            "{} stay of about 100",
            cache.map.len()
        );
        let counted: usize = cache
            .map
            .iter()
            .map(|entry| size_of_entry(entry.key()))
            .sum();
        assert_eq!(counted, cache.bytes.load(Ordering::Relaxed));
        assert_eq!(counted, beside.load(Ordering::Relaxed));
        // What went may have been newer than what is read.
        assert!(cache.epoch() > 800);
    }
}
