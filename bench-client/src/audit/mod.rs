//! A ledger held against what a server has: after a kill, a fail-over or a restore, what of the
//! writes that it acknowledged is still there, and is what was written.
//!
//! | | |
//! |---|---|
//! | present | acknowledged and there, with the content that was sent |
//! | **lost** | acknowledged and not there |
//! | resurrected | there, and unknown to the client whether it would be; allowed |
//! | **duplicated** | there, acknowledged to nobody, and what was sent and acknowledged once already |
//! | **corrupted** | there with another content than was sent, or another model's hash than was acknowledged |
//! | **gap** | a number below one that is there is missing |
//! | **order** | numbers that no single order of the writes explains |
//!
//! The contents of a version are its training points where the chart page has them, the figures of the
//! reference model where fits asked for it, and the model's hash.

mod ask;
mod facts;
mod judge;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::facts::{Facts, facts};
use self::judge::Judge;
use crate::base_url::BaseUrl;
use crate::client::{Client, ClientError};
use crate::ledger::{self, LedgerError};
use crate::workload::{Workload, WorkloadError};

/// Series that are asked about at once.
const AT_ONCE: usize = 8;

/// The longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Findings that are told one by one.
const FINDINGS: usize = 20;

/// What an audit found; counts of writes unless it says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Series that were written to.
    pub series: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes that may have happened.
    pub unknown: u64,
    /// Writes that were refused.
    pub refused: u64,
    /// Acknowledged and there.
    pub present: u64,
    /// Of those, versions whose content nothing could be compared with.
    pub content_unchecked: u64,
    /// There, and the client did not know.
    pub resurrected: u64,
    /// Acknowledged and not there.
    pub lost: u64,
    /// There once too often.
    pub duplicated: u64,
    /// There with another content.
    pub corrupted: u64,
    /// Numbers that are missing.
    pub gaps: u64,
    /// Numbers out of order, or given twice.
    pub order: u64,
    /// Whether the ledger's last line was cut off.
    pub torn: bool,
    /// The first few things that are wrong, a sentence each.
    pub findings: Vec<String>,
}

/// An audit that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was sent cannot be worked out again.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The base URL in the ledger is none.
    #[error("the ledger's base URL: {0}")]
    BaseUrl(String),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server does not say what it has.
    #[error("the server does not say what it has: {0}")]
    Answer(String),
}

impl Audit {
    /// Whether everything that was acknowledged is there, once, as it was sent, in order.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.lost + self.duplicated + self.corrupted + self.gaps + self.order == 0
    }

    fn found(&mut self, finding: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
    }

    fn add(&mut self, one: Self) {
        self.series += one.series;
        self.acknowledged += one.acknowledged;
        self.unknown += one.unknown;
        self.refused += one.refused;
        self.present += one.present;
        self.content_unchecked += one.content_unchecked;
        self.resurrected += one.resurrected;
        self.lost += one.lost;
        self.duplicated += one.duplicated;
        self.corrupted += one.corrupted;
        self.gaps += one.gaps;
        self.order += one.order;
        for finding in one.findings {
            self.found(finding);
        }
    }
}

/// Compares the ledger in `file` with what the server at `base_url`, or at the one that the ledger
/// names, has now. Needs a tokio runtime with I/O and time.
///
/// # Errors
/// When the ledger cannot be read, or the server does not answer.
pub async fn audit(file: &Path, base_url: Option<&BaseUrl>) -> Result<Audit, AuditError> {
    let ledger = ledger::read(file)?;
    let begun = &ledger.begun;
    let named: Result<BaseUrl, _> = begun.base_url.parse();
    let base = match base_url {
        Some(base) => base.clone(),
        None => named.map_err(|error| AuditError::BaseUrl(error.to_string()))?,
    };
    let workload = Workload::build(&begun.workload, &base, &begun.run_id, begun.seed)?;
    let all: BTreeMap<u64, Facts> = facts(&ledger, &workload);
    let shared = Arc::new((
        Client::new(&base, AT_ONCE, TIMEOUT)?,
        Judge {
            sigma: begun.workload.sigma,
            workload,
        },
        Semaphore::new(AT_ONCE),
    ));
    let mut tasks = JoinSet::new();
    for (n, facts) in all {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            let (client, judge, at_once) = &*shared;
            // Never closed.
            let _place = at_once.acquire().await;
            (n, judge.series(client, n, &facts).await)
        });
    }
    let mut series = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        let (n, one) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        series.insert(n, one?);
    }
    let mut audit = Audit {
        torn: ledger.torn,
        ..Audit::default()
    };
    series.into_values().for_each(|one| audit.add(one));
    Ok(audit)
}

#[cfg(test)]
mod tests;
