//! What each version has said of the points it scored: a monitor a version, in bounded memory.
//!
//! The monitors are not kept with the models. A model leaves memory when its series is idle and comes
//! back unchanged from the store; a monitor would come back empty. Nor does a model pay for one before
//! its first point: a million models that are only loaded take no memory here.
//!
//! They take at most a quarter of the memory budget and count against it. Beyond that the monitors that
//! have not been fed for the longest time go, and begin again at the next point of their version. All
//! of it is in memory only and starts empty with the process.
//!
//! A map in shards, a plain mutex each: the lock is held for one look-up and one point, or for a few
//! hundred points of a column, and never across an `.await`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use compact_str::CompactString;
use detectors::monitor::{Monitor, Verdict};

use super::ServedModel;

/// Powers of two: a shard is some bits of the hash.
const SHARDS: usize = 64;
/// Monitors a shard keeps however small the budget is.
const AT_LEAST_A_SHARD: usize = 4;
/// What a monitor takes beside itself: its slot in the map, its share of the empty ones.
const SLOT_BYTES: usize = 120;
/// Points of a column that are fed at once: some microseconds under the lock.
const CHUNK: usize = 256;

/// What stands for the online state of a series where a version would: no version has this number.
pub const ONLINE: u64 = 0;

/// Nearly every list has one version and no room for more: one step from the slot to the counts.
type Series = HashMap<CompactString, Vec<Watched>, ahash::RandomState>;

/// The monitors of the versions that scored points, within a budget.
pub struct Monitors {
    shards: Box<[Mutex<Shard>]>,
    hasher: ahash::RandomState,
    /// Bytes a shard may take.
    budget: usize,
    /// Bytes all shards take; shared with the cache whose budget they are part of.
    bytes: Arc<AtomicUsize>,
    /// Of all versions, also of those that are not watched any more.
    points: AtomicU64,
    alarms: AtomicU64,
}

struct Shard {
    series: Series,
    /// Counts look-ups: the clock of "longest not fed".
    now: u64,
    bytes: usize,
}

struct Watched {
    version: u64,
    fed_at: u64,
    observed: Observed,
}

/// What is known about how a version alarms.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Unix seconds of the first point.
    pub since: u64,
    /// Unix seconds of the last change of the verdict, or of the first point.
    pub verdict_since: u64,
    /// Counts and evidence.
    pub monitor: Monitor,
}

impl Monitors {
    /// No monitors yet; they will take up to a quarter of `budget` bytes and keep `bytes` current.
    #[must_use]
    pub fn new(budget: usize, bytes: Arc<AtomicUsize>) -> Self {
        let hasher = ahash::RandomState::new();
        let shard = || {
            Mutex::new(Shard {
                series: Series::with_hasher(hasher.clone()),
                now: 0,
                bytes: 0,
            })
        };
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        Self {
            shards,
            hasher,
            budget: (budget / 4 / SHARDS).max(AT_LEAST_A_SHARD * size_of_entry("")),
            bytes,
            points: AtomicU64::new(0),
            alarms: AtomicU64::new(0),
        }
    }

    /// Points that were noted.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    /// Anomalies among them.
    #[must_use]
    pub fn alarms(&self) -> u64 {
        self.alarms.load(Ordering::Relaxed)
    }

    fn count(&self, n_points: u64, n_alarms: u64) {
        self.points.fetch_add(n_points, Ordering::Relaxed);
        if n_alarms > 0 {
            self.alarms.fetch_add(n_alarms, Ordering::Relaxed);
        }
    }

    /// What was observed of a version; `None` if no point of it was scored, or not lately.
    #[must_use]
    pub fn read(&self, series: &str, version: u64) -> Option<Observed> {
        let shard = self.shard(series);
        let versions = shard.series.get(series)?;
        let watched = versions.iter().find(|w| w.version == version)?;
        Some(watched.observed.clone())
    }

