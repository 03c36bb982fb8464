//! What has to hold between the fits that were acknowledged and the store that is found later.
//!
//! Every acknowledged version is there with the hash that was told (D1); versions are 1…n without
//! gap or repeat, and a fit acknowledged before another was sent has the smaller number (D7:
//! linearizability of a counter, Herlihy and Wing, 1990). Versions that were never acknowledged
//! may be there: the reply of a committed fit can be lost with the process.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// A fit that was answered with 200.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ack {
    pub(crate) series: String,
    pub(crate) version: u64,
    pub(crate) hash: String,
    /// When its first byte was sent, since the start of the test.
    pub(crate) sent: Duration,
    /// When its reply had been read.
    pub(crate) told: Duration,
}

/// The hash of each version 1…latest by series; `None` where a version is not readable.
pub(crate) type Versions = BTreeMap<String, Vec<Option<String>>>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Violation {
    /// An acknowledged version is not there.
    Lost { series: String, version: u64 },
    /// A version is there with another model than was acknowledged.
    Changed { series: String, version: u64 },
    /// A version was acknowledged twice.
    Repeated { series: String, version: u64 },
    /// A version below the latest is not there.
    Gap { series: String, version: u64 },
    /// A fit sent after another had been acknowledged got a smaller number.
    Reordered { series: String, version: u64 },
}

/// Everything that does not hold.
pub(crate) fn audit(acks: &[Ack], found: &Versions) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (series, versions) in found {
        let missing = (1..).zip(versions).filter(|(_, hash)| hash.is_none());
        violations.extend(missing.map(|(version, _)| Violation::Gap {
            series: series.clone(),
            version,
        }));
    }
    let mut seen = HashSet::new();
    for ack in acks {
        let (series, version) = (ack.series.clone(), ack.version);
        if !seen.insert((&ack.series, ack.version)) {
            violations.push(Violation::Repeated {
                series: series.clone(),
                version,
            });
        }
        let index = usize::try_from(version).ok().and_then(|v| v.checked_sub(1));
        let hash = index.and_then(|i| found.get(&series)?.get(i)?.as_ref());
        match hash {
            None => violations.push(Violation::Lost { series, version }),
            Some(hash) if *hash != ack.hash => {
                violations.push(Violation::Changed { series, version });
            }
            Some(_) => {}
        }
    }
    violations.extend(reordered(acks));
    violations
}

/// Walks each series from its latest version down, with the earliest moment at which any later
/// version was told: a version sent after that moment should have been given a larger number.
pub(crate) fn reordered(acks: &[Ack]) -> Vec<Violation> {
    let mut by_series: BTreeMap<&str, Vec<&Ack>> = BTreeMap::new();
    for ack in acks {
        by_series.entry(&ack.series).or_default().push(ack);
    }
    let mut violations = Vec::new();
    for (series, mut acks) in by_series {
        acks.sort_by_key(|ack| std::cmp::Reverse(ack.version));
        let mut later_told = Duration::MAX;
        for ack in acks {
            if ack.sent > later_told {
                violations.push(Violation::Reordered {
                    series: series.to_owned(),
                    version: ack.version,
                });
            }
            later_told = later_told.min(ack.told);
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(version: u64, sent: u64, told: u64) -> Ack {
        Ack {
            series: "a".into(),
            version,
            hash: format!("h{version}"),
            sent: Duration::from_millis(sent),
            told: Duration::from_millis(told),
        }
    }

    fn found(hashes: &[Option<&str>]) -> Versions {
        let versions = hashes.iter().map(|hash| hash.map(str::to_owned)).collect();
        Versions::from([("a".into(), versions)])
    }

    const ALL: [Option<&str>; 3] = [Some("h1"), Some("h2"), Some("h3")];

    #[test]
    fn a_right_history_passes() {
        let acks = [ack(1, 0, 10), ack(3, 11, 30), ack(2, 12, 20)];
        assert_eq!(audit(&acks, &found(&ALL)), []);
        // Overlapping fits may take either order.
        let acks = [ack(2, 0, 10), ack(1, 5, 11)];
        assert_eq!(audit(&acks, &found(&ALL)), []);
    }

    #[test]
    fn every_seeded_fault_is_named() {
        let series = || "a".to_owned();
        let acks = [ack(1, 0, 10), ack(2, 11, 20), ack(3, 21, 30)];
        let lost = |version| Violation::Lost {
            series: series(),
            version,
        };
        let gap = |version| Violation::Gap {
            series: series(),
            version,
        };
        assert_eq!(audit(&acks, &found(&ALL[..2])), [lost(3)]);
        assert_eq!(audit(&acks, &Versions::new()), [lost(1), lost(2), lost(3)]);
        let hole = [Some("h1"), None, Some("h3")];
        assert_eq!(audit(&acks, &found(&hole)), [gap(2), lost(2)]);
        assert_eq!(audit(&acks[..1], &found(&hole)), [gap(2)]);
        let other = [Some("h1"), Some("x"), Some("h3")];
        let changed = Violation::Changed {
            series: series(),
            version: 2,
        };
        assert_eq!(audit(&acks, &found(&other)), [changed]);
        let twice = [ack(1, 0, 10), ack(2, 11, 20), ack(2, 12, 21)];
        let repeated = Violation::Repeated {
            series: series(),
            version: 2,
        };
        assert_eq!(audit(&twice, &found(&ALL)), [repeated]);
        let turned = [ack(2, 0, 10), ack(1, 11, 20)];
        let reordered = Violation::Reordered {
            series: series(),
            version: 1,
        };
        assert_eq!(audit(&turned, &found(&ALL)), [reordered]);
    }
}
