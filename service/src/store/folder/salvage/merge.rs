//! The latest record of each key, out of many files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use lsm_tree::ValueType;

/// What a file has of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Value(Vec<u8>),
    /// A value that stands in a file of values, as that file has it.
    Apart(Vec<u8>),
    /// It says that the value stands in such a file.
    Elsewhere,
    Removed,
}

/// A record of a key. Of one key the latest comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) sequence: Reverse<u64>,
    pub(super) kind: Kind,
}

impl Record {
    pub(super) fn of_table(record: lsm_tree::InternalValue) -> Self {
        let kind = match record.key.value_type {
            ValueType::Value => Kind::Value(record.value.to_vec()),
            ValueType::Indirection => Kind::Elsewhere,
            ValueType::Tombstone | ValueType::WeakTombstone => Kind::Removed,
        };
        Self {
            key: record.key.user_key.to_vec(),
            sequence: Reverse(record.key.seqno),
            kind,
        }
    }
}

pub(super) type Source = Box<dyn Iterator<Item = io::Result<Record>>>;

/// Merges files, each of which is in the order of its keys.
pub(super) struct Merge {
    sources: Vec<Source>,
    next: BinaryHeap<Reverse<(Record, usize)>>,
    /// The key that was last returned.
    last: Option<Vec<u8>>,
    /// Whether a file of values may have values that no table refers to because that table is lost.
    pub(super) takes_unnamed: bool,
    /// Records that a table has and no file of values.
    pub(super) lost: u64,
}

impl Merge {
    pub(super) fn new(sources: Vec<Source>, takes_unnamed: bool) -> io::Result<Self> {
        let mut merge = Self {
            next: BinaryHeap::new(),
            last: None,
            takes_unnamed,
            lost: 0,
            sources,
        };
        for idx in 0..merge.sources.len() {
            merge.advance(idx)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, source: usize) -> io::Result<()> {
        if let Some(record) = self.sources[source].next() {
            self.next.push(Reverse((record?, source)));
        }
        Ok(())
    }

    fn pop(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse((record, source))) = self.next.pop() else {
            return Ok(None);
        };
        self.advance(source)?;
        Ok(Some(record))
    }

    /// The next key that has a value, and the value.
    pub(super) fn next(&mut self) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
        while let Some(first) = self.pop()? {
            let mut latest = vec![first.kind];
            while self
                .next
                .peek()
                .is_some_and(|Reverse((next, _))| next.key == first.key)
            {
                let Some(older) = self.pop()? else { break };
                if older.sequence == first.sequence {
                    latest.push(older.kind);
                }
            }
            // Blocks that are whole and not in their order are no blocks of this table.
            if self.last.as_ref().is_some_and(|last| *last >= first.key) {
                self.lost += 1;
                continue;
            }
            if let Some(value) = self.value(latest) {
                self.last = Some(first.key.clone());
                return Ok(Some((first.key, value)));
            }
        }
        Ok(None)
    }

    fn value(&mut self, latest: Vec<Kind>) -> Option<Vec<u8>> {
        let is_named = latest.contains(&Kind::Elsewhere) || self.takes_unnamed;
        let is_removed = latest.contains(&Kind::Removed);
        let found = latest.into_iter().find_map(|kind| match kind {
            Kind::Value(value) => Some(value),
            Kind::Apart(value) if is_named && !is_removed => Some(value),
            _ => None,
        });
        if found.is_none() && is_named && !is_removed {
            self.lost += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(
        files: Vec<Vec<(&'static str, u64, Kind)>>,
        takes_unnamed: bool,
    ) -> (Vec<String>, u64) {
        let sources = files.into_iter().map(|file| {
            let records = file.into_iter().map(|(key, sequence, kind)| {
                Ok(Record {
                    key: key.into(),
                    sequence: Reverse(sequence),
                    kind,
                })
            });
            Box::new(records) as Source
        });
        let mut merge = Merge::new(sources.collect(), takes_unnamed).unwrap();
        let mut found = Vec::new();
        while let Some((key, value)) = merge.next().unwrap() {
            found.push(String::from_utf8([key, value].concat()).unwrap());
        }
        (found, merge.lost)
    }

    #[test]
    fn the_latest_record_of_a_key_counts() {
        let value = |text: &str| Kind::Value(text.into());
        let files = vec![
            vec![
                ("a", 1, value("old")),
                ("b", 4, value("new")),
                ("c", 5, Kind::Removed),
            ],
            vec![
                ("a", 3, value("new")),
                ("b", 2, value("old")),
                ("c", 2, value("old")),
            ],
            vec![("d", 9, value("new")), ("d", 8, Kind::Removed)],
        ];
        assert_eq!(
            merged(files, false),
            (vec!["anew".into(), "bnew".into(), "dnew".into()], 0)
        );
    }

    #[test]
    fn a_value_apart_counts_with_the_record_that_names_it() {
        let apart = |text: &str| Kind::Apart(text.into());
        let files = || {
            vec![
                vec![
                    ("a", 1, Kind::Elsewhere),
                    ("c", 3, Kind::Elsewhere),
                    ("d", 4, Kind::Elsewhere),
                ],
                vec![
                    ("a", 1, apart("1")),
                    ("b", 2, apart("2")),
                    ("d", 3, apart("old")),
                ],
            ]
        };
        assert_eq!(merged(files(), false), (vec!["a1".into()], 2));
        assert_eq!(merged(files(), true).0, ["a1", "b2"]);
    }
}
