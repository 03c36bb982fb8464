//! Each thing that can go wrong with a write, one at a time.

use super::ask::Found;
use super::facts::violations;
use super::*;
use crate::ledger::{Acknowledged, Begun, Entry, Ledgered, Write, entry};
use crate::load::response::Op;
use crate::oracle::model::Reference;
use crate::results::config::{Share, WorkloadSpec};

fn spec(mix: &[(Op, u32)]) -> WorkloadSpec {
    WorkloadSpec {
        mix: mix
            .iter()
            .map(|&(op, weight)| Share { op, weight })
            .collect(),
        series: 2,
        points_per_fit: 10,
        batch: 5,
        distinct: 8,
        payloads: None,
        set_up: true,
        sigma: Some(3.0),
    }
}

fn workload(mix: &[(Op, u32)]) -> Workload {
    Workload::build(&spec(mix), &"http://h:1".parse().unwrap(), "id", 7).unwrap()
}

fn write(index: u64, training: u64) -> Write {
    Write {
        index: Some(index),
        op: Op::Fit,
        series: 0,
        training: Some(training),
    }
}

fn fit(index: u64, training: u64, number: u64) -> Acknowledged {
    Acknowledged {
        write: write(index, training),
        sent_ns: 100 * index,
        acked_ns: 100 * index + 10,
        number,
        hash: Some(format!("hash of {training}")),
    }
}

fn update(index: u64, number: u64) -> Acknowledged {
    Acknowledged {
        write: Write {
            op: Op::Update,
            training: None,
            ..write(index, 0)
        },
        hash: None,
        ..fit(index, 0, number)
    }
}

/// Three fits that were acknowledged as versions 1 to 3, and all of them there.
struct Scene {
    judge: Judge,
    facts: Facts,
    versions: Vec<Option<Found>>,
}

impl Scene {
    fn new() -> Self {
        let workload = workload(&[(Op::Fit, 1)]);
        let facts = Facts {
            fits: (0..3).map(|n| fit(n, n, n + 1)).collect(),
            ..Facts::default()
        };
        let mut scene = Self {
            judge: Judge {
                workload,
                sigma: Some(3.0),
            },
            facts,
            versions: Vec::new(),
        };
        scene.versions = (0..3).map(|training| Some(scene.found(training))).collect();
        scene
    }

    fn found(&self, training: u64) -> Found {
        let (timestamps, values) = self.judge.workload.training(0, training);
        let right = Reference::fit(&values, 3.0);
        let timestamps = timestamps.into_iter().map(|time| time as i64);
        Found {
            hash: Some(format!("hash of {training}")),
            figures: Some([right.mean, right.lower, right.upper]),
            training: Some((timestamps.collect(), values)),
        }
    }

    fn judge(&self) -> Audit {
        self.judge.judge(0, &self.facts, &self.versions, None)
    }
}

#[test]
fn what_is_there_as_it_was_sent_passes() {
    let mut scene = Scene::new();
    let audit = scene.judge();
    assert!(audit.passed(), "{audit:?}");
    assert_eq!((audit.present, audit.acknowledged), (3, 3));
    // A server of the base contract alone shows nothing.
    for found in scene.versions.iter_mut().flatten() {
        *found = Found::default();
    }
    let audit = scene.judge();
    assert!(audit.passed(), "{audit:?}");
    assert_eq!((audit.present, audit.content_unchecked), (3, 3));
}

#[test]
fn an_acknowledged_version_that_is_not_there_is_lost() {
    for lost in 0..3 {
        let mut scene = Scene::new();
        scene.versions[lost] = None;
        let audit = scene.judge();
        assert_eq!((audit.lost, audit.present), (1, 2), "{audit:?}");
        // It is no gap besides.
        assert_eq!(audit.gaps, 0);
        assert!(!audit.passed());
        assert!(audit.findings[0].contains("lost: version"), "{audit:?}");
    }
}

#[test]
fn another_content_is_corrupted() {
    let changes: [fn(&mut Found); 4] = [
        |found| found.hash = Some("other".into()),
        |found| found.training.as_mut().unwrap().1[4] += 1e-9,
        |found| found.training.as_mut().unwrap().0[9] += 1,
        |found| found.figures.as_mut().unwrap()[0] += 1e-6,
    ];
    for change in changes {
        let mut scene = Scene::new();
        change(scene.versions[1].as_mut().unwrap());
        let audit = scene.judge();
        assert_eq!((audit.corrupted, audit.present), (1, 2), "{audit:?}");
        assert!(!audit.passed());
    }
}

#[test]
fn what_nobody_knew_of_is_resurrected_once_and_no_more() {
    let mut scene = Scene::new();
    scene.facts.unknown_fits = vec![3, 2];
    scene.versions.push(Some(scene.found(3)));
    let audit = scene.judge();
    assert!(audit.passed(), "{audit:?}");
    assert_eq!((audit.resurrected, audit.present), (1, 3));
    // The same twice: the second is no write of ours.
    scene.versions.push(Some(scene.found(3)));
    let audit = scene.judge();
    assert_eq!((audit.resurrected, audit.corrupted), (1, 1), "{audit:?}");
}

