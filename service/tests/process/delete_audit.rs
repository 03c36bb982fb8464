//! What has to hold between fits and deletions that were acknowledged and the store that is found later.
//!
//! A version is there unless it was deleted, by its number or with its series; whether a deletion of the
//! series came before or after a fit is known where one was told before the other was sent. A deletion
//! whose answer was lost may have been made or not. No number is given twice, whatever was deleted.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::audit::{Ack, Violation as Order, reordered};

/// A deletion that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub(crate) series: String,
    /// None for the whole series.
    pub(crate) version: Option<u64>,
    pub(crate) sent: Duration,
    /// When 204 had been read; `None` where there was no answer.
    pub(crate) told: Option<Duration>,
}

/// What was acknowledged, and which deletions were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) fits: Vec<Ack>,
    pub(crate) deletes: Vec<Delete>,
}

impl Facts {
    /// The highest acknowledged version of each series.
    pub(crate) fn last_versions(&self) -> BTreeMap<String, u64> {
        let mut last = BTreeMap::new();
        for fit in &self.fits {
            let of: &mut u64 = last.entry(fit.series.clone()).or_default();
            *of = (*of).max(fit.version);
        }
        last
    }
}

/// Number and hash of what was read, `None` for 404, or the status of another answer.
pub(crate) type Read = Result<Option<(u64, String)>, u16>;

/// What a server has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) versions: BTreeMap<(String, u64), Read>,
    pub(crate) latest: BTreeMap<String, Read>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Violation {
    /// An acknowledged version that nobody deleted is not there.
    Lost(String, u64),
    /// A version whose deletion was acknowledged is there.
    Returned(String, u64),
    /// A version is there with another model than was acknowledged.
    Changed(String, u64),
    /// A number was given twice.
    Repeated(String, u64),
    /// What the latest version is said to be is not the highest one that is there.
    NotLatest(String, u64),
    /// Neither there nor not there.
    Failed(String, u64, u16),
    /// The numbers are not in the order of the fits.
    Order(Order),
}

