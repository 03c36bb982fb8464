//! Reads everything that a closed store has, and says of each thing that is not as it should be which
//! series and version it is. Memory does not grow with the store: what belongs together is looked up.

use std::fmt::Display;

use detectors::Fitted;
use detectors::online::Online;
use fjall::Keyspace;
use serde::Serialize;

use super::aliases::{AliasRecord, REVISION_KEY};
use super::commit_record::COMMIT_KEY;
use super::deletes::grave_key;
use super::embedded::EmbeddedOptions;
use super::folder::{self, Depth};
use super::head::{DELETED_PREFIX, Head};
use super::index::{SeriesLabels, labelled_key, labelled_parts};
use super::opening::{self, Opened, read_number};
use super::record::{SERIES_COUNT_KEY, VersionRecord, open_number, series_and_number, version_key};
use super::request::KeptAnswer;
use super::state::{Learnt, StateRecord, StoredState};
use super::training::TrainingPoints;
use super::{StoreError, reading};

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The series, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// The version, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What it is about.
    pub what: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(series) = &self.series {
            write!(f, "series {series}")?;
            if let Some(version) = self.version {
                write!(f, " version {version}")?;
            }
            write!(f, ", ")?;
        }
        write!(f, "{}: {}", self.what, self.reason)
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Series with at least one version.
    pub series: u64,
    /// Versions.
    pub versions: u64,
    /// Aliases.
    pub aliases: u64,
    /// Online states.
    pub states: u64,
    /// Answers that are kept by idempotency keys.
    pub answers: u64,
    /// The number of the last commit.
    pub last_commit: u64,
    /// Things that are not as they should be.
    pub findings: u64,
}

/// Reads the store at `options`, which nobody else has open, and tells each finding.
///
/// # Errors
/// When it cannot be opened.
pub fn verify(
    options: &EmbeddedOptions,
    tell: impl FnMut(&Finding),
) -> Result<Verified, StoreError> {
    let mut checks = Checks {
        verified: Verified::default(),
        tell,
    };
    let found = folder::inspect(&options.path, Depth::Whole)?;
    for bad in found.keyspace_damage() {
        checks.add("file", bad);
    }
    drop(found);
    let opened = opening::open(options)?;
    if let Some(incomplete) = &opened.incomplete {
        checks.add("commits", incomplete);
    }
    checks.verified.last_commit = opening::last_commit(&opened.tables)?.number;
    checks.heads(&opened);
    checks.versions(&opened);
    checks.training(&opened);
    checks.aliases(&opened);
    checks.times(&opened);
    checks.labels(&opened);
    checks.labelled(&opened);
    checks.states(&opened);
    checks.points(&opened);
    checks.answers(&opened);
    Ok(checks.verified)
}

struct Checks<F> {
    verified: Verified,
    tell: F,
}

impl<F: FnMut(&Finding)> Checks<F> {
    fn say(&mut self, finding: &Finding) {
        self.verified.findings += 1;
        (self.tell)(finding);
    }

    fn add(&mut self, what: &'static str, reason: impl Display) {
        self.say(&Finding {
            series: None,
            version: None,
            what,
            reason: reason.to_string(),
        });
    }

    fn of(
        &mut self,
        series: &str,
        version: impl Into<Option<u64>>,
        what: &'static str,
        reason: impl Display,
    ) {
        self.say(&Finding {
            series: Some(series.to_owned()),
            version: version.into(),
            what,
            reason: reason.to_string(),
        });
    }

    /// Calls `each` for every record of `table`. After one that cannot be read the next ones are not
    /// found either; those of a series are looked up by their keys.
    fn each(
        &mut self,
        table: &Keyspace,
        what: &'static str,
        mut each: impl FnMut(&mut Self, &[u8], &[u8]),
    ) {
        let read = reading::caught(|| {
            let mut last = Vec::new();
            for record in table.iter() {
                match record.into_inner() {
                    Ok((key, value)) => {
                        each(self, &key, &value);
                        last = key.to_vec();
                    }
                    Err(error) => {
                        let last = String::from_utf8_lossy(&last).replace('\0', " ");
                        let reason = format!("what follows \"{last}\" cannot be read: {error}");
                        self.add(what, reason);
                        return;
                    }
                }
            }
        });
        if let Err(said) = read {
            self.add(what, said);
        }
    }

