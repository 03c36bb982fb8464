//! Failures by what they say, in bounded memory.
//!
//! While no more than [`MOST_KINDS`] different messages occur, every one is counted and the order of
//! the responses does not matter. Beyond that the messages seen first keep their counts and all
//! others are counted together: a flood of messages that never repeat (an address, a number in each)
//! cannot be told apart usefully, and a common one is seen early.

use std::collections::HashMap;

use super::stats::ErrorKind;
use crate::load::response::{OutcomeClass, ResponseRecord};

/// Different messages that are counted apart.
pub(super) const MOST_KINDS: usize = 1_000;

/// Bytes of a message that are looked at.
pub(super) const MOST_BYTES: usize = 300;

/// Kinds that are reported.
pub(super) const REPORTED: usize = 20;

/// Counts by message.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures {
    kinds: HashMap<Box<str>, Kind>,
    others: u64,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    count: u64,
    first_index: u64,
}

impl Failures {
    /// Counts a response that failed, or that says why it half did.
    pub(super) fn add(&mut self, record: &ResponseRecord) {
        let silent;
        let message = match (&record.error, record.status) {
            (Some(message), _) => shortened(message),
            (None, Some(status)) => {
                silent = format!("status {status}");
                &silent
            }
            (None, None) => match record.class {
                OutcomeClass::TimedOut => "timed out",
                _ => "no reply",
            },
        };
        if let Some(kind) = self.kinds.get_mut(message) {
            kind.count += 1;
            kind.first_index = kind.first_index.min(record.index);
        } else if self.kinds.len() < MOST_KINDS {
            let kind = Kind {
                count: 1,
                first_index: record.index,
            };
            self.kinds.insert(message.into(), kind);
        } else {
            self.others += 1;
        }
    }

    /// The commonest kinds, and how many failures are of none of them.
    pub(super) fn stats(&self) -> (Vec<ErrorKind>, u64) {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_unstable_by_key(|&(message, kind)| {
            (std::cmp::Reverse(kind.count), kind.first_index, message)
        });
        let unreported = kinds.split_off(kinds.len().min(REPORTED));
        let unreported: u64 = unreported.iter().map(|(_, kind)| kind.count).sum();
        let kinds = kinds.into_iter().map(|(message, kind)| ErrorKind {
            message: message.to_string(),
            count: kind.count,
            first_index: kind.first_index,
        });
        let kinds = kinds.collect();
        (kinds, self.others + unreported)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let entry = size_of::<(Box<str>, Kind)>() + 1;
        let messages: usize = self.kinds.keys().map(|message| message.len()).sum();
        self.kinds.capacity() * entry + messages
    }
}

fn shortened(message: &str) -> &str {
    &message[..message.floor_char_boundary(MOST_BYTES)]
}
