//! Lists series and versions, page by page: each page goes on after the last key that was seen, whatever has
//! come and gone meanwhile.
//!
//! Series with labels are found in the index: the lists of all labels asked for are walked side by side, each
//! leaping to where another one is. How far a page looks is bounded, so a page may be short of its limit.

use compact_str::CompactString;
use fjall::Readable;

use super::committer::Tables;
use super::head::Head;
use super::index::{self, Labels, SeriesLabels};
use super::reading;
use super::record::{VersionRecord, version_key};
use super::{AliasRecord, StoreError, aliases, heads};

/// What one page may cost before it says where to go on, in names that are looked at; little in tests, so that
/// they meet it.
const COST_MOST: usize = if cfg!(test) { 40 } else { 4_000 };
/// A leap costs as much as so many names.
const LEAP_COST: usize = 16;
/// Keys passed over one by one before a list leaps.
const STEPS: usize = 4;

/// Which series are asked for.
#[derive(Clone, Debug, Default)]
pub struct SeriesQuery {
    /// What the names of all series in question begin with. Of longer names, those with a `/` after it are
    /// another's.
    pub scope: CompactString,
    /// What they begin with after that.
    pub prefix: CompactString,
    /// Labels they have, all of them.
    pub labels: Vec<(CompactString, CompactString)>,
    /// The last name of the page before.
    pub after: Option<CompactString>,
    /// Most series of a page.
    pub limit: usize,
}

/// A page of series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesPage {
    /// In the order of their names.
    pub series: Vec<ListedSeries>,
    /// The name after which to go on; none if there is nothing more.
    pub next: Option<CompactString>,
}

/// A series of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedSeries {
    /// Its name.
    pub series: CompactString,
    /// What is told of it, or what is wrong with its records.
    pub found: Result<Listed, String>,
}

/// What a list tells of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The number of its latest version.
    pub latest: u64,
    /// How many versions it has.
    pub versions: u64,
    /// When the latest one was fitted, milliseconds since 1970.
    pub fitted_at_ms: i64,
    /// Its labels.
    pub labels: Labels,
}

/// What is told of one series, besides its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesFacts {
    /// How many versions it has.
    pub versions: u64,
    /// Its first version that is there.
    pub first: u64,
    /// Its labels.
    pub labels: Labels,
    /// Its aliases, by name.
    pub aliases: Vec<(CompactString, AliasRecord)>,
    /// Whether it has an online state.
    pub is_online: bool,
}

/// Which versions of a series are asked for.
#[derive(Clone, Debug)]
pub struct VersionsQuery {
    /// The series.
    pub series: CompactString,
    /// The last version of the page before.
    pub after: Option<u64>,
    /// From the newest to the oldest.
    pub is_descending: bool,
    /// Most versions of a page.
    pub limit: usize,
}

/// A version of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedVersion {
    /// Its number.
    pub version: u64,
    /// Its record, or what is wrong with it.
    pub record: Result<VersionRecord, String>,
    /// Bytes it takes in the store, before compression.
    pub bytes: u64,
}

fn failed(error: &fjall::Error) -> StoreError {
    reading::failed("the list of series", error)
}

/// Names in one keyspace, in order, after a common beginning of their keys.
struct Names<'a> {
    snapshot: &'a fjall::Snapshot,
    table: &'a fjall::Keyspace,
    lead: Vec<u8>,
    ahead: Option<fjall::Iter>,
    /// The name that was read last.
    at: Option<Vec<u8>>,
    leaps: usize,
}

impl<'a> Names<'a> {
    fn of(snapshot: &'a fjall::Snapshot, table: &'a fjall::Keyspace, lead: Vec<u8>) -> Self {
        Self {
            snapshot,
            table,
            lead,
            ahead: None,
            at: None,
            leaps: 0,
        }
    }

