//! Models in memory: a sharded map of the latest versions and one of older versions asked for.
//!
//! Eviction is not-recently-used: when the maps outgrow their budget, one pass drops models that
//! no request has used since the pass before and clears the marks of the others. There is no list
//! to keep in order, so a hit costs one read of a flag.
//!
//! A copy read from the store must never hide a newer version. Commits are published in order on
//! the store's thread, so the newest one wins when both are in the map; when the newer one was
//! published and evicted between the read and the insert, the count of latest versions that went has
//! moved, and the copy is used once and not kept. So it is when a version was deleted meanwhile: it may
//! be the one that was read.

use std::ops::RangeInclusive;
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
/// Counters of deletions: with many deletions a second, most reads are of series of other counters.
const COUNTERS: usize = 1_024;
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
    /// Deletions of versions or series, by some bits of the series' hash.
    deletions: Box<[AtomicU64; COUNTERS]>,
}

/// How many latest versions had left memory when a read of a series from the store began, and how many
/// deletions there had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    evicted: u64,
    deletions: u64,
}

impl Epoch {
    /// Never the same for two epochs: neither count goes down.
    pub(super) fn number(self) -> u64 {
        self.evicted + self.deletions
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
            deletions: Box::new([const { AtomicU64::new(0) }; COUNTERS]),
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

    /// To be called before a read of `series` from the store whose result is to be kept.
    #[must_use]
    pub fn epoch(&self, series: &str) -> Epoch {
        Epoch {
            evicted: self.evicted_latest.load(Ordering::Acquire),
            deletions: self.deletions_of(series).load(Ordering::Acquire),
        }
    }

    fn deletions_of(&self, series: &str) -> &AtomicU64 {
        let hash = self.latest.hasher().hash_one(series);
        &self.deletions[(hash >> 32) as usize % COUNTERS]
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
            // The shard is locked: what went from it has been counted before.
            if self.epoch(series) == read_at {
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

    /// Keeps `model`, read from the store after `read_at`, as one of the versions of `series`, unless it
    /// may have been deleted since. It is immutable: no other race matters.
    pub fn offer_older(&self, series: &str, model: Arc<ServedModel>, read_at: Epoch) {
        let key = version_key(series, model.version);
        if let Entry::Vacant(slot) = self.older.entry(key) {
            // The shard is locked: a deletion that is not counted yet finds the model here.
            if self.epoch(series).deletions == read_at.deletions {
                self.fill(slot, model);
            }
        }
    }

    /// Drops versions of `series` that were just deleted. Called in commit order.
    pub fn forget(&self, series: &str, versions: impl Iterator<Item = u64>) {
        self.deletions_of(series).fetch_add(1, Ordering::AcqRel);
        for version in versions {
            let key = version_key(series, version);
            if let Some((key, model)) = self.older.remove(&key) {
                self.discount(&key, &model);
            }
            let is_it = |_: &CompactString, model: &Arc<ServedModel>| model.version == version;
            if let Some((key, model)) = self.latest.remove_if(series, is_it) {
                self.discount(&key, &model);
            }
        }
    }

    /// Drops all versions of `series`, whose numbers are among `versions`: by their names or by a look at
    /// all models, whichever is less.
    pub fn forget_all(&self, series: &str, versions: RangeInclusive<u64>) {
        if versions.is_empty() {
            return;
        }
        let n_numbers = (versions.end() - versions.start()).saturating_add(1);
        if n_numbers <= self.older.len() as u64 {
            return self.forget(series, versions);
        }
        self.deletions_of(series).fetch_add(1, Ordering::AcqRel);
        self.older.retain(|key, model| {
            let is_one = key
                .split_once('\0')
                .is_some_and(|(of, _)| of == series && versions.contains(&model.version));
            if is_one {
                self.discount(key, model);
            }
            !is_one
        });
        let is_one =
            |_: &CompactString, model: &Arc<ServedModel>| versions.contains(&model.version);
        if let Some((key, model)) = self.latest.remove_if(series, is_one) {
            self.discount(&key, &model);
        }
    }

    fn discount(&self, key: &str, model: &ServedModel) {
        let size = size_of_entry(key, model);
        self.bytes.fetch_sub(size, Ordering::Relaxed);
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
                        self.discount(key, model);
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
        cache.offer_latest("a", model(2), cache.epoch("a"));
        assert_eq!(cache.latest("a").unwrap().version, 3);
        assert!(cache.version("a", 2).is_none());
        cache.offer_older("a", model(2), cache.epoch("a"));
        assert_eq!(cache.version("a", 2).unwrap().version, 2);
    }

    #[test]
    fn a_stale_read_is_not_kept_when_the_newer_one_was_evicted() {
        let cache = ModelCache::new(0);
        let before_the_read = cache.epoch("a");
        cache.publish("a", model(2));
        cache.evict();
        assert!(cache.is_empty());
        cache.offer_latest("a", model(1), before_the_read);
        assert!(cache.latest("a").is_none());
        cache.offer_latest("a", model(2), cache.epoch("a"));
        assert_eq!(cache.latest("a").unwrap().version, 2);
    }

    #[test]
    fn what_is_deleted_is_dropped_and_a_read_of_before_does_not_bring_it_back() {
        let cache = ModelCache::new(usize::MAX);
        let fill = |read_at| {
            cache.offer_latest("a", model(3), read_at);
            cache.offer_older("a", model(2), read_at);
            cache.offer_latest("ab", model(2), cache.epoch("ab"));
            cache.offer_older("ab", model(1), cache.epoch("ab"));
        };
        let of = |series: &str| {
            (1..=3)
                .filter(|v| cache.version(series, *v).is_some())
                .count()
        };
        for by_look in [false, true] {
            let before = cache.epoch("a");
            fill(before);
            assert_eq!((of("a"), of("ab")), (2, 2));
            let bytes = cache.bytes();
            // More numbers than models in memory, or fewer.
            cache.forget_all("a", if by_look { 1..=9 } else { 2..=3 });
            assert_eq!((of("a"), of("ab")), (0, 2));
            assert_eq!(cache.bytes(), bytes / 2);
            fill(before);
            assert_eq!(of("a"), 0, "it was read before");
        }
        cache.forget("ab", [2].into_iter());
        assert!(cache.latest("ab").is_none() && cache.version("ab", 1).is_some());
        cache.forget("ab", [1].into_iter());
        assert_eq!((cache.len(), cache.bytes()), (0, 0));
        fill(cache.epoch("a"));
        assert_eq!((of("a"), of("ab")), (2, 2), "it was read after");
    }

    #[test]
    fn what_is_kept_beside_takes_up_to_half_of_the_budget() {
        let size = size_of_entry("0", &model(1));
        for (beside, room) in [(0, 400), (size / 2, 399), (1_000 * size, 200)] {
            let cache = ModelCache::new(400 * size);
            cache.beside().store(beside, Ordering::Relaxed);
            while !cache.is_over_budget() {
                let name = cache.len().to_string();
                cache.offer_latest(&name, model(1), cache.epoch(&name));
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
            let name = format!("{i:05}");
            cache.offer_latest(&name, model(1), cache.epoch(&name));
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
