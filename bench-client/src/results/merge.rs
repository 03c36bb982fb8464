//! Several runs in one folder, such as those of clients on several machines.
//!
//! - Responses are renumbered, the runs one after the other, and clients are kept apart the same way.
//! - Times are put on one axis, whose zero is the start of the earliest run: each run is moved by how
//!   much later its `started_at` is, which is as exact as the clocks of the machines agree. Rates are
//!   over the whole axis, so that of runs that did not overlap they say little, and latencies do.
//! - The configuration is that of the earliest run, with the list of all of them; `good` is by its
//!   limit. Figures of hooks cannot be added up, and are kept under `{run_id}.{hook}`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::{MergedRun, RunConfig};
use super::error::ResultsError;
use super::filter::Filter;
use super::folder::FolderWriter;
use super::load::{self, Loaded};
use super::summary::{self, Answers, Before, Contributed, Headline, RunSummary, Validity};
use super::{files, histogram_log};
use crate::load::response::ResponseRecord;
use crate::tally::Tally;

/// Failed untimed requests that are told.
const FAILURES: usize = 10;

/// Merges the runs of `dirs` into the new folder `out`, without holding their responses in memory.
///
/// What a merge that fails has written loads as an interrupted run.
///
/// # Errors
/// When there are less than two, one cannot be read, `out` has a run in it or cannot be written, or
/// two of the folders have a run in common.
pub fn merge(dirs: &[PathBuf], out: &Path) -> Result<Loaded, ResultsError> {
    let runs = Run::read_all(dirs)?;
    let config = merged_config(&runs);
    let mut writer = FolderWriter::create(out, &config)?;
    let mut tally = Tally::new(Duration::from_nanos(config.load.good_within_ns));
    let mut next = Next::default();
    for run in &runs {
        let first = next;
        files::responses(&run.dir, |mut record| {
            run.renumber(&mut record, first)?;
            next.after(&record);
            tally.add(&record);
            writer.append(std::slice::from_ref(&record))
        })?;
    }
    tally.lasted(config.lasts());
    let mut stats = tally.stats();
    let answers = runs.iter().filter_map(|run| run.summary.answers.as_ref());
    if let Some(answers) = Answers::sum(answers) {
        answers.correct(&mut stats);
    }
    let summary = merged_summary(&runs, Headline::of(&stats), &config);
    let log = histogram_log::render(&tally, config.started_at);
    writer.finish(&summary, &stats, &log)?;
    let mut merged = load::load_stats_only(out)?;
    merged.notes = notes(&runs);
    Ok(merged)
}

/// Refuses runs that share responses: a copy of a folder, or one that was merged into another.
fn none_twice(runs: &[Run]) -> Result<(), ResultsError> {
    let mut known = BTreeMap::new();
    for run in runs {
        for part in run.parts() {
            // Clients that begin in the same second have the same id, and not the same moment.
            let first = known.insert((part.run_id.clone(), part.started_at), &run.dir);
            if let Some(first) = first {
                let (id, first, dir) = (&part.run_id, first.display(), run.dir.display());
                return Err(ResultsError::Merge(format!(
                    "run {id} is in {first} and in {dir}, and its responses would count twice"
                )));
            }
        }
    }
    Ok(())
}

/// A run that is merged.
struct Run {
    dir: PathBuf,
    config: RunConfig,
    summary: RunSummary,
    responses: u64,
    wall_ns: u64,
    /// From the earliest run's start to this one's.
    later_ns: u64,
    /// What is not as a finished run leaves it.
    notes: Vec<String>,
}

/// The first numbers that no run has used yet.
#[derive(Debug, Clone, Copy, Default)]
struct Next {
    index: u64,
    client: u32,
}

impl Next {
    fn after(&mut self, record: &ResponseRecord) {
        self.index = self.index.max(record.index.saturating_add(1));
        self.client = self.client.max(record.client.saturating_add(1));
    }
}