    /// The first name that is not before `from`. What is asked for never goes back.
    fn seek(&mut self, from: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut steps = 0;
        loop {
            match &self.at {
                Some(name) if name.as_slice() >= from => return Ok(self.at.clone()),
                _ => {}
            }
            if steps == STEPS {
                self.ahead = None;
            }
            let ahead = self.ahead.get_or_insert_with(|| {
                self.leaps += 1;
                let start = [self.lead.as_slice(), from].concat();
                self.snapshot.range(self.table, start..)
            });
            steps += 1;
            let Some(next) = ahead.next() else {
                return Ok(None);
            };
            let key = next.key().map_err(|error| failed(&error))?;
            match key.strip_prefix(self.lead.as_slice()) {
                Some(name) => self.at = Some(name.to_vec()),
                None => return Ok(None),
            }
        }
    }
}

/// Where the names of another's series end that begins as this one does, if it is another's.
fn end_of_anothers(name: &[u8], scope: &[u8]) -> Option<Vec<u8>> {
    let rest = name.get(scope.len()..)?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let mut end = name[..scope.len() + slash].to_vec();
    end.push(b'/' + 1);
    Some(end)
}

/// The page of series that `query` asks for.
pub(super) fn series(tables: &Tables, query: &SeriesQuery) -> Result<SeriesPage, StoreError> {
    let snapshot = tables.db.snapshot();
    let within = [query.scope.as_bytes(), query.prefix.as_bytes()].concat();
    let mut lists: Vec<Names<'_>> = query
        .labels
        .iter()
        .map(|(label, value)| {
            let lead = index::labelled_prefix(label, value);
            Names::of(&snapshot, &tables.labelled, lead)
        })
        .collect();
    if lists.is_empty() {
        lists.push(Names::of(&snapshot, &tables.heads, Vec::new()));
    }
    let mut page = SeriesPage::default();
    // Keys of the store's own begin with 0x00.
    let mut from = if within.is_empty() {
        vec![1]
    } else {
        within.clone()
    };
    if let Some(after) = &query.after {
        from = from.max(past(after.as_bytes()));
    }
    // The last name of which it is known whether it belongs to the page.
    let (mut looked, mut decided) = (0, None);
    'names: loop {
        let (mut agreed, mut turn) = (0, 0);
        while agreed < lists.len() {
            let list = turn % lists.len();
            let Some(name) = lists[list].seek(&from)? else {
                break 'names;
            };
            if agreed > 0 && name != from {
                decided = Some(text(&from));
            }
            if let Some(end) = end_of_anothers(&name, query.scope.as_bytes()) {
                (from, agreed) = (end, 0);
                continue;
            }
            if !name.starts_with(&within) {
                break 'names;
            }
            looked += 1;
            let leaps: usize = lists.iter().map(|list| list.leaps).sum();
            if looked + LEAP_COST * leaps >= COST_MOST && decided.is_some() {
                page.next = decided;
                break 'names;
            }
            agreed = if name == from { agreed + 1 } else { 1 };
            from = name;
            turn += 1;
        }
        if page.series.len() == query.limit {
            page.next = page.series.last().map(|last| last.series.clone());
            break;
        }
        let name = text(&from);
        if let Some(series) = listed(tables, &snapshot, &name)? {
            page.series.push(series);
        }
        from = past(&from);
        decided = Some(name);
    }
    Ok(page)
}

/// The smallest key after `name`.
fn past(name: &[u8]) -> Vec<u8> {
    [name, b"\0"].concat()
}

fn text(name: &[u8]) -> CompactString {
    CompactString::from_utf8_lossy(name)
}

