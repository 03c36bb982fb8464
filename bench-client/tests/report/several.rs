//! Sweeps and heatmaps: their own page, and the way to the pages of their runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_client::heatmap::{self, HeatmapFile};
use bench_client::interrupt;
use bench_client::report::folder::write;
use bench_client::results::error::ResultsError;
use bench_client::results::load::load;
use bench_client::results::summary::RunData;
use bench_client::sweep::level::{self, Level};
use bench_client::sweep::{self, SweepFile};

use super::{folder, names, printed, refused};

/// A run of `requests` in `out`.
fn made(out: &Path, requests: u64) -> Result<RunData, ResultsError> {
    let name = out.file_name().unwrap().to_str().unwrap();
    load(&folder::write(out.parent().unwrap(), name, requests))
}

fn swept(parent: &Path) -> (PathBuf, SweepFile) {
    let settings = sweep::Settings {
        out: parent.join("sweep"),
        run_id: "20261125_120000".to_owned(),
        name: None,
        command: vec!["tidemark-bench".to_owned(), "sweep".to_owned()],
        base_url: "http://127.0.0.1:8000".to_owned(),
        pause: Duration::ZERO,
    };
    let base = folder::config(100).load;
    let levels = level::plan(&base, &[1, 5, 20].map(Level::Clients)).unwrap();
    let (_handle, stop) = interrupt::manual();
    let run = |spec: &level::LevelSpec, out: &Path| made(out, 100 * spec.level.load() as u64);
    let file = sweep::run(&settings, &levels, &stop, run, |_| {}).unwrap();
    (settings.out, file)
}

#[test]
fn a_sweep_leads_to_each_of_its_levels() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, file) = swept(parent.path());
    write(&dir).unwrap();
    let page = fs::read_to_string(dir.join("report.html")).unwrap();
    assert_eq!(file.levels.len(), 3);
    for row in &file.levels {
        let link = format!("href=\"./{}/report.html\"", row.folder);
        assert_eq!(page.matches(&link).count(), 1, "{link}");
        let level = fs::read_to_string(dir.join(&row.folder).join("report.html")).unwrap();
        let requests = format!("{} requests", row.headline.requests);
        assert!(level.replace(',', "").contains(&requests), "{requests}");
    }
    let name = dir.to_str().unwrap();
    assert_eq!(printed(&[name, "--out", "-"]).trim_end(), page.trim_end());
    printed(&[name, "--format", "svg"]);
    let charts = [
        "errors_by_level.svg",
        "latency_by_level.svg",
        "throughput_by_level.svg",
    ];
    assert_eq!(names(&dir.join("charts")), charts);
    let (code, error) = refused(&[name, "--format", "markdown"]);
    assert!(code == 2 && error.contains("is for runs"), "{error}");
}

#[test]
fn a_sweep_whose_rows_point_elsewhere_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, file) = swept(parent.path());
    let outside = parent.path().join("outside");
    fs::rename(dir.join(&file.levels[0].folder), &outside).unwrap();
    let path = dir.join("sweep.json");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace(&file.levels[0].folder, "../outside");
    fs::write(&path, text).unwrap();
    let error = write(&dir).unwrap_err().to_string();
    assert!(error.contains("is no folder within it"), "{error}");
    assert!(!outside.join("report.html").exists());
}

#[test]
fn a_heatmap_leads_to_each_of_its_cells() {
    let parent = tempfile::tempdir().unwrap();
    let settings = heatmap::Settings {
        out: parent.path().join("heatmap"),
        run_id: "20261125_120000".to_owned(),
        name: Some("sizes".to_owned()),
        command: vec!["tidemark-bench".to_owned(), "heatmap".to_owned()],
        base_url: "http://127.0.0.1:8000".to_owned(),
        statistic: "p95".parse().unwrap(),
        pause: Duration::ZERO,
    };
    let base = folder::config(100).workload;
    let cells = heatmap::plan(&base, &[50, 200], &[1, 10]).unwrap();
    let (_handle, stop) = interrupt::manual();
    // The cells with a batch of 1 have too few replies for a p95.
    let run =
        |spec: &heatmap::CellSpec, out: &Path| made(out, if spec.batch == 1 { 20 } else { 300 });
    let file: HeatmapFile = heatmap::run(&settings, &cells, &stop, run, |_| {}).unwrap();
    write(&settings.out).unwrap();
    let page = fs::read_to_string(settings.out.join("report.html")).unwrap();
    assert_eq!(page.matches("class=\"cell heat-none\"").count(), 2);
    assert_eq!(page.matches("class=\"cell heat-").count(), 4);
    for row in &file.cells {
        let link = format!("href=\"./{}/report.html\"", row.folder);
        assert_eq!(page.matches(&link).count(), 1, "{link}");
        assert!(settings.out.join(&row.folder).join("report.html").exists());
    }
}