impl Run {
    /// All of them, the earliest first.
    fn read_all(dirs: &[PathBuf]) -> Result<Vec<Self>, ResultsError> {
        if dirs.len() < 2 {
            return Err(ResultsError::Merge("it takes two folders at least".into()));
        }
        let mut runs: Vec<Self> = dirs
            .iter()
            .map(|dir| Self::read(dir))
            .collect::<Result<_, _>>()?;
        let mut known = Vec::with_capacity(runs.len());
        for run in &runs {
            let path = run
                .dir
                .canonicalize()
                .map_err(ResultsError::read(&run.dir))?;
            if known.contains(&path) {
                let dir = run.dir.display();
                return Err(ResultsError::Merge(format!("{dir} is given twice")));
            }
            known.push(path);
        }
        none_twice(&runs)?;
        runs.sort_by_key(|run| run.config.started_at);
        if let Some(earliest) = runs.first().map(|run| run.config.started_at) {
            for run in &mut runs {
                let later = run.config.started_at.duration_since(earliest).as_nanos();
                run.later_ns = u64::try_from(later).map_err(|_| run.too_far())?;
            }
        }
        Ok(runs)
    }

    fn read(dir: &Path) -> Result<Self, ResultsError> {
        let Loaded { run, notes, .. } = match load::load_stats_only(dir) {
            Ok(saved) if !saved.run.summary.rebuilt => saved,
            // What is missing or cut is rebuilt from the responses.
            Ok(_) | Err(ResultsError::NoRun { .. } | ResultsError::Content { .. }) => {
                load::open(dir, &Filter::default())?
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            dir: dir.to_owned(),
            responses: run.stats.requests,
            wall_ns: run.stats.wall_ns,
            config: run.config,
            summary: run.summary,
            later_ns: 0,
            notes,
        })
    }

    /// The runs that were measured: this one, or those it was merged from.
    fn parts(&self) -> Vec<MergedRun> {
        if !self.config.merged_from.is_empty() {
            return self.config.merged_from.clone();
        }
        vec![MergedRun {
            dir: self.dir.display().to_string(),
            run_id: self.config.run_id.clone(),
            started_at: self.config.started_at,
            requests: self.responses,
            wall_ns: self.wall_ns,
        }]
    }

    fn renumber(&self, record: &mut ResponseRecord, first: Next) -> Result<(), ResultsError> {
        let later = |ns: u64| ns.checked_add(self.later_ns).ok_or_else(|| self.too_far());
        record.intended_ns = later(record.intended_ns)?;
        record.sent_ns = later(record.sent_ns)?;
        record.first_ns = record.first_ns.map(later).transpose()?;
        record.last_ns = later(record.last_ns)?;
        let index = record.index.checked_add(first.index);
        record.index = index.ok_or_else(|| self.too_far())?;
        let client = record.client.checked_add(first.client);
        record.client = client.ok_or_else(|| self.too_far())?;
        Ok(())
    }

    fn too_far(&self) -> ResultsError {
        let dir = self.dir.display();
        ResultsError::Merge(format!("times or numbers of {dir} would no longer fit"))
    }
}

fn merged_config(runs: &[Run]) -> RunConfig {
    let mut config = runs[0].config.clone();
    config.merged_from = runs.iter().flat_map(Run::parts).collect();
    config.merged_from.sort_by_key(|run| run.started_at);
    config
}

