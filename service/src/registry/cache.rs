//! Models in memory: a sharded map of the latest versions and one of older versions asked for.
//!
//! Eviction is not-recently-used: when the maps outgrow their budget, one pass drops models that
//! no request has used since the pass before and clears the marks of the others. There is no list
//! to keep in order, so a hit costs one read of a flag.
//!
//! A copy read from the store must never hide a newer version. Commits are published in order on
//! the store's thread, so the newest one wins when both are in the map; when the newer one was
//! published and evicted between the read and the insert, the count of latest versions that went has
//! moved, and the copy is used once and not kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use compact_str::CompactString;
use dashmap::DashMap;
use dashmap::mapref::entry::{Entry, VacantEntry};

use super::model::ServedModel;
use super::warm::Wanted;

/// A slot of the map: key, pointer and the share of empty slots (measured, docs/decisions/model-map.md).
const SLOT_BYTES: usize = 56;
/// What an `Arc` keeps beside the model.
const ARC_BYTES: usize = 16;
/// After a pass, the maps hold at most this share of the budget, so that passes are rare.
const KEEP: (usize, usize) = (15, 16);

type Map = DashMap<CompactString, Arc<ServedModel>, ahash::RandomState>;

/// Models in memory, within a budget.
pub struct ModelCache {
    latest: Map,
    /// Keyed by series, a zero byte and the version.
    older: Map,
    budget: usize,
    bytes: AtomicUsize,
    /// Bytes that others keep out of the same budget.
    beside: Arc<AtomicUsize>,
    passes: AtomicU64,
    /// Of the latest versions, and of older ones.
    evicted_latest: AtomicU64,
    evicted_older: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    loads: AtomicU64,
}

/// How many latest versions had left memory when a read from the store began.
#[derive(Clone, Copy, Debug)]
pub struct Epoch(u64);

impl Epoch {
    pub(super) fn number(self) -> u64 {
        self.0
    }
}

