//! A folder read back: the responses go through the same tally as in the run, so that the figures
//! are the same to the last digit, and what a killed run never wrote is rebuilt.

use std::path::Path;
use std::time::Duration;

use super::config::RunConfig;
use super::error::ResultsError;
use super::files;
use super::filter::Filter;
use super::folder::{RESPONSES, STATS, SUMMARY};
use super::summary::{self, Before, Headline, RunData, RunSummary, StatsFile};
use crate::server_side::timeline;
use crate::tally::Tally;
use crate::tally::littles_law::LittlesLaw;

/// A run from its folder, with what its reader has to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The run.
    pub run: RunData,
    /// Where its figures come from.
    pub figures: Figures,
    /// What is not as a finished run leaves it, a sentence each.
    pub notes: Vec<String>,
}

/// Where figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figures {
    /// Computed again from so many responses.
    Recomputed(u64),
    /// Taken from `stats.json` as it is.
    Saved,
}

/// Reads a folder, computing the figures again from its responses.
///
/// # Errors
/// When it has no run in it, or a file is of a later format or not what it should be.
pub fn load(dir: &Path) -> Result<RunData, ResultsError> {
    Ok(open(dir, &Filter::default())?.run)
}

/// As [`load`], with notes, and only the responses that pass a filter.
///
/// # Errors
/// As [`load`].
pub fn open(dir: &Path, filter: &Filter) -> Result<Loaded, ResultsError> {
    let config = files::config(dir)?;
    let mut tally = Tally::new(Duration::from_nanos(config.load.good_within_ns));
    let replayed = files::responses(dir, |mut record| {
        if filter.passes(&record) {
            filter.shift(&mut record);
            tally.add(&record);
        }
        Ok(())
    })?;
    let saved = SavedFiles::read(dir, files::stats(dir))?;
    if !saved.cut_short(&config) {
        tally.lasted(filter.lasted(config.lasts()));
    }
    let mut stats = tally.stats();
    // Which answers were wrong is in no response; it is known of the run as a whole.
    let answers = saved.summary.as_ref().and_then(|it| it.answers.as_ref());
    if let Some(answers) = answers.filter(|_| filter.is_everything()) {
        answers.correct(&mut stats);
    }
    let mut notes = saved.notes.clone();
    if replayed.cut {
        notes.push(format!(
            "the last line of {RESPONSES} was cut, and is left out"
        ));
    }
    if let Some(saved) = &saved.stats {
        let differs = if filter.is_everything() {
            saved.stats != stats
        } else {
            saved.stats.requests != replayed.responses
        };
        if differs {
            notes.push(format!(
                "{STATS} has other figures than {RESPONSES}, which has {} responses against {}; \
                 those of {RESPONSES} are shown",
                replayed.responses, saved.stats.requests
            ));
        }
    }
    if tally.requests() == 0 && replayed.responses > 0 {
        notes.push(format!(
            "none of the {} responses passes the filter",
            replayed.responses
        ));
    }
    let mut summary = saved.summary(&config, replayed.responses);
    if let Some(used) = &summary.client_use
        && filter.is_everything()
        && let Some(reason) = LittlesLaw::of(&stats, used).and_then(|law| law.reason())
    {
        // What the run itself found is among its reasons already.
        let told = summary.validity.as_ref();
        if !told.is_some_and(|validity| validity.reasons.contains(&reason)) {
            notes.push(reason);
        }
    }
    if !filter.is_everything() || summary.rebuilt {
        summary.headline = Headline::of(&stats);
    }
    Ok(Loaded {
        run: RunData {
            config,
            summary,
            stats,
            // Times of the filter's run begin elsewhere.
            timeline: match filter.from_ns {
                None => timeline::read(dir),
                Some(_) => Vec::new(),
            },
        },
        figures: Figures::Recomputed(tally.requests()),
        notes,
    })
}

/// Reads a folder without its responses, which takes as long for 10⁸ as for one. The figures are
/// those that the run wrote.
///
/// # Errors
/// As [`load`], and when there is no `stats.json`, or one that cannot be read.
pub fn load_stats_only(dir: &Path) -> Result<Loaded, ResultsError> {
    let config = files::config(dir)?;
    let file = files::stats(dir)?.ok_or_else(|| ResultsError::NoRun {
        dir: dir.to_owned(),
        file: STATS,
    })?;
    let stats = file.stats.clone();
    let saved = SavedFiles::read(dir, Ok(Some(file)))?;
    let notes = saved.notes.clone();
    let mut summary = saved.summary(&config, stats.requests);
    if summary.rebuilt {
        summary.headline = Headline::of(&stats);
    }
    Ok(Loaded {
        run: RunData {
            config,
            summary,
            stats,
            timeline: timeline::read(dir),
        },
        figures: Figures::Saved,
        notes,
    })
}

