//! Accuracy on the NAB series that the repository has ([`nab/README.md`](nab/README.md)): a change to
//! a detector that costs accuracy fails here.
//!
//! Floors are a little below what was reached when they were set, so that only a loss is told. They
//! are no promise of accuracy on other series: docs/accuracy.md has what was measured there.

use std::path::PathBuf;

use bench_client::quality::metrics::ALARM_RATES;
use bench_client::quality::mode::Mode;
use bench_client::quality::summary::{Row, alarm_rows, rows};
use bench_client::quality::via::Via;
use bench_client::quality::{ScorerResult, Settings, run};
use detectors::eval::nab::{NabCorpus, PROFILES};

fn measured(mode: Mode) -> Vec<ScorerResult> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/quality/nab");
    run(&Settings {
        index: folder.join("index.csv"),
        nab_windows: Some(folder.join("windows.json")),
        data: folder,
        mode,
        via: Via::Process,
        models: vec![mode.default_model().to_owned()],
        alarm_rate: 0.001,
        datasets: Vec::new(),
        out: None,
        peers: None,
    })
    .unwrap()
}

/// NAB's three scores with one alert an event.
fn nab(result: &ScorerResult) -> [f64; 3] {
    let series = result.series.iter().filter_map(|one| one.nab.as_ref());
    let corpus = NabCorpus::new(series.map(|nab| nab.alerts.clone()).collect());
    PROFILES
        .each_ref()
        .map(|profile| corpus.best(profile).unwrap().score)
}

/// VUS-PR, AUC-PR, event-F1 and UCR, means over the series.
fn means(result: &ScorerResult) -> [f64; 4] {
    let rows = rows(&result.series);
    let micro: &Row = rows.iter().find(|row| row.name == "micro").unwrap();
    micro.means.map(|mean| mean.mean.unwrap())
}

/// Observed over requested alarm rates on normal points, all series together.
fn ratios(result: &ScorerResult) -> [f64; 3] {
    let rows = alarm_rows(&result.series);
    let all = rows.last().unwrap();
    [0, 1, 2].map(|i| all.pooled[i].ratio(ALARM_RATES[i]).unwrap())
}

fn no_less(what: &str, reached: &[f64], floors: &[f64]) {
    for (index, (reached, floor)) in reached.iter().zip(floors).enumerate() {
        assert!(
            reached >= floor,
            "{what} {index}: {reached} is below {floor}"
        );
    }
}

#[test]
fn the_online_model_is_as_accurate_as_it_was() {
    let results = measured(Mode::Online);
    let ours = &results[0];
    no_less("NAB", &nab(ours), &[66.0, 54.0, 72.0]);
    no_less(
        "VUS-PR, AUC-PR, event-F1",
        &means(ours),
        &[0.29, 0.29, 0.80],
    );
    let [hundredth, thousandth, _] = ratios(ours);
    for ratio in [hundredth, thousandth] {
        assert!(
            (0.4..2.5).contains(&ratio),
            "{ratio} times the alarms asked for"
        );
    }
    // The negative control: floors that chance reaches would say nothing.
    let random = results
        .iter()
        .find(|one| one.name == "random score")
        .unwrap();
    assert!(nab(random)[0] < 30.0 && means(random)[0] < 0.2);
}

#[test]
fn detection_in_whole_series_is_as_accurate_as_it_was() {
    let results = measured(Mode::Whole);
    let ours = &results[0];
    no_less("NAB", &nab(ours), &[56.0, 46.0, 65.0]);
    no_less(
        "VUS-PR, AUC-PR, event-F1",
        &means(ours),
        &[0.54, 0.54, 0.76],
    );
    let [hundredth, thousandth, _] = ratios(ours);
    assert!(
        (0.2..2.0).contains(&hundredth),
        "{hundredth} times the alarms asked for"
    );
    assert!(
        (0.3..2.0).contains(&thousandth),
        "{thousandth} times the alarms asked for"
    );
    let random = results
        .iter()
        .find(|one| one.name == "random score")
        .unwrap();
    assert!(nab(random)[0] < 30.0 && means(random)[0] < 0.2);
}