/// What a list tells of `series`; none if it is not there.
fn listed(
    tables: &Tables,
    snapshot: &fjall::Snapshot,
    series: &str,
) -> Result<Option<ListedSeries>, StoreError> {
    let get = |table: &fjall::Keyspace, key: &[u8]| {
        snapshot.get(table, key).map_err(|error| failed(&error))
    };
    let Some(head) = get(&tables.heads, series.as_bytes())? else {
        return Ok(None);
    };
    let head = Head::open(&head);
    // Of a series that was deleted, the head stays.
    if head.as_ref().is_ok_and(|head| head.count == 0) {
        return Ok(None);
    }
    let found = || -> Result<Result<Listed, String>, StoreError> {
        let (latest, versions) = match head {
            Ok(head) => (head.latest, head.count),
            Err(reason) => return Ok(Err(reason)),
        };
        let record = get(&tables.versions, &version_key(series, latest))?;
        let labels = get(&tables.labels, series.as_bytes())?;
        let labels = labels.map(|bytes| SeriesLabels::open(&bytes)).transpose();
        let record = record.ok_or_else(|| format!("version {latest} is missing"));
        Ok(record
            .and_then(|bytes| VersionRecord::open(&bytes))
            .and_then(|record| {
                Ok(Listed {
                    latest,
                    versions,
                    fitted_at_ms: record.fitted_at_ms,
                    labels: labels?.unwrap_or_default().labels,
                })
            }))
    };
    Ok(Some(ListedSeries {
        series: series.into(),
        found: found()?,
    }))
}

/// What is told of `series`, if it is there.
pub(super) fn facts(tables: &Tables, series: &str) -> Result<Option<SeriesFacts>, StoreError> {
    let snapshot = tables.db.snapshot();
    let name = |what: &str| format!("{series} ({what})");
    let head = heads::read_at(&snapshot, tables, series)?;
    let Some(head) = head.filter(|head| head.count > 0) else {
        return Ok(None);
    };
    let mut first = head.latest;
    let there = version_key(series, head.deleted_to + 1)..=version_key(series, head.latest);
    for entry in snapshot.range(&tables.versions, there) {
        let key = entry
            .key()
            .map_err(|error| reading::failed(series, &error))?;
        if head.may_have(index::number_of(&key)) {
            first = index::number_of(&key);
            break;
        }
    }
    let labels = snapshot
        .get(&tables.labels, series)
        .map_err(|error| reading::failed(&name("labels"), &error))?
        .map(|bytes| SeriesLabels::open(&bytes))
        .transpose()
        .map_err(|reason| reading::damaged(&name("labels"), reason))?;
    let is_online = snapshot
        .contains_key(&tables.online, series)
        .map_err(|error| reading::failed(&name("online state"), &error))?;
    Ok(Some(SeriesFacts {
        versions: head.count,
        first,
        labels: labels.unwrap_or_default().labels,
        aliases: aliases::read_all(&tables.aliases, series)?,
        is_online,
    }))
}

/// Hands the versions that `query` asks for to `each`; tells whether there are more.
pub(super) fn versions(
    tables: &Tables,
    query: &VersionsQuery,
    each: &mut dyn FnMut(ListedVersion),
) -> Result<bool, StoreError> {
    let series = query.series.as_str();
    let failed = |error: &fjall::Error| reading::failed(&format!("{series} (versions)"), error);
    let snapshot = tables.db.snapshot();
    let head = heads::read_at(&snapshot, tables, series)?.unwrap_or_default();
    // What is left of earlier lives counts for nothing.
    let lowest = head.deleted_to.saturating_add(1);
    let (first, last) = match (query.after, query.is_descending) {
        (None, _) => (lowest, u64::MAX),
        (Some(after), true) => (lowest, after.saturating_sub(1)),
        (Some(after), false) => (lowest.max(after.saturating_add(1)), u64::MAX),
    };
    if first > last {
        return Ok(false);
    }
    let keys = version_key(series, first)..=version_key(series, last);
    let mut records = snapshot.range(&tables.versions, keys);
    let mut told = 0;
    loop {
        let next = if query.is_descending {
            records.next_back()
        } else {
            records.next()
        };
        let Some(next) = next else { return Ok(false) };
        let (key, bytes) = next.into_inner().map_err(|error| failed(&error))?;
        let version = index::number_of(&key);
        if !head.may_have(version) {
            continue;
        }
        if told == query.limit {
            return Ok(true);
        }
        told += 1;
        let apart = snapshot
            .size_of(&tables.training, &key)
            .map_err(|error| failed(&error))?;
        each(ListedVersion {
            version,
            record: VersionRecord::open(&bytes),
            bytes: bytes.len() as u64 + u64::from(apart.unwrap_or(0)),
        });
    }
}
