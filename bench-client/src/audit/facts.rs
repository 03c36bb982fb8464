//! What a ledger says of each series, with what it leaves open worked out.

use std::collections::BTreeMap;

use crate::ledger::{Acknowledged, Entry, Ledgered, Write};
use crate::load::response::Op;
use crate::workload::{Asked, Workload};

/// The writes to one series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Fits that were acknowledged.
    pub(super) fits: Vec<Acknowledged>,
    /// Trainings of fits that may have happened.
    pub(super) unknown_fits: Vec<u64>,
    /// Updates that were acknowledged as learnt.
    pub(super) updates: Vec<Acknowledged>,
    /// Updates that may have happened.
    pub(super) unknown_updates: u64,
    /// Writes that were refused.
    pub(super) refused: u64,
}

/// The writes of a run by the number of their series.
pub(super) fn facts(ledger: &Ledgered, workload: &Workload) -> BTreeMap<u64, Facts> {
    let mut all = BTreeMap::<u64, Facts>::new();
    let mut until = 0;
    let mut set_up = false;
    // A killed run has no last line, and one that was cut short dropped what was in flight.
    let mut open = true;
    let mut known = Vec::<bool>::new();
    for entry in &ledger.entries {
        let (write, of) = match entry {
            Entry::Begun(_) => continue,
            Entry::Intended { until: to } => {
                until = until.max(*to);
                continue;
            }
            Entry::Ended { interrupted } => {
                open = *interrupted;
                continue;
            }
            Entry::Acknowledged(acknowledged) => (&acknowledged.write, Some(acknowledged)),
            Entry::Refused(write) | Entry::Unknown(write) => (write, None),
        };
        match write.index {
            None => set_up = true,
            Some(index) => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                if known.len() <= index {
                    known.resize(index + 1, false);
                }
                known[index] = true;
            }
        }
        let facts = all.entry(write.series).or_default();
        match (entry, of) {
            (_, Some(of)) if write.op == Op::Fit => facts.fits.push(of.clone()),
            (_, Some(of)) => facts.updates.push(of.clone()),
            (Entry::Refused(_), None) => facts.refused += 1,
            (_, None) => facts.unknown(write.op, write.training),
        }
    }
    if !set_up {
        for n in 0..workload.fits_before() {
            all.entry(n).or_default().unknown(Op::Fit, Some(0));
        }
    }
    if open {
        let known = |index: u64| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            known.get(index).copied().unwrap_or(false)
        };
        for index in (0..until).filter(|index| !known(*index)) {
            let write = match workload.asked(index) {
                Asked::Fit { series, training } => (Op::Fit, series, Some(training)),
                Asked::Update { series } => (Op::Update, series, None),
                Asked::Points { .. } | Asked::Other => continue,
            };
            let (op, series, training) = write;
            all.entry(series).or_default().unknown(op, training);
        }
    }
    all
}

impl Facts {
    fn unknown(&mut self, op: Op, training: Option<u64>) {
        match (op, training) {
            (Op::Fit, Some(training)) => self.unknown_fits.push(training),
            _ => self.unknown_updates += 1,
        }
    }
}

/// What of the order in which `acknowledged` were given their numbers no single order of writes
/// explains, a sentence each: a number given twice, and a number that is not above one that had been
/// acknowledged before its own request was sent (Herlihy & Wing, "Linearizability", 1990).
pub(super) fn violations(acknowledged: &[Acknowledged], what: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut by_number: Vec<&Acknowledged> = acknowledged.iter().collect();
    by_number.sort_by_key(|one| (one.number, one.sent_ns));
    for pair in by_number.windows(2) {
        if pair[0].number == pair[1].number {
            told.push(format!(
                "{what} {} was acknowledged twice: {} and {}",
                pair[0].number,
                name(&pair[0].write),
                name(&pair[1].write)
            ));
        }
    }
    let mut by_sent = by_number.clone();
    by_sent.sort_by_key(|one| one.sent_ns);
    let mut by_acked = by_number;
    by_acked.sort_by_key(|one| one.acked_ns);
    let mut before = by_acked.into_iter().peekable();
    let mut highest: Option<&Acknowledged> = None;
    for one in by_sent {
        while let Some(earlier) = before.next_if(|earlier| earlier.acked_ns < one.sent_ns) {
            if highest.is_none_or(|highest| highest.number < earlier.number) {
                highest = Some(earlier);
            }
        }
        if let Some(highest) = highest.filter(|highest| highest.number > one.number) {
            told.push(format!(
                "{what} {} of {} was sent after {what} {} of {} had been acknowledged",
                one.number,
                name(&one.write),
                highest.number,
                name(&highest.write)
            ));
        }
    }
    told
}

fn name(write: &Write) -> String {
    match write.index {
        Some(index) => format!("request {index}"),
        None => "the fit before the run".to_owned(),
    }
}