    /// Versions that are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        let shards = self.shards.iter().map(lock);
        shards.map(|shard| shard.len()).sum()
    }

    /// Whether no version is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops what was observed of the versions of `series` that `is_deleted` names.
    pub(super) fn forget(&self, series: &str, is_deleted: impl Fn(u64) -> bool) {
        let mut shard = self.shard(series);
        let Some(versions) = shard.series.get_mut(series) else {
            return;
        };
        let before = versions.len();
        versions.retain(|watched| !is_deleted(watched.version));
        let (left, dropped) = (versions.len(), before - versions.len());
        if left == 0 {
            shard.series.remove(series);
        }
        let bytes = dropped * size_of_entry(series);
        shard.bytes -= bytes;
        drop(shard);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn feed(&self, watch: &Watch<'_>, points: impl Fn(&mut Monitor)) {
        let Watch {
            series,
            version,
            alarm_rate,
            ..
        } = *watch;
        let mut shard = self.shard(series);
        if shard.feed(series, version, &points) {
            return;
        }
        let before = shard.bytes;
        shard.insert(series, version, Monitor::new(alarm_rate));
        shard.feed(series, version, &points);
        shard.evict(self.budget);
        let after = shard.bytes;
        drop(shard);
        self.bytes.fetch_add(after, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
    }

    fn shard(&self, series: &str) -> MutexGuard<'_, Shard> {
        // The map inside uses the low and the highest bits.
        let at = (self.hasher.hash_one(series) >> 32) as usize % SHARDS;
        lock(&self.shards[at])
    }
}

/// Feeding does not panic; if it ever does, counts that miss a point are better than none.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// Feeds a version's monitor, if there is one.
    fn feed(&mut self, series: &str, version: u64, points: impl Fn(&mut Monitor)) -> bool {
        let versions = self.series.get_mut(series);
        let Some(watched) = versions.and_then(|v| v.iter_mut().find(|w| w.version == version))
        else {
            return false;
        };
        self.now += 1;
        watched.fed_at = self.now;
        let Observed {
            monitor,
            verdict_since,
            ..
        } = &mut watched.observed;
        let before: Verdict = monitor.verdict();
        points(monitor);
        if monitor.verdict() != before {
            *verdict_since = unix_seconds();
        }
        true
    }

    fn insert(&mut self, series: &str, version: u64, monitor: Monitor) {
        let since = unix_seconds();
        let watched = Watched {
            version,
            fed_at: self.now,
            observed: Observed {
                since,
                verdict_since: since,
                monitor,
            },
        };
        let versions = self.series.entry(series.into());
        let versions = versions.or_default();
        versions.reserve_exact(1);
        versions.push(watched);
        self.bytes += size_of_entry(series);
    }

    /// Drops the longest not fed until the budget holds, an eighth at a time so that it is rarely due.
    fn evict(&mut self, budget: usize) {
        while self.bytes > budget && self.len() > 1 {
            let all = self.series.values().flatten();
            let mut times: Vec<u64> = all.map(|watched| watched.fed_at).collect();
            let dropped = (times.len() / 8).max(1);
            let (_, &mut first_kept, _) = times.select_nth_unstable(dropped);
            let bytes = &mut self.bytes;
            self.series.retain(|series, versions| {
                let before = versions.len();
                versions.retain(|watched| watched.fed_at >= first_kept);
                *bytes -= (before - versions.len()) * size_of_entry(series);
                !versions.is_empty()
            });
        }
    }

    fn len(&self) -> usize {
        self.series.values().map(Vec::len).sum()
    }
}

fn size_of_entry(series: &str) -> usize {
    let key_heap = if series.len() > size_of::<CompactString>() {
        series.len()
    } else {
        0
    };
    size_of::<Watched>() + SLOT_BYTES + key_heap
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// Where the scores of one request are noted. Scores do not depend on it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// All monitors.
    pub monitors: &'a Monitors,
    /// The series.
    pub series: &'a str,
    /// The version that scores, or [`ONLINE`].
    pub version: u64,
    /// Its target.
    pub alarm_rate: f64,
}

