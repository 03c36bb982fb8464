//! The answers kept by key: found, kept with their version in one batch, and swept when they are old.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::reading;
use super::record::{open_number, seal_number};
use super::request::{KeptAnswer, RequestKey};
use super::{Put, PutError, StoreError};

/// How long answers are kept, and how many.
#[derive(Clone, Copy, Debug)]
pub struct KeepAnswers {
    /// For so long, by the system's clock.
    pub ttl: Duration,
    /// No more than about so many: beyond them the oldest go first.
    pub max: u64,
}

impl Default for KeepAnswers {
    /// A day, a million.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(24 * 60 * 60),
            max: 1_000_000,
        }
    }
}

impl KeepAnswers {
    fn ttl_ms(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    fn is_over(&self, at_ms: u64, now_ms: u64) -> bool {
        at_ms.saturating_add(self.ttl_ms()) <= now_ms
    }
}

/// Answers removed in one go at least: well below a millisecond.
const SWEEP_STEP: usize = 256;
/// The system's clock may be set: what is due is looked at this often.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(60);
const COUNT_KEY: &[u8] = b"\x01count";
/// Where the keys of the order of ages begin, and where they have ended.
const AGES: [&[u8]; 2] = [b"\x00", b"\x01"];

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The keyspace of answers.
#[derive(Clone)]
pub(super) struct Answers {
    pub(super) table: fjall::Keyspace,
    pub(super) keep: KeepAnswers,
}

impl Answers {
    /// The answer kept under `key` of `series`, unless it is too old or tells of a version of an earlier
    /// life, up to the number `deleted_to`.
    pub(super) fn find(
        &self,
        (series, deleted_to): (&str, u64),
        key: RequestKey,
        now_ms: u64,
    ) -> Result<Option<KeptAnswer>, StoreError> {
        let name = || format!("{series} (answer kept by its idempotency key)");
        let bytes = self.table.get(answer_key(series, key));
        let Some(bytes) = bytes.map_err(|error| reading::failed(&name(), &error))? else {
            return Ok(None);
        };
        let kept = KeptAnswer::open(&bytes);
        let kept = kept.map_err(|reason| reading::damaged(&name(), reason))?;
        let is_past = kept.version <= deleted_to || self.keep.is_over(kept.at_ms, now_ms);
        Ok((!is_past).then_some(kept))
    }

    /// Counts the answers that are there, where their number may be lost.
    pub(super) fn count_anew(&self, write: &mut fjall::OwnedWriteBatch) -> Result<(), StoreError> {
        let mut count = 0;
        for record in self.table.iter() {
            let key = record.key();
            let key = key.map_err(|error| reading::failed("kept answers", &error))?;
            count += u64::from(&*key >= AGES[1] && !key.starts_with(AGES[1]));
        }
        write.insert(&self.table, COUNT_KEY, seal_number(count));
        Ok(())
    }
}

fn answer_key(series: &str, key: RequestKey) -> Vec<u8> {
    [series.as_bytes(), b"\0", &key.0].concat()
}

fn age_key(at_ms: u64, answer_key: &[u8]) -> Vec<u8> {
    [AGES[0], &at_ms.to_be_bytes(), answer_key].concat()
}

/// What was asked before under the key of a put.
pub(super) enum Before {
    /// Nothing, or the put has no key.
    Nothing,
    /// The same.
    Same(KeptAnswer),
}

/// The answers of one batch.
pub(super) struct NewAnswers<'a> {
    by_key: HashMap<(&'a str, RequestKey), KeptAnswer>,
    now_ms: u64,
}

impl<'a> NewAnswers<'a> {
    pub(super) fn at(now_ms: u64) -> Self {
        Self {
            by_key: HashMap::new(),
            now_ms,
        }
    }

    /// What this batch or an earlier one answered under the key of `put`, with a version beyond
    /// `deleted_to`; an inner error refuses this put alone.
    pub(super) fn before(
        &self,
        answers: &Answers,
        put: &'a Put,
        deleted_to: u64,
    ) -> Result<Result<Before, PutError>, String> {
        let Some(request) = &put.request else {
            return Ok(Ok(Before::Nothing));
        };
        let of_this_batch = self.by_key.get(&(put.series.as_str(), request.key));
        let kept = match of_this_batch {
            Some(kept) => Some(kept.clone()),
            None => match answers.find((&put.series, deleted_to), request.key, self.now_ms) {
                Ok(kept) => kept,
                // Taking it for absent could make a version twice.
                Err(error @ StoreError::Damaged { .. }) => {
                    return Ok(Err(PutError::Damaged(error.to_string())));
                }
                Err(error) => return Err(error.to_string()),
            },
        };
        Ok(match kept {
            None => Ok(Before::Nothing),
            Some(kept) if kept.body == request.body => Ok(Before::Same(kept)),
            Some(_) => Err(PutError::KeyReused),
        })
    }

    /// Keeps the answer of `put`, whose version it is.
    pub(super) fn keep(&mut self, put: &'a Put, version: u64) {
        let Some(request) = &put.request else { return };
        let kept = KeptAnswer {
            body: request.body,
            version,
            at_ms: self.now_ms,
            answer: request.answer.clone(),
        };
        self.by_key.insert((&put.series, request.key), kept);
    }