    /// Every series has the versions that its head tells of, whole.
    fn heads(&mut self, store: &Opened) {
        let tables = &store.tables;
        let mut counted = None;
        self.each(&tables.heads, "latest versions", |checks, key, value| {
            if key == SERIES_COUNT_KEY.as_bytes() {
                counted = Some(open_number(value));
                return;
            }
            if key == COMMIT_KEY.as_bytes() {
                return;
            }
            if let Some(series) = key.strip_prefix(DELETED_PREFIX.as_bytes()) {
                if let Err(reason) = open_number(value) {
                    let series = String::from_utf8_lossy(series);
                    checks.of(&series, None, "what is left of it", reason);
                }
                return;
            }
            let series = String::from_utf8_lossy(key);
            match Head::open(value) {
                Ok(head) => {
                    checks.verified.series += u64::from(head.count > 0);
                    checks.versions_of(store, &series, &head);
                }
                Err(reason) => {
                    checks.verified.series += 1;
                    checks.of(&series, None, "head", reason);
                }
            }
        });
        match counted {
            Some(Err(reason)) => self.add("number of series", reason),
            Some(Ok(n)) if n != self.verified.series => {
                let found = self.verified.series;
                self.add("number of series", format!("it is {n}, {found} were found"));
            }
            None if self.verified.series > 0 => self.add("number of series", "it is missing"),
            _ => {}
        }
    }

    fn versions_of(&mut self, store: &Opened, series: &str, head: &Head) {
        let (mut found, mut latest) = (0, 0);
        for version in head.candidates() {
            if self.version(store, series, version, !head.has_gaps()) {
                (found, latest) = (found + 1, version);
            }
        }
        // Without gaps, each that is missing was told of.
        if head.has_gaps() && (found, latest) != (head.count, head.latest) {
            let (count, of_head) = (head.count, head.latest);
            let reason = format!(
                "{found} versions are there and {latest} is the latest; according to the head {count} and {of_head}"
            );
            self.of(series, None, "versions", reason);
        }
    }

    /// Looks at one version that must be there or may have been deleted; whether it is.
    fn version(&mut self, store: &Opened, series: &str, version: u64, must_be: bool) -> bool {
        let tables = &store.tables;
        let read = get(&tables.versions, &version_key(series, version), |bytes| {
            let record = VersionRecord::open(bytes)?;
            Fitted::decode(&record.model).map_err(|error| error.to_string())?;
            Ok(record.training)
        });
        let outside = match read {
            Ok(Some(None)) => true,
            Ok(Some(Some(inline))) => {
                if let Err(reason) = TrainingPoints::open(&inline) {
                    self.of(series, version, "training points", reason);
                }
                false
            }
            Ok(None) if must_be => {
                self.of(series, version, "model", "it is missing");
                false
            }
            Ok(None) => return false,
            Err(reason) => {
                self.of(series, version, "model", reason);
                false
            }
        };
        self.verified.versions += 1;
        if outside {
            let read = get(&tables.training, &version_key(series, version), |bytes| {
                TrainingPoints::open(bytes).map(|_| ())
            });
            match read {
                Ok(Some(())) => {}
                Ok(None) => self.of(series, version, "training points", "they are missing"),
                Err(reason) => self.of(series, version, "training points", reason),
            }
        }
        true
    }

    /// No version is there that its series' head does not tell of.
    fn versions(&mut self, store: &Opened) {
        self.each(&store.tables.versions, "versions", |checks, key, _| {
            checks.numbered(store, key, "model");
        });
    }

    fn training(&mut self, store: &Opened) {
        self.each(
            &store.tables.training,
            "training points",
            |checks, key, _| {
                checks.numbered(store, key, "training points");
            },
        );
    }

    fn numbered(&mut self, store: &Opened, key: &[u8], what: &'static str) {
        let Some((series, version)) = series_and_number(key) else {
            return self.add(what, format!("{key:?} is no version's key"));
        };
        match standing(store, &series, version) {
            Ok(Standing::Deleted) => {}
            Ok(Standing::There) if has_version(store, key) => {}
            Ok(Standing::There | Standing::Nowhere) => {
                self.of(
                    &series,
                    version,
                    what,
                    "it is there, and the version is not",
                );
            }
            Err(reason) => self.of(&series, version, "head", reason),
        }
    }

