//! One series: what was written against what is there.

use super::ask::{self, Found};
use super::facts::{Facts, violations};
use super::{Audit, AuditError};
use crate::client::Client;
use crate::ledger::Acknowledged;
use crate::oracle::model::Reference;
use crate::workload::Workload;

/// Knows what was sent.
pub(super) struct Judge {
    pub(super) workload: Workload,
    pub(super) sigma: Option<f64>,
}

/// How the content of a version compares with a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Same,
    Other,
    /// The server shows nothing that could be compared.
    NotShown,
}

impl Judge {
    /// Asks the server about series `n`, and judges what it says.
    pub(super) async fn series(
        &self,
        client: &Client,
        n: u64,
        facts: &Facts,
    ) -> Result<Audit, AuditError> {
        let name = self.workload.series_name(n);
        let points = self.workload.training_points();
        let highest = facts.fits.iter().map(|fit| fit.number).max().unwrap_or(0);
        let mut versions = Vec::new();
        if !facts.fits.is_empty() || !facts.unknown_fits.is_empty() {
            // Beyond the last that was acknowledged there may be some that nobody was told of; they
            // are looked for as far as there were writes that could be.
            let may_be = highest + facts.unknown_fits.len() as u64 + 1;
            for number in 1..=may_be {
                let found = ask::version(client, &name, number, points).await?;
                let beyond = number > highest && found.is_none();
                versions.push(found);
                if beyond {
                    break;
                }
            }
        }
        let state_seq = match facts.updates.is_empty() && facts.unknown_updates == 0 {
            true => None,
            false => Some(ask::state_seq(client, &name).await?.unwrap_or(0)),
        };
        Ok(self.judge(n, facts, &versions, state_seq))
    }

    /// `versions` are those from 1 on; `state_seq` is how many points the online state has learnt.
    pub(super) fn judge(
        &self,
        n: u64,
        facts: &Facts,
        versions: &[Option<Found>],
        state_seq: Option<u64>,
    ) -> Audit {
        let mut audit = Audit {
            series: 1,
            acknowledged: (facts.fits.len() + facts.updates.len()) as u64,
            unknown: facts.unknown_fits.len() as u64 + facts.unknown_updates,
            refused: facts.refused,
            ..Audit::default()
        };
        let name = self.workload.series_name(n);
        self.fits(&mut audit, n, facts, versions, &name);
        if let Some(state_seq) = state_seq {
            updates(&mut audit, facts, state_seq, &name);
        }
        let order = violations(&facts.fits, "version").into_iter();
        for violation in order.chain(violations(&facts.updates, "state_seq")) {
            audit.order += 1;
            audit.found(format!("{name}: order: {violation}"));
        }
        audit
    }

    fn fits(
        &self,
        audit: &mut Audit,
        n: u64,
        facts: &Facts,
        versions: &[Option<Found>],
        name: &str,
    ) {
        let mut unknown = facts.unknown_fits.clone();
        let there = versions
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        for fit in &facts.fits {
            let index = usize::try_from(fit.number - 1).unwrap_or(usize::MAX);
            let version = fit.number;
            let Some(found) = versions.get(index).and_then(Option::as_ref) else {
                audit.lost += 1;
                audit.found(format!("{name}: lost: version {version} was acknowledged"));
                continue;
            };
            match self.is_what_was_sent(n, fit, found) {
                Content::Same => audit.present += 1,
                Content::NotShown => {
                    audit.present += 1;
                    audit.content_unchecked += 1;
                }
                Content::Other => {
                    audit.corrupted += 1;
                    audit.found(format!(
                        "{name}: corrupted: version {version} is not what was sent"
                    ));
                }
            }
        }
        for (version, found) in (1_u64..).zip(versions.iter().take(there)) {
            if facts.fits.iter().any(|fit| fit.number == version) {
                continue;
            }
            let Some(found) = found else {
                audit.gaps += 1;
                audit.found(format!(
                    "{name}: gap: version {version} is missing below {there}"
                ));
                continue;
            };
            let is = |training: &u64| self.content(n, *training, found);
            let claimed = unknown
                .iter()
                .position(|training| is(training) != Content::Other);
            if let Some(claimed) = claimed {
                unknown.swap_remove(claimed);
                audit.resurrected += 1;
                continue;
            }
            let mut acknowledged = facts.fits.iter().filter_map(|fit| fit.write.training);
            if acknowledged.any(|training| is(&training) != Content::Other) {
                audit.duplicated += 1;
                audit.found(format!(
                    "{name}: duplicated: version {version} was acknowledged to nobody, and is what was sent once"
                ));
            } else {
                audit.corrupted += 1;
                audit.found(format!(
                    "{name}: corrupted: nobody sent what version {version} is"
                ));
            }
        }
    }

    fn is_what_was_sent(&self, n: u64, fit: &Acknowledged, found: &Found) -> Content {
        let hashes = match (&fit.hash, &found.hash) {
            (Some(acknowledged), Some(now)) if acknowledged == now => Content::Same,
            (Some(_), Some(_)) => Content::Other,
            _ => Content::NotShown,
        };
        let content = fit.write.training.map_or(Content::NotShown, |training| {
            self.content(n, training, found)
        });
        match (hashes, content) {
            (Content::Other, _) | (_, Content::Other) => Content::Other,
            (Content::NotShown, Content::NotShown) => Content::NotShown,
            _ => Content::Same,
        }
    }

    /// Compares by training points and by the reference model, as far as they are there.
    fn content(&self, n: u64, training: u64, found: &Found) -> Content {
        let (timestamps, values) = self.workload.training(n, training);
        let mut content = Content::NotShown;
        if let Some((there, values_there)) = &found.training {
            let timestamps = timestamps.iter().map(|time| i64::try_from(*time));
            let same = timestamps.eq(there.iter().map(|time| Ok(*time))) && *values_there == values;
            if !same {
                return Content::Other;
            }
            content = Content::Same;
        }
        if let (Some(sigma), Some([expected, lower, upper])) = (self.sigma, found.figures) {
            let right = Reference::fit(&values, sigma);
            let agree = right.agrees(expected, right.mean)
                && right.agrees(lower, right.lower)
                && right.agrees(upper, right.upper);
            if !agree {
                return Content::Other;
            }
            content = Content::Same;
        }
        content
    }
}

/// Numbers of an online state are counts of the points in it, so that only how many there are can
/// be compared.
fn updates(audit: &mut Audit, facts: &Facts, state_seq: u64, name: &str) {
    let lost = facts
        .updates
        .iter()
        .filter(|update| update.number > state_seq);
    let lost = lost.count() as u64;
    audit.lost += lost;
    audit.present += facts.updates.len() as u64 - lost;
    if lost > 0 {
        let last = facts.updates.iter().map(|update| update.number).max();
        audit.found(format!(
            "{name}: lost: {lost} points; {} were acknowledged, and {state_seq} are learnt",
            last.unwrap_or(0)
        ));
    }
    let mut numbers: Vec<u64> = facts.updates.iter().map(|update| update.number).collect();
    numbers.retain(|number| *number <= state_seq);
    numbers.sort_unstable();
    numbers.dedup();
    // Every number up to the state's is of a point that was acknowledged, or of one nobody knows of.
    let open = state_seq - numbers.len() as u64;
    let explained = open.min(facts.unknown_updates);
    audit.resurrected += explained;
    let too_many = open - explained;
    if too_many > 0 {
        audit.duplicated += too_many;
        audit.found(format!(
            "{name}: duplicated: {state_seq} points are learnt, {too_many} more than were sent"
        ));
    }
}
