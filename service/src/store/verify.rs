//! Reads everything that a closed store has, and says of each thing that is not as it should be which
//! series and version it is. Memory does not grow with the store: what belongs together is looked up.

use std::fmt::Display;

use detectors::Fitted;
use detectors::online::Online;
use fjall::Keyspace;
use serde::Serialize;

use super::aliases::{AliasRecord, REVISION_KEY};
use super::commit_record::COMMIT_KEY;
use super::documents;
use super::embedded::EmbeddedOptions;
use super::opening::{self, Opened, read_number};
use super::record::{SERIES_COUNT_KEY, VersionRecord, open_number, version_key};
use super::request::KeptAnswer;
use super::state::{Learnt, StateRecord, StoredState};
use super::training::TrainingPoints;
use super::{StoreError, folder, reading};

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
    /// Documents: jobs and feedback.
    pub documents: u64,
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
    let found = folder::inspect(&options.path)?;
    for bad in found.check_tables() {
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
    checks.states(&opened);
    checks.points(&opened);
    checks.answers(&opened);
    checks.documents(&opened);
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

    /// Every series has all versions up to its latest, whole.
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
            let series = String::from_utf8_lossy(key);
            checks.verified.series += 1;
            match open_number(value) {
                Ok(0) => checks.of(&series, None, "latest version", "it is 0"),
                Ok(latest) => {
                    for version in 1..=latest {
                        checks.version(store, &series, version);
                    }
                }
                Err(reason) => checks.of(&series, None, "latest version", reason),
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

    fn version(&mut self, store: &Opened, series: &str, version: u64) {
        self.verified.versions += 1;
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
            Ok(None) => {
                self.of(series, version, "model", "it is missing");
                false
            }
            Err(reason) => {
                self.of(series, version, "model", reason);
                false
            }
        };
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
    }

    /// No version is beyond its series' latest.
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
        match latest(store, &series) {
            Ok(latest) if (1..=latest).contains(&version) => {}
            Ok(latest) => {
                let reason = format!("it is there, and the latest version is {latest}");
                self.of(&series, version, what, reason);
            }
            Err(reason) => self.of(&series, version, "latest version", reason),
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
            match AliasRecord::open(value).map(|record| (record.version, latest(store, series))) {
                Ok((version, Ok(latest))) if (1..=latest).contains(&version) => {}
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

    /// Every document is whole. A series need not have a version to have one.
    fn documents(&mut self, store: &Opened) {
        let what = "document";
        self.each(
            &store.tables.documents,
            "documents",
            |checks, key, value| {
                let Some((kind, series, id)) = documents::parts_of(key) else {
                    return checks.add("documents", format!("{key:?} is no document's key"));
                };
                checks.verified.documents += 1;
                if let Err(reason) = documents::open(value) {
                    checks.of(
                        series,
                        None,
                        what,
                        format!("{} {id}: {reason}", kind.as_str()),
                    );
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
                    Ok(kept) => match latest(store, &series) {
                        Ok(latest) if kept.version <= latest => {}
                        Ok(_) => checks.of(
                            &series,
                            kept.version,
                            "kept answer",
                            "it tells of a version that is not there",
                        ),
                        Err(reason) => checks.of(&series, None, "latest version", reason),
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

/// The number of a series' latest version, 0 where there is none.
fn latest(store: &Opened, series: &str) -> Result<u64, String> {
    get(&store.tables.heads, series.as_bytes(), open_number).map(|latest| latest.unwrap_or(0))
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

fn series_and_number(key: &[u8]) -> Option<(String, u64)> {
    let (series, number) = key.split_last_chunk::<8>()?;
    let series = series.strip_suffix(&[0])?;
    let series = String::from_utf8_lossy(series).into_owned();
    Some((series, u64::from_be_bytes(*number)))
}