/// Everything that does not hold.
pub(crate) fn audit(facts: &Facts, found: &Found) -> Vec<Violation> {
    let mut violations: Vec<_> = reordered(&facts.fits)
        .into_iter()
        .map(Violation::Order)
        .collect();
    let mut given = HashSet::new();
    for fit in &facts.fits {
        let (series, version) = (fit.series.clone(), fit.version);
        if !given.insert((series.clone(), version)) {
            violations.push(Violation::Repeated(series.clone(), version));
        }
        let of_it = |delete: &&Delete| {
            let is_named = delete.version.is_none_or(|named| named == version);
            delete.series == series && is_named
        };
        let is_after = |delete: &Delete| delete.version.is_some() || delete.sent > fit.told;
        let may_be_after = |delete: &Delete| delete.told.is_none_or(|told| told > fit.sent);
        let mut deletes = facts.deletes.iter().filter(of_it);
        let must_be_gone = deletes
            .clone()
            .any(|delete| delete.told.is_some() && is_after(delete));
        let may_be_gone = deletes.any(may_be_after);
        let read = found.versions.get(&(series.clone(), version));
        match read {
            Some(Ok(Some((_, hash)))) if *hash != fit.hash => {
                violations.push(Violation::Changed(series, version));
            }
            Some(Ok(Some(_))) if must_be_gone => {
                violations.push(Violation::Returned(series, version));
            }
            Some(Ok(None)) | None if !may_be_gone => {
                violations.push(Violation::Lost(series, version));
            }
            _ => {}
        }
    }
    for ((series, version), read) in &found.versions {
        if let Err(status) = read {
            violations.push(Violation::Failed(series.clone(), *version, *status));
        }
    }
    for (series, read) in &found.latest {
        let of_series = found
            .versions
            .range((series.clone(), 0)..=(series.clone(), u64::MAX));
        let highest = of_series.rev().find_map(|(_, read)| read.clone().ok()?);
        match read {
            Err(status) => violations.push(Violation::Failed(series.clone(), 0, *status)),
            Ok(latest) if *latest != highest => {
                let number = latest.as_ref().map_or(0, |(number, _)| *number);
                violations.push(Violation::NotLatest(series.clone(), number));
            }
            Ok(_) => {}
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(version: u64, sent: u64, told: u64) -> Ack {
        Ack {
            series: "a".into(),
            version,
            hash: format!("h{version}"),
            sent: Duration::from_millis(sent),
            told: Duration::from_millis(told),
        }
    }

    fn delete(version: Option<u64>, sent: u64, told: Option<u64>) -> Delete {
        Delete {
            series: "a".into(),
            version,
            sent: Duration::from_millis(sent),
            told: told.map(Duration::from_millis),
        }
    }

    fn found(there: &[u64], latest: u64) -> Found {
        let read = |version: u64| Ok(Some((version, format!("h{version}"))));
        let mut found = Found::default();
        for version in 1..=4 {
            let is_there = there.contains(&version);
            let read = if is_there { read(version) } else { Ok(None) };
            found.versions.insert(("a".into(), version), read);
        }
        let latest = if latest > 0 { read(latest) } else { Ok(None) };
        found.latest.insert("a".into(), latest);
        found
    }

    fn facts(deletes: &[Delete]) -> Facts {
        Facts {
            fits: vec![fit(1, 0, 10), fit(2, 20, 30), fit(3, 40, 50)],
            deletes: deletes.to_vec(),
        }
    }

    #[test]
    fn a_right_history_passes() {
        let cases = [
            (vec![], found(&[1, 2, 3], 3)),
            (vec![delete(Some(2), 60, Some(70))], found(&[1, 3], 3)),
            (vec![delete(Some(3), 60, Some(70))], found(&[1, 2], 2)),
            // Without an answer, either.
            (vec![delete(Some(2), 60, None)], found(&[1, 2, 3], 3)),
            (vec![delete(Some(2), 60, None)], found(&[1, 3], 3)),
            (vec![delete(None, 32, Some(38))], found(&[3], 3)),
            // At the same time as the second fit, either.
            (vec![delete(None, 25, Some(28))], found(&[2, 3], 3)),
            (vec![delete(None, 25, Some(28))], found(&[3], 3)),
            (vec![delete(None, 60, Some(70))], found(&[], 0)),
        ];
        for (deletes, found) in cases {
            assert_eq!(audit(&facts(&deletes), &found), [], "{deletes:?}");
        }
    }

    #[test]
    fn every_seeded_fault_is_named() {
        let a = || "a".to_owned();
        let cases = [
            (vec![], found(&[1, 3], 3), Violation::Lost(a(), 2)),
            (
                vec![delete(None, 32, Some(38))],
                found(&[], 0),
                Violation::Lost(a(), 3),
            ),
            (
                vec![delete(Some(2), 60, Some(70))],
                found(&[1, 2, 3], 3),
                Violation::Returned(a(), 2),
            ),
            (
                vec![delete(None, 32, Some(38))],
                found(&[1, 3], 3),
                Violation::Returned(a(), 1),
            ),
            (vec![], found(&[1, 2, 3], 2), Violation::NotLatest(a(), 2)),
        ];
        for (deletes, found, violation) in cases {
            assert_eq!(audit(&facts(&deletes), &found), [violation]);
        }
        let mut changed = found(&[1, 2, 3], 3);
        changed.versions.insert((a(), 1), Ok(Some((1, "x".into()))));
        assert_eq!(audit(&facts(&[]), &changed), [Violation::Changed(a(), 1)]);
        let mut failed = found(&[1, 2, 3], 3);
        failed.versions.insert((a(), 4), Err(500));
        assert_eq!(
            audit(&facts(&[]), &failed),
            [Violation::Failed(a(), 4, 500)]
        );
        let mut twice = facts(&[delete(None, 32, Some(38))]);
        twice.fits[2].version = 2;
        twice.fits[2].hash = "h2".into();
        let violations = audit(&twice, &found(&[2], 2));
        assert!(
            violations.contains(&Violation::Repeated(a(), 2)),
            "{violations:?}"
        );
        let mut turned = facts(&[]);
        turned.fits.swap(0, 2);
        turned.fits[0].version = 1;
        turned.fits[0].hash = "h1".into();
        turned.fits[2].version = 3;
        turned.fits[2].hash = "h3".into();
        let violations = audit(&turned, &found(&[1, 2, 3], 3));
        assert!(
            matches!(violations[..], [Violation::Order(_), ..]),
            "{violations:?}"
        );
    }
}