impl ModelCache {
    /// An empty cache that keeps about `budget` bytes.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self {
            latest: Map::with_hasher(ahash::RandomState::new()),
            older: Map::with_hasher(ahash::RandomState::new()),
            budget,
            bytes: AtomicUsize::new(0),
            beside: Arc::default(),
            passes: AtomicU64::new(0),
            evicted_latest: AtomicU64::new(0),
            evicted_older: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            loads: AtomicU64::new(0),
        }
    }

    /// The latest version, if it is in memory.
    #[must_use]
    pub fn latest(&self, series: &str) -> Option<Arc<ServedModel>> {
        let model = Arc::clone(self.latest.get(series)?.value());
        model.mark_used();
        Some(model)
    }

    /// One version, if it is in memory.
    #[must_use]
    pub fn version(&self, series: &str, version: u64) -> Option<Arc<ServedModel>> {
        if let Some(latest) = self
            .latest(series)
            .filter(|latest| latest.version == version)
        {
            return Some(latest);
        }
        let model = Arc::clone(self.older.get(&version_key(series, version))?.value());
        model.mark_used();
        Some(model)
    }

    /// To be called before a read from the store whose result is to be kept.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.evicted_latest.load(Ordering::Acquire))
    }

    /// Keeps `model`, just committed, as the latest of `series`. Called in commit order.
    pub fn publish(&self, series: &str, model: Arc<ServedModel>) {
        match self.latest.entry(series.into()) {
            Entry::Occupied(mut slot) if slot.get().version < model.version => {
                let (before, after) = (
                    size_of_entry(series, slot.get()),
                    size_of_entry(series, &model),
                );
                slot.insert(model);
                self.bytes.fetch_add(after, Ordering::Relaxed);
                self.bytes.fetch_sub(before, Ordering::Relaxed);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(slot) => self.fill(slot, model),
        }
    }

    /// Keeps `model`, read from the store after `read_at`, as the latest of `series`, unless there
    /// is one or a newer one may have come and gone.
    pub fn offer_latest(&self, series: &str, model: Arc<ServedModel>, read_at: Epoch) {
        if let Entry::Vacant(slot) = self.latest.entry(series.into()) {
            // The shard is locked: what was evicted from it has been counted before.
            if self.epoch().0 == read_at.0 {
                self.fill(slot, model);
            }
        }
    }

    fn fill(
        &self,
        slot: VacantEntry<'_, CompactString, Arc<ServedModel>>,
        model: Arc<ServedModel>,
    ) {
        self.bytes
            .fetch_add(size_of_entry(slot.key(), &model), Ordering::Relaxed);
        slot.insert(model);
    }

    /// Keeps `model` as one of the versions of `series`. Versions are immutable: no race matters.
    pub fn offer_older(&self, series: &str, model: Arc<ServedModel>) {
        let key = version_key(series, model.version);
        let size = size_of_entry(&key, &model);
        if self.older.insert(key, model).is_none() {
            self.bytes.fetch_add(size, Ordering::Relaxed);
        }
    }

    /// Bytes kept beside the models out of the same budget, for their keeper to keep current.
    #[must_use]
    pub fn beside(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.beside)
    }

    /// Bytes that are kept beside the models.
    #[must_use]
    pub fn bytes_beside(&self) -> usize {
        self.beside.load(Ordering::Relaxed)
    }

    /// What is left of the budget for models: half of it at least, however small it is.
    fn budget(&self) -> usize {
        self.budget - self.beside.load(Ordering::Relaxed).min(self.budget / 2)
    }

    /// Whether a pass is due.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.budget()
    }

    /// Drops models until the budget holds: those not used since the last pass first, then any.
    /// Takes milliseconds for a million models; the maps stay usable.
    pub fn evict(&self) {
        let target = self.budget() / KEEP.1 * KEEP.0;
        for spare_used in [true, false] {
            let bytes = self.bytes.load(Ordering::Relaxed);
            if bytes <= target {
                return;
            }
            let salt = self.passes.fetch_add(1, Ordering::Relaxed);
            // Drop a like share of every shard, twice what is needed of the unused ones: half of
            // them is a fair guess, and the second pass corrects a wrong one.
            let excess = (bytes - target) as f64 / bytes as f64;
            let share = if spare_used {
                2.0 * excess
            } else {
                1.1 * excess
            };
            let older = (&self.older, &self.evicted_older);
            for (map, evicted) in [older, (&self.latest, &self.evicted_latest)] {
                map.retain(|key, model| {
                    let spared = spare_used && model.used.swap(false, Ordering::Relaxed);
                    let keep = spared
                        || !falls_within(key, salt, share)
                        || self.bytes.load(Ordering::Relaxed) <= target;
                    if !keep {
                        self.bytes
                            .fetch_sub(size_of_entry(key, model), Ordering::Relaxed);
                        evicted.fetch_add(1, Ordering::AcqRel);
                    }
                    keep
                });
            }
        }
    }

    /// Counts a look-up that memory answered.
    pub(super) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a look-up that went to the store.
    pub(super) fn count_miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a read from the store: of many look-ups at once one, as a rule.
    pub(super) fn count_load(&self) {
        self.loads.fetch_add(1, Ordering::Relaxed);
    }

    /// Look-ups that memory answered.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Look-ups that it did not.
    #[must_use]
    pub fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }

    /// Reads from the store.
    #[must_use]
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Models dropped to keep the budget.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        let counts = [&self.evicted_latest, &self.evicted_older];
        counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    /// Share of look-ups that memory answered; 1 before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        let (hits, misses) = (self.hits(), self.misses());
        if hits + misses == 0 {
            1.0
        } else {
            hits as f64 / (hits + misses) as f64
        }
    }

    /// Models in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.latest.len() + self.older.len()
    }

    /// Whether no model is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes the models in memory take, by the cache's own account.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// For those who keep the names of models across a restart.
impl ModelCache {
    /// The models in memory, those used since the last pass first.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        let latest = self.latest.iter().map(|entry| {
            let series = entry.key().clone();
            let version = None;
            (entry.value().is_used(), Wanted { series, version })
        });
        let mut all: Vec<(bool, Wanted)> = latest.collect();
        all.extend(self.older.iter().filter_map(|entry| {
            let series = entry.key().split('\0').next()?.into();
            let version = Some(entry.value().version);
            Some((entry.value().is_used(), Wanted { series, version }))
        }));
        all.sort_by_key(|(used, _)| !used);
        all.into_iter().map(|(_, wanted)| wanted).collect()
    }

    /// Whether the model is in memory; asking is no use of it.
    pub(super) fn holds(&self, wanted: &Wanted) -> bool {
        let series = wanted.series.as_str();
        match wanted.version {
            None => self.latest.contains_key(series),
            Some(version) => self.older.contains_key(&version_key(series, version)),
        }
    }

    /// Whether there is room for more than what requests ask for.
    pub(super) fn has_room(&self) -> bool {
        self.bytes() < self.budget() / KEEP.1 * KEEP.0
    }
}