/// The files that a killed run does not leave, and a full disk or a copy may leave in part.
struct SavedFiles {
    summary: Option<RunSummary>,
    stats: Option<StatsFile>,
    /// Why one is none, a sentence each.
    notes: Vec<String>,
}

impl SavedFiles {
    fn read(
        dir: &Path,
        stats: Result<Option<StatsFile>, ResultsError>,
    ) -> Result<Self, ResultsError> {
        let mut notes = Vec::new();
        let summary = or_note(files::summary(dir), SUMMARY, &mut notes)?;
        let stats = or_note(stats, STATS, &mut notes)?;
        Ok(Self {
            summary,
            stats,
            notes,
        })
    }

    /// Whether the run ended before its time, so that its last outcome is its end.
    fn cut_short(&self, config: &RunConfig) -> bool {
        match (&self.summary, &self.stats) {
            // Runs that were merged were over, whatever ended them.
            (Some(summary), _) => summary.interrupted && config.merged_from.is_empty(),
            (None, Some(file)) => Duration::from_nanos(file.stats.wall_ns) < config.lasts(),
            (None, None) => true,
        }
    }

    /// The summary as it was written, or what can be told without it of a run that left so many
    /// responses.
    fn summary(self, config: &RunConfig, requests: u64) -> RunSummary {
        if let Some(summary) = self.summary {
            return summary;
        }
        let planned = config.planned();
        let contributed = self.stats.map(|stats| stats.contributed);
        RunSummary {
            format_version: summary::FORMAT_VERSION,
            kind: "run".to_owned(),
            run_id: config.run_id.clone(),
            finished_at: None,
            // Only a count that was reached tells that nothing was cut short.
            interrupted: planned.is_none_or(|planned| requests < planned),
            rebuilt: true,
            planned,
            unsent: None,
            dropped: None,
            before: Before::default(),
            client_use: None,
            validity: None,
            answers: None,
            headline: Headline::default(),
            contributed: contributed.unwrap_or_default(),
        }
    }
}