fn merged_summary(runs: &[Run], headline: Headline, config: &RunConfig) -> RunSummary {
    let summaries = || runs.iter().map(|run| &run.summary);
    // Unknown of one is unknown of all.
    let sum = |of: fn(&RunSummary) -> Option<u64>| summaries().map(of).sum::<Option<u64>>();
    let before = summaries().map(|summary| &summary.before);
    let failures = before.clone().flat_map(|before| &before.failures);
    let finished = summaries().map(|summary| summary.finished_at);
    let contributed: Contributed = summaries()
        .flat_map(|summary| {
            let run_id = &summary.run_id;
            let figures = summary.contributed.iter();
            figures.map(move |(hook, figures)| (format!("{run_id}.{hook}"), figures.clone()))
        })
        .collect();
    RunSummary {
        format_version: summary::FORMAT_VERSION,
        kind: "run".to_owned(),
        run_id: config.run_id.clone(),
        finished_at: finished
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max()),
        interrupted: summaries().any(|summary| summary.interrupted),
        rebuilt: false,
        planned: sum(|summary| summary.planned),
        unsent: sum(|summary| summary.unsent),
        dropped: sum(|summary| summary.dropped),
        before: Before {
            set_up: before.clone().map(|before| before.set_up).sum(),
            warm_up: before.clone().map(|before| before.warm_up).sum(),
            failed: before.clone().map(|before| before.failed).sum(),
            failures: failures.take(FAILURES).cloned().collect(),
        },
        client_use: None,
        validity: merged_validity(runs),
        answers: Answers::sum(summaries().filter_map(|summary| summary.answers.as_ref())),
        headline,
        contributed,
    }
}

/// Runs together are as valid as the worst of them, and unknown where one is.
fn merged_validity(runs: &[Run]) -> Option<Validity> {
    let each = runs.iter().map(|run| {
        let validity = run.summary.validity.as_ref()?;
        let of = |reason: &String| format!("{}: {reason}", run.summary.run_id);
        Some(validity.reasons.iter().map(of).collect::<Vec<_>>())
    });
    Some(Validity::of(
        each.collect::<Option<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect(),
    ))
}

