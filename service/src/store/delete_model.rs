//! What the laws of deleting and keeping compare a store with: maps in memory, changed one by one.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

pub(super) const SERIES: [&str; 3] = ["a", "a:b", "b"];
pub(super) const ALIASES: [&str; 2] = ["champion", "rival"];

/// One change. Series, alias and key are places in short lists.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Fit {
        series: usize,
        alias: Option<usize>,
        key: Option<u8>,
    },
    DeleteVersion(usize, u64),
    DeleteSeries(usize),
    Point(usize, usize, Option<u64>),
    Learn(usize),
}

/// How a change ended, in the words of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Version(u64),
    Before(u64),
    Done,
    NoSeries,
    NoVersion(u64),
    NoAlias,
    InUse(Vec<CompactString>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) series: BTreeMap<usize, Kept>,
    pub(super) keep: usize,
    pub(super) marks: u64,
}

/// What the model knows of one series.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) last: u64,
    pub(super) life: u64,
    /// Marks by version.
    pub(super) versions: BTreeMap<u64, u64>,
    pub(super) aliases: BTreeMap<usize, u64>,
    pub(super) answers: BTreeMap<u8, u64>,
    pub(super) learnt: u64,
    pub(super) was_fitted: bool,
}

impl Kept {
    pub(super) fn latest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or(0)
    }

    pub(super) fn retain(&mut self, keep: usize) {
        let pointed: BTreeSet<u64> = self.aliases.values().copied().collect();
        let beyond = self.versions.len().saturating_sub(keep);
        let lowest: Vec<u64> = self.versions.keys().copied().take(beyond).collect();
        for version in lowest {
            if !pointed.contains(&version) {
                self.versions.remove(&version);
            }
        }
    }
}

impl Model {
    pub(super) fn of(&mut self, series: &usize) -> &mut Kept {
        self.series.entry(*series).or_default()
    }

    pub(super) fn apply(&mut self, change: &Change) -> Ended {
        let keep = self.keep;
        match change {
            Change::Fit { series, alias, key } => {
                self.marks += 1;
                let mark = self.marks;
                let kept = self.of(series);
                if let Some(version) = key.and_then(|key| kept.answers.get(&key)) {
                    return Ended::Before(*version);
                }
                kept.last += 1;
                kept.was_fitted = true;
                kept.versions.insert(kept.last, mark);
                alias.map(|alias| kept.aliases.insert(alias, kept.last));
                key.map(|key| kept.answers.insert(key, kept.last));
                if keep > 0 {
                    kept.retain(keep);
                }
                Ended::Version(kept.last)
            }
            Change::DeleteVersion(series, version) => {
                let kept = self.of(series);
                let pointing = kept.aliases.iter().filter(|(_, to)| *to == version);
                let pointing: Vec<_> = pointing.map(|(alias, _)| ALIASES[*alias].into()).collect();
                if kept.versions.is_empty() {
                    Ended::NoSeries
                } else if !kept.versions.contains_key(version) {
                    Ended::NoVersion(kept.latest())
                } else if !pointing.is_empty() {
                    Ended::InUse(pointing)
                } else {
                    kept.versions.remove(version);
                    Ended::Done
                }
            }
            Change::DeleteSeries(series) => {
                let kept = self.of(series);
                if !kept.was_fitted && kept.learnt == 0 {
                    return Ended::NoSeries;
                }
                *kept = Kept {
                    last: kept.last,
                    life: kept.life + 1,
                    ..Kept::default()
                };
                Ended::Done
            }
            Change::Point(series, alias, version) => {
                let kept = self.of(series);
                match version {
                    _ if kept.versions.is_empty() => Ended::NoSeries,
                    Some(version) if !kept.versions.contains_key(version) => {
                        Ended::NoVersion(kept.latest())
                    }
                    None if kept.aliases.remove(alias).is_none() => Ended::NoAlias,
                    None => Ended::Done,
                    Some(version) => {
                        kept.aliases.insert(*alias, *version);
                        Ended::Done
                    }
                }
            }
            Change::Learn(series) => {
                self.of(series).learnt += 1;
                Ended::Done
            }
        }
    }

    pub(super) fn n_series(&self) -> u64 {
        let with_versions = |kept: &&Kept| !kept.versions.is_empty();
        self.series.values().filter(with_versions).count() as u64
    }
}