impl<'a> Watch<'a> {
    /// What `model`, a version of `series`, scores.
    #[must_use]
    pub fn of_version(monitors: &'a Monitors, series: &'a str, model: &ServedModel) -> Self {
        Self {
            monitors,
            series,
            version: model.version,
            alarm_rate: model.fitted.alarm_rate(),
        }
    }

    /// Notes one point.
    pub fn point(&self, p_value: f64) {
        let is_alarm = p_value < self.alarm_rate;
        self.monitors.count(1, u64::from(is_alarm));
        self.monitors.feed(self, |m| m.observe(p_value));
    }

    /// Notes `n` points of which only the verdicts are known.
    pub fn verdicts(&self, n: usize, n_anomalies: usize) {
        let (n, n_anomalies) = (n as u64, n_anomalies as u64);
        if n > 0 {
            let points = |m: &mut Monitor| m.observe_alarms(n, n_anomalies);
            self.monitors.count(n, n_anomalies);
            self.monitors.feed(self, points);
        }
    }

    /// Notes the points of a column in their order, some at a time.
    #[must_use]
    pub fn column(self) -> WatchedColumn<'a> {
        WatchedColumn {
            watch: self,
            waiting: [0.0; CHUNK],
            n: 0,
        }
    }
}

/// p-values of a column on their way to the monitor; the last ones arrive when it is dropped.
pub struct WatchedColumn<'a> {
    watch: Watch<'a>,
    waiting: [f64; CHUNK],
    n: usize,
}

impl WatchedColumn<'_> {
    /// Notes the next point.
    #[inline]
    pub fn point(&mut self, p_value: f64) {
        self.waiting[self.n] = p_value;
        self.n += 1;
        if self.n == CHUNK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let chunk = &self.waiting[..std::mem::take(&mut self.n)];
        if !chunk.is_empty() {
            let points = |m: &mut Monitor| chunk.iter().for_each(|p| m.observe(*p));
            let is_alarm = |p: &&f64| **p < self.watch.alarm_rate;
            let n_alarms = chunk.iter().filter(is_alarm).count();
            let monitors = self.watch.monitors;
            monitors.count(chunk.len() as u64, n_alarms as u64);
            monitors.feed(&self.watch, points);
        }
    }
}

