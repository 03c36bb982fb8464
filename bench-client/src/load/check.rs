//! The thread that knows what is right: it takes responses with their bodies after they were
//! written down, checks answers, and keeps the ledger of writes. Nothing of it is timed.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use serde::Deserialize;

use super::recorder::Batch;
use super::response::{Op, OutcomeClass, ResponseRecord};
use crate::interrupt::StopHandle;
use crate::ledger::{Acknowledged, Begun, Entry, Ledger, LedgerError, Write, entry};
use crate::oracle::Oracle;
use crate::results::config::RunConfig;
use crate::results::summary::Answers;
use crate::workload::{Asked, Workload};

/// Longest body that is kept to be checked; a longer one is told as unchecked.
pub(super) const KEEP_BYTES: usize = 4 << 20;

/// Checks one run.
pub(super) struct Check {
    pub(super) workload: Arc<Workload>,
    pub(super) oracle: Option<Oracle>,
    pub(super) ledger: Option<Arc<Ledger>>,
}

/// The answer to a write.
#[derive(Debug, Deserialize)]
struct Written {
    version: Option<String>,
    model_hash: Option<String>,
    state_seq: Option<u64>,
    learnt: Option<bool>,
}

impl Check {
    /// Whatever of the run is to be checked; `None` if nothing is. Begins the ledger.
    pub(super) fn of(
        config: &RunConfig,
        workload: &Arc<Workload>,
        ledger: Option<&Path>,
    ) -> Result<Option<Self>, LedgerError> {
        let sigma = config.workload.sigma;
        if sigma.is_none() && ledger.is_none() {
            return Ok(None);
        }
        let ledger = ledger.map(Ledger::create).transpose()?;
        if let Some(ledger) = &ledger {
            ledger.append(&[Entry::Begun(Begun {
                format_version: entry::FORMAT_VERSION,
                run_id: config.run_id.clone(),
                base_url: config.base_url.clone(),
                seed: config.seed,
                workload: config.workload.clone(),
            })])?;
        }
        Ok(Some(Self {
            workload: Arc::clone(workload),
            oracle: sigma.map(|sigma| Oracle::new(sigma, config.load.good_within_ns)),
            ledger: ledger.map(Arc::new),
        }))
    }

    /// Ends the ledger, and tells what came of the answers if they were checked.
    pub(super) fn finish(self, interrupted: bool) -> Result<Option<Answers>, LedgerError> {
        if let Some(ledger) = &self.ledger {
            ledger.append(&[Entry::Ended { interrupted }])?;
        }
        let finish = |oracle: Oracle| oracle.finish(&self.workload, interrupted);
        Ok(self.oracle.map(finish))
    }

    /// Takes the fits before the run: of each the class, and the body if it was 2xx.
    pub(super) fn set_up(
        &mut self,
        fits: &[(OutcomeClass, Option<Vec<u8>>)],
    ) -> Result<(), LedgerError> {
        let mut entries = Vec::new();
        for (n, (class, body)) in (0..).zip(fits) {
            if let Some(oracle) = &mut self.oracle {
                oracle.set_up(&self.workload, n, body.as_deref());
            }
            let write = Write {
                index: None,
                op: Op::Fit,
                series: n,
                training: Some(0),
            };
            entries.push(outcome(write, *class, body.as_deref(), (0, 0)));
        }
        match &self.ledger {
            Some(ledger) => ledger.append(&entries),
            None => Ok(()),
        }
    }

    /// Takes all responses until their senders are gone. A ledger that cannot be written stops the
    /// run.
    pub(super) fn run(
        mut self,
        responses: &Receiver<Batch>,
        broken: &StopHandle,
    ) -> Result<Self, LedgerError> {
        let mut outcome = Ok(());
        for batch in responses {
            if outcome.is_ok() {
                outcome = self.batch(&batch);
            }
            if outcome.is_err() {
                broken.stop();
            }
        }
        outcome.map(|()| self)
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        let mut entries = Vec::new();
        for (record, body) in batch.records.iter().zip(&batch.bodies) {
            if let Some(oracle) = &mut self.oracle {
                oracle.add(&self.workload, record, body.as_deref());
            }
            if self.ledger.is_some() {
                entries.extend(self.entry(record, body.as_deref()));
            }
        }
        match &self.ledger {
            Some(ledger) if !entries.is_empty() => ledger.append(&entries),
            _ => Ok(()),
        }
    }

    /// What the ledger says of a response, if it is one to a write.
    fn entry(&self, record: &ResponseRecord, body: Option<&[u8]>) -> Option<Entry> {
        let (series, training) = match self.workload.asked(record.index) {
            Asked::Fit { series, training } => (series, Some(training)),
            Asked::Update { series } => (series, None),
            Asked::Points { .. } | Asked::Other => return None,
        };
        let write = Write {
            index: Some(record.index),
            op: record.op,
            series,
            training,
        };
        let times = (record.sent_ns, record.last_ns);
        Some(outcome(write, record.class, body, times))
    }
}

/// What became of a write.
fn outcome(
    write: Write,
    class: OutcomeClass,
    body: Option<&[u8]>,
    (sent_ns, acked_ns): (u64, u64),
) -> Entry {
    if class == OutcomeClass::Refused {
        return Entry::Refused(write);
    }
    let written = body.and_then(|body| serde_json::from_slice::<Written>(body).ok());
    if written
        .as_ref()
        .is_some_and(|written| written.learnt == Some(false))
    {
        // A late point: answered, and not learnt.
        return Entry::Refused(write);
    }
    let number = written.as_ref().and_then(|written| match write.op {
        Op::Fit => written.version.as_ref()?.parse().ok(),
        _ => written.state_seq,
    });
    // A 429 or 503 is a refusal by the book, and a server may fail after it has written.
    match (number, written) {
        (Some(number), Some(written)) if class == OutcomeClass::Ok => {
            Entry::Acknowledged(Acknowledged {
                write,
                sent_ns,
                acked_ns,
                number,
                hash: written.model_hash,
            })
        }
        _ => Entry::Unknown(write),
    }
}
