//! All journals of a store: what is damaged of them, and journals without it.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::chain::{Chain, Place};
use super::files::{remove_unfinished, replace, set_aside};
use super::journal::{self, Piece};
use super::manifest::BadFile;

/// What was found in the journals, oldest first.
#[derive(Default)]
pub(in crate::store) struct Journals {
    journals: Vec<Journal>,
    chain: Chain,
    /// The last batch with a number, and those after it.
    recent: Vec<Recent>,
    /// The number of the last commit that was acknowledged, as far as it is known.
    watermark: u64,
}

struct Journal {
    path: PathBuf,
    /// What must not be read.
    damaged: Vec<Range<usize>>,
    /// Bytes without the zeros at the end.
    length: usize,
    n_batches: u64,
}

/// A batch that a later one may show to be wrong.
#[derive(Clone, Debug)]
struct Recent {
    journal: usize,
    bytes: Range<usize>,
    sequence: u64,
}

impl Journals {
    /// Reads those in `folder`.
    pub(super) fn read(folder: &Path, watermark: u64) -> io::Result<Self> {
        let mut found = Self {
            watermark,
            ..Self::default()
        };
        for path in paths(folder)? {
            found.read_one(path)?;
        }
        Ok(found)
    }

    fn read_one(&mut self, path: PathBuf) -> io::Result<()> {
        let bytes = journal::read(&path)?;
        let mut journal = Journal {
            path,
            damaged: Vec::new(),
            length: bytes.len(),
            n_batches: 0,
        };
        let idx = self.journals.len();
        let mut wrong = Vec::new();
        for piece in journal::pieces(&bytes) {
            match piece {
                Piece::Damaged(range) => journal.damaged.push(range),
                Piece::Batch(batch) => {
                    journal.n_batches += 1;
                    let place = self.chain.add(&batch);
                    if let Place::RightAndThoseFromWrong(sequence) = place {
                        let hiding = self.recent.iter();
                        wrong.extend(hiding.filter(|it| it.sequence >= sequence).cloned());
                    }
                    if place == Place::Wrong {
                        journal.damaged.push(batch.bytes);
                        continue;
                    }
                    // Of those before a batch with a number, that batch says whether they hide it.
                    if batch.commit.is_some() {
                        self.recent.clear();
                    }
                    self.recent.push(Recent {
                        journal: idx,
                        bytes: batch.bytes,
                        sequence: batch.sequence,
                    });
                }
            }
        }
        self.journals.push(journal);
        for batch in wrong {
            self.journals[batch.journal].damaged.push(batch.bytes);
        }
        Ok(())
    }

    /// The bytes after the last batch of all, if they are what a crash leaves of a batch that was
    /// being written: nothing that was acknowledged is in it.
    fn is_torn_end(&self, journal: usize, range: &Range<usize>) -> bool {
        // A journal that was begun at the moment of the crash has no batch yet.
        let mut later = self.journals[journal + 1..].iter();
        let is_last = later.all(|later| later.n_batches == 0);
        let is_end = is_last && range.end == self.journals[journal].length;
        // Where no batch has a number it is not known; the store itself has it then.
        is_end && self.chain.last().is_none_or(|last| last >= self.watermark)
    }

    /// What is wrong with the journals, a sentence each.
    pub(in crate::store) fn damage(&self) -> Vec<BadFile> {
        let mut found = Vec::new();
        for (idx, journal) in self.journals.iter().enumerate() {
            for range in &journal.damaged {
                if !self.is_torn_end(idx, range) {
                    let reason = format!("bytes {} to {} are no batch", range.start, range.end);
                    found.push(BadFile::new(&journal.path, reason));
                }
            }
        }
        found
    }

    /// Commits that are known to be missing between others.
    pub(in crate::store) fn missing(&self) -> u64 {
        self.chain.missing()
    }

    /// The number of the last commit in the journals.
    pub(in crate::store) fn last(&self) -> Option<u64> {
        self.chain.last()
    }

    /// Whether they have every commit that was ever acknowledged: what is lost of a keyspace is read from
    /// them again.
    pub(in crate::store) fn have_all(&self) -> bool {
        self.chain.begins_with_the_first()
            && self.chain.missing() == 0
            && self.damage().is_empty()
            && self.chain.last().is_some_and(|last| last >= self.watermark)
    }

    /// Leaves fjall journals in which every batch is whole. What was damaged is kept aside, but for
    /// the torn end of a crash.
    pub(super) fn make_readable(&self, folder: &Path) -> io::Result<()> {
        remove_unfinished(folder)?;
        for (idx, journal) in self.journals.iter().enumerate() {
            if journal.damaged.is_empty() {
                continue;
            }
            // Where no batch has a number, only the store itself may know whether it was acknowledged.
            let is_known = self.chain.last().is_some();
            let is_torn = |range: &Range<usize>| is_known && self.is_torn_end(idx, range);
            if !journal.damaged.iter().all(is_torn) {
                set_aside(folder, &journal.path)?;
            }
            journal.rewrite()?;
        }
        Ok(())
    }
}

/// Where they are, oldest first.
fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let id = path.extension().filter(|extension| *extension == "jnl");
        let id = id.and_then(|_| path.file_stem()?.to_str()?.parse::<u64>().ok());
        journals.extend(id.map(|id| (id, path)));
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

impl Journal {
    /// Writes it anew without what is damaged, in one step.
    fn rewrite(&self) -> io::Result<()> {
        let bytes = journal::read(&self.path)?;
        let mut damaged = self.damaged.clone();
        damaged.sort_by_key(|range| range.start);
        replace(&self.path, |file| {
            let mut at = 0;
            for range in damaged {
                file.write_all(&bytes[at..range.start])?;
                at = range.end;
            }
            file.write_all(&bytes[at..])
        })
    }
}
