//! Sweeps whose runs are made up, with real folders.

use std::cell::RefCell;
use std::fs;

use super::level::{Level, plan};
use super::*;
use crate::interrupt::{self, StopHandle};
use crate::load::response::{Op, OutcomeClass, ResponseRecord};
use crate::results::config::{Bound, LoadSpec, Pace, RunConfig};
use crate::results::error::ResultsError;
use crate::results::fixture;
use crate::results::folder::FolderWriter;
use crate::results::load;
use crate::results::summary::Validity;
use crate::sweep::knee::NoKnee;
use crate::tally::Tally;

/// A server of eight that work in parallel, 4 ms a request.
const SERVERS: u32 = 8;
const SERVICE_NS: u64 = 4_000_000;

/// A level's run against it, with its folder.
fn measured(load: &LoadSpec, dir: &Path) -> Result<RunData, ResultsError> {
    let Pace::Closed { clients } = load.pace else {
        panic!("{load:?}")
    };
    let n = match load.bound {
        Bound::RequestsPerClient { n } => n * u64::from(clients),
        other => panic!("{other:?}"),
    };
    let config = RunConfig {
        load: load.clone(),
        ..fixture::config(load.bound)
    };
    let mut folder = FolderWriter::create(dir, &config)?;
    let mut tally = Tally::new(Duration::from_secs(1));
    // Beyond eight clients each waits for those before it.
    let round = u64::from(clients.max(SERVERS)) * SERVICE_NS / u64::from(SERVERS);
    let record = |index: u64| {
        let sent_ns = index / u64::from(clients) * round;
        ResponseRecord {
            index,
            op: Op::Predict,
            client: 0,
            intended_ns: sent_ns,
            sent_ns,
            waited_ns: None,
            first_ns: Some(sent_ns + round),
            last_ns: sent_ns + round,
            class: OutcomeClass::Ok,
            status: Some(200),
            points_in: 1,
            points_out: 1,
            bytes_out: 1,
            bytes_in: 1,
            server_ns: None,
            error: None,
        }
    };
    let records: Vec<ResponseRecord> = (0..n).map(record).collect();
    folder.append(&records)?;
    records.iter().for_each(|record| tally.add(record));
    let stats = tally.stats();
    let summary = fixture::summary(&config, &stats);
    folder.finish(&summary, &stats, &[])?;
    Ok(RunData {
        config,
        summary,
        stats,
        timeline: Vec::new(),
    })
}

fn settings(dir: &Path) -> Settings {
    Settings {
        out: dir.join("sweep"),
        run_id: "20261125_120000".into(),
        name: None,
        command: vec!["tidemark-bench".into(), "sweep".into()],
        base_url: "http://127.0.0.1:8000".into(),
        pause: Duration::ZERO,
    }
}

fn levels(n: u64, clients: &[u32]) -> Vec<LevelSpec> {
    let base = fixture::config(Bound::RequestsPerClient { n }).load;
    let levels: Vec<Level> = clients.iter().map(|n| Level::Clients(*n)).collect();
    plan(&base, &levels).unwrap()
}

fn saved(settings: &Settings) -> SweepFile {
    serde_json::from_slice(&fs::read(settings.out.join(FILE)).unwrap()).unwrap()
}

fn folders(settings: &Settings) -> Vec<String> {
    let entries = fs::read_dir(&settings.out).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != FILE).collect();
    names.sort();
    names
}

fn never() -> (StopHandle, Stop) {
    interrupt::manual()
}

/// LLMeter 0.2.0 wrote the levels of a sweep into one folder, where each overwrote the last.
#[test]
fn each_level_keeps_its_own_folder_with_its_own_responses() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let levels = levels(10, &[1, 5, 20]);
    let run = |spec: &LevelSpec, dir: &Path| measured(&spec.load, dir);
    super::run(&settings, &levels, &never().1, run, |_| {}).unwrap();
    assert_eq!(
        folders(&settings),
        ["00001-clients", "00005-clients", "00020-clients"]
    );
    for (spec, requests) in levels.iter().zip([10, 50, 200]) {
        let loaded = load::load(&settings.out.join(&spec.folder)).unwrap();
        assert_eq!(loaded.stats.requests, requests, "{}", spec.folder);
        assert_eq!(loaded.config.load, spec.load);
    }
}

#[test]
fn rows_and_knee_are_saved_as_they_were_computed() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let levels = levels(100, &[1, 4, 8, 16, 64]);
    let mut seen = Vec::new();
    let run = |spec: &LevelSpec, dir: &Path| measured(&spec.load, dir);
    let done = |row: &LevelRow| seen.push(row.clone());
    let sweep = super::run(&settings, &levels, &never().1, run, done).unwrap();
    assert_eq!(sweep.levels, seen);
    assert_eq!(saved(&settings), sweep, "to the last digit");
    let knee = sweep.knee.unwrap();
    assert_eq!(
        (knee.level, knee.folder.as_str()),
        (Level::Clients(8), "00008-clients")
    );
    assert_eq!(sweep.no_knee, None);
    assert!(!sweep.interrupted && sweep.finished_at.is_some());
    let rates: Vec<f64> = seen
        .iter()
        .map(|row| row.headline.goodput_rps.unwrap())
        .collect();
    assert_eq!(rates, [250.0, 1_000.0, 2_000.0, 2_000.0, 2_000.0]);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(settings.out.join(FILE)).unwrap()).unwrap();
    assert_eq!(json["levels"][4]["clients"], 64);
    assert_eq!(json["knee"]["clients"], 8);
}