/// A file that can be done without, or a note of why it is.
fn or_note<T>(
    read: Result<Option<T>, ResultsError>,
    file: &str,
    notes: &mut Vec<String>,
) -> Result<Option<T>, ResultsError> {
    let missing = match read {
        Ok(Some(content)) => return Ok(Some(content)),
        Ok(None) => format!("{file} is missing, and was rebuilt from the rest"),
        Err(ResultsError::Content { reason, .. }) => {
            format!("{file} cannot be used ({reason}), and was rebuilt from the rest")
        }
        Err(error) => return Err(error),
    };
    notes.push(missing);
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;
    use crate::results::config::Bound;
    use crate::results::folder::{CONFIG, FolderWriter};
    use crate::results::{fixture, histogram_log};
    use crate::tally::stats::RunStats;
    use crate::tally::tests::{records, tally};

    /// A folder as a run of `n` requests leaves it, and what the run knew.
    fn folder(n: u64, bound: Bound) -> (tempfile::TempDir, RunStats, RunSummary) {
        let dir = tempfile::tempdir().unwrap();
        let config = fixture::config(bound);
        let mut writer = FolderWriter::create(dir.path(), &config).unwrap();
        let records = records(n, n, 40_000_000_000);
        writer.append(&records).unwrap();
        let tally = tally(&records);
        let stats = tally.stats();
        let summary = fixture::summary(&config, &stats);
        let log = histogram_log::render(&tally, config.started_at);
        writer.finish(&summary, &stats, &log).unwrap();
        (dir, stats, summary)
    }

    fn refusal(dir: &Path) -> String {
        load(dir).unwrap_err().to_string()
    }

    #[test]
    fn statistics_that_change_on_reload() {
        let (dir, stats, summary) = folder(5_000, Bound::Requests { n: 5_000 });
        let loaded = open(dir.path(), &Filter::default()).unwrap();
        assert_eq!(loaded.run.stats, stats, "from the responses");
        assert_eq!(loaded.run.summary, summary);
        assert_eq!(
            loaded.run.config,
            fixture::config(Bound::Requests { n: 5_000 })
        );
        assert_eq!(loaded.notes, [""; 0]);
        assert_eq!(loaded.figures, Figures::Recomputed(5_000));
        let saved = load_stats_only(dir.path()).unwrap();
        assert_eq!(
            saved.run.stats, stats,
            "from stats.json, every double to the last bit"
        );
        assert_eq!(saved.figures, Figures::Saved);
    }

    /// A folder whose responses are over within a second of a run that was to last two.
    fn two_seconds(interrupted: bool) -> (tempfile::TempDir, RunStats) {
        let dir = tempfile::tempdir().unwrap();
        let ns = 2_000_000_000;
        let config = fixture::config(Bound::Duration { ns });
        let mut writer = FolderWriter::create(dir.path(), &config).unwrap();
        let records = records(3, 100, 500_000_000);
        writer.append(&records).unwrap();
        let mut tally = tally(&records);
        if !interrupted {
            tally.lasted(config.lasts());
        }
        let stats = tally.stats();
        let mut summary = fixture::summary(&config, &stats);
        summary.interrupted = interrupted;
        writer.finish(&summary, &stats, b"").unwrap();
        (dir, stats)
    }

    #[test]
    fn rates_of_a_run_that_sent_for_a_time_are_by_that_time() {
        let (dir, stats) = two_seconds(false);
        assert_eq!(stats.wall_ns, 2_000_000_000);
        assert_eq!(stats.completed_rps, Some(50.0));
        for lost in ["", STATS, SUMMARY] {
            let (dir, stats) = two_seconds(false);
            if !lost.is_empty() {
                fs::remove_file(dir.path().join(lost)).unwrap();
            }
            let loaded = open(dir.path(), &Filter::default()).unwrap();
            assert_eq!(loaded.run.stats, stats, "without {lost:?}");
            let other = loaded.notes.iter().any(|it| it.contains("other figures"));
            assert!(!other, "{:?}", loaded.notes);
        }
        let of = |filter: Filter| open(dir.path(), &filter).unwrap().run.stats.wall_ns;
        let outcomes = vec![crate::load::response::OutcomeClass::Shed];
        let shed = Filter {
            outcomes,
            ..Filter::default()
        };
        assert_eq!(of(shed), 2_000_000_000, "as long as the run");
        let (from_ns, to_ns) = (Some(100_000_000), Some(1_900_000_000));
        let stretch = Filter {
            from_ns,
            to_ns,
            ..Filter::default()
        };
        assert_eq!(of(stretch), 1_800_000_000, "as long as the stretch");
        let some = Filter {
            indices: Some(0..=9),
            ..Filter::default()
        };
        assert!(of(some) < 1_000_000_000, "to the last of them");
    }

    #[test]
    fn rates_of_a_run_that_was_cut_short_are_to_its_last_outcome() {
        let (dir, stats) = two_seconds(true);
        assert!(stats.wall_ns < 1_000_000_000);
        assert_eq!(load(dir.path()).unwrap().stats, stats);
        // By the figures that were saved, and then without any.
        for file in [SUMMARY, STATS] {
            fs::remove_file(dir.path().join(file)).unwrap();
            assert_eq!(load(dir.path()).unwrap().stats, stats, "without {file}");
        }
    }

    #[test]
    fn figures_of_hooks_survive_the_loss_of_either_file() {
        let (dir, stats, summary) = folder(100, Bound::Requests { n: 100 });
        fs::remove_file(dir.path().join(STATS)).unwrap();
        let loaded = load(dir.path()).unwrap();
        assert_eq!(loaded.summary, summary);
        assert_eq!(loaded.stats, stats);

        let (dir, stats, summary) = folder(100, Bound::Requests { n: 100 });
        fs::remove_file(dir.path().join(SUMMARY)).unwrap();
        let loaded = open(dir.path(), &Filter::default()).unwrap();
        assert_eq!(loaded.run.summary.contributed, summary.contributed);
        assert_eq!(loaded.run.summary.headline, summary.headline);
        assert_eq!(loaded.run.stats, stats);
        assert!(loaded.run.summary.rebuilt && !loaded.run.summary.interrupted);
        assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
    }

    #[test]
    fn a_killed_run_loads_with_every_whole_line() {
        for (bound, interrupted) in [
            (Bound::Requests { n: 100 }, true),
            (Bound::Requests { n: 99 }, false),
            (Bound::RequestsPerClient { n: 25 }, true),
            (Bound::Duration { ns: 1 }, true),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = FolderWriter::create(dir.path(), &fixture::config(bound)).unwrap();
            let records = records(1, 100, 1_000_000_000);
            writer.append(&records).unwrap();
            writer.flush().unwrap();
            drop(writer);
            let path = dir.path().join(RESPONSES);
            let length = fs::metadata(&path).unwrap().len();
            OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(length - 9)
                .unwrap();

            let loaded = open(dir.path(), &Filter::default()).unwrap();
            assert_eq!(loaded.run.stats, tally(&records[..99]).stats());
            let summary = &loaded.run.summary;
            assert_eq!(
                (summary.rebuilt, summary.interrupted),
                (true, interrupted),
                "{bound:?}"
            );
            assert_eq!(summary.headline, Headline::of(&loaded.run.stats));
            assert!(loaded.notes.iter().any(|note| note.contains("was cut")));
        }
    }

    #[test]
    fn a_whole_last_line_without_its_end_counts() {
        let (dir, stats, _) = folder(10, Bound::Requests { n: 10 });
        let path = dir.path().join(RESPONSES);
        let mut lines = fs::read(&path).unwrap();
        lines.pop();
        fs::write(&path, lines).unwrap();
        assert_eq!(load(dir.path()).unwrap().stats, stats);
    }

    #[test]
    fn a_broken_line_elsewhere_is_an_error_that_names_it() {
        let (dir, ..) = folder(10, Bound::Requests { n: 10 });
        let path = dir.path().join(RESPONSES);
        let mut lines: Vec<String> = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        lines[3].truncate(30);
        fs::write(&path, lines.join("\n")).unwrap();
        let said = refusal(dir.path());
        assert!(
            said.contains(&format!("{}, line 4: ", path.display())),
            "{said}"
        );
    }

    #[test]
    fn responses_that_differ_from_the_figures_are_noted() {
        let (dir, ..) = folder(10, Bound::Requests { n: 10 });
        let path = dir.path().join(RESPONSES);
        let lines = fs::read_to_string(&path).unwrap();
        let first = lines.lines().next().unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        writeln!(file, "{first}").unwrap();
        let loaded = open(dir.path(), &Filter::default()).unwrap();
        assert_eq!(loaded.run.stats.requests, 11);
        assert!(
            loaded.notes[0].contains("has 11 responses against 10"),
            "{:?}",
            loaded.notes
        );
    }

    #[test]
    fn later_formats_are_refused_in_words() {
        for file in [CONFIG, STATS, SUMMARY] {
            let (dir, ..) = folder(10, Bound::Requests { n: 10 });
            fs::write(
                dir.path().join(file),
                r#"{"format_version": 2, "all": "new"}"#,
            )
            .unwrap();
            let said = refusal(dir.path());
            assert!(
                said.contains(file) && said.contains("use a newer tidemark-bench"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_broken_configuration_is_an_error_that_names_it() {
        let (dir, ..) = folder(10, Bound::Requests { n: 10 });
        let config = dir.path().join(CONFIG);
        fs::write(&config, r#"{"format_version": 1"#).unwrap();
        let said = refusal(dir.path());
        assert!(said.contains(&config.display().to_string()), "{said}");
    }

    #[test]
    fn a_file_that_was_cut_is_rebuilt_as_a_missing_one() {
        for file in [STATS, SUMMARY] {
            let (dir, ..) = folder(100, Bound::Requests { n: 100 });
            let path = dir.path().join(file);
            fs::remove_file(&path).unwrap();
            let missing = open(dir.path(), &Filter::default()).unwrap();
            for content in [
                "",
                r#"{"format_version": 1"#,
                r#"{"format_version": 1}"#,
                "7",
            ] {
                fs::write(&path, content).unwrap();
                let loaded = open(dir.path(), &Filter::default()).unwrap();
                assert_eq!(loaded.run, missing.run, "{file}: {content:?}");
                let note = format!("{file} cannot be used (");
                assert_eq!(loaded.notes.len(), 1, "{:?}", loaded.notes);
                assert!(loaded.notes[0].starts_with(&note), "{:?}", loaded.notes);
                assert!(!loaded.notes[0].contains("()"), "the reason is told");
            }
        }
        // Without the responses there is nothing to rebuild figures from.
        let (dir, ..) = folder(10, Bound::Requests { n: 10 });
        fs::write(dir.path().join(STATS), "{").unwrap();
        let said = load_stats_only(dir.path()).unwrap_err().to_string();
        assert!(said.contains(STATS) && said.contains("EOF"), "{said}");
    }

    #[test]
    fn a_folder_without_a_run_is_called_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refusal(dir.path()).contains("has no run in it: there is no run_config.json"));
        let (dir, ..) = folder(10, Bound::Requests { n: 10 });
        fs::remove_file(dir.path().join(RESPONSES)).unwrap();
        assert!(refusal(dir.path()).contains("there is no responses.jsonl"));
        let saved = load_stats_only(dir.path()).unwrap();
        assert_eq!(saved.run.stats.requests, 10);
    }
}