impl Drop for WatchedColumn<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use detectors::{Params, Series};

    use super::*;

    fn model(version: u64) -> ServedModel {
        let series = Series::new(&[1, 2, 3], &[1.0, 2.0, 4.0]).unwrap();
        let fitted = Params::default().check().unwrap().fit(&series).unwrap();
        ServedModel::new(version, fitted, [0; 16])
    }

    fn monitors(budget: usize) -> Monitors {
        Monitors::new(budget, Arc::default())
    }

    fn watch<'a>(monitors: &'a Monitors, series: &'a str, model: &'a ServedModel) -> Watch<'a> {
        Watch::of_version(monitors, series, model)
    }

    fn scored(monitors: &Monitors, series: &str, version: u64) -> Option<u64> {
        let observed = monitors.read(series, version)?;
        Some(observed.monitor.report().alarms.n)
    }

    #[test]
    fn a_watched_version_takes_half_a_kilobyte() {
        assert!(size_of_entry("a-series-of-24-characters") <= 512 + 25);
        assert!(size_of_entry("a") <= 512, "{}", size_of_entry("a"));
    }

    #[test]
    fn versions_are_watched_apart_and_only_once_they_score() {
        let monitors = monitors(usize::MAX);
        let (first, second) = (model(1), model(2));
        assert!(monitors.is_empty() && monitors.read("a", 1).is_none());
        for _ in 0..3 {
            watch(&monitors, "a", &first).point(0.5);
        }
        watch(&monitors, "a", &second).verdicts(10, 2);
        watch(&monitors, "b", &first).verdicts(0, 0);
        drop(watch(&monitors, "b", &first).column());
        assert_eq!(scored(&monitors, "a", 1), Some(3));
        assert_eq!(scored(&monitors, "a", 2), Some(10));
        assert_eq!(scored(&monitors, "b", 1), None);
        assert_eq!(monitors.len(), 2);
    }

    #[test]
    fn what_is_deleted_is_not_watched_any_more() {
        let bytes = Arc::new(AtomicUsize::new(0));
        let monitors = Monitors::new(usize::MAX, Arc::clone(&bytes));
        for version in 1..=3 {
            watch(&monitors, "a", &model(version)).point(0.5);
            watch(&monitors, "b", &model(version)).point(0.5);
        }
        monitors.forget("a", |version| version == 2);
        let of = |series| [1, 2, 3].map(|version| scored(&monitors, series, version).is_some());
        assert_eq!((of("a"), of("b")), ([true, false, true], [true; 3]));
        monitors.forget("a", |_| true);
        monitors.forget("nobody", |_| true);
        assert_eq!((of("a"), of("b")), ([false; 3], [true; 3]));
        assert_eq!(bytes.load(Ordering::Relaxed), 3 * size_of_entry("b"));
    }

    #[test]
    fn a_column_is_the_same_as_its_points() {
        let monitors = monitors(usize::MAX);
        let model = model(1);
        let p_values: Vec<f64> = (0..3 * CHUNK + 7)
            .map(|i| (i as f64 * 0.37).fract())
            .collect();
        let mut column = watch(&monitors, "column", &model).column();
        p_values.iter().for_each(|p| column.point(*p));
        drop(column);
        let one = watch(&monitors, "points", &model);
        p_values.iter().for_each(|p| one.point(*p));
        let [a, b] = ["column", "points"].map(|s| monitors.read(s, 1).unwrap().monitor);
        assert_eq!(a, b);
    }

    #[test]
    fn the_budget_holds_and_those_fed_last_stay() {
        let bytes = Arc::new(AtomicUsize::new(0));
        // Room for about 1,000.
        let budget = 4 * 1_000 * size_of_entry("");
        let monitors = Monitors::new(budget, Arc::clone(&bytes));
        let model = model(1);
        for i in 0..10_000 {
            watch(&monitors, &format!("{i:05}"), &model).point(0.5);
            watch(&monitors, "always", &model).point(0.5);
            assert!(bytes.load(Ordering::Relaxed) <= budget / 4);
        }
        let len = monitors.len();
        assert!((600..=1_000).contains(&len), "{len}");
        assert_eq!(bytes.load(Ordering::Relaxed), len * size_of_entry(""));
        assert_eq!(scored(&monitors, "always", 1), Some(10_000));
        assert_eq!(scored(&monitors, "09999", 1), Some(1));
        assert_eq!(scored(&monitors, "00000", 1), None);
    }

    #[test]
    fn a_budget_of_nothing_keeps_a_few_per_shard() {
        let monitors = monitors(0);
        let model = model(1);
        for i in 0..5_000 {
            watch(&monitors, &i.to_string(), &model).point(0.5);
        }
        let len = monitors.len();
        assert!((SHARDS..=SHARDS * AT_LEAST_A_SHARD).contains(&len), "{len}");
    }

    #[test]
    fn no_point_is_lost_between_threads() {
        let monitors = monitors(usize::MAX);
        let model = model(1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..1_000 {
                        watch(&monitors, &format!("{}", i % 7), &model).point(0.5);
                    }
                });
            }
        });
        let total: u64 = (0..7)
            .map(|i| scored(&monitors, &i.to_string(), 1).unwrap())
            .sum();
        assert_eq!(total, 4_000);
    }
}