#[test]
fn few_requests_are_raised_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let run = |spec: &LevelSpec, dir: &Path| measured(&spec.load, dir);
    let sweep = super::run(&settings, &levels(1, &[4, 10]), &never().1, run, |_| {}).unwrap();
    let one = Bound::RequestsPerClient { n: 1 };
    assert_eq!(sweep.levels[0].headline.requests, 12);
    assert_eq!(sweep.levels[0].raised_from, Some(one));
    assert_eq!(sweep.levels[1].headline.requests, 10);
    assert_eq!(sweep.levels[1].raised_from, None);
    assert_eq!(sweep.no_knee, Some(NoKnee::TooFewLevels));
}

#[test]
fn an_interrupted_sweep_keeps_the_levels_before() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let (handle, stop) = interrupt::manual();
    let run = |spec: &LevelSpec, dir: &Path| {
        let mut data = measured(&spec.load, dir)?;
        if spec.level == Level::Clients(5) {
            handle.stop();
            data.summary.interrupted = true;
        }
        Ok::<_, ResultsError>(data)
    };
    let sweep = super::run(&settings, &levels(10, &[1, 5, 20]), &stop, run, |_| {}).unwrap();
    assert!(sweep.interrupted);
    assert_eq!(saved(&settings), sweep);
    let rows: Vec<_> = sweep
        .levels
        .iter()
        .map(|row| (row.level, row.interrupted))
        .collect();
    assert_eq!(
        rows,
        [(Level::Clients(1), false), (Level::Clients(5), true)]
    );
    assert_eq!(folders(&settings), ["00001-clients", "00005-clients"]);
    assert_eq!(sweep.planned.len(), 3);
}

#[test]
fn a_signal_ends_the_pause() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        // Far longer than a test may take.
        pause: Duration::from_secs(86_400),
        ..settings(dir.path())
    };
    let (handle, stop) = interrupt::manual();
    let run = |spec: &LevelSpec, dir: &Path| measured(&spec.load, dir);
    let done = |_: &LevelRow| handle.stop();
    let sweep = super::run(&settings, &levels(10, &[1, 5]), &stop, run, done).unwrap();
    assert!(sweep.interrupted);
    assert_eq!(sweep.levels.len(), 1);
    assert!(!sweep.levels[0].interrupted, "that one was finished");
}

#[test]
fn a_level_that_fails_ends_the_sweep_and_keeps_the_levels_before() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let tried = RefCell::new(0);
    let run = |spec: &LevelSpec, dir: &Path| {
        *tried.borrow_mut() += 1;
        match spec.level {
            Level::Clients(5) => Err("nothing accepts connections".to_owned()),
            _ => measured(&spec.load, dir).map_err(|error| error.to_string()),
        }
    };
    let error = super::run(&settings, &levels(10, &[1, 5, 20]), &never().1, run, |_| {});
    assert_eq!(
        error.unwrap_err().to_string(),
        "nothing accepts connections"
    );
    assert_eq!(*tried.borrow(), 2, "the level after it is not tried");
    let kept = saved(&settings);
    assert_eq!(kept.levels.len(), 1);
    assert_eq!(kept.error.as_deref(), Some("nothing accepts connections"));
    assert!(!kept.interrupted);
}

#[test]
fn a_folder_with_a_sweep_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let run = |spec: &LevelSpec, dir: &Path| measured(&spec.load, dir);
    let levels = levels(10, &[1]);
    super::run(&settings, &levels, &never().1, run, |_| {}).unwrap();
    let before = saved(&settings);
    let again = super::run(&settings, &levels, &never().1, run, |_| {});
    assert!(matches!(
        again,
        Err(SequenceError::Results(ResultsError::Taken {
            file: FILE,
            ..
        }))
    ));
    assert_eq!(saved(&settings), before);
}

#[test]
fn a_sweep_that_measured_nothing_leaves_its_folder_free() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let levels = levels(10, &[1, 5]);
    let fail = |_: &LevelSpec, _: &Path| Err("nothing accepts connections");
    super::run(&settings, &levels, &never().1, fail, |_| {}).unwrap_err();
    assert!(!settings.out.exists());
    let run = |spec: &LevelSpec, dir: &Path| measured(&spec.load, dir);
    super::run(&settings, &levels, &never().1, run, |_| {}).unwrap();
    assert_eq!(saved(&settings).levels.len(), 2);
}

#[test]
fn a_level_that_measured_the_client_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let run = |spec: &LevelSpec, dir: &Path| {
        let mut data = measured(&spec.load, dir)?;
        let busy = (spec.level == Level::Clients(5)).then(|| "the client was busy".to_owned());
        data.summary.validity = Some(Validity::of(busy.into_iter().collect()));
        Ok::<_, ResultsError>(data)
    };
    super::run(&settings, &levels(10, &[1, 5]), &never().1, run, |_| {}).unwrap();
    let rows = saved(&settings).levels;
    assert!(rows[0].not_valid.is_empty());
    assert_eq!(rows[1].not_valid, ["the client was busy"]);
}