    /// Every alias points to a version that is there.
    fn aliases(&mut self, store: &Opened) {
        let table = &store.tables.aliases;
        if let Err(error) = read_number(table, REVISION_KEY) {
            self.add("number of alias changes", error);
        }
        self.each(table, "aliases", |checks, key, value| {
            if key == REVISION_KEY.as_bytes() {
                return;
            }
            checks.verified.aliases += 1;
            let key = String::from_utf8_lossy(key);
            let (series, alias) = key.split_once('\0').unwrap_or((&key, ""));
            let record = AliasRecord::open(value);
            let points_to = record.map(|AliasRecord { version, .. }| {
                let is_there = has_version(store, &version_key(series, version));
                let standing = standing(store, series, version);
                (version, standing.map(|standing| (standing, is_there)))
            });
            match points_to {
                Ok((_, Ok((Standing::There, true)))) => {}
                Ok((version, Ok(_))) => {
                    let reason = format!("{alias} points to a version that is not there");
                    checks.of(series, version, "alias", reason);
                }
                Ok((_, Err(reason))) | Err(reason) => {
                    checks.of(series, None, "alias", format!("{alias}: {reason}"));
                }
            }
        });
    }

    /// Every time has a version whose number was given: it may be deleted.
    fn times(&mut self, store: &Opened) {
        self.each(&store.tables.times, "times", |checks, key, value| {
            let Some((series, ms)) = series_and_number(key) else {
                return checks.add("times", format!("{key:?} is no key"));
            };
            let version = open_number(value);
            match version.and_then(|version| Ok((version, head(store, &series)?))) {
                Ok((version, head)) if (1..=head.last).contains(&version) => {}
                Ok((version, _)) => {
                    let reason =
                        format!("from {ms} on it is the latest, and its number was not given");
                    checks.of(&series, version, "time", reason);
                }
                Err(reason) => checks.of(&series, None, "time", format!("{ms}: {reason}")),
            }
        });
    }

    /// Every series with labels is found by each of them.
    fn labels(&mut self, store: &Opened) {
        let tables = &store.tables;
        self.each(&tables.labels, "labels", |checks, key, value| {
            let series = String::from_utf8_lossy(key);
            let record = SeriesLabels::open(value);
            let record = record.and_then(|record| Ok((head(store, &series)?.last, record)));
            let (last, record) = match record {
                Ok(read) => read,
                Err(reason) => return checks.of(&series, None, "labels", reason),
            };
            if !(1..=last).contains(&record.version) {
                let reason = "they are of a version whose number was not given";
                checks.of(&series, record.version, "labels", reason);
            }
            for (label, value) in &record.labels {
                let key = labelled_key(label, value, &series);
                match get(&tables.labelled, &key, |_| Ok(())) {
                    Ok(Some(())) => {}
                    Ok(None) => {
                        let reason = format!("it is not found by {label}");
                        checks.of(&series, None, "labels", reason);
                    }
                    Err(reason) => checks.of(&series, None, "labels", reason),
                }
            }
        });
    }

    /// No series is found by a label that it has not.
    fn labelled(&mut self, store: &Opened) {
        let tables = &store.tables;
        self.each(&tables.labelled, "index of labels", |checks, key, _| {
            let Some((label, value, series)) = labelled_parts(key) else {
                return checks.add("index of labels", format!("{key:?} is no key"));
            };
            match get(&tables.labels, series.as_bytes(), SeriesLabels::open) {
                Ok(Some(record))
                    if record
                        .labels
                        .get(label.as_str())
                        .is_some_and(|it| *it == value) => {}
                Ok(_) => {
                    let reason = format!("it is found by {label}, which it has not");
                    checks.of(&series, None, "index of labels", reason);
                }
                // Told of with the record itself.
                Err(_) => {}
            }
        });
    }