    pub(super) fn write(
        self,
        write: &mut fjall::OwnedWriteBatch,
        answers: &Answers,
        sweeper: &mut Sweeper,
    ) {
        if self.by_key.is_empty() {
            return;
        }
        sweeper.kept(answers, self.by_key.len(), self.now_ms);
        write.insert(&answers.table, COUNT_KEY, seal_number(sweeper.count));
        for ((series, key), kept) in self.by_key {
            let key = answer_key(series, key);
            write.insert(&answers.table, age_key(kept.at_ms, &key), []);
            write.insert(&answers.table, key, kept.seal());
        }
    }
}

/// Removes answers that are too old or too many, a few at a time between commits.
pub(super) struct Sweeper {
    /// Entries in the order of ages.
    count: u64,
    /// Before this moment nothing is too old.
    due_ms: u64,
    /// Everything before this key was removed: what a table keeps of removed keys is slow to pass.
    from: Vec<u8>,
    /// Entries to remove in the next step.
    step: usize,
}

impl Sweeper {
    /// A sweeper of the answers that are there.
    pub(super) fn of(answers: &Answers) -> Result<Self, StoreError> {
        let key = "the count of answers kept by their idempotency keys";
        let count = answers.table.get(COUNT_KEY);
        let count = count.map_err(|error| reading::failed(key, &error))?;
        let count = count.map_or(Ok(0), |bytes| open_number(&bytes));
        Ok(Self {
            count: count.map_err(|reason| reading::damaged(key, reason))?,
            due_ms: 0,
            from: AGES[0].to_vec(),
            step: SWEEP_STEP,
        })
    }

    fn kept(&mut self, answers: &Answers, n: usize, now_ms: u64) {
        self.count += n as u64;
        // Two go for one that comes, so that no load outruns the sweeping.
        self.step = SWEEP_STEP.max(2 * n);
        self.due_ms = self
            .due_ms
            .min(now_ms.saturating_add(answers.keep.ttl_ms()));
        // The clock may have been set back.
        let youngest = age_key(now_ms, &[]);
        if youngest < self.from {
            self.from = youngest;
        }
    }

    /// Removes the answers among `records` that tell of versions up to `deleted_to` or cannot be read.
    pub(super) fn bury(
        &mut self,
        write: &mut fjall::OwnedWriteBatch,
        answers: &Answers,
        records: &[(fjall::UserKey, fjall::UserValue)],
        deleted_to: u64,
    ) {
        let before = self.count;
        for (key, value) in records {
            match KeptAnswer::open(value) {
                Ok(kept) if kept.version > deleted_to => continue,
                // Its place in the order of ages names the series, too.
                Ok(kept) => {
                    write.remove(&answers.table, age_key(kept.at_ms, key));
                    self.count = self.count.saturating_sub(1);
                }
                Err(_) => {}
            }
            write.remove(&answers.table, key.clone());
        }
        if self.count != before {
            write.insert(&answers.table, COUNT_KEY, seal_number(self.count));
        }
    }

    fn is_due(&self, answers: &Answers, now_ms: u64) -> bool {
        self.count > 0 && (self.due_ms <= now_ms || self.count > answers.keep.max)
    }

    /// How long nothing has to be done.
    pub(super) fn rests(&self, answers: &Answers, now_ms: u64) -> Duration {
        if self.is_due(answers, now_ms) {
            return Duration::ZERO;
        }
        LOOK_EVERY.min(Duration::from_millis(
            self.due_ms.saturating_sub(now_ms).max(1),
        ))
    }

    /// Removes a few, if any are to go. Not synced: what a crash brings back is removed again.
    pub(super) fn step(
        &mut self,
        db: &fjall::Database,
        answers: &Answers,
        now_ms: u64,
    ) -> Result<(), String> {
        if !self.is_due(answers, now_ms) {
            return Ok(());
        }
        let text = |error: fjall::Error| error.to_string();
        let table = &answers.table;
        let mut write = db.batch().durability(Some(fjall::PersistMode::Buffer));
        let mut removed = 0;
        let mut is_all = true;
        self.due_ms = u64::MAX;
        for entry in table.range(self.from.as_slice()..AGES[1]) {
            let age_key = entry.key().map_err(text)?;
            let at_ms = at_ms_of(&age_key);
            let is_too_many = self.count.saturating_sub(removed as u64) > answers.keep.max;
            if !is_too_many && !answers.keep.is_over(at_ms, now_ms) {
                self.due_ms = at_ms.saturating_add(answers.keep.ttl_ms());
                is_all = false;
                break;
            }
            if removed == self.step {
                self.due_ms = now_ms;
                is_all = false;
                break;
            }
            removed += 1;
            self.from = age_key.to_vec();
            let answer_key = age_key.get(9..).unwrap_or_default();
            let kept = table.get(answer_key).map_err(text)?;
            // The key may have been used anew since: then the answer is a younger entry's.
            let is_younger = kept
                .and_then(|bytes| KeptAnswer::open(&bytes).ok())
                .is_some_and(|kept| kept.at_ms != at_ms);
            if !is_younger {
                write.remove(table, answer_key);
            }
            write.remove(table, age_key);
        }
        self.count = if is_all {
            0
        } else {
            self.count.saturating_sub(removed as u64)
        };
        if removed == 0 {
            return Ok(());
        }
        write.insert(table, COUNT_KEY, seal_number(self.count));
        write.commit().map_err(text)
    }
}

fn at_ms_of(age_key: &[u8]) -> u64 {
    let at_ms = age_key.get(1..).and_then(<[u8]>::first_chunk);
    at_ms.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
