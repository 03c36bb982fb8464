//! `tidemark-bench quality --via http`: a service gives the very scores that the detectors give in
//! the process of whoever measures them.

use std::fmt::Write as _;
use std::path::Path;

use bench_client::quality::mode::Mode;
use bench_client::quality::via::Via;
use bench_client::quality::{ScorerResult, Settings, run};
use serde_json::json;
use tempfile::TempDir;

use crate::histories::{HOUR, MONDAY, noise};
use crate::server::Server;

/// More than one piece of an update.
const ROWS: usize = 1_500;
const TRAIN_LEN: usize = 600;
/// No part of a week, so that the state has to be told of it.
const PERIOD: i64 = 30 * HOUR;
const FILES: [&str; 3] = ["seasonal.csv", "constant_prefix.csv", "out_of_order.csv"];

/// The place of a row in time, and its value there.
type Series = (fn(usize) -> usize, fn(i64, usize) -> f64);

/// Labelled series, and where the scores of two runs go.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        let hour = |row: usize| MONDAY + HOUR * row as i64;
        let series: [Series; 3] = [
            (|row| row, |time, row| season(time) + noise(row)),
            (
                |row| row,
                |_, row| if row < TRAIN_LEN { 7.0 } else { noise(row) },
            ),
            // A repeated time and one that goes back, in the fit and after it.
            (
                |row| match row {
                    300 | 1_100 => row - 1,
                    450 | 1_400 => row - 50,
                    _ => row,
                },
                |time, row| 0.1 * season(time) + noise(row),
            ),
        ];
        let mut index = String::from("file,dataset,train_len,step_s\n");
        for (name, (place, value)) in FILES.iter().zip(series) {
            let mut text = String::from("timestamp,value,label\n");
            for row in 0..ROWS {
                let is_event = (1_200..1_205).contains(&row);
                let time = hour(place(row));
                let value = value(time, row) + if is_event { 40.0 } else { 0.0 };
                let _ = writeln!(text, "{time},{value:?},{}", u8::from(is_event));
            }
            folder.write(name, &text);
            let _ = writeln!(index, "{name},OWN,{TRAIN_LEN},{HOUR}");
        }
        folder.write("index.csv", &index);
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("the folder can be written");
    }

    /// Off the runtime of the test: a run through a service waits on one of its own.
    async fn measure(&self, out: &str, mode: Mode, model: &str, via: Via) -> ScorerResult {
        let folder = self.0.path();
        let settings = Settings {
            data: folder.to_owned(),
            index: folder.join("index.csv"),
            mode,
            via,
            models: vec![model.to_owned()],
            alarm_rate: 0.003,
            datasets: Vec::new(),
            out: Some(folder.join(out)),
            nab_windows: None,
            peers: None,
        };
        let results = tokio::task::spawn_blocking(move || run(&settings)).await;
        let mut results = results.expect("no panic").expect("every row is scored");
        results.swap_remove(0)
    }

    /// The lines of one file that both runs wrote.
    fn lines(&self, file: &str) -> [Vec<String>; 2] {
        ["here", "there"].map(|run| lines(&self.0.path().join(run).join(file)))
    }
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("the run wrote it");
    text.lines().map(str::to_owned).collect()
}

fn season(time: i64) -> f64 {
    10.0 * (std::f64::consts::TAU * (time % PERIOD) as f64 / PERIOD as f64).sin()
}

/// Both runs, in this process and through the service.
async fn both(
    folder: &Folder,
    server: &Server,
    mode: Mode,
    model: &str,
) -> (ScorerResult, ScorerResult) {
    let base = format!("http://{}", server.addr).parse();
    let via = Via::Http(base.expect("an address is a URL"));
    (
        folder.measure("here", mode, model, Via::Process).await,
        folder.measure("there", mode, model, via).await,
    )
}

#[tokio::test]
async fn a_service_scores_as_the_detectors_do_to_the_last_bit() {
    let server = Server::start().await;
    for (mode, model) in [
        (Mode::Online, "tail_views"),
        (Mode::Online, "robust"),
        (Mode::Online, "auto"),
        (Mode::Whole, "whole"),
        // Again, into the same service: no run sees what another one left there.
        (Mode::Online, "tail_views"),
    ] {
        let folder = Folder::new();
        let (here, there) = both(&folder, &server, mode, model).await;
        for file in FILES.iter().chain(&["metrics.csv"]) {
            let [here, there] = folder.lines(file);
            assert!(
                here.len() > FILES.len(),
                "{file} has a line a row or series"
            );
            assert!(here == there, "{model}, {file}");
        }
        for (here, there) in here.series.iter().zip(&there.series) {
            let file = &here.file;
            assert_eq!(here.refused.is_some(), there.refused.is_some(), "{file}");
            assert_eq!((here.out_of_order, there.unscored), (there.out_of_order, 0));
        }
        let is_refused = here.series[1].refused.is_some();
        assert_eq!(is_refused, ["robust", "auto"].contains(&model), "{model}");
        assert!(here.series[2].out_of_order >= 2, "{model}");
    }
}

/// Else the agreement would say nothing about seasons.
#[tokio::test]
async fn the_seasonal_series_has_a_season() {
    let server = Server::start().await;
    let times: Vec<i64> = (0..TRAIN_LEN as i64).map(|i| MONDAY + HOUR * i).collect();
    let values = times.iter().enumerate();
    let values: Vec<f64> = values.map(|(i, time)| season(*time) + noise(i)).collect();
    let body = json!({ "model": "tail_views", "timestamps": times, "values": values });
    assert_eq!(
        server.fit("a", &body).await.ok()["periods"],
        json!([PERIOD])
    );
}

#[tokio::test]
async fn rows_that_a_windowed_model_was_fitted_on_are_counted_as_not_scored() {
    let server = Server::start().await;
    let folder = Folder::new();
    let (here, there) = both(&folder, &server, Mode::Online, "spectral_residual").await;
    for (file, (here, there)) in FILES.iter().zip(here.series.iter().zip(&there.series)) {
        let of_fit = if there.refused.is_some() {
            0
        } else {
            TRAIN_LEN
        };
        assert_eq!((here.unscored, there.unscored), (0, of_fit), "{file}");
        let [here, there] = folder.lines(file);
        assert!(here[1 + TRAIN_LEN..] == there[1 + TRAIN_LEN..], "{file}");
        let of_fit = &there[1..=TRAIN_LEN];
        assert!(
            of_fit.iter().all(|line| line.ends_with(",0.0,1.0")),
            "{file}"
        );
    }
    assert!(here.series[0].refused.is_none() && here.series[1].refused.is_some());
}