#[test]
fn a_write_that_happened_twice_is_duplicated() {
    let mut scene = Scene::new();
    scene.versions.push(Some(scene.found(2)));
    let audit = scene.judge();
    assert_eq!((audit.duplicated, audit.present), (1, 3), "{audit:?}");
    assert!(!audit.passed());
}

#[test]
fn a_number_that_is_missing_below_another_is_a_gap() {
    let mut scene = Scene::new();
    scene.facts.fits.remove(1);
    scene.versions[1] = None;
    let audit = scene.judge();
    assert_eq!((audit.gaps, audit.lost), (1, 0), "{audit:?}");
    // Nothing above it, no gap: the write did not happen.
    let mut scene = Scene::new();
    scene.facts.unknown_fits = vec![3];
    scene.versions.push(None);
    assert!(scene.judge().passed());
}

#[test]
fn numbers_follow_the_order_in_which_writes_were_done() {
    assert_eq!(violations(&[], "version"), [""; 0]);
    let in_order: Vec<_> = (0..50).map(|n| fit(n, 0, n + 1)).collect();
    assert_eq!(violations(&in_order, "version"), [""; 0]);
    // Two at the same time may have either order.
    let mut at_once = in_order.clone();
    at_once[7].sent_ns = at_once[6].acked_ns;
    (at_once[6].number, at_once[7].number) = (8, 7);
    assert_eq!(violations(&at_once, "version"), [""; 0]);
    // One after the other may not.
    at_once[7].sent_ns += 1;
    let told = violations(&at_once, "version");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("version 7 of request 7 was sent after version 8 of request 6"));
    let mut twice = in_order;
    twice[30].number = 30;
    let told = violations(&twice, "version");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("acknowledged twice: request 29 and request 30"));
}

#[test]
fn points_of_an_online_state_are_counted() {
    let judge = Judge {
        workload: workload(&[(Op::Update, 1)]),
        sigma: None,
    };
    let mut facts = Facts {
        updates: (0..5).map(|n| update(n, n + 1)).collect(),
        ..Facts::default()
    };
    let of = |facts: &Facts, state_seq| judge.judge(0, facts, &[], Some(state_seq));
    assert!(of(&facts, 5).passed());
    assert_eq!(of(&facts, 5).present, 5);
    let lost = of(&facts, 3);
    assert_eq!((lost.lost, lost.present, lost.duplicated), (2, 3, 0));
    assert_eq!(of(&facts, 6).duplicated, 1);
    facts.unknown_updates = 2;
    let resurrected = of(&facts, 6);
    assert!(resurrected.passed());
    assert_eq!(resurrected.resurrected, 1);
    assert_eq!(of(&facts, 8).duplicated, 1);
}

fn ledgered(mix: &[(Op, u32)], entries: Vec<Entry>) -> BTreeMap<u64, Facts> {
    let ledger = Ledgered {
        begun: Begun {
            format_version: entry::FORMAT_VERSION,
            run_id: "id".into(),
            base_url: "http://h:1".into(),
            seed: 7,
            workload: spec(mix),
        },
        entries,
        torn: false,
    };
    facts(&ledger, &workload(mix))
}

#[test]
fn what_a_killed_client_announced_is_unknown() {
    let mix = [(Op::Fit, 1)];
    let killed = vec![
        Entry::Intended { until: 6 },
        Entry::Acknowledged(fit(0, 0, 1)),
        Entry::Refused(write(2, 1)),
        Entry::Unknown(write(4, 2)),
    ];
    let all = ledgered(&mix, killed.clone());
    // Series 0 has the even requests: 0 is done, 2 refused and 4 unknown; 1 has 1, 3 and 5.
    assert_eq!(all[&0].fits.len(), 1);
    assert_eq!((all[&0].refused, &all[&0].unknown_fits), (1, &vec![2]));
    assert_eq!(all[&1].unknown_fits, [0, 1, 2]);
    // At a proper end, what has no line was never sent.
    for (interrupted, unknown) in [(false, 0), (true, 3)] {
        let mut ended = killed.clone();
        ended.push(Entry::Ended { interrupted });
        let all = ledgered(&mix, ended);
        let of_1 = all.get(&1).map_or(0, |facts| facts.unknown_fits.len());
        assert_eq!(of_1, unknown);
    }
}

#[test]
fn a_client_that_was_killed_before_the_run_has_sent_the_fits_before_it() {
    let mix = [(Op::Predict, 1)];
    let all = ledgered(&mix, Vec::new());
    assert_eq!(all.len(), 2);
    assert!(all.values().all(|facts| facts.unknown_fits == [0]));
    let before = Write {
        index: None,
        ..write(0, 0)
    };
    let told = ledgered(&mix, vec![Entry::Unknown(before)]);
    assert_eq!(told.len(), 1, "the others were not sent");
}