    /// Every online state is a snapshot and all points after it.
    fn states(&mut self, store: &Opened) {
        self.each(
            &store.tables.online,
            "online states",
            |checks, key, value| {
                checks.verified.states += 1;
                let series = String::from_utf8_lossy(key);
                if let Err(reason) = state(store, &series, value) {
                    checks.of(&series, None, "online state", reason);
                }
            },
        );
    }

    /// No points are there without the snapshot before them.
    fn points(&mut self, store: &Opened) {
        let tables = &store.tables;
        self.each(
            &tables.points,
            "points of online states",
            |checks, key, _| {
                let Some((series, first)) = series_and_number(key) else {
                    return checks.add("points of online states", format!("{key:?} is no key"));
                };
                let snapshot = get(&tables.online, series.as_bytes(), StateRecord::open);
                let what = "points of the online state";
                match snapshot {
                    Ok(Some(snapshot)) if first > snapshot.seq => {}
                    Ok(Some(_)) => checks.of(
                        &series,
                        None,
                        what,
                        format!("those from {first} on are in the snapshot"),
                    ),
                    Ok(None) => checks.of(&series, None, what, "there is no snapshot before them"),
                    Err(reason) => checks.of(&series, None, what, reason),
                }
            },
        );
    }

    fn answers(&mut self, store: &Opened) {
        self.each(
            &store.tables.answers.table,
            "kept answers",
            |checks, key, value| {
                // The order of ages has no values.
                if matches!(key.first(), Some(0)) {
                    return;
                }
                if matches!(key.first(), Some(1)) {
                    if let Err(reason) = open_number(value) {
                        checks.add("number of kept answers", reason);
                    }
                    return;
                }
                checks.verified.answers += 1;
                let end = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
                let series = String::from_utf8_lossy(&key[..end]);
                match KeptAnswer::open(value) {
                    // The version may have been deleted: the answer was given, and is given again.
                    Ok(kept) => match head(store, &series) {
                        Ok(head) if kept.version <= head.last => {}
                        Ok(_) => checks.of(
                            &series,
                            kept.version,
                            "kept answer",
                            "it tells of a version that never was",
                        ),
                        Err(reason) => checks.of(&series, None, "head", reason),
                    },
                    Err(reason) => checks.of(&series, None, "kept answer", reason),
                }
            },
        );
    }
}

fn state(store: &Opened, series: &str, snapshot: &[u8]) -> Result<(), String> {
    let snapshot = StateRecord::open(snapshot)?;
    Online::decode(&snapshot.online).map_err(|error| error.to_string())?;
    let from = snapshot.seq.saturating_add(1);
    let keys = version_key(series, from)..=version_key(series, u64::MAX);
    let mut log = Vec::new();
    for record in store.tables.points.range(keys) {
        let (_, bytes) = record.into_inner().map_err(|error| error.to_string())?;
        log.push(Learnt::open(&bytes)?);
    }
    StoredState::assemble(snapshot, log).map(|_| ())
}

fn head(store: &Opened, series: &str) -> Result<Head, String> {
    let head = get(&store.tables.heads, series.as_bytes(), Head::open);
    head.map(Option::unwrap_or_default)
}

/// What is to be thought of a record of a version.
enum Standing {
    /// The version may be there.
    There,
    /// It went with the series, and the record is yet to be removed.
    Deleted,
    /// There is no such version.
    Nowhere,
}

fn standing(store: &Opened, series: &str, version: u64) -> Result<Standing, String> {
    let head = head(store, series)?;
    if head.may_have(version) {
        return Ok(Standing::There);
    }
    let to = get(&store.tables.heads, &grave_key(series), open_number)?;
    let is_deleted = version <= head.deleted_to && to.is_some_and(|to| version <= to);
    Ok(if is_deleted {
        Standing::Deleted
    } else {
        Standing::Nowhere
    })
}

/// Whether the record of a version is there; if it cannot be read, it is.
fn has_version(store: &Opened, key: &[u8]) -> bool {
    get(&store.tables.versions, key, |_| Ok(())) != Ok(None)
}

/// A record by its key, as `open` opens it.
fn get<T>(
    table: &Keyspace,
    key: &[u8],
    open: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let read = || match table.get(key).map_err(|error| error.to_string())? {
        Some(bytes) => open(&bytes).map(Some),
        None => Ok(None),
    };
    reading::caught(read).unwrap_or_else(Err)
}