/// What the reader of a merged run should know, a sentence each.
fn notes(runs: &[Run]) -> Vec<String> {
    let differ = |what: &str, same: fn(&RunConfig, &RunConfig) -> bool| {
        let first = &runs[0].config;
        let differs = runs.iter().any(|run| !same(first, &run.config));
        differs.then(|| format!("the runs differ in {what}; run_config.json has the earliest's"))
    };
    let of_runs = runs.iter().flat_map(|run| {
        let dir = run.dir.display();
        run.notes.iter().map(move |note| format!("{dir}: {note}"))
    });
    let between = [
        differ("their server", |a, b| a.base_url == b.base_url),
        differ("what they sent", |a, b| a.workload == b.workload),
        differ("when and how they sent it", |a, b| a.load == b.load),
        differ("the client that measured", |a, b| a.client == b.client),
    ];
    of_runs.chain(between.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::config::Bound;
    use crate::results::fixture;
    use crate::tally::tests::{records, tally};

    /// A folder with `n` responses of a run that started `later` than the others.
    fn folder(parent: &Path, n: u64, later: Duration) -> (PathBuf, Vec<ResponseRecord>) {
        let dir = parent.join(format!("run-{n}"));
        let mut config = fixture::config(Bound::Requests { n });
        config.started_at += later;
        config.run_id = format!("run{n}");
        let mut writer = FolderWriter::create(&dir, &config).unwrap();
        let records = records(n, n, 5_000_000_000);
        writer.append(&records).unwrap();
        let stats = tally(&records).stats();
        let summary = fixture::summary(&config, &stats);
        writer.finish(&summary, &stats, b"").unwrap();
        (dir, records)
    }

    #[test]
    fn merged_runs_are_on_one_axis_with_numbers_of_their_own() {
        let temp = tempfile::tempdir().unwrap();
        // Given in the wrong order.
        let (late, late_records) = folder(temp.path(), 300, Duration::from_nanos(2_000_000_001));
        let (early, early_records) = folder(temp.path(), 200, Duration::ZERO);
        let out = temp.path().join("merged");
        let merged = merge(&[late, early], &out).unwrap();

        let clients = early_records
            .iter()
            .map(|record| record.client)
            .max()
            .unwrap()
            + 1;
        let mut expected = early_records;
        expected.extend(late_records.into_iter().map(|mut record| {
            record.index += 200;
            record.client += clients;
            record.intended_ns += 2_000_000_001;
            record.sent_ns += 2_000_000_001;
            record.first_ns = record.first_ns.map(|first| first + 2_000_000_001);
            record.last_ns += 2_000_000_001;
            record
        }));
        let mut written = Vec::new();
        files::responses(&out, |record| {
            written.push(record);
            Ok(())
        })
        .unwrap();
        assert_eq!(written, expected);
        assert_eq!(merged.run.stats, tally(&expected).stats());
        assert_eq!(merged.run, load::load(&out).unwrap());

        let from: Vec<_> = merged.run.config.merged_from.iter().collect();
        assert_eq!((from[0].run_id.as_str(), from[0].requests), ("run200", 200));
        assert_eq!((from[1].run_id.as_str(), from[1].requests), ("run300", 300));
        assert_eq!(merged.run.summary.planned, Some(500));
        let contributed: Vec<_> = merged.run.summary.contributed.keys().collect();
        assert_eq!(contributed, ["run200.cost", "run300.cost"]);
        // The bounds differ, and nothing else.
        assert_eq!(merged.notes.len(), 1, "{:?}", merged.notes);
    }

    #[test]
    fn a_merged_run_lasts_to_the_end_of_its_last_run() {
        let temp = tempfile::tempdir().unwrap();
        // Responses are over within a second; two whole runs of two seconds, and one cut short.
        let dirs = [(4, 0, false), (5, 1, false), (6, 9, true)].map(|(n, later, interrupted)| {
            let dir = temp.path().join(format!("run-{n}"));
            let ns = 2_000_000_000;
            let mut config = fixture::config(Bound::Duration { ns });
            config.started_at += Duration::from_secs(later);
            config.run_id = format!("run{n}");
            let mut writer = FolderWriter::create(&dir, &config).unwrap();
            let records = records(n, n, 500_000_000);
            writer.append(&records).unwrap();
            let mut tally = tally(&records);
            if !interrupted {
                tally.lasted(config.lasts());
            }
            let stats = tally.stats();
            let mut summary = fixture::summary(&config, &stats);
            summary.interrupted = interrupted;
            writer.finish(&summary, &stats, b"").unwrap();
            dir
        });
        let merged = |dirs: &[PathBuf], name: &str| {
            let out = temp.path().join(name);
            let run = merge(dirs, &out).unwrap().run;
            assert_eq!(run, load::load(&out).unwrap(), "{name}");
            (run.stats, out)
        };
        let (stats, two) = merged(&dirs[..2], "two");
        assert_eq!(stats.wall_ns, 3_000_000_000);
        assert_eq!(stats.completed_rps, Some(3.0));
        let (all, _) = merged(&dirs, "all");
        let cut = load::load(&dirs[2]).unwrap().stats.wall_ns;
        assert_eq!(all.wall_ns, 9_000_000_000 + cut);
        let (by_way, _) = merged(&[two, dirs[2].clone()], "by way");
        assert_eq!(by_way.wall_ns, all.wall_ns);
    }

    #[test]
    fn a_killed_run_can_be_merged() {
        let temp = tempfile::tempdir().unwrap();
        let (whole, _) = folder(temp.path(), 20, Duration::ZERO);
        let (killed, _) = folder(temp.path(), 30, Duration::ZERO);
        std::fs::remove_file(killed.join("summary.json")).unwrap();
        std::fs::remove_file(killed.join("stats.json")).unwrap();
        let merged = merge(&[whole, killed], &temp.path().join("out")).unwrap();
        assert_eq!(merged.run.stats.requests, 50);
        let told = |file: &str| merged.notes.iter().any(|note| note.contains(file));
        assert!(told("summary.json is missing") && told("stats.json is missing"));
    }

    #[test]
    fn a_run_with_a_file_that_was_cut_can_be_merged() {
        for file in ["summary.json", "stats.json"] {
            let temp = tempfile::tempdir().unwrap();
            let (whole, _) = folder(temp.path(), 20, Duration::ZERO);
            let (cut, _) = folder(temp.path(), 30, Duration::ZERO);
            std::fs::write(cut.join(file), "{").unwrap();
            let merged = merge(&[whole, cut], &temp.path().join("out")).unwrap();
            assert_eq!(merged.run.stats.requests, 50);
            let note = format!("{file} cannot be used (");
            let told = merged.notes.iter().any(|it| it.contains(&note));
            assert!(told, "{:?}", merged.notes);
        }
    }

    #[test]
    fn what_cannot_be_merged_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (dir, _) = folder(temp.path(), 5, Duration::ZERO);
        let (other, _) = folder(temp.path(), 6, Duration::ZERO);
        let out = temp.path().join("out");
        let refused = |dirs: &[PathBuf], out: &Path| merge(dirs, out).unwrap_err().to_string();
        assert!(refused(std::slice::from_ref(&dir), &out).contains("two folders"));
        let again = dir.join("../run-5");
        assert!(refused(&[dir.clone(), again], &out).contains("given twice"));
        let nothing = temp.path().join("nothing");
        assert!(refused(&[dir.clone(), nothing], &out).contains("no run in it"));
        assert!(!out.exists(), "nothing is left of a merge that was refused");
        assert!(refused(&[dir.clone(), other.clone()], &dir).contains("already has a run"));
    }

    #[test]
    fn responses_that_were_counted_twice_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (a, _) = folder(temp.path(), 5, Duration::ZERO);
        let (b, _) = folder(temp.path(), 6, Duration::from_secs(1));
        let (c, _) = folder(temp.path(), 7, Duration::from_secs(2));
        let at = |name: &str| temp.path().join(name);
        let copy = at("copy");
        std::fs::create_dir(&copy).unwrap();
        for entry in std::fs::read_dir(&a).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
        }
        merge(&[a.clone(), b.clone()], &at("ab")).unwrap();
        let all = merge(&[at("ab"), c.clone()], &at("abc")).unwrap();
        let from = all.run.config.merged_from;
        let ids: Vec<_> = from.iter().map(|run| run.run_id.as_str()).collect();
        assert_eq!(ids, ["run5", "run6", "run7"], "the runs that were measured");
        for (dirs, twice) in [
            ([&a, &copy], "run5"),
            ([&at("ab"), &b], "run6"),
            // Neither is the run that the merged one has its id from.
            ([&b, &at("abc")], "run6"),
            ([&at("abc"), &at("ab")], "run5"),
        ] {
            let out = at("out");
            let refused = merge(&dirs.map(Clone::clone), &out).unwrap_err();
            let wanted = format!("run {twice} is in ");
            assert!(refused.to_string().contains(&wanted), "{refused}");
            assert!(!out.exists());
        }
    }

    #[test]
    fn clients_that_began_in_the_same_second_can_be_merged() {
        let temp = tempfile::tempdir().unwrap();
        let dirs = [1, 2].map(|n| {
            let (dir, _) = folder(temp.path(), n, Duration::from_nanos(n));
            let path = dir.join("run_config.json");
            let config = std::fs::read_to_string(&path).unwrap();
            let same = config.replace(&format!("\"run{n}\""), "\"20261125_120000\"");
            assert_ne!(same, config);
            std::fs::write(path, same).unwrap();
            dir
        });
        let merged = merge(&dirs, &temp.path().join("out")).unwrap();
        assert_eq!(merged.run.stats.requests, 3);
    }

    #[test]
    fn the_configuration_of_a_run_that_was_not_merged_does_not_speak_of_it() {
        let config = fixture::config(Bound::Requests { n: 1 });
        let json = serde_json::to_string(&config).unwrap();
        assert!(!json.contains("merged_from"));
        assert_eq!(serde_json::from_str::<RunConfig>(&json).unwrap(), config);
    }
}