/// The name of one version among the models in memory.
pub(super) fn version_key(series: &str, version: u64) -> CompactString {
    compact_str::format_compact!("{series}\0{version}")
}

fn size_of_entry(key: &str, model: &ServedModel) -> usize {
    let key_heap = if key.len() > size_of::<CompactString>() {
        key.len()
    } else {
        0
    };
    SLOT_BYTES + ARC_BYTES + key_heap + model.size_bytes()
}

/// A coin for each key and pass that comes up with probability `share`.
pub(super) fn falls_within(key: &str, salt: u64, share: f64) -> bool {
    let hash = ahash::RandomState::with_seeds(salt, 0x7469, 0x6465, 0x6d61).hash_one(key);
    (hash >> 11) as f64 / (1u64 << 53) as f64 <= share
}

#[cfg(test)]
mod tests {
    use detectors::{Params, Series};

    use super::*;

    fn model(version: u64) -> Arc<ServedModel> {
        let series = Series::new(&[1, 2, 3], &[1.0, 2.0, 4.0]).unwrap();
        let fitted = Params::default().check().unwrap().fit(&series).unwrap();
        Arc::new(ServedModel::new(version, fitted, [0; 16]))
    }

    #[test]
    fn the_newest_version_wins_in_any_order() {
        let cache = ModelCache::new(usize::MAX);
        for version in [2, 3, 1] {
            cache.publish("a", model(version));
        }
        cache.offer_latest("a", model(2), cache.epoch());
        assert_eq!(cache.latest("a").unwrap().version, 3);
        assert!(cache.version("a", 2).is_none());
        cache.offer_older("a", model(2));
        assert_eq!(cache.version("a", 2).unwrap().version, 2);
    }

    #[test]
    fn a_stale_read_is_not_kept_when_the_newer_one_was_evicted() {
        let cache = ModelCache::new(0);
        let before_the_read = cache.epoch();
        cache.publish("a", model(2));
        cache.evict();
        assert!(cache.is_empty());
        cache.offer_latest("a", model(1), before_the_read);
        assert!(cache.latest("a").is_none());
        cache.offer_latest("a", model(2), cache.epoch());
        assert_eq!(cache.latest("a").unwrap().version, 2);
    }

    #[test]
    fn what_is_kept_beside_takes_up_to_half_of_the_budget() {
        let size = size_of_entry("0", &model(1));
        for (beside, room) in [(0, 400), (size / 2, 399), (1_000 * size, 200)] {
            let cache = ModelCache::new(400 * size);
            cache.beside().store(beside, Ordering::Relaxed);
            while !cache.is_over_budget() {
                cache.offer_latest(&cache.len().to_string(), model(1), cache.epoch());
            }
            assert_eq!(cache.len(), room + 1, "{beside}");
            cache.evict();
            assert!(cache.len() < room, "{beside}: {}", cache.len());
        }
    }

    #[test]
    fn the_budget_holds_and_used_models_stay() {
        let budget = 100 * size_of_entry("00000", &model(1));
        let cache = ModelCache::new(budget);
        for i in 0..1_000 {
            cache.offer_latest(&format!("{i:05}"), model(1), cache.epoch());
            if let Some(first) = cache.latest("00000") {
                assert_eq!(first.version, 1);
            }
            if cache.is_over_budget() {
                cache.evict();
            }
            assert!(cache.bytes() <= budget);
        }
        assert!(
            cache.len() >= 90,
            "{} models stay of about 100",
            cache.len()
        );
        let counted: usize = cache
            .latest
            .iter()
            .map(|entry| size_of_entry(entry.key(), entry.value()))
            .sum();
        assert_eq!(
            cache.bytes(),
            counted,
            "the account agrees with what is there"
        );
    }
}
